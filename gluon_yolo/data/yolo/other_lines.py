"""Lines with as many numbers as outlines have, that mean something else: of trackers, of key points."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gluon_yolo.data.report import BadFile

_BOX = 4
_GRACE = 0.01  # shares of the picture's sides, for rounding
_VISIBILITY = (0, 1, 2)
_NEARLY_ALL = 0.9
MEANINGS = {
    "track": "a confidence and a track id seem to end them, as trackers write: take both off every line",
    "key points": "a box and key points, which are not read: keep the first five words of every line",
}
_REMEDY = "if it is an outline, begin it with another corner"


class Outline(NamedTuple):
    """What a line that counts as an outline may be instead.

    Args:
        line: its number in the file.
        words: how many it has.
        resembles: a key of :data:`MEANINGS`, empty where it is an outline.
        is_certain: whether it cannot be an outline.
    """

    line: int
    words: int
    resembles: str
    is_certain: bool


def look_at(line: int, numbers: Sequence[float]) -> Outline:
    """Return what a line may be: a track is a box or an outline, then a confidence, then a whole number.

    Key points come behind a box and lie within it, each with or without a visibility. A track id above 1 is
    no share of a picture's side, so that the line is no outline.

    Args:
        line: its number in the file.
        numbers: its numbers, without the class.
    """
    words = len(numbers) + 1
    points = _points(numbers[_BOX:]) if _is_box(numbers[:_BOX]) else []
    if points and all(_within(point, numbers) for point in points):
        return Outline(line, words, "key points", False)
    confidence, track_id = numbers[-2:]
    is_certain = track_id > 1 and 0 <= confidence <= 1
    if track_id.is_integer() and (is_certain or (0 < confidence < 1 and track_id >= 0)):
        return Outline(line, words, "track", is_certain)
    return Outline(line, words, "", False)


def refused(outlines: Mapping[str, Sequence[Outline]]) -> list[BadFile]:
    """Return the labels whose outlines mean something else.

    One line that cannot be an outline is enough for its file. What an outline may be by accident counts where
    nearly all outlines of the data set are alike.

    Args:
        outlines: of each label file.
    """
    counts = Counter(outline.resembles for of_file in outlines.values() for outline in of_file)
    alike = {kind for kind in counts if counts[kind] >= _NEARLY_ALL * sum(counts.values())} - {""}
    found = []
    for file, of_file in outlines.items():
        wrong = (outline for outline in of_file if outline.is_certain or outline.resembles in alike)
        first = next(wrong, None)
        if first is not None:
            meaning = f"line {first.line}: {first.words} words: {MEANINGS[first.resembles]}; {_REMEDY}"
            found.append(BadFile(file, meaning, "broken-label"))
    return found


def _points(rest: Sequence[float]) -> list[tuple[float, float]]:
    """Return the points behind a box, but for those that are not labelled; none where they are no points."""
    if len(rest) % 3 == 0 and all(visible in _VISIBILITY for visible in rest[2::3]):
        return [(x, y) for x, y, visible in zip(rest[::3], rest[1::3], rest[2::3]) if visible]
    return [point for point in zip(rest[::2], rest[1::2]) if any(point)]


def _is_box(numbers: Sequence[float]) -> bool:
    """Say whether numbers can be a box within the picture: centre and size."""
    cx, cy, width, height = numbers
    inside = all(
        size / 2 - _GRACE <= centre <= 1 - size / 2 + _GRACE for centre, size in ((cx, width), (cy, height))
    )
    return inside and width > 0 and height > 0


def _within(point: tuple[float, float], box: Sequence[float]) -> bool:
    return all(abs(point[axis] - box[axis]) <= box[axis + 2] / 2 + _GRACE for axis in (0, 1))
