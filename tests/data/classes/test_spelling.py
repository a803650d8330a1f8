"""Spellings: names of the same class, by a user's map and by the known spellings."""

from __future__ import annotations

import pytest

from gluon_yolo.class_names import COCO_CLASSES, VOC_CLASSES
from gluon_yolo.data.classes.spelling import Spellings
from gluon_yolo.errors import UserError
from tests.printed import refused


def written(folder, text):
    (folder / "map.txt").write_text(text, encoding="utf-8")
    return Spellings.read(folder / "map.txt")


@pytest.mark.parametrize(
    ("name", "known", "found"),
    [
        ("sofa", ("couch", "cat"), "couch"),
        ("couch", ("sofa",), "sofa"),
        ("couch", ("sofa", "couch"), "couch"),
        ("tvmonitor", ("TV",), "TV"),
        ("potted plant", ("pottedplant",), "pottedplant"),
        ("Dining Table", ("diningtable",), "diningtable"),
        ("cat", ("Cat",), None),  # names must match exactly, except for the known spellings
        ("sofa", (), None),
    ],
)
def test_known_spellings(name, known, found):
    assert Spellings().find(name, known) == found


def test_all_of_vocs_classes_are_cocos():
    found = {name: Spellings().find(name, COCO_CLASSES) for name in VOC_CLASSES}
    assert None not in found.values() and len(set(found.values())) == 20
    assert {name: new for name, new in found.items() if name != new} == {
        "aeroplane": "airplane",
        "diningtable": "dining table",
        "motorbike": "motorcycle",
        "pottedplant": "potted plant",
        "sofa": "couch",
        "tvmonitor": "tv",
    }


def test_a_written_map(tmp_path):
    spellings = written(tmp_path, "# vehicles\ncar = vehicle\ntruck=vehicle # large\n\n  kitty = cat\n")
    assert [spellings.rename(name) for name in ("car", "truck", "kitty", "cow")] == [
        *("vehicle", "vehicle", "cat", "cow")
    ]
    assert spellings.find("car", ("vehicle",)) == "vehicle"
    assert spellings.find("cat", ("kitty", "cow")) == "kitty"  # the map is used in both directions
    assert spellings.find("vehicle", ("car", "truck")) is None  # unless two names lead to this one
    assert spellings.find("sofa", ("couch",)) == "couch"  # known spellings still count


def test_over_what_is_known(tmp_path):
    assert written(tmp_path, "sofa = bench").find("sofa", ("couch", "bench")) == "bench"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "car = vehicle\nsofa couch",
            "line 2: expected NAME = OTHER NAME, as `sofa = couch`, got 'sofa couch'",
        ),
        ("= couch", "line 1: expected NAME"),
        ("sofa =", "line 1: expected NAME"),
        ("a = b\na = c", "line 2: 'a' is renamed before; keep one line"),
    ],
)
def test_faults(tmp_path, text, problem):
    with pytest.raises(UserError, match=f"map.txt: {problem}"):
        written(tmp_path, text)


def test_a_line_of_which_no_side_is_there(tmp_path):
    spellings = written(tmp_path, "kat = cat\ncar = vehicle")
    spellings.check_used(("cat", "car"))
    with refused("map.txt: line 2: car = vehicle: there is no class of either name; there a"):
        spellings.check_used(("cat", "cow"))
