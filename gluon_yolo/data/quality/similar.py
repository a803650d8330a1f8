"""Similar images: find images with equal bytes, and images that look the same, recompressed or rescaled."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.loading.workers import threaded_map
from gluon_yolo.data.quality.report import BadFile

_SIDE = 32  # cells of a thumbnail per side
_FINE = 256  # minimum of the shorter side, in pixels, of the image that a thumbnail is made from
_COARSE = 8  # cells per side of the thumbnails that are compared first
_LARGEST_DIFFERENCE = 8  # grey levels by which one cell may differ
_MEAN_DIFFERENCE = 2.0  # grey levels, over all cells
_FLAT = 4.0  # standard deviation in grey levels; a thumbnail below it has too little content to compare
_SHAPES_DIFFER = 0.03  # allowed relative difference of aspect ratios: small images have whole pixels
_BLOCK = 2048


class Look(NamedTuple):
    """The features by which images are compared.

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
    """Return the BLAKE2b digest (16 bytes) of an image's bytes."""
    return hashlib.blake2b(encoded, digest_size=16).digest()


def look_at(images: Sequence[Image], title: str) -> list[Look | BadFile]:
    """Return the features of each image, or why it cannot be read; all images are decoded."""

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
    """Return, for each image, the first image that it equals.

    Images are equal when their bytes are equal, or when their thumbnails differ no more than recompression or
    rescaling changes them. An object that moved before a fixed camera makes a different image. Images without
    contrast are compared by their bytes only.

    Args:
        looks: the result of :func:`look_at`; an image that cannot be read equals no other.
        identical_only: compare the bytes only.
        chained: whether images may be equal through others, as all frames of a slow video are; otherwise each
            image equals the first of its group.
        agree: returns for two images that look the same whether they are equal; None accepts all.

    Returns:
        (N,) indices; its own index for an image that equals no earlier one.
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
    """Yield pairs of images with nearly equal thumbnails, the earlier image first.

    All pairs of coarse thumbnails are compared first, by one matrix product per block: coarse thumbnails of
    equal images differ no more than the fine ones.

    Args:
        looks: of all images.
        counts: returns, just before an image is compared, whether it still needs to be.
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
