"""Sampler: reduced decoding gives the same content, and images that changed after opening are refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from gluon_yolo.data.dataset import ImageFiles
from gluon_yolo.data.loading.sampler import Job, Sampler
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.data.transforms import LazyImage, Mosaic, RandomExpand, Resize, light_train
from gluon_yolo.data.transforms.view import View
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError
from gluon_yolo.spec import DetectionSpec
from tests.data.loading.test_loader import Memory

SPEC = DetectionSpec(("a", "b", "c"))
BOX = [203, 101, 403, 305]  # odd corners, which no reduction hits exactly


def image_files(folder: Path, names: list[str], size_hw: tuple[int, int] = (411, 617)) -> ImageFiles:
    """A white rectangle on black, in files of odd size."""
    image = np.zeros((*size_hw, 3), dtype=np.uint8)
    image[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 255
    for name in names:
        cv2.imwrite(str(folder / name), image)
    paths = [str(folder / name) for name in names]
    truths = [Detections([BOX], [1])] * len(names)
    return ImageFiles(SPEC.class_names, paths, [size_hw] * len(names), truths, DatasetReport("drawn"))


def test_the_reduction_is_the_largest_that_loses_nothing() -> None:
    cases = [
        # height and width of the drawing of a 400x800 image, and its largest reduction
        ((400, 800), 1),
        ((201, 400), 1),
        ((200, 400), 2),
        ((50, 799), 1),
        ((100, 200), 4),
        ((99, 199), 4),
        ((50, 100), 8),
        ((2, 2), 8),
    ]
    for size_hw, expected in cases:
        view = View((400, 800), Detections.empty(), size_hw)
        Resize().edit(view, np.random.default_rng(0))
        assert view.reduction() == expected, size_hw


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
@pytest.mark.parametrize("size_hw", [(192, 288), (96, 96), (64, 32)])
def test_a_reduced_image_is_drawn_where_the_whole_one_is(tmp_path: Path, name, size_hw) -> None:
    dataset = image_files(tmp_path, [name])
    asked = []

    def read(reduction: int) -> np.ndarray:
        asked.append(reduction)
        return dataset.image(0, reduction)

    lazy = LazyImage(dataset.size_hw(0), dataset.annotations(0), read)
    drawn, kept = Resize().render([lazy], np.random.default_rng(0), size_hw)
    whole, expected = Resize()(dataset.image(0), dataset.annotations(0), np.random.default_rng(0), size_hw)
    assert asked[0] > 1
    # JPEG rounds sides up, so the reduced image may be larger than its part by less than a reduced pixel.
    np.testing.assert_allclose(kept.boxes, expected.boxes, atol=0.6)
    rows, columns = np.nonzero(drawn.min(axis=2) > 127)
    extent = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    np.testing.assert_allclose(kept.boxes[0], extent, atol=1.01)
    assert np.abs(drawn.astype(int) - whole).mean() < 6


def test_a_sample_says_what_it_is_asked_and_no_more(tmp_path: Path) -> None:
    dataset = image_files(tmp_path, ["a.jpg", "b.jpg", "c.jpg"])
    sampler = Sampler(dataset, Mosaic(light_train(), probability=1), SPEC, seed=3)
    job = Job(epoch=1, index=2, repeat=0, mixup=True, size_hw=(64, 96))
    out, again = np.zeros((64, 96, 3), np.uint8), np.zeros((64, 96, 3), np.uint8)
    targets = sampler(job, out)
    np.testing.assert_array_equal(targets, sampler(job, again))
    np.testing.assert_array_equal(out, again)
    assert (targets[:, 6] == 1).all()  # a mosaic gets no mixup
    mixed = Sampler(dataset, RandomExpand(1), SPEC, seed=3)
    assert (mixed(Job(1, 2, 0, True, (411, 617)), np.zeros((411, 617, 3), np.uint8))[:, 6] < 1).all()


def test_an_image_that_changed_is_refused(tmp_path: Path) -> None:
    dataset = image_files(tmp_path, ["a.jpg"])
    sampler = Sampler(dataset, Resize(), SPEC)
    out = np.zeros((96, 96, 3), np.uint8)
    job = Job(0, 0, 0, False, (96, 96))
    sampler(job, out)
    cv2.imwrite(str(tmp_path / "a.jpg"), np.zeros((411, 500, 3), np.uint8))
    with pytest.raises(UserError, match=r"a\.jpg: has 125x103 pixels \(read at 1/4\).*617x411.*was changed"):
        sampler(job, out)
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(UserError, match=r"a\.jpg: cannot read the picture"):
        sampler(job, out)


def test_the_name_in_an_error_is_that_of_the_image_at_fault() -> None:
    sampler = Sampler(Memory(2, {1: ValueError("no colour")}), Mosaic(Resize(), probability=1), SPEC)
    with pytest.raises(RuntimeError, match=r"^folder/001\.jpg: ValueError: no colour$"):
        for seed in range(20):  # whichever of the four images is read
            sampler(Job(seed, 0, 0, False, (32, 32)), np.zeros((32, 32, 3), np.uint8))
