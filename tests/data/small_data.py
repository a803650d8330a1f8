"""A small data set with many cases that formats handle differently, and its comparison with a copy."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from gluon_yolo.data.dataset import Dataset, ImageFiles, ListedImages
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.data.registry import WRITERS
from gluon_yolo.detections import Detections

MANY_CLASSES = tuple(name for name in WRITERS if name != "wider")  # formats of data with several classes
NAMES = ("wasp", "Bee", "grey ant")  # not sorted; no object is a grey ant
SIZES_HW = ((40, 50), (61, 333), (300, 127), (40, 50))
TRUTHS = (
    Detections([[3, 4, 20, 30], [0, 0, 50, 40]], [1, 0], difficult=[False, True]),
    Detections([[0.1, 7.37, 332.9, 60.05]], [0], difficult=[False]),
    Detections([[1 / 3, 2 / 3, 126.75, 299.999], [17, 18, 19, 20]], [0, 1], difficult=[False, False]),
    Detections(np.zeros((0, 4)), [], difficult=[]),
)


def small_data(folder: Path, names: tuple[str, ...] = NAMES) -> ImageFiles:
    """Write images of several sizes and types, two of them with one name, and return them with boxes."""
    paths = [folder / file for file in ("b/one.png", "a/one.png", "a/two.JPEG", "a/zero v1.5.png")]
    for number, (path, (height, width)) in enumerate(zip(paths, SIZES_HW)):
        path.parent.mkdir(parents=True, exist_ok=True)
        image = np.full((height, width, 3), 40 * number, dtype=np.uint8)
        path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
    return ImageFiles(names, [str(path) for path in paths], SIZES_HW, TRUTHS, DatasetReport("small"))


def one_class(data: ListedImages, name: str = "face") -> ListedImages:
    """Return the data with all objects of one class."""
    truths = [data.annotations(index) for index in range(len(data))]
    truths = [truth.replace(class_ids=np.zeros_like(truth.class_ids)) for truth in truths]
    return ImageFiles((name,), data._names, data._sizes_hw, truths, DatasetReport("one class"))


def assert_same(found: Dataset, expected: Dataset, difficult: bool) -> None:
    """Compare all except image names: integer corners exactly, others to 1e-3, difficult marks if asked."""
    assert (len(found), found.class_names) == (len(expected), expected.class_names)
    for index in range(len(expected)):
        assert found.encoded(index) == expected.encoded(index)
        assert found.size_hw(index) == expected.size_hw(index)
        here, there = found.annotations(index), expected.annotations(index)
        np.testing.assert_array_equal(here.class_ids, there.class_ids)
        np.testing.assert_allclose(here.boxes, there.boxes, rtol=0, atol=1e-3)
        whole = there.boxes == there.boxes.round()
        np.testing.assert_array_equal(here.boxes[whole], there.boxes[whole])
        if difficult:
            np.testing.assert_array_equal(here.difficult, there.difficult)


def replace_truth(dataset: ListedImages, index: int, truth: Detections) -> None:
    """Replace the annotations of one image."""
    truths = [dataset.annotations(place) for place in range(len(dataset))]
    dataset._keep([*truths[:index], truth, *truths[index + 1 :]])
