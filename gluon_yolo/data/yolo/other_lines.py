"""Lines with as many numbers as outlines that mean something else: tracks, key points."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from gluon_yolo.data.quality.report import BadFile
from gluon_yolo.data.yolo.outline_shape import is_far, is_shaped, move_together

_BOX = 4
_TRACK = 6  # numbers of a box, a confidence and a track id
_GRACE = 0.01  # for rounding, relative to the image's sides
_BEYOND = (-0.5, 1.5)  # the range of an outline's coordinates
_VISIBILITY = (0, 1, 2)
_MARKS = (0, 1)
_NEARLY_ALL = 0.9
_ENOUGH = 0.75  # trackers write boxes that reach out of the image
_MOSTLY = 0.8
_HALF = 0.5
# For lines of one length that are not nearly all lines: their minimum number, and share of all outlines.
_FEW = 3
_MANY, _PART = 5, 0.25
MEANINGS = {
    "track": "a confidence and a track id seem to end them, as trackers write: take both off every line",
    "key points": "a box and key points, which are not read: keep the first five words of every line",
    "numbers": "a box and more numbers, which are not read: keep the first five words of every line",
}
_REMEDY = "if it is an outline, repeat its first corner at its end"


class Outline(NamedTuple):
    """The possible meanings of a line that is parsed as an outline.

    Args:
        line: its number in the file.
        words: number of its words.
        meaning: its meaning when it is not an outline, a key of :data:`MEANINGS`; empty for a sure outline.
        is_certain: whether it cannot be an outline.
        start: its first four numbers when they can be a box, otherwise empty.
        is_shaped: whether it looks like an outline all the same.
        is_marked: whether 0 or 1 follows the first four numbers, as in ids and marks, or it is certain.
        ends: whether it may end in a confidence and a track id: ``"far"`` when these cannot be a corner near
            the others, ``"near"`` when they can, otherwise empty.
    """

    line: int
    words: int
    meaning: str = ""
    is_certain: bool = False
    start: tuple[float, ...] = ()
    is_shaped: bool = False
    is_marked: bool = False
    ends: str = ""


def classify(line: int, numbers: Sequence[float]) -> Outline:
    """Return a line's possible meanings: a box and more numbers, or an outline, a confidence and a track id.

    A number far outside the image, behind corners inside it, is not a corner's: it is a track id above 1, or
    an angle. Key points can have visibility marks 0, 1 and 2.

    Args:
        line: its number in the file.
        numbers: its numbers without the class id.
    """
    words, rest = len(numbers) + 1, numbers[_BOX:]
    is_box, has_marks = _is_box(numbers[:_BOX]), _are_marked_points(rest)
    beyond = next((place for place, number in enumerate(numbers) if _is_beyond(number)), 0)
    at_end = beyond >= len(numbers) - 2
    ends = _end(numbers)
    is_marked = has_marks or beyond > 0 or any(number in _MARKS for number in rest)
    if not is_box:
        meaning = "track" if at_end or ends else ""
        return Outline(line, words, meaning, is_certain=at_end, is_marked=is_marked, ends=ends)
    is_pose = has_marks or (len(numbers) > _TRACK and _lie_within(numbers))
    is_track = at_end or len(numbers) == _TRACK
    return Outline(
        line,
        words,
        meaning="key points" if is_pose else "track" if is_track else "numbers",
        is_certain=beyond > 0,
        start=tuple(numbers[:_BOX]),
        is_shaped=not has_marks and not beyond and is_shaped(numbers),
        is_marked=is_marked,
        ends=ends,
    )


def refused(outlines: Mapping[str, Sequence[Outline]]) -> list[BadFile]:
    """Return errors for the labels whose outlines mean something else.

    One line that cannot be an outline is enough for its file. A line that can be either counts only when all
    lines of its length are alike: true outlines differ in length, in start, or in shape.

    Args:
        outlines: the outlines of each label file.
    """
    every = [outline for of_file in outlines.values() for outline in of_file]
    groups: dict[int, list[Outline]] = {}
    for outline in every:
        groups.setdefault(outline.words, []).append(outline)
    boxes, tracks = _lengths_of_boxes(groups), _lengths_of_tracks(groups)
    found = []
    for file, of_file in outlines.items():
        for outline in of_file:
            is_box = outline.words in boxes
            if not (outline.is_certain or is_box or (outline.ends and outline.words in tracks)):
                continue
            is_track = outline.words == _TRACK + 1 or not (outline.is_certain or is_box)
            meaning = MEANINGS["track" if is_track else outline.meaning or "numbers"]
            remedy = "" if outline.is_certain else f"; {_REMEDY}"
            problem = f"line {outline.line}: {outline.words} words: {meaning}{remedy}"
            found.append(BadFile(file, problem, "broken-label"))
            break
    return found


def _lengths_of_boxes(groups: Mapping[int, Sequence[Outline]]) -> set[int]:
    """Return the numbers of words of lines that are boxes and more numbers; ``groups`` are by that number."""
    total = sum(map(len, groups.values()))
    alike = {words: group for words, group in groups.items() if _are_boxes(group)}
    if sum(map(len, alike.values())) >= _NEARLY_ALL * total:
        return set(alike)
    enough = max(_MANY, _PART * total)
    return {
        words
        for words, group in alike.items()
        if len(group) >= enough
        or (len(group) >= _FEW and _share(each.is_marked for each in group) >= _NEARLY_ALL)
    }


def _are_boxes(group: Sequence[Outline]) -> bool:
    """Return whether lines of one length begin with boxes and do not look like outlines."""
    starts = [outline.start for outline in group if outline.start]
    are_marked = all(outline.is_marked for outline in group)
    may_reach_out = are_marked and group[0].words == _TRACK + 1
    if len(starts) < (_ENOUGH if may_reach_out else _NEARLY_ALL) * len(group):
        return False
    if _share(outline.is_shaped for outline in group if outline.start) >= _MOSTLY:
        return False
    return are_marked or not move_together(np.array(starts))


def _lengths_of_tracks(groups: Mapping[int, Sequence[Outline]]) -> set[int]:
    """Return the numbers of words of outlines that end in a confidence and a track id."""
    longer = {words: group for words, group in groups.items() if words > _TRACK + 1}
    if _are_tracks([outline for group in longer.values() for outline in group]):
        return set(longer)
    return {words for words, group in longer.items() if len(group) >= _FEW and _are_tracks(group)}


def _are_tracks(group: Sequence[Outline]) -> bool:
    ends = [outline.ends for outline in group]
    return _share(map(bool, ends)) >= _NEARLY_ALL and _share(end == "far" for end in ends) >= _HALF


def _end(numbers: Sequence[float]) -> str:
    """Return the ``ends`` of :class:`Outline`.

    An outline whose last corner is on the image's edge usually has another corner there.
    """
    if len(numbers) <= _TRACK:
        return ""
    *corners, across, down = numbers
    on_edge = [(across, corners[::2]), (down, corners[1::2])]
    if not any(last in _MARKS for last, _ in on_edge) or any(
        last in _MARKS and last in others for last, others in on_edge
    ):
        return ""
    return "far" if is_far(numbers) else "near"


def _are_marked_points(rest: Sequence[float]) -> bool:
    """Return whether each third number is a visibility mark, or all are 0, as for points without a label."""
    marked = len(rest) % 3 == 0 and all(visible in _VISIBILITY for visible in rest[2::3])
    return marked or (len(rest) > 2 and not any(rest))


def _is_box(numbers: Sequence[float]) -> bool:
    """Return whether four numbers can be a box inside the image: centre and size."""
    cx, cy, width, height = numbers
    inside = all(
        size / 2 - _GRACE <= centre <= 1 - size / 2 + _GRACE for centre, size in ((cx, width), (cy, height))
    )
    return inside and width > 0 and height > 0


def _is_beyond(number: float) -> bool:
    low, high = _BEYOND
    return math.isfinite(number) and not low <= number <= high


def _lie_within(numbers: Sequence[float]) -> bool:
    """Return whether most points behind a box lie inside it."""
    (cx, cy, width, height), rest = numbers[:_BOX], numbers[_BOX:]
    return _HALF <= _share(
        abs(x - cx) <= width / 2 + _GRACE and abs(y - cy) <= height / 2 + _GRACE
        for x, y in zip(rest[::2], rest[1::2])
    )


def _share(marks: Iterable[bool]) -> float:
    """Return the share of true marks; 0 for none."""
    known = list(marks)
    return sum(known) / len(known) if known else 0.0
