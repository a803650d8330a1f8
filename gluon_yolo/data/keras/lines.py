"""Lines of keras-yolo3's lists: an image's path and its boxes.

``path x1,y1,x2,y2,class x1,y1,x2,y2,class ...``: corners in pixels and class ids, both from zero.
pytorch-YOLOv4 uses the same format. A path may contain blanks; an image without objects has no boxes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from gluon_yolo.data.images.files import files_called, is_image, is_unread_image
from gluon_yolo.data.quality.report import BadFile
from gluon_yolo.data.splits import pattern_of
from gluon_yolo.data.text_file import open_text, read_text
from gluon_yolo.errors import UserError

LISTS = (".txt", ".list")
"""The endings of lists."""
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_BOX = re.compile(rf"({_NUMBER}),({_NUMBER}),({_NUMBER}),({_NUMBER}),(\d{{1,9}})")
_EXPECTED = "expected a picture and boxes x1,y1,x2,y2,class with blanks between"
_ROBOFLOWS_STEM = "_annotations"
_LOOKED_AT = 1000  # lines; one of them with boxes identifies a list
_SHOWN = 60


@dataclasses.dataclass(frozen=True)
class Line:
    """One image and its objects as a list gives them, unchecked.

    Args:
        number: of the line in the list, from 1.
        image: the path, as written.
        boxes: for each object, its corners in pixels and its class id.
        written: the boxes, as written.
    """

    number: int
    image: str
    boxes: tuple[tuple[tuple[float, ...], int], ...]
    written: tuple[str, ...]


def read_line(path: str, number: int, text: str) -> Line:
    """Parse a line that is not blank.

    Args:
        path: the list, for messages.
        number: of the line.
        text: the line.

    Raises:
        BadFile: the line names no image, or has something other than boxes behind it.
    """
    words = text.split()
    first = next((place for place, word in enumerate(words) if _BOX.fullmatch(word)), len(words))
    boxes = words[first:]
    behind = re.search(rf"(^|\s){re.escape(boxes[0])}(?=\s|$)", text) if boxes else None
    image = text[: behind.start()].strip() if behind else text.strip()
    wrong = next((word for word in boxes if not _BOX.fullmatch(word)), None)
    if wrong is not None or not (is_image(image) or is_unread_image(image)):
        shown = text.strip() if len(text) <= _SHOWN else f"{text.strip()[:_SHOWN]}..."
        problem = f"line {number}: {_EXPECTED}, got {wrong or image[-_SHOWN:]!r} in {shown!r}"
        raise BadFile(path, problem, "broken-label")
    matches = [_BOX.fullmatch(word) for word in boxes]
    objects = tuple((tuple(map(float, m.groups()[:4])), int(m.group(5))) for m in matches if m)
    return Line(number, image, objects, tuple(boxes))


def has_boxes(path: Path) -> bool:
    """Return whether a file is such a list: one of its lines names an image with boxes."""
    return any(_BOX.fullmatch(line.split()[-1]) and _reads(path, line) for line in _lines(path))


def names_images(path: Path) -> bool:
    """Return whether the first line of a file names an image, with or without boxes."""
    lines = _lines(path)
    return bool(lines) and _reads(path, lines[0])


def _reads(path: Path, line: str) -> bool:
    try:
        return bool(read_line(str(path), 1, line))
    except BadFile:
        return False


def called_alike(files: Iterable[Path], lists: Iterable[Path]) -> list[Path]:
    """Return the files named as a list, except for the word for the split, that are no lists.

    Args:
        files: the candidates.
        lists: known lists.
    """
    lists = list(lists)
    patterns = {pattern_of(file.stem) for file in lists} - {""} or {"*"}
    return [
        file
        for file in files
        if file.suffix.lower() in LISTS
        and pattern_of(file.stem) in {*patterns, "*"}
        and file not in lists
        and file.is_file()
    ]


def lists_at(path: Path) -> dict[str, Path]:
    """Return the list at a path, or those in the folder at the path, by their stems; one of them has boxes.

    A file with a similar name, which differs in the word for the split only, counts too: its errors are
    reported when it is read. A folder without lists may have Roboflow's in the folders of its splits, each
    named after its folder.

    Raises:
        UserError: two lists differ in their endings only.
    """
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    if not any(map(has_boxes, files)):
        folders = [file for file in files if file.is_dir()]
        files = [file for folder in folders for file in files_called(folder, f"{_ROBOFLOWS_STEM}.txt")]
    if not any(map(has_boxes, files)):
        return {}
    lists = [file for file in files if names_images(file)]
    lists = sorted({*lists, *called_alike(files, lists)})
    return by_split((_split_of(file), file) for file in lists)


def _split_of(file: Path) -> str:
    return file.resolve().parent.name if file.stem == _ROBOFLOWS_STEM else file.stem


def by_split(lists: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    """Return lists by the names of their splits, with which they are paired.

    Raises:
        UserError: two lists are of one split.
    """
    found: dict[str, Path] = {}
    for name, file in lists:
        if name in found:
            raise UserError(
                f"{file}: is a list of the split {name}, and so is {found[name]}; name one of them, or move "
                "the other away"
            )
        found[name] = file
    return found


def images_in(path: Path) -> Iterator[str]:
    """Yield the images of a list; nothing when it cannot be read, which opening it reports."""
    with contextlib.suppress(UserError):
        for text in read_text(path, "the list").splitlines():
            with contextlib.suppress(BadFile):
                yield read_line(str(path), 0, text).image


def _lines(path: Path) -> list[str]:
    """Return the first lines of a list that are not blank; empty for other files."""
    if path.suffix.lower() not in LISTS or not path.is_file():
        return []
    try:
        with open_text(path) as file:
            return [line for line in islice(file, _LOOKED_AT) if line.strip()]
    except OSError:
        return []
