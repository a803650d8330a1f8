"""COCOMetric: against pycocotools run from files, and on annotations that other tools write."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.metrics.coco_ap import NAMES, COCOMetric
from gluon_yolo.structures import Detections

pytest.importorskip("pycocotools")

CATEGORY_IDS = [7, 3, 90]  # class index -> category id; neither sorted nor dense, as in COCO itself


def random_annotations(rng: np.random.Generator, pictures: int) -> dict[str, Any]:
    """Objects of all of COCO's three sizes, some crowds; category 90 has none; picture 1000 is empty."""
    images = [{"id": 1000 + 3 * i, "width": 640, "height": 480} for i in range(pictures)]
    annotations: list[dict[str, Any]] = []
    for image in images[1:]:
        for _ in range(rng.integers(0, 9)):
            width, height = rng.choice([15, 60, 180]) * rng.uniform(0.6, 1.4, 2)
            x, y = rng.uniform(0, 640 - width), rng.uniform(0, 480 - height)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image["id"],
                    "category_id": int(rng.choice([7, 3])),
                    "bbox": [x, y, width, height],
                    "area": 0.8 * width * height,  # of its outline, which is less than the box's
                    "iscrowd": int(rng.random() < 0.1),
                }
            )
    categories = [{"id": id_, "name": f"class {id_}"} for id_ in sorted(CATEGORY_IDS)]
    return {"images": images, "annotations": annotations, "categories": categories}


def random_predictions(rng: np.random.Generator, content: dict[str, Any], image_id: int) -> Detections:
    """Predictions near the objects, some twice, some of another class, and stray ones."""
    objects = [a for a in content["annotations"] if a["image_id"] == image_id]
    boxes, class_ids = [], []
    for item in objects * 2 + [{"bbox": [9, 9, 50, 50], "category_id": 90}]:
        if rng.random() < 0.7:
            x, y, width, height = np.array(item["bbox"]) + rng.normal(0, 0.06 * item["bbox"][2], 4)
            boxes.append([x, y, x + max(width, 1), y + max(height, 1)])
            class_ids.append(CATEGORY_IDS.index(item["category_id"] if rng.random() < 0.9 else 3))
    return Detections(boxes, class_ids, rng.random(len(boxes)))


def judge_from_files(folder: Path, content: dict[str, Any], results: list[dict[str, Any]]) -> np.ndarray:
    """Return pycocotools' twelve numbers, by its own readers, from files."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    (folder / "truth.json").write_text(json.dumps(content))
    (folder / "results.json").write_text(json.dumps(results))
    truth = COCO(str(folder / "truth.json"))
    judge = COCOeval(truth, truth.loadRes(str(folder / "results.json")), "bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    return judge.stats


@pytest.mark.parametrize("seed", range(4))
def test_equals_pycocotools_run_from_files(
    seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(seed)
    content = random_annotations(rng, pictures=25)
    (tmp_path / "instances.json").write_text(json.dumps(content))
    metric = COCOMetric(tmp_path / "instances.json", CATEGORY_IDS)
    results = []
    for image in content["images"]:
        predicted = random_predictions(rng, content, image["id"])
        metric.update(image["id"], predicted)
        for box, class_id, score in zip(predicted.boxes.astype(float), predicted.class_ids, predicted.scores):
            bbox = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
            results.append({"image_id": image["id"], "category_id": CATEGORY_IDS[class_id], "bbox": bbox})
            results[-1]["score"] = float(score)
    numbers = metric.compute()
    assert capsys.readouterr().out == ""
    theirs = judge_from_files(tmp_path, content, results)
    assert [numbers[name] for name in NAMES] == pytest.approx(list(theirs), abs=1e-12)
    assert 0.1 < numbers["AP"] < 0.9 and numbers["APs"] > 0  # the data must be able to tell a wrong metric
    classes = [numbers["per_class"][f"class {id_}"]["COCO_AP"] for id_ in (7, 3)]
    assert np.mean(classes) == pytest.approx(numbers["AP"])
    assert math.isnan(numbers["per_class"]["class 90"]["COCO_AP50"])


class Shelf:
    """A data set of two pictures with boxes and no COCO file, as VOC's."""

    class_names = ("ant", "bee")
    truths = (
        Detections([[0, 0, 50, 50], [60, 0, 90, 90]], [0, 1], difficult=[False, True]),
        Detections([[10, 10, 40, 60]], [0]),
    )

    def __len__(self) -> int:
        return len(self.truths)

    def name(self, index: int) -> str:
        return f"{index}.jpg"

    def size_hw(self, index: int) -> tuple[int, int]:
        return 100, 100

    def truth(self, index: int) -> Detections:
        return self.truths[index]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([0, 1], 1.0),  # both ants; the difficult bee is not missed
        ([0], 0.5),  # one ant of two: precision 1 up to recall 1/2, of 101 recalls 51
        ([], 0.0),  # nothing at all
    ],
)
def test_a_truth_is_made_from_any_data_set(found: list[int], expected: float) -> None:
    metric = COCOMetric.from_dataset(Shelf())  # type: ignore[arg-type]
    for index, truth in enumerate(Shelf.truths):
        predicted = truth if index in found else Detections.empty()
        metric.observe(index, predicted.replace(scores=np.full(len(predicted), 0.9)), truth)
    numbers = metric.compute()
    assert numbers["AP"] == pytest.approx(expected, abs=0.006)
    assert numbers["per_class"]["ant"]["COCO_AP"] == pytest.approx(expected, abs=0.006)
    assert math.isnan(numbers["per_class"]["bee"]["COCO_AP"])


def test_completes_what_exporters_leave_out(caplog: pytest.LogCaptureFixture) -> None:
    """An object numbered 0 would be counted as never found; area and iscrowd may be missing."""
    boxes = [[0, 0, 20, 20], [50, 50, 30, 30]]
    content = {
        "images": [{"id": 0, "width": 100, "height": 100}],
        "annotations": [
            {"id": i, "image_id": 0, "category_id": 0, "bbox": box} for i, box in enumerate(boxes)
        ],
        "categories": [{"id": 0, "name": "thing"}],
    }
    metric = COCOMetric(content)
    metric.update(0, Detections([[0, 0, 20, 20], [50, 50, 80, 80]], [0, 0], [0.9, 0.8]))
    assert metric.compute()["AP"] == pytest.approx(1.0)
    assert "numbered anew" in caplog.text


def test_says_when_pictures_were_not_predicted(caplog: pytest.LogCaptureFixture) -> None:
    content = random_annotations(np.random.default_rng(0), pictures=3)
    metric = COCOMetric(content, CATEGORY_IDS)
    metric.update(1000, Detections.empty(scored=True))
    assert metric.compute()["AP"] == 0.0
    assert "2 of 3 pictures were not predicted" in caplog.text


def test_refuses_what_it_cannot_score(tmp_path: Path) -> None:
    content = random_annotations(np.random.default_rng(0), pictures=3)
    metric = COCOMetric(content, CATEGORY_IDS)
    with pytest.raises(ValueError, match="scores"):
        metric.update(1000, Detections([[0, 0, 1, 1]], [0]))
    with pytest.raises(ValueError, match="not in the annotations"):
        metric.update(5, Detections.empty(scored=True))
    metric.update(1000, Detections.empty(scored=True))
    with pytest.raises(ValueError, match="seen twice"):
        metric.update(1000, Detections.empty(scored=True))
    with pytest.raises(ValueError, match="category ids"):
        COCOMetric(content, [7, 8])
    broken = tmp_path / "instances.json"
    with pytest.raises(UserError, match="instances.json: cannot be read"):
        COCOMetric(broken)
    broken.write_text("[]")
    with pytest.raises(UserError, match="needs the lists"):
        COCOMetric(broken)
