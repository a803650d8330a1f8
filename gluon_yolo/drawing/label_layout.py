"""Label layout: positions of the boxes' labels that cover neither objects nor other labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_TRIFLE = 0.02  # part of an object that a label may cover at no cost
SPARED = 0.06  # a position that covers no larger part of any object is accepted at once
HIDDEN = 0.35  # a label that covers a larger part of an object is left out
_TOUCHED = 0.05  # part of a label that other labels may overlap: no digit is hidden
_CROWDED = 10.0  # cost of covering a label, relative to covering an object
_MOST = 0.9  # part of the labels that must fit in a form before all labels take it
_ORDER = 1e-3  # cost per position, so that of equal positions the earlier is chosen


class Place(NamedTuple):
    """Position of a label.

    Args:
        form: index of the form.
        left: left edge of the plate, in pixels.
        top: upper edge of the plate, in pixels.
    """

    form: int
    left: int
    top: int


def place_labels(
    boxes: np.ndarray, forms_wh: Sequence[Sequence[tuple[int, int]]], size_hw: tuple[int, int]
) -> list[Place | None]:
    """Choose a position for each label in turn: above its box where free, else below, beside or inside.

    A label has several forms, from the most readable to the shortest; each label has the same number of them.
    All labels take the first form in which most labels find a free position, so that they look alike. A label
    without a free position takes a shorter form, or the position that covers least.

    Args:
        boxes: (N, 4) corners in pixels.
        forms_wh: for each label, the forms' width and height in pixels; earlier labels choose first.
        size_hw: of the image.

    Returns:
        A position within the image for each label; None for a label that would hide an object or another
        label, or does not fit.
    """
    height, width = size_hw
    objects = np.clip(np.asarray(boxes, dtype=np.float64).reshape(-1, 4), 0, [width, height, width, height])
    count = len(forms_wh[0]) if len(forms_wh) else 0
    bound = int((1 - _MOST) * len(objects))
    for first in range(count - 1):
        if _in_turn(objects, forms_wh, (first,), size_hw, bound) is not None:
            break
    else:
        first = max(0, count - 1)
    return _in_turn(objects, forms_wh, range(first, count), size_hw) or []


def _in_turn(
    objects: np.ndarray,
    forms_wh: Sequence[Sequence[tuple[int, int]]],
    numbers: Sequence[int],
    size_hw: tuple[int, int],
    bound: int | None = None,
) -> list[Place | None] | None:
    """Choose a position for each label in turn, among some of its forms.

    Args:
        objects: (N, 4) corners within the image.
        forms_wh: as for :func:`place_labels`.
        numbers: indices of the forms, the best first.
        size_hw: of the image.
        bound: maximum number of labels without a free position; None is no limit.

    Returns:
        The positions; None as soon as more labels than ``bound`` have no free position.
    """
    areas = np.maximum(_area(objects), 1)
    plates = np.zeros((0, 4))
    places: list[Place | None] = []
    crowded = 0
    for box, forms in zip(objects, forms_wh):
        least, place = np.inf, None
        for number in numbers:
            tried = _around(box, forms[number], size_hw)
            if not len(tried):
                continue
            covered = (_common(tried, objects) / areas).max(axis=1)
            touched = _common(tried, plates).sum(axis=1) / np.maximum(_area(tried), 1)
            worth = (
                np.where(covered <= _TRIFLE, 0, covered) + _CROWDED * touched + _ORDER * np.arange(len(tried))
            )
            best = int(worth.argmin())
            if worth[best] < least and covered[best] <= HIDDEN and touched[best] <= _TOUCHED:
                least, plate = worth[best], tried[best]
                place = Place(number, int(plate[0]), int(plate[1]))
                if covered[best] <= SPARED and not touched[best]:
                    break
        else:
            crowded += 1
            if bound is not None and crowded > bound:
                return None
        if place is not None:
            plates = np.concatenate([plates, plate[None]])
        places.append(place)
    return places


def _around(box: np.ndarray, plate_wh: tuple[int, int], size_hw: tuple[int, int]) -> np.ndarray:
    """Return the positions of a plate at a box, (P, 4) corners, the best first; empty when none fits."""
    (width, height), (x1, y1, x2, y2) = plate_wh, box
    if width > size_hw[1] or height > size_hw[0]:
        return np.zeros((0, 4))
    middle, above, below = (x1 + x2 - width) / 2, y1 - height, y2
    corners = np.array(
        [
            *((left, above) for left in (x1, x2 - width, middle)),
            *((x1, y1), (x2 - width, y1)),  # inside, which covers little of a large object
            *((left, below) for left in (x1, x2 - width, middle)),
            *((x1, y2 - height), (x2 - width, y2 - height)),
            *((side, top) for side in (x2, x1 - width) for top in (y1, y2 - height)),
        ]
    )
    corners = np.clip(np.rint(corners), 0, [size_hw[1] - width, size_hw[0] - height])
    return np.concatenate([corners, corners + plate_wh], axis=1)


def _area(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _common(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the areas of the intersections (N, M) of boxes (N, 4) and (M, 4)."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    return np.prod(np.maximum(high - low, 0), axis=2)
