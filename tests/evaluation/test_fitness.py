"""The score of a validation: its metrics, and the value that selects the best epoch."""

from __future__ import annotations

import importlib.util
import json
import logging

import numpy as np
import pytest

from gluon_yolo.data.coco.dataset import open_coco
from gluon_yolo.data.voc.dataset import open_voc
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError
from gluon_yolo.evaluation.coco_ap import COCOMetric, truth_of
from gluon_yolo.evaluation.f1 import F1Metric
from gluon_yolo.evaluation.fitness import fitness, kind_of, score
from gluon_yolo.evaluation.voc_ap import VOCMetric
from gluon_yolo.training.config_check import VAL_METRICS
from tests.printed import refused
from tests.small_training import draw_data


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    """The same images as Pascal VOC and as COCO."""
    folder = tmp_path_factory.mktemp("data")
    voc = open_voc(draw_data(folder), "val")
    (folder / "val.json").write_text(json.dumps(truth_of(voc)))
    return {"voc": voc, "coco": open_coco(folder / "val.json", folder)}


@pytest.mark.parametrize("data", ["voc", "coco"])
@pytest.mark.parametrize(
    "kind, key",
    [
        ("auto", "fitness"),
        ("fitness", "fitness"),
        ("coco", "AP"),
        ("voc07", "VOC07_mAP50"),
        ("voc", "VOC_mAP50"),
    ],
)
def test_what_decides(datasets, data, kind, key):
    """Both VOC's and COCO's values are computed, whichever is the score."""
    assert kind in VAL_METRICS
    dataset = datasets[data]
    metrics, found = score(dataset, kind)
    assert found == key
    numbers = {}
    for metric in metrics:
        for index in range(len(dataset)):
            truth = dataset.annotations(index)
            metric.update(index, truth.replace(scores=[0.9] * len(truth)), truth)
        numbers.update(metric.compute())
    wanted = ("AP", "AP50", "VOC07_mAP50", "VOC_mAP50")
    assert {name: numbers[name] for name in wanted} == pytest.approx(dict.fromkeys(wanted, 1), abs=1e-6)
    assert fitness(numbers) == pytest.approx(1, abs=1e-6)


def test_fitness():
    assert fitness({"AP": 0.5, "AP50": 0.7}) == pytest.approx(0.45 + 0.07)


def test_the_quick_count_is_cocos(datasets):
    """Random boxes near the truth and elsewhere, of all classes; also crowds and classes without objects."""
    rng = np.random.default_rng(0)
    for dataset in datasets.values():
        whole, (_, quick, _) = COCOMetric.from_dataset(dataset), score(dataset)[0]
        for index in range(len(dataset)):
            truth = dataset.annotations(index)
            near = truth.boxes + rng.normal(0, 3, (len(truth), 1)).astype(np.float32)
            corners = rng.uniform(0, 60, (30, 2))
            far = np.concatenate([corners, corners + rng.uniform(2, 40, (30, 2))], axis=1)
            boxes = np.concatenate([near, far]).astype(np.float32)
            ids = np.concatenate([truth.class_ids, rng.integers(0, len(dataset.class_names), 30)])
            found = Detections(boxes, ids, rng.uniform(0, 1, len(boxes)).astype(np.float32))
            for metric in (whole, quick):
                metric.update(index, found, truth)
        expected, counted = whole.compute(), quick.compute()
        assert 0 < counted["AP"] < counted["AP50"] < 1
        assert (counted["AP"], counted["AP50"]) == pytest.approx(
            (expected["AP"], expected["AP50"]), abs=1e-12
        )
        np.testing.assert_equal(counted["per_class"], expected["per_class"])


def test_without_pycocotools(datasets, monkeypatch, caplog):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "pycocotools" else find(name)
    )
    with caplog.at_level(logging.WARNING, "gluon_yolo"):
        metrics, key = score(datasets["coco"])
    assert key == "VOC07_mAP50" and [type(metric) for metric in metrics] == [VOCMetric, F1Metric]
    assert "needs pycocotools (pip install pycocotools), so the best epoch is chosen by VOC07" in caplog.text
    for kind in ("fitness", "coco"):
        with refused(f"--val-metric {kind} needs pycocotools: pip install pycocotools"):
            score(datasets["voc"], kind)
    with pytest.raises(UserError, match="^RUN: compares by it, which needs pycocotools: pip install pyc"):
        score(datasets["voc"], "fitness", "RUN: compares by it, which")


@pytest.mark.parametrize(
    "data, key, kind",
    [
        ("voc", None, "voc07"),  # runs from before there was a fitness
        ("coco", None, "coco"),
        ("voc", "fitness", "fitness"),
        ("voc", "VOC07_mAP50", "voc07"),
        ("coco", "VOC_mAP50", "voc"),
        ("voc", "AP", "coco"),
    ],
)
def test_a_run_that_goes_on_keeps_its_score(datasets, data, key, kind):
    assert kind_of(key, datasets[data]) == kind
