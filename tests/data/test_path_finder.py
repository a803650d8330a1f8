"""PathFinder: which paths are found by their ends, where, and which are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gluon_yolo.data.path_finder import PathFinder, nothing_beside, portable


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """A data set in a folder called cells."""
    for name in ("images/train/1.jpg", "images/train/2.JPG", "images/val/a b.jpg", "3.jpg", "lists/val.txt"):
        (tmp_path / "cells" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cells" / name).touch()
    return tmp_path / "cells"


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("images/train/1.jpg", "images/train/1.jpg"),
        ("/home/u/cells/images/train/1.jpg", "images/train/1.jpg"),
        ("C:\\cells\\images\\train\\1.jpg", "images/train/1.jpg"),
        ("..\\images\\train\\1.jpg", "images/train/1.jpg"),
        ("http://host.example/x/images/train/1.jpg?size=640#top", "images/train/1.jpg"),
        ("s3://bucket/images/val/a%20b.jpg", "images/val/a b.jpg"),
        ("images/train/2.jpg", "images/train/2.JPG"),  # another letter case
        ("Images/Train/1.jpg", "images/train/1.jpg"),
        ("Images", "images"),
        ("../Images", None),
        ("D:\\Cells\\IMAGES\\TRAIN\\2.Jpg", "images/train/2.JPG"),
        ("/far/3.jpg", "3.jpg"),
        ("/far/images/train", "images/train"),
        ("/far/cells/images", "images"),  # identified by its parent folder
        ("../images", None),  # a name that any data set has
        ("../train/images", None),
        ("/far/images", None),
        ("/far/val.txt", None),
        ("images/train/4.jpg", None),
        ("", None),
    ],
)
def test_found(cells: Path, written: str, found: str | None) -> None:
    path = PathFinder([cells]).find(written) if written else PathFinder([cells], os.path.isfile).find("")
    assert path == (found and str(cells / found))


def test_the_longest_end_counts(cells: Path) -> None:
    (cells / "1.jpg").touch()
    assert PathFinder([cells]).find("/x/train/images/train/1.jpg") == str(cells / "images/train/1.jpg")
    assert PathFinder([cells]).find("/x/1.jpg") == str(cells / "1.jpg")


def test_two_letter_cases_are_two_names(cells: Path) -> None:
    (cells / "images/train/2.jpg").touch()
    (cells / "images/train/2.Jpg").touch()
    assert PathFinder([cells]).find("images/train/2.jPG") is None


def test_folders_of_two_letter_cases(cells: Path) -> None:
    (cells / "images/Train").mkdir()
    assert PathFinder([cells]).find("images/TRAIN/1.jpg") == str(cells / "images/train/1.jpg")
    (cells / "images/Train/1.jpg").touch()
    assert PathFinder([cells]).find("images/TRAIN/1.jpg") is None
    assert PathFinder([cells]).find("images/Train/1.jpg") == str(cells / "images/Train/1.jpg")


def test_two_paths_are_not_found_in_one_place(cells: Path) -> None:
    finder = PathFinder([cells], os.path.isfile)
    assert finder.find("/old/monday/3.jpg") == str(cells / "3.jpg")
    assert finder.find("/old/monday/3.jpg") == str(cells / "3.jpg")
    assert finder.find("monday/3.jpg") == str(cells / "3.jpg")  # the same path, from another folder
    assert finder.find("/old/tuesday/3.jpg") is None
    assert finder.problem("/old/tuesday/3.jpg") == (
        "there is no picture /old/tuesday/3.jpg, and its end is that of /old/monday/3.jpg as well: it cannot "
        "be told which of them is meant"
    )


def test_problems(cells: Path) -> None:
    finder = PathFinder([cells], os.path.isfile)
    assert finder.problem("9.jpg") == f"there is no picture 9.jpg, seen from {cells}"
    here = PathFinder([cells], os.path.isfile, from_here=True)
    assert here.problem("9.jpg") == f"there is no picture 9.jpg, seen from {cells} or the current folder"
    for name in ("/x/9.jpg", "D:\\9.jpg", "https://host.example/9.jpg"):
        assert finder.problem(name) == f"there is no picture {name}"


def test_from_the_current_folder(cells: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(cells / "images")
    finder = PathFinder([cells], from_here=True)
    assert finder.find("train/1.jpg") == "train/1.jpg"
    assert finder.notes("x.txt") == [
        f"x.txt: what it names is not beside it, and was found from the current folder, {cells / 'images'}, "
        "such as train/1.jpg"
    ]
    found = PathFinder([cells / "images"]).find("../3.jpg")
    assert found is not None and Path(found).samefile(cells / "3.jpg")
    assert PathFinder([cells / "lists"]).find("train/1.jpg") is None


@pytest.mark.parametrize(
    ("written", "nothing"),
    [
        (["images/train/9.jpg", "9.jpg"], True),
        (["images/train/9.jpg", "images/train/1.jpg"], False),
        (["/far/images/train/1.jpg"], False),  # by its end
        ([], True),
    ],
)
def test_nothing_beside(cells: Path, written: list[str], nothing: bool) -> None:
    assert nothing_beside(written, [cells], os.path.isfile) is nothing


def test_notes(cells: Path) -> None:
    finder = PathFinder([cells / "images", cells], os.path.isfile)
    for name in ("train/1.jpg", "/far/train/1.jpg", "C:\\val\\a b.jpg"):
        finder.find(name)
    assert finder.notes("x.txt") == [
        f"x.txt names pictures in /far/train; they were found in {cells}/images/train",
        f"x.txt names pictures in C:/val; they were found in {cells}/images/val",
    ]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("a\\b.jpg", "a/b.jpg"),
        ("C:/a/b.jpg", "/a/b.jpg"),
        ("c.jpg", "c.jpg"),
        ("ftp://host/a/b.jpg?x=1", "/a/b.jpg"),
        ("a:b.jpg", "a:b.jpg"),
    ],
)
def test_portable(written: str, expected: str) -> None:
    assert portable(written) == expected


def test_an_image_of_a_kind_that_is_not_read_is_named(cells: Path) -> None:
    (cells / "images" / "train" / "7.gif").write_bytes(b"")
    for bases, written in (
        ([cells], "images/train/7.jpg"),
        ([cells / "images"], "C:\\far\\images\\train\\7.png"),
    ):
        problem = PathFinder(bases, os.path.isfile).problem(written)
        text = f"({cells}/images/train/7.gif is there, but .gif is not read: save it as PNG or JPEG)"
        assert problem.startswith(f"there is no picture {written} {text}")
    assert "is there" not in PathFinder([cells], os.path.isfile).problem("images/train/8.jpg")
