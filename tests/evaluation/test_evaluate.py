"""evaluate: boxes in the images' own pixels, every image once and in order, and all threads end."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError
from gluon_yolo.evaluation.coco_ap import COCOMetric
from gluon_yolo.evaluation.evaluate import evaluate
from gluon_yolo.evaluation.voc_ap import VOCMetric
from gluon_yolo.inference.preprocess import Preprocess

SIZE_HW = (96, 128)


class Squares(Dataset):
    """Grey images of different sizes with one bright square each, of varying position and size."""

    def __init__(self, images: int, broken: int = -1) -> None:
        super().__init__(("square", "circle"), DatasetReport("squares"))
        self.images, self.broken = images, broken

    def __len__(self) -> int:
        return self.images

    def name(self, index: int) -> str:
        return f"{index}.png"

    def size_hw(self, index: int) -> tuple[int, int]:
        return 100 + 40 * (index % 3), 300 - 50 * (index % 4)

    def annotations(self, index: int) -> Detections:
        left, top, side = 20 + 3 * index, 10 + 2 * index, 40 + index
        return Detections([[left, top, left + side, top + side]], [0])

    def image(self, index: int, reduction: int = 1) -> np.ndarray:
        if index == self.broken:
            raise UserError(f"{self.name(index)}: cannot be read")
        image = np.full((*self.size_hw(index), 3), 60, dtype=np.uint8)
        x1, y1, x2, y2 = self.annotations(index).boxes[0].astype(int)
        image[y1:y2, x1:x2] = 250
        return image


def find_the_bright_part(images: np.ndarray) -> list[Detections]:
    """A detector that returns the bounds of the bright pixels, in input pixels."""
    found = []
    for image in images:
        rows, columns = np.nonzero(image[:, :, 0] > 155)
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        found.append(Detections([box], [0], [0.9]))
    return found


@pytest.mark.parametrize("mode", ["resize", "letterbox"])
@pytest.mark.parametrize("workers", [0, 3])
def test_scores_in_the_images_own_pixels(mode: str, workers: int) -> None:
    dataset = Squares(11)
    seen, sizes = [], []

    def watch(index: int, image: np.ndarray, predicted: Detections) -> None:
        seen.append(index)
        assert image.shape == (*dataset.size_hw(index), 3)
        assert np.abs(predicted.boxes - dataset.annotations(index).boxes).max() < 3

    def detect(images: np.ndarray) -> list[Detections]:
        assert images.shape[1:] == (*SIZE_HW, 3) and images.dtype == np.uint8
        sizes.append(len(images))
        return find_the_bright_part(images)

    pytest.importorskip("pycocotools")
    metrics = [VOCMetric(dataset.class_names), COCOMetric.from_dataset(dataset)]
    numbers = evaluate(
        detect, dataset, SIZE_HW, 4, metrics, workers=workers, fit=Preprocess(mode), watch=watch
    )
    assert seen == list(range(11)) and sizes == [4, 4, 3]
    assert numbers["VOC07_mAP50"] == numbers["VOC_mAP50"] == pytest.approx(1.0)
    assert numbers["AP50"] == pytest.approx(1.0) and numbers["AP"] > 0.8
    assert set(numbers["per_class"]["square"]) == {"AP07", "AP", "truths", "COCO_AP", "COCO_AP50"}
    assert numbers["pictures"] == 11 and numbers["pictures_per_second"] > 0


def test_a_broken_image_stops_at_its_turn_and_leaves_no_thread() -> None:
    calls = []
    with pytest.raises(UserError, match=r"5\.png"):
        evaluate(
            lambda images: calls.append(1) or find_the_bright_part(images),
            Squares(40, broken=5), SIZE_HW, 2, [VOCMetric(["square", "circle"])], workers=3,
        )  # fmt: skip
    assert len(calls) == 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("evaluate")]


def test_a_failing_detector_leaves_no_thread() -> None:
    with pytest.raises(ZeroDivisionError):
        evaluate(lambda images: 1 // 0, Squares(40), SIZE_HW, 2, [VOCMetric(["square", "circle"])])
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("evaluate")]


def test_refuses_what_makes_no_sense() -> None:
    with pytest.raises(UserError, match="squares: no pictures"):
        evaluate(find_the_bright_part, Squares(0), SIZE_HW, 2, [])
    with pytest.raises(ValueError, match="expected 2 records, got 1"):
        evaluate(lambda images: find_the_bright_part(images)[:1], Squares(3), SIZE_HW, 2, [])
