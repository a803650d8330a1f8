"""COCOMetric: against pycocotools on files, and with annotations as other tools write them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gluon_yolo.data.coco.dataset import COCODataset, open_coco
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.subset import Subset
from gluon_yolo.detections import Detections
from gluon_yolo.evaluation.coco_ap import NAMES, COCOMetric
from tests.data.image_content import exif, jpeg

pytest.importorskip("pycocotools")

CATEGORY_IDS = [7, 3, 90]  # class index -> category id; neither sorted nor dense, as in COCO itself
Annotation = dict[str, Any]


def open_content(folder: Path, content: dict[str, Any], **options: Any) -> COCODataset:
    """Open annotations with the image sizes that they state."""
    for image in content["images"]:
        image.setdefault("file_name", f"{image['id']}.jpg")
        (folder / image["file_name"]).touch()
    (folder / "instances.json").write_text(json.dumps(content))
    return open_coco(folder / "instances.json", folder, check_images=False, **options)


def perfect(dataset: Dataset) -> dict[str, Any]:
    """Return the metrics of predictions equal to the ground truth."""
    metric = COCOMetric.from_dataset(dataset)
    for index in range(len(dataset)):
        truth = dataset.annotations(index)
        metric.update(index, truth.replace(scores=np.full(len(truth), 0.9)), truth)
    return metric.compute()


def random_annotations(rng: np.random.Generator, pictures: int) -> dict[str, Any]:
    """Return objects of COCO's three sizes, some crowds; category 90 has none; image 1000 is empty."""
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
                    "area": 0.8 * width * height,  # area of its outline, which is smaller than the box
                    "iscrowd": int(rng.random() < 0.1),
                }
            )
    categories = [{"id": id_, "name": f"class {id_}"} for id_ in sorted(CATEGORY_IDS)]
    return {"images": images, "annotations": annotations, "categories": categories}


def random_predictions(rng: np.random.Generator, content: dict[str, Any], image_id: int) -> Detections:
    """Return predictions near the objects, some twice, some of another class, and some elsewhere."""
    objects = [a for a in content["annotations"] if a["image_id"] == image_id]
    boxes, class_ids = [], []
    for item in objects * 2 + [{"bbox": [9, 9, 50, 50], "category_id": 90}]:
        if rng.random() < 0.7:
            x, y, width, height = np.array(item["bbox"]) + rng.normal(0, 0.06 * item["bbox"][2], 4)
            boxes.append([x, y, x + max(width, 1), y + max(height, 1)])
            class_ids.append(CATEGORY_IDS.index(item["category_id"] if rng.random() < 0.9 else 3))
    return Detections(boxes, class_ids, rng.random(len(boxes)))


def judge_from_files(folder: Path, content: dict[str, Any], results: list[dict[str, Any]]) -> np.ndarray:
    """Return pycocotools' twelve values, read by itself from files."""
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
    names = [f"class {id_}" for id_ in CATEGORY_IDS]
    dataset = open_content(tmp_path, content, class_names=names)
    metric = COCOMetric.from_dataset(dataset)
    results = []
    for index, image in enumerate(content["images"]):
        predicted = random_predictions(rng, content, image["id"])
        metric.update(index, predicted, dataset.annotations(index))
        for box, class_id, score in zip(predicted.boxes.astype(float), predicted.class_ids, predicted.scores):
            bbox = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
            results.append({"image_id": image["id"], "category_id": CATEGORY_IDS[class_id], "bbox": bbox})
            results[-1]["score"] = float(score)
    numbers = metric.compute()
    assert capsys.readouterr().out == ""
    theirs = judge_from_files(tmp_path, content, results)
    assert [numbers[name] for name in NAMES] == pytest.approx(list(theirs), abs=1e-12)
    assert 0.1 < numbers["AP"] < 0.9 and numbers["APs"] > 0  # the data must be able to reveal a wrong metric
    classes = [numbers["per_class"][f"class {id_}"]["COCO_AP"] for id_ in (7, 3)]
    assert np.mean(classes) == pytest.approx(numbers["AP"])
    assert math.isnan(numbers["per_class"]["class 90"]["COCO_AP50"])


PLAIN = {"bbox": [10, 20, 30, 40], "area": 700, "iscrowd": 0}
# Annotations as other tools write them: the expected box of each, None where there is no object.
WRITTEN: dict[str, tuple[Annotation, list[float] | None]] = {
    "area null": ({"area": None}, [10, 20, 40, 60]),
    "area text": ({"area": "700"}, [10, 20, 40, 60]),
    "area 0 as text": ({"area": "0"}, [10, 20, 40, 60]),
    "area False": ({"area": False}, [10, 20, 40, 60]),
    "area negative": ({"area": -1}, [10, 20, 40, 60]),
    "area of no number": ({"area": [7]}, [10, 20, 40, 60]),
    "area beyond COCO's largest": ({"area": 1e30}, [10, 20, 40, 60]),
    "crowd null": ({"iscrowd": None}, [10, 20, 40, 60]),
    "crowd 0 as text": ({"iscrowd": "0"}, [10, 20, 40, 60]),
    "crowd False": ({"iscrowd": False}, [10, 20, 40, 60]),
    "crowd true as text": ({"iscrowd": "true"}, None),
    "crowd 1 as text": ({"iscrowd": "1"}, None),
    "numbers as text": ({"bbox": ["10", "20", "30.0", "4e1"]}, [10, 20, 40, 60]),
    "ids as text": ({"id": "a1", "image_id": "1", "category_id": "3"}, [10, 20, 40, 60]),
    "ids as floats": ({"image_id": 1.0, "category_id": 3.0}, [10, 20, 40, 60]),
    "no width": ({"bbox": [5, 5, 0, 20]}, None),
    "minus ones": ({"bbox": [-1, -1, -1, -1]}, None),
    "negative size": ({"bbox": [60, 60, -20, -20]}, None),
    "outside": ({"bbox": [400, 400, 20, 20]}, None),
    "reaches out": ({"bbox": [-20, 100, 50, 50]}, [0, 100, 30, 120]),
    "a tenth outside": ({"bbox": [150, 5, 10.1, 10]}, [150, 5, 160, 15]),
    "no box": ({"bbox": None}, None),
}


def small_content(*annotations: Annotation, **image: Any) -> dict[str, Any]:
    """Return two images of 160x120, the second of which has an object of another class."""
    records = [{"image_id": 1, "category_id": 3, **PLAIN, **each} for each in annotations]
    other = {"image_id": 2, "category_id": 4, "bbox": [0, 0, 90, 100], "area": 9000}
    return {
        "images": [{"id": id_, "width": 160, "height": 120, **image} for id_ in (1, 2)],
        "annotations": [*records, other],
        "categories": [{"id": 3, "name": "ant"}, {"id": 4, "name": "bee"}],
    }


@pytest.mark.parametrize("kind", WRITTEN)
def test_what_is_read_is_what_is_scored(kind: str, tmp_path: Path) -> None:
    """Perfect predictions have AP 1 for any annotation: training and metric use the same reader."""
    annotation, box = WRITTEN[kind]
    dataset = open_content(tmp_path, small_content(annotation))
    assert dataset.annotations(0).boxes.tolist() == ([] if box is None else [box])
    numbers = perfect(dataset)
    assert numbers["AP"] == pytest.approx(1.0, abs=1e-12)
    assert math.isnan(numbers["per_class"]["ant"]["COCO_AP"]) == (box is None)


@pytest.mark.parametrize("ids", [(1, 2), ("1", "2"), (1.0, "2"), ("img-a", "7"), ("b", "a")])
@pytest.mark.parametrize("written", [lambda id_: id_, str], ids=["alike", "text"])
def test_ids_of_any_kind(ids: tuple[Any, Any], written: Callable[[Any], Any], tmp_path: Path) -> None:
    content = small_content({})
    for record, id_ in zip(content["images"], ids):
        record.update(id=id_, file_name=f"{id_}.jpg")
    for record, id_ in zip(content["annotations"], ids):
        record["image_id"] = written(id_)
    dataset = open_content(tmp_path, content)
    assert sorted(len(dataset.annotations(index)) for index in range(2)) == [1, 1]
    assert perfect(dataset)["AP"] == pytest.approx(1.0)


def test_random_records(tmp_path: Path) -> None:
    """All data that can be opened, with any mixture of such values, has AP 1."""
    rng = np.random.default_rng(5)
    kinds = list(WRITTEN)
    for number in range(40):
        chosen = [WRITTEN[kinds[i]][0] for i in rng.integers(len(kinds), size=6)]
        folder = tmp_path / str(number)
        folder.mkdir()
        assert perfect(open_content(folder, small_content(*chosen)))["AP"] == pytest.approx(1.0, abs=1e-12)


def test_areas_tell_sizes(tmp_path: Path) -> None:
    """The outline's area counts if the file has one, though the box is larger; else the box's."""
    assert perfect(open_content(tmp_path, small_content({})))["APs"] == pytest.approx(1.0)
    numbers = perfect(open_content(tmp_path, small_content({"area": 0})))
    assert (numbers["APs"], numbers["APm"]) == (-1, pytest.approx(1.0))


def test_what_is_found_in_a_crowd_does_not_count(tmp_path: Path) -> None:
    dataset = open_content(tmp_path, small_content({"iscrowd": 1, "bbox": [0, 0, 100, 100]}, {}))
    found = Detections([[50, 50, 90, 90], [10, 20, 40, 60]], [0, 0], [0.9, 0.8])
    scores = []
    for kept in (dataset, Subset(dataset, [1, 0])):
        metric = COCOMetric.from_dataset(kept)
        for index in range(2):
            truth = kept.annotations(index)
            ours = found if len(truth) and truth.class_ids[0] == 0 else truth.replace(scores=np.ones(1))
            metric.update(index, ours, truth)
        scores.append(metric.compute()["AP"])
    assert scores == [pytest.approx(1.0), pytest.approx(1.0)]


def test_more_objects_than_coco_counts_detections(tmp_path: Path) -> None:
    """COCO counts 100 detections of a class per image; an image with 130 objects can reach AP 1 as well."""
    boxes = [{"bbox": [10 * (i % 13), 10 * (i // 13), 8, 8], "area": 64} for i in range(130)]
    assert perfect(open_content(tmp_path, small_content(*boxes)))["AP"] == pytest.approx(1.0)


class Shelf(Dataset):
    """A data set of two images with boxes and no COCO file, as VOC's."""

    class_names = ("ant", "bee")
    truths = (
        Detections([[0, 0, 50, 50], [60, 0, 90, 90]], [0, 1], difficult=[False, True]),
        Detections([[10, 10, 40, 60]], [0]),
    )

    def __init__(self) -> None:
        pass

    def __len__(self) -> int:
        return len(self.truths)

    def name(self, index: int) -> str:
        return f"{index}.jpg"

    def size_hw(self, index: int) -> tuple[int, int]:
        return 100, 100

    def annotations(self, index: int) -> Detections:
        return self.truths[index]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([0, 1], 1.0),  # both ants; the difficult bee is not missed
        ([0], 0.5),  # one ant of two: precision 1 up to recall 1/2, at 51 of 101 recalls
        ([], 0.0),  # no detection
    ],
)
def test_a_truth_is_made_from_any_data_set(found: list[int], expected: float) -> None:
    metric = COCOMetric.from_dataset(Shelf())
    for index, truth in enumerate(Shelf.truths):
        predicted = truth if index in found else Detections.empty()
        metric.update(index, predicted.replace(scores=np.full(len(predicted), 0.9)), truth)
    numbers = metric.compute()
    assert numbers["AP"] == pytest.approx(expected, abs=0.006)
    assert numbers["per_class"]["ant"]["COCO_AP"] == pytest.approx(expected, abs=0.006)
    assert math.isnan(numbers["per_class"]["bee"]["COCO_AP"])


def test_says_when_images_were_not_predicted(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    content = random_annotations(np.random.default_rng(0), pictures=3)
    metric = COCOMetric.from_dataset(open_content(tmp_path, content))
    metric.update(0, Detections.empty(scored=True), Detections.empty())
    assert metric.compute()["AP"] == 0.0
    assert "2 of 3 pictures were not predicted" in caplog.text


def test_refuses_what_it_cannot_score(tmp_path: Path) -> None:
    content = random_annotations(np.random.default_rng(0), pictures=3)
    metric, nothing = COCOMetric.from_dataset(open_content(tmp_path, content)), Detections.empty()
    with pytest.raises(ValueError, match="scores"):
        metric.update(0, Detections([[0, 0, 1, 1]], [0]), nothing)
    with pytest.raises(ValueError, match="not in the data set"):
        metric.update(5, Detections.empty(scored=True), nothing)
    metric.update(0, Detections.empty(scored=True), nothing)
    with pytest.raises(ValueError, match="seen twice"):
        metric.update(0, Detections.empty(scored=True), nothing)


def test_images_turned_by_exif_and_their_crowds(tmp_path):
    """Labels in the stored orientation: objects and crowds are rotated with the image, and areas stay."""
    (tmp_path / "1.jpg").write_bytes(jpeg(np.full((120, 160, 3), 90, np.uint8), exif(6)))
    annotations = [
        {"id": 1, "image_id": 1, "category_id": 7, "bbox": [16, 8, 44, 32], "area": 900, "iscrowd": 0},
        {"id": 2, "image_id": 1, "category_id": 7, "bbox": [100, 60, 50, 40], "area": 2000, "iscrowd": 1},
    ]
    content = {
        "images": [{"id": 1, "file_name": "1.jpg", "width": 160, "height": 120}],
        "annotations": annotations,
        "categories": [{"id": 7, "name": "cat"}],
    }
    (tmp_path / "instances.json").write_text(json.dumps(content))
    dataset = open_coco(tmp_path / "instances.json", tmp_path)
    assert dataset.annotations(0).boxes.tolist() == [[80, 16, 112, 60]]
    assert dataset.crowds(0).boxes.tolist() == [[20, 100, 60, 150]]
    assert dataset.areas(0).tolist() == [900]
    assert perfect(dataset)["AP"] == pytest.approx(1)
    metric = COCOMetric.from_dataset(dataset)  # detections in the crowd are neither right nor wrong
    found = Detections([[80, 16, 112, 60], [20, 100, 60, 150]], [0, 0], scores=[0.5, 0.9])
    metric.update(0, found, dataset.annotations(0))
    assert metric.compute()["AP"] == pytest.approx(1)
