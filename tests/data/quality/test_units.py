"""UnitCheck: boxes in wrong units are distinguished from single drawing errors."""

from __future__ import annotations

import pytest

from gluon_yolo.data.coco.source import COCOSource
from gluon_yolo.data.quality.annotations import Annotations
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.data.yolo.source import YOLOSource
from tests.data.coco.test_source import add_file, add_image, record
from tests.data.small_data import NAMES, small_data

GOOD = (30, 40, 90, 120)
SMALL = (0.1, 0.2, 0.6, 0.9)  # relative numbers, read as pixels
BY_ONE = (-0.9, -0.8, -0.4, -0.1)  # the same, after VOC's one is subtracted
LARGE = (3000, 4000, 50000, 60000)  # pixels, read as relative numbers
OUT = (30, 40, 120, 160)  # corners, read as x y width height


def report_of(boxes, size_hw=(100, 100)):
    report = DatasetReport("r")
    for number, box in enumerate(boxes):
        Annotations(f"{number}.txt", size_hw, report).add(box, 0)
    report.count([], NAMES)
    return report


@pytest.mark.parametrize(
    ("boxes", "size_hw", "first"),
    [
        ([GOOD] * 3 + [SMALL] * 7, (150, 100), "3.txt: 7 of 10 boxes, from here on, lie within one pixel"),
        ([BY_ONE] * 10, (150, 100), "0.txt: 10 of 10 boxes, from here on, lie within one pixel"),
        ([LARGE] * 10, (100, 100), "0.txt: 10 of 10 boxes, from here on, are many times as large"),
        ([GOOD] * 6 + [OUT] * 4, (150, 100), "6.txt: 4 of 10 boxes, from here on, reach out of their"),
    ],
)
def test_a_mistake_in_the_making_is_said_first(boxes, size_hw, first):
    report = report_of(boxes, size_hw)
    issue = report.issues[0]
    assert issue.kind == "wrong-units" and str(issue).startswith(first)
    assert [each.kind for each in report.issues].count("wrong-units") == 1


@pytest.mark.parametrize(
    ("boxes", "size_hw"),
    [
        ([GOOD] * 5 + [SMALL] * 5, (150, 100)),  # half of them
        ([GOOD] * 8 + [OUT] * 2, (150, 100)),
        ([LARGE] * 9, (100, 100)),  # too few to conclude
        ([SMALL] * 10, (4, 4)),  # a tiny image
        ([(float("nan"), 1, 2, 3)] * 10, (100, 100)),
        ([], (100, 100)),
    ],
)
def test_slips_are_none(boxes, size_hw):
    assert "wrong-units" not in [issue.kind for issue in report_of(boxes, size_hw).issues]


def test_a_sound_data_set_has_none(tmp_path):
    assert not small_data(tmp_path).report.issues


def test_labels_in_pixels(tmp_path):
    small_data(tmp_path / "p")
    label = tmp_path / "p" / "a" / "one.txt"  # of 333x61 pixels
    label.write_text("0 100 30 50 20\n" * 10)
    report = YOLOSource(tmp_path / "p").open("train", NAMES).report
    assert (report.broken_boxes, report.issues[0].file) == (10, str(label))
    assert "where this format has shares of the picture's width and height, such as 0.25" in str(
        report.issues[0]
    )


def test_shares_in_json(tmp_path):
    content = record("a.png", bbox=[0.1, 0.2, 0.3, 0.4])
    content["annotations"] *= 10
    add_file(tmp_path / "train.json", content)
    add_image(tmp_path / "a.png")
    report = COCOSource(tmp_path).open("train").report
    assert "10 of 10 boxes, from here on, lie within one pixel" in str(report.issues[0])
