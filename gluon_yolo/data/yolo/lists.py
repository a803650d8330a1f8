"""Lists of a YOLO data set's splits: find them in a folder, and report broken ones."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

from gluon_yolo.data.images.files import is_image
from gluon_yolo.data.keras.lines import by_split, called_alike, has_boxes
from gluon_yolo.data.splits import split_role
from gluon_yolo.data.text_file import first_line, read_text, type_in_place_of_text
from gluon_yolo.data.wider.layout import is_text
from gluon_yolo.data.yolo.paths import is_image_list
from gluon_yolo.errors import UserError

_SIBLINGS = ("val", "valid", "test")
_SHOWN = 60


@dataclasses.dataclass(frozen=True)
class Lists:
    """The lists of a data set without a description.

    Args:
        places: the list of each split.
        absent: for a split whose list is broken, what is wrong with it.
        left_out: messages about broken test lists, which are then not splits.
    """

    places: dict[str, tuple[Path, ...]]
    absent: dict[str, str]
    left_out: tuple[str, ...] = ()


def lists_in(folder: Path) -> Lists:
    """Return the lists of images in a folder by their names, with broken ones.

    A file named as a list, except for the word for its split, counts as one: ``val.txt`` beside
    ``train.txt``.

    Raises:
        UserError: two lists differ in their endings only.
    """
    files = _no_labels(folder)
    found = [file for file in files if is_image_list(file)]
    if not found or any(has_boxes(file) or is_text(file) for file in files):
        return Lists({}, {})
    return _divided(found, called_alike(files, found))


def broken_lists(folder: Path) -> list[str]:
    """Return what is wrong with files named as training or validation lists, when no file is a list."""
    files = [file for file in called_alike(_no_labels(folder), []) if split_role(file.stem) != "test"]
    return [fault(file) for file in files]


def _no_labels(folder: Path) -> list[Path]:
    """Return the paths in a folder without label files beside images, of which there may be very many."""
    names = sorted(os.listdir(folder))
    images = {os.path.splitext(name)[0] for name in names if is_image(name)}
    return [folder / name for name in names if os.path.splitext(name)[0] not in images]


def with_siblings(path: Path) -> Lists:
    """Return a list as the training list, with the validation and test lists beside it."""
    found = [path]
    if split_role(path.stem) in ("val", "test"):
        return Lists({"train": (path,)}, {})
    broken: list[Path] = []
    for word in _SIBLINGS:
        names = dict.fromkeys((path.stem.replace("train", word), word))
        files = [path.with_name(f"{name}{path.suffix}") for name in names]
        files = [file for file in files if file.is_file() and file != path]
        lists = [file for file in files if is_image_list(file)]
        found += lists[:1]
        broken += [] if lists else called_alike(files, [path])
    lists_of = _divided(found[1:], broken)
    places = {split_role(split): place for split, place in reversed(lists_of.places.items())}
    absent = {split_role(split): problem for split, problem in lists_of.absent.items()}
    return Lists({"train": (path,), **dict(reversed(places.items()))}, absent, lists_of.left_out)


def fault(path: Path) -> str:
    """Return why a file is not a list of images."""
    try:
        other_type = type_in_place_of_text(path)
        if other_type:
            return f"{path}: cannot read the list: {other_type}"
        read_text(path, "the list")
    except OSError as error:
        return f"{path}: cannot read the list: {error.strerror or error}"
    except UserError as error:
        return str(error)
    line = first_line(path)
    if not line:
        return f"{path}: the list is empty; write one picture a line, or take the file away"
    shown = line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
    return f"{path}: its first line names no picture, {shown!r}; a list names one a line, with its ending"


def _divided(lists: Iterable[Path], broken: Iterable[Path]) -> Lists:
    """Return lists by their names; a broken test list is left out when there is a validation list."""
    named = by_split((file.stem, file) for file in lists)
    places: dict[str, tuple[Path, ...]] = {split: (file,) for split, file in named.items()}
    broken = [file for file in broken if file.stem not in places]
    has_val = any(
        split_role(file.stem) == "val" for file in [*(place for (place,) in places.values()), *broken]
    )
    absent = {file.stem: fault(file) for file in broken}
    tests = [file.stem for file in broken if split_role(file.stem) == "test" and has_val]
    places.update({file.stem: (file,) for file in broken if file.stem not in tests})
    return Lists(
        dict(sorted(places.items())), absent, tuple(f"{test}: left out: {absent[test]}" for test in tests)
    )
