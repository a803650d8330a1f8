"""Placement: where the labels of boxes go, so that they cover neither each other nor the objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_TRIFLE = 0.02  # of an object: nobody misses it
SPARED = 0.06  # of an object: a label that covers no more is good
HIDDEN = 0.35  # of an object: a label that covers more is left out
_TOUCHED = 0.05  # of another label: no digit of it is hidden
_CROWDED = 10.0  # how much worse it is to cover a label than to cover an object
_MOST = 0.9  # of the labels: so many have a place in the form that all have
_ORDER = 1e-3  # between places that are equally good the earlier is taken


class Place(NamedTuple):
    """Where a label goes.

    Args:
        form: which of its forms.
        left: of the plate, in pixels.
        top: of the plate, in pixels.
    """

    form: int
    left: int
    top: int


def place_labels(
    boxes: np.ndarray, forms_wh: Sequence[Sequence[tuple[int, int]]], size_hw: tuple[int, int]
) -> list[Place | None]:
    """Choose a place for each label in turn: above its box where that is free, else below, beside or inside.

    A label has several forms, from the best to be read to the shortest, and all labels have the same number.
    The first in which most labels find a free place is every label's, so that they look alike; labels that
    find none have a shorter form, or the place where they cover least.

    Args:
        boxes: (N, 4) corners in pixels.
        forms_wh: for each label its forms' width and height in pixels; the first labels choose first.
        size_hw: of the image.

    Returns:
        A place within the image for each label; None for one that would hide an object or another label,
        or fits nowhere.
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
    """Let labels choose in turn, each among some of its forms.

    Args:
        objects: (N, 4) corners within the image.
        forms_wh: as :func:`place_labels` takes them.
        numbers: of the forms, the best first.
        size_hw: of the image.
        bound: labels that may go without a free place; None is no bound.

    Returns:
        Their places; None as soon as more than the bound are without a free one.
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
    """Return where a plate can be at a box, (P, 4) corners, the dearest first; none where it does not fit."""
    (width, height), (x1, y1, x2, y2) = plate_wh, box
    if width > size_hw[1] or height > size_hw[0]:
        return np.zeros((0, 4))
    middle, above, below = (x1 + x2 - width) / 2, y1 - height, y2
    corners = np.array(
        [
            *((left, above) for left in (x1, x2 - width, middle)),
            *((x1, y1), (x2 - width, y1)),  # inside, which a large object hardly suffers from
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
    """Return the areas (N, M) that boxes (N, 4) and (M, 4) have in common."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    return np.prod(np.maximum(high - low, 0), axis=2)
