"""Similar images: the same image again, byte by byte or as another file, compressed or scaled anew."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.loading.workers import threaded_map
from gluon_yolo.data.quality.report import BadFile

_SIDE = 32  # cells of a thumbnail, each way
_FINE = 256  # pixels of the shorter side, at least, that a thumbnail is made of
_COARSE = 8  # of the thumbnails that are compared first
_LARGEST_DIFFERENCE = 8  # grey levels by which one cell may differ
_MEAN_DIFFERENCE = 2.0  # grey levels, over all cells
_FLAT = 4.0  # grey levels of spread, below which an image shows too little to be known again
_SHAPES_DIFFER = 0.03  # share by which the proportions may differ: whole pixels of small images
_BLOCK = 2048


class Look(NamedTuple):
    """What an image is known again by.

    Args:
        digest: of the file's bytes.
        thumbnail: (32, 32) uint8 grey.
        proportions: width over height.
    """

    digest: bytes
    thumbnail: np.ndarray
    proportions: float


Image = tuple[Dataset, int]


def digest_of(encoded: bytes) -> bytes:
    """Return what tells an image's bytes from all others."""
    return hashlib.blake2b(encoded, digest_size=16).digest()


def look_at(images: Sequence[Image], title: str) -> list[Look | BadFile]:
    """Return what each image is known again by, or why it cannot be read; all are decoded for it."""

    def look(image: Image) -> Look | BadFile:
        dataset, index = image
        height, width = dataset.size_hw(index)
        reduction = next((scale for scale in (8, 4, 2) if min(height, width) >= _FINE * scale), 1)
        try:
            data = dataset.encoded(index)
            pixels = dataset.image(index, reduction)
        except BadFile as error:
            return error
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        thumbnail = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        return Look(digest_of(data), thumbnail, width / height)

    return threaded_map(look, images, title)


def groups(
    looks: Sequence[Look | BadFile],
    identical_only: bool = False,
    chained: bool = True,
    agree: Callable[[int, int], bool] | None = None,
) -> np.ndarray:
    """Return for each image the first one that it is the same as.

    The same are those of the same bytes; and those whose thumbnails differ by no more than another
    compression or size makes them. An object that moved in front of a still camera makes another image.
    Images without any contrast are compared by their bytes alone.

    Args:
        looks: as :func:`look_at` returns them; what cannot be read is the same as nothing.
        identical_only: compare the bytes alone.
        chained: whether an image may be the same by way of others. The frames of a slow video all are then;
            without it each is alike the first of its group.
        agree: says of two images that look the same whether they are; None takes all of them.

    Returns:
        (N,) indices: of an image that nothing came before, its own.
    """
    first = np.arange(len(looks))

    def find(place: int) -> int:
        while first[place] != place:
            first[place] = first[first[place]]
            place = int(first[place])
        return place

    def join(one: int, other: int) -> None:
        low, high = sorted((find(one), find(other)))
        first[high] = low

    by_digest: dict[bytes, int] = {}
    for place, look in enumerate(looks):
        if isinstance(look, Look):
            join(by_digest.setdefault(look.digest, place), place)
    if not identical_only:
        for one, two in _similar(looks, lambda place: chained or first[place] == place):
            if agree is None or agree(one, two):
                join(one, two)
    return np.array([find(place) for place in range(len(looks))], dtype=np.int64)


def _similar(looks: Sequence[Look | BadFile], counts: Callable[[int], bool]) -> Iterator[tuple[int, int]]:
    """Yield pairs of images whose thumbnails are nearly the same, the one that comes first in front.

    Coarse thumbnails are compared first, all with all, by one product of matrices a block: images that are
    alike differ by no more there than in the fine ones.

    Args:
        looks: of all images.
        counts: says, just before an image is compared, whether it still is to be.
    """
    usable = [
        (place, look)
        for place, look in enumerate(looks)
        if isinstance(look, Look) and look.thumbnail.std() >= _FLAT
    ]
    if not usable:
        return
    places = np.array([place for place, _ in usable])
    fine = np.stack([look.thumbnail for _, look in usable]).astype(np.float32)
    shapes = np.array([look.proportions for _, look in usable])
    cells = _SIDE // _COARSE
    coarse = fine.reshape(-1, _COARSE, cells, _COARSE, cells).mean(axis=(2, 4)).reshape(len(fine), -1)
    squares = (coarse**2).sum(axis=1)
    farthest = (
        _COARSE**2 * _MEAN_DIFFERENCE * _LARGEST_DIFFERENCE
    )  # of squared differences: mean times largest
    for start in range(0, len(fine), _BLOCK):
        block = slice(start, start + _BLOCK)
        for other in range(start, len(fine), _BLOCK):
            behind = slice(other, other + _BLOCK)
            distances = squares[block, None] + squares[None, behind] - 2 * coarse[block] @ coarse[behind].T
            for i, j in np.argwhere(distances <= farthest + 1):
                one, two = start + int(i), other + int(j)
                pair = int(places[one]), int(places[two])
                if not (one < two and all(map(counts, pair))):
                    continue
                if _are_alike(fine[one], fine[two], shapes[one] / shapes[two]):
                    yield pair


def _are_alike(one: np.ndarray, other: np.ndarray, proportions: float) -> bool:
    differences = np.abs(one - other)
    return bool(
        abs(proportions - 1) <= _SHAPES_DIFFER
        and differences.max() <= _LARGEST_DIFFERENCE
        and differences.mean() <= _MEAN_DIFFERENCE
    )
