"""DetectionStore: COCO's results, which pycocotools reads and scores as ``eval`` does; ids of other data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gluon_yolo.data.classes.relabel import Relabelled
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.subset import Subset
from gluon_yolo.detections import Detections
from gluon_yolo.evaluation.coco_ap import NAMES, COCOMetric
from gluon_yolo.evaluation.detection_store import DetectionStore
from tests.evaluation.test_coco_ap import CATEGORY_IDS, open_content, random_annotations, random_predictions
from tests.evaluation.test_evaluate import Squares

FOUND = Detections([[1, 2, 4, 8], [0.5, 0, 1, 3]], [1, 0], [0.5, 0.25])


def results(dataset: Dataset, *found: Detections) -> list[dict[str, Any]]:
    store = DetectionStore(dataset)
    for index, each in enumerate(found):
        store.update(index, each, Detections.empty())
    return list(store.results())


@pytest.mark.parametrize("seed", range(2))
def test_pycocotools_reads_it_and_gives_the_same_numbers(seed: int, tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("pycocotools")
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    rng = np.random.default_rng(seed)
    content = random_annotations(rng, pictures=25)
    names = [f"class {id_}" for id_ in CATEGORY_IDS]
    dataset = open_content(tmp_path, content, class_names=names)
    metric, store = COCOMetric.from_dataset(dataset), DetectionStore(dataset)
    for index, image in enumerate(content["images"]):
        predicted = random_predictions(rng, content, image["id"])
        for each in (metric, store):
            each.update(index, predicted, dataset.annotations(index))
    store.write(tmp_path / "new" / "results.json")
    judge = COCOeval(
        truth := COCO(str(tmp_path / "instances.json")),
        truth.loadRes(str(tmp_path / "new" / "results.json")),
        "bbox",
    )
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    numbers = metric.compute()
    assert [numbers[name] for name in NAMES] == pytest.approx(list(judge.stats), abs=1e-12)
    assert 0.1 < numbers["AP"] < 0.9
    written = json.loads((tmp_path / "new" / "results.json").read_text())
    assert {row["category_id"] for row in written} == {7, 3, 90}
    assert written[0]["image_id"] in {image["id"] for image in content["images"]}


def test_data_without_ids() -> None:
    """The ids count from 1, as ``data convert`` writes them."""
    assert results(Squares(3), Detections.empty(scored=True), FOUND) == [
        {"image_id": 2, "category_id": 2, "bbox": [1, 2, 3, 6], "score": 0.5},
        {"image_id": 2, "category_id": 1, "bbox": [0.5, 0, 0.5, 3], "score": 0.25},
    ]


def test_a_subset_and_other_classes(tmp_path: Path) -> None:
    """The ids are those of the file: of a part of the images, of classes in another order, of merged ones."""
    content = random_annotations(np.random.default_rng(0), pictures=4)
    dataset = open_content(tmp_path, content, class_names=[f"class {id_}" for id_ in CATEGORY_IDS])
    ids = [
        (row["image_id"], row["category_id"]) for row in results(Subset(dataset, [2, 0]), FOUND, FOUND[:1])
    ]
    assert ids == [(1006, 3), (1006, 7), (1000, 3)]
    own = Subset(dataset, [3], [Detections.empty()], ["one", "two"])
    assert [row["category_id"] for row in results(own, FOUND)] == [2, 1]
    swapped = Relabelled(dataset, [-1, 0, 1], ["class 3", "class 90"])
    assert [row["category_id"] for row in results(swapped, FOUND)] == [90, 3]
    merged = Relabelled(dataset, [1, 0, 0], ["both", "seven", "none"])
    found = Detections([[0, 0, 1, 1]] * 3, [0, 1, 2], [0.5] * 3)
    assert [row["category_id"] for row in results(merged, found)] == [3, 7, -3]


def test_nothing_found(tmp_path: Path) -> None:
    store = DetectionStore(Squares(2))
    store.write(tmp_path / "results.json")
    assert json.loads((tmp_path / "results.json").read_text()) == []
    assert len(store[1]) == 0 and store[1].scores is not None
    store.update(1, FOUND, Detections.empty())
    assert store[1] == FOUND and store.compute() == {"per_class": {}}
    store.reset()
    assert not list(store.results())
