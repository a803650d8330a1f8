"""WIDER FACE's text: entries and rows as published, and what each broken place prints."""

from __future__ import annotations

import pytest

from gluon_yolo.data.quality.report import BadFile
from gluon_yolo.data.wider.faces import Entry, read_entries

ROW = "311 131 8 9 1 0 0 0 0 0 "
ZERO = "0 0 0 0 0 0 0 0 0 0 "


def read(tmp_path, *lines):
    """Return the entries of a text with these lines, errors as their text without the folder."""
    file = tmp_path / "wider_face_val_bbx_gt.txt"
    file.write_text("".join(f"{line}\n" for line in lines))
    return [
        (each.image, len(each.faces)) if isinstance(each, Entry) else str(each).replace(f"{tmp_path}/", "")
        for each in read_entries(file)
    ]


def test_entries(tmp_path):
    found = read(
        tmp_path,
        "0--Parade/a.jpg",
        "2",
        ROW,
        "10 20 -2 5 0 0 0 1 0 0",
        "0--Parade/of val, empty.jpg",
        "1",
        ZERO,
        "1--Dance/of train, empty.jpg",
        "0",
        ZERO,
        "1--Dance/no row.png",
        "0",
        "",
        "1--Dance/b.jpg",
        "2",
        ZERO,
        ROW,
    )
    assert found == [
        ("0--Parade/a.jpg", 2),
        ("0--Parade/of val, empty.jpg", 0),
        ("1--Dance/of train, empty.jpg", 0),
        ("1--Dance/no row.png", 0),
        ("1--Dance/b.jpg", 2),
    ]


def test_a_row(tmp_path):
    file = tmp_path / "wider_face_val_bbx_gt.txt"
    file.write_text(f"a.jpg\r\n2\r\n{ROW}\r\n1.5 2 3 4 0 0 0 1 2 1\r\n")
    (entry,) = read_entries(file)
    assert not isinstance(entry, BadFile)
    first, second = entry.faces
    assert (first.number, first.box_xyxy, first.is_invalid) == (3, (311, 131, 319, 140), False)
    assert (second.number, second.box_xyxy, second.is_invalid) == (4, (1.5, 2, 4.5, 6), True)
    assert first.written == ROW.strip()


NAME = "wider_face_val_bbx_gt.txt: line "


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["a.jpg", "3", ROW, ROW], f"{NAME}2: 3 faces in a.jpg, but only 2 rows behind it"),
        (["a.jpg", "1"], f"{NAME}2: 1 face in a.jpg, but no row is behind it"),
        (["a.jpg"], f"{NAME}1: expected the number of faces in a.jpg, got 'the end of the file'"),
        (["a.jpg", ROW], f"{NAME}2: expected the number of faces in a.jpg, got '{ROW.strip()}'"),
        (["a.jpg", "-1"], f"{NAME}2: expected the number of faces in a.jpg, got '-1'"),
        (
            ["a.jpg", "1", "1 2 3 4"],
            f"{NAME}3: expected ten numbers, x y w h blur expression illumination invalid occlusion pose, "
            "got '1 2 3 4'",
        ),
        (
            ["a.jpg", "2", ROW, f"{ROW}0"],
            f"{NAME}4: expected ten numbers, x y w h blur expression illumination invalid occlusion pose, "
            f"got '{ROW}0'",
        ),
        (
            ["a.jpg", "1", "1 2 3 x 0 0 0 0 0 0"],
            f"{NAME}3: expected ten numbers, x y w h blur expression illumination invalid occlusion pose, "
            "got '1 2 3 x 0 0 0 0 0 0'",
        ),
        (
            ["a.jpg", "1", ROW, ROW, ROW],
            f"{NAME}4: expected the next picture's name behind the 1 row of a.jpg, got '{ROW.strip()}'",
        ),
        (
            ["a.jpg", "0", ROW],
            f"{NAME}3: expected the next picture's name behind the 0 rows of a.jpg, got '{ROW.strip()}'",
        ),
        ([ROW], f"{NAME}1: expected the picture's name, EVENT/NAME.jpg, got '{ROW.strip()}'"),
    ],
)
@pytest.mark.parametrize("behind", [[], ["b.jpg", "1", ROW]])
def test_broken(tmp_path, lines, expected, behind):
    if behind and lines == ["a.jpg"]:
        expected = f"{NAME}2: expected the number of faces in a.jpg, got 'b.jpg'"
    assert read(tmp_path, *lines, *behind) == [expected, *([("b.jpg", 1)] if behind else [])]
