"""Score: which metric, and which of its numbers, decides the best epoch."""

from __future__ import annotations

import pytest

from gluon_yolo.data.coco.dataset import open_coco
from gluon_yolo.data.voc.dataset import open_voc
from gluon_yolo.engine.score import score
from gluon_yolo.engine.settings import VAL_METRICS
from gluon_yolo.metrics.coco_ap import COCOMetric, truth_of
from gluon_yolo.metrics.voc_ap import VOCMetric
from tests.small_training import draw_data


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    """The same pictures as Pascal VOC and as COCO."""
    import json

    folder = tmp_path_factory.mktemp("data")
    voc = open_voc(draw_data(folder), "val")
    (folder / "val.json").write_text(json.dumps(truth_of(voc)))
    return {"voc": voc, "coco": open_coco(folder / "val.json", folder)}


@pytest.mark.parametrize(
    "data, kind, metric, key",
    [
        ("voc", "auto", VOCMetric, "VOC07_mAP50"),
        ("coco", "auto", COCOMetric, "AP"),
        ("voc", "voc", VOCMetric, "VOC_mAP50"),
        ("coco", "voc", VOCMetric, "VOC_mAP50"),
        ("coco", "voc07", VOCMetric, "VOC07_mAP50"),
        ("voc", "coco", COCOMetric, "AP"),
    ],
)
def test_the_metric_gives_the_number_that_decides(datasets, data, kind, metric, key):
    assert kind in VAL_METRICS
    dataset = datasets[data]
    found, found_key = score(dataset, kind)
    assert (type(found), found_key) == (metric, key)
    for index in range(len(dataset)):
        truth = dataset.truth(index)
        found.observe(index, truth.replace(scores=[0.9] * len(truth)), truth)
    assert found.compute()[key] == pytest.approx(1, abs=1e-6)
