"""The tables of errors that ``eval`` prints: few classes, many classes, long names."""

from __future__ import annotations

from typing import Any

import pytest

from gluon_yolo.evaluation.error_kinds import KINDS, SUMS
from gluon_yolo.evaluation.error_table import confusion_table, error_table, matrix_rows

Cell = tuple[Any, Any, int]


def numbers(names: list[str], *cells: Cell) -> dict[str, Any]:
    """Return the numbers of an evaluation with these cells of the confusion matrix."""
    records = [dict(zip(("annotated", "detected", "count"), cell)) for cell in cells]
    return {"per_class": {name: {} for name in names}, "confusion": records, "F1_threshold": 0.3}


def test_few_classes() -> None:
    cells = (("ant", "ant", 1200), ("ant", "bee", 3), ("bee", None, 4), (None, "ant", 5))
    assert confusion_table(numbers(["ant", "bee"], *cells)).splitlines() == [
        "score > 0.3, found as    ant  bee  (background)",
        "-----------------------------------------------",
        "ant                    1,200    3             0",
        "bee                        0    0             4",
        "-----------------------------------------------",
        "(background)               5    0             -",
    ]


def test_many_classes() -> None:
    names = [f"class {number}" for number in range(1000)]
    cells = [(names[number], names[number + 1], 50 - number) for number in range(14)]
    others = [(names[0], names[0], 99), (names[0], None, 99), (None, names[0], 99)]
    lines = confusion_table(numbers(names, *others, *cells)).splitlines()
    assert len(lines) == 13 and max(map(len, lines)) < 60
    assert lines[0].split() == "most often confused with objects".split()
    assert lines[2].split() == "class 0 class 1 50".split()
    assert lines[-2].split()[-1] == "41" and lines[-1] == "score > 0.3; 4 more pairs of classes"
    assert confusion_table(numbers(names, *others)) == "score > 0.3: no object is detected as another class"
    assert matrix_rows(numbers(names)) == []


@pytest.mark.parametrize(("length", "is_matrix"), [(5, True), (12, False)])
def test_ten_classes_as_far_as_their_names_are_short(length: int, is_matrix: bool) -> None:
    names = [f"{number:0{length}d}" for number in range(10)]
    table = confusion_table(numbers(names, (names[0], names[1], 2)))
    assert table.startswith("score > 0.3, found as") == is_matrix
    assert table.startswith("most often confused") != is_matrix
    assert max(map(len, table.splitlines())) <= 110


def test_kinds_of_errors() -> None:
    errors: dict[str, Any] = {"AP50": 0.5}
    for number, kind in enumerate((*KINDS, *SUMS)):
        errors[kind] = {"count": 1000 * number, "AP50_lost": number / 100}
    lines = error_table({"errors": errors}).splitlines()
    assert lines[0] == "kind of error    errors  AP50 lost  AP50 is 0.500"
    assert lines[2] == "class                 0      0.000  right place, wrong class"
    assert lines[7] == "missed            5,000      0.050  objects that no detection is near"
    assert lines[9] == "false positives   6,000      0.060  all wrong detections, ranked last"
    assert set(lines[1]) == set(lines[8]) == {"-"} and len(lines) == 11
    errors.update(AP50=float("nan"), missed={"count": 0, "AP50_lost": float("nan")})
    lines = error_table({"errors": errors}).splitlines()
    assert lines[0].endswith("AP50 is -") and lines[7].split()[:3] == ["missed", "0", "-"]
