"""Duplicates: copies, and different images of the same place."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from gluon_yolo.data.dataset import ImageFiles
from gluon_yolo.data.quality.duplicates import find_groups, shared_images
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.data.synthetic import draw_scene
from gluon_yolo.detections import Detections

ONE = ([[20, 30, 60, 90], [100, 40, 180, 120]], [0, 1])
OTHERS = {
    # boxes and classes of the same image at half the size, and whether it is a copy
    "the same": (([[10, 15, 30, 45], [50, 20, 90, 60]], [0, 1]), True),
    "in another order": (([[50, 20, 90, 60], [10, 15, 30, 45]], [1, 0]), True),
    "rounded": (([[11, 15, 29, 46], [50, 19, 90, 60]], [0, 1]), True),
    "moved": (([[12, 15, 32, 45], [50, 20, 90, 60]], [0, 1]), False),
    "of other classes": (([[10, 15, 30, 45], [50, 20, 90, 60]], [1, 0]), False),
    "of one class": (([[10, 15, 30, 45], [50, 20, 90, 60]], [1, 1]), False),
    "one more": (([[10, 15, 30, 45], [50, 20, 90, 60], [50, 20, 90, 60]], [0, 1, 1]), False),
    "one twice, one not": (([[10, 15, 30, 45], [10, 15, 30, 45]], [0, 0]), False),
    "none": (([], []), False),
}


def data(folder: Path, name: str, image: np.ndarray, objects: tuple) -> ImageFiles:
    cv2.imwrite(str(folder / name), image)
    truth = Detections(np.array(objects[0], np.float32).reshape(-1, 4), np.array(objects[1], np.int64))
    return ImageFiles(("a", "b"), [str(folder / name)], [image.shape[:2]], [truth], DatasetReport(name))


@pytest.mark.parametrize("case", OTHERS)
def test_copies_have_the_same_boxes(tmp_path: Path, case: str) -> None:
    objects, is_copy = OTHERS[case]
    image = draw_scene(np.random.default_rng(3), (300, 400))[0]
    half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    parts = {
        "train": data(tmp_path, "one.png", image, ONE),
        "val": data(tmp_path, "half.png", half, objects),
    }
    groups, _ = find_groups(parts)
    assert [len(group) for group in groups] == ([2] if is_copy else [])
    # In two parts they are reported whatever their boxes are, and equal bytes are copies.
    assert [issue.kind for issue in shared_images(parts)] == ["similar-picture"]
    parts["val"] = data(tmp_path, "again.png", image, objects)
    assert [len(group) for group in find_groups(parts)[0]] == [2]


def test_images_without_objects_may_be_copies(tmp_path: Path) -> None:
    image = draw_scene(np.random.default_rng(3), (300, 400))[0]
    parts = {name: data(tmp_path, name, image, ([], [])) for name in ("one.png", "one.bmp")}
    assert [len(group) for group in find_groups(parts)[0]] == [2]
