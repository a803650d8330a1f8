"""Find heads of another size in a darknet weights file, by its length and by the layers after each head.

A cfg edited for other classes or anchors differs only in the convolution before each ``[yolo]``. All other
layers have the same values as in the file for the original cfg; their positions depend on the number of
channels of the heads.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from gluon_yolo.models.head_layout import BOX_CHANNELS
from gluon_yolo.weights.darknet_layer import FLOAT, LayerShape, can_be_variance

MOST_ANCHORS, MOST_CLASSES = 9, 10_000  # per cell
# At a position that is no variance, every second value is negative. So this many channels do not match by
# chance; and a large head does not fit the file's length by chance.
ENOUGH_CHANNELS, ENOUGH_NUMBERS = 8, 1000
# Where the file's length does not tell, thousands of positions are tried, so more is needed.
SURELY_ENOUGH_CHANNELS, MOST_CHANNELS = 32, 4096


def find(data: bytes, shapes: Sequence[LayerShape], heads: Mapping[int, int]) -> list[LayerShape] | None:
    """Return the layers of a file whose heads have other channels than the cfg's.

    Args:
        data: the file's values.
        shapes: of the layers of a cfg, in the file's order.
        heads: number of anchors of each head, by the index of its convolution.

    Returns:
        The shapes; of a partial file those that it has; None where no size of the heads fits.
    """
    count, rest = divmod(len(data), FLOAT.itemsize)
    if rest:
        return None
    numbers = np.frombuffer(data, FLOAT, count)
    first = next((place for place, shape in enumerate(shapes) if shape.index in heads), len(shapes))
    for end in range(len(shapes), first, -1):
        whole = end == len(shapes)
        for channels, is_sure in _channels(shapes[:end], heads, count, whole):
            there = [shape.resized(channels.get(shape.index, shape.kernel[0])) for shape in shapes[:end]]
            if there != list(shapes) and _fit(numbers, there, None if whole else first, is_sure):
                return there
    return None


def find_in_longer(
    data: bytes, shapes: Sequence[LayerShape], heads: Mapping[int, int]
) -> list[LayerShape] | None:
    """Return the layers at the beginning of a file that has more layers, as the file for an uncut cfg.

    The heads have the cfg's channels or all the same other number. The arguments are those of :func:`find`.
    """
    count = len(data) // FLOAT.itemsize
    numbers = np.frombuffer(data, FLOAT, count)
    first = next((place for place, shape in enumerate(shapes) if shape.index in heads), None)
    if first is None:
        return None
    behind = any(shape.normalized for shape in shapes[first:])
    for channels in (None, *range(BOX_CHANNELS + 1, MOST_CHANNELS + 1)) if behind else (None,):
        there = [
            shape.resized(channels) if channels is not None and shape.index in heads else shape
            for shape in shapes
        ]
        if sum(shape.count for shape in there) >= count:
            return None
        if _fit(numbers, there, first if behind else None, False, SURELY_ENOUGH_CHANNELS):
            return there
    return None


def _channels(
    shapes: Sequence[LayerShape], heads: Mapping[int, int], count: int, whole: bool
) -> Iterator[tuple[dict[int, int], bool]]:
    """Yield possible channels of the heads in a file, the most likely first.

    Args:
        shapes: of the layers in the file.
        heads: number of anchors of each head.
        count: number of values in the file.
        whole: whether these are all layers; then heads of different sizes are tried too.

    Yields:
        Channels by the index of the head's convolution, and whether the file's length alone makes them
        likely.
    """
    each = {shape.index: shape.count_each for shape in shapes if shape.index in heads}
    rest = count - sum(shape.count for shape in shapes if shape.index not in heads)
    if rest <= 0:
        return
    is_sure = sum(each.values()) >= ENOUGH_NUMBERS
    same, left = divmod(rest, sum(each.values()))
    if not left and same > BOX_CHANNELS:
        yield dict.fromkeys(each, same), is_sure
    an_anchor, left = divmod(rest, sum(heads[index] * numbers for index, numbers in each.items()))
    if not left and an_anchor > BOX_CHANNELS:
        yield {index: heads[index] * an_anchor for index in each}, is_sure
    for an_anchor in range(BOX_CHANNELS + 1, BOX_CHANNELS + MOST_CLASSES + 1) if whole else ():
        if rest % an_anchor == 0:
            for anchors in _divisions(rest // an_anchor, list(each.values())):
                yield {index: number * an_anchor for index, number in zip(each, anchors)}, False


def _divisions(total: int, each: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield the numbers of anchors per level that give a total number of values."""
    *firsts, last = each
    for anchors in itertools.product(range(1, MOST_ANCHORS + 1), repeat=len(firsts)):
        left = total - sum(number * numbers for number, numbers in zip(anchors, firsts))
        if 0 < left <= MOST_ANCHORS * last and left % last == 0:
            yield (*anchors, left // last)


def _fit(
    numbers: np.ndarray,
    shapes: Sequence[LayerShape],
    head: int | None,
    is_sure: bool,
    enough: int = ENOUGH_CHANNELS,
) -> bool:
    """Return whether a file's values can be these layers, and hardly another network's.

    Args:
        numbers: of the file.
        shapes: of its layers.
        head: index of the first head, after which there must be batch normalisation to check; None where any
            layer may be checked.
        is_sure: whether the file's length alone makes them likely.
        enough: number of variances that must be checked.
    """
    place, norms, told = 0, 0, 0
    for number, shape in enumerate(shapes):
        if shape.normalized:
            start = place + 3 * shape.kernel[0]
            variance = numbers[start : start + shape.kernel[0]]
            if not (can_be_variance(variance) and (variance > 0).any()):
                return False
            norms += 1
            # The first batch normalisation does not confirm the layers before it.
            if number > (head or 0):
                told += shape.kernel[0]
        place += shape.count
    return told >= enough or (is_sure and not norms and head is None)
