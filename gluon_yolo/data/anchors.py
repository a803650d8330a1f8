"""Anchors for a data set: found by k-means, judged, kept in a file, and divided over a network's levels.

Sizes and anchors are (N, 2) width and height in pixels of the network's input. The overlap of a box and an
anchor is that of two boxes with one centre.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gluon_yolo.atomic_io import writing
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.text_file import read_text
from gluon_yolo.errors import UserError
from gluon_yolo.spec import Anchors
from gluon_yolo.text import counted, exact

RESTARTS = 10
_ITERATIONS = 300
_SAMPLE = 10_000  # boxes that the search looks at: ten times as many gain less than 0.001 of mean overlap
_DECIMALS = 2
_FORM = "expected widths and heights with commas between, as 10,13, 16,30, 33,23"


def box_sizes(dataset: Dataset, size_hw: tuple[int, int], fit: str = "resize") -> np.ndarray:
    """Return the sizes (N, 2) of all boxes of a data set when its images are brought to one size.

    Args:
        dataset: images and boxes.
        size_hw: the network's input.
        fit: ``"resize"`` stretches each side on its own; ``"letterbox"`` keeps an image's proportions.
    """
    sizes = [np.zeros((0, 2))]
    for index in range(len(dataset)):
        boxes = dataset.annotations(index).boxes.astype(np.float64)
        height, width = dataset.size_hw(index)
        scale = np.array([size_hw[1] / width, size_hw[0] / height])
        sizes.append((boxes[:, 2:] - boxes[:, :2]) * (scale.min() if fit == "letterbox" else scale))
    return np.concatenate(sizes)


def best_iou(sizes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Return the overlap (N,) of each of the sizes (N, 2) with the best fitting of the anchors (A, 2)."""
    best = np.zeros(len(sizes))
    for anchor in anchors:
        np.maximum(best, _iou(sizes, anchor), out=best)
    return best


def mean_best_iou(sizes: np.ndarray, anchors: np.ndarray) -> float:
    """Return the mean of :func:`best_iou`, what k-means makes as large as it can; NaN without boxes."""
    return float(best_iou(sizes, anchors).mean()) if len(sizes) else float("nan")


def recall(sizes: np.ndarray, anchors: np.ndarray, threshold: float = 0.5) -> float:
    """Return the best possible recall: the share of boxes whose best anchor overlaps them that much or more.

    A network that could only move its anchors, and not stretch them, would find no other boxes.
    """
    return float((best_iou(sizes, anchors) >= threshold).mean()) if len(sizes) else float("nan")


def find_anchors(sizes: np.ndarray, count: int = 9, seed: int = 0) -> np.ndarray:
    """Find anchors by k-means on 1 - IoU: dimension clusters (Redmon & Farhadi 2017, section 2).

    Started as k-means++ does, several times; the try with the best mean overlap wins. A cluster's centre is
    the median of its widths and heights and not their mean: far-off boxes pull a mean away from the many. It
    gave better overlaps in all that was tried (BCCD at 416: 0.884 and 0.879; drawn shapes 0.929 and 0.928;
    widths and heights spread over two decades: 0.572 and 0.544).

    Args:
        sizes: (N, 2), none of them zero; of very many a sample is taken.
        count: how many to find.
        seed: of sample and starts; the same gives the same anchors.

    Returns:
        (count, 2), smallest area first, rounded to hundredths of a pixel.

    Raises:
        UserError: there are fewer different sizes than anchors.
    """
    different = len(np.unique(np.round(sizes, _DECIMALS), axis=0))
    if not 1 <= count <= different:
        cannot = f"{counted(count, 'anchor')} cannot be found: the data has"
        if not different:
            raise UserError(f"{cannot} no box")
        if different == 1:
            raise UserError(f"{cannot} boxes of one size only; ask for 1")
        raise UserError(f"{cannot} boxes of {different} different sizes; ask for 1 to {different}")
    rng = np.random.default_rng(seed)
    if len(sizes) > _SAMPLE:
        sizes = sizes[rng.choice(len(sizes), _SAMPLE, replace=False)]
    tries = [_cluster(sizes, _scattered(sizes, count, rng)) for _ in range(RESTARTS)]
    best = max(tries, key=lambda anchors: mean_best_iou(sizes, anchors))
    return by_area(np.maximum(np.round(best, _DECIMALS), 10.0**-_DECIMALS))


def refine_anchors(sizes: np.ndarray, own: Anchors, seed: int = 0) -> Anchors:
    """Find anchors level by level, so that a level goes on with the boxes that it answers for.

    Anchors that are found together and then divided give every level its share of the boxes, also where these
    are all of about one size; a coarse level that is given small boxes then has them to learn from the start.

    Args:
        sizes: (N, 2), none of them zero.
        own: the anchors of each level that a network has; they say which boxes are a level's.
        seed: as :func:`find_anchors` takes it.

    Returns:
        As many for each level. Those of a level that has fewer different boxes than anchors stay.
    """
    flat = np.array([anchor for level in own for anchor in level], dtype=np.float64).reshape(-1, 2)
    overlaps = np.stack([_iou(sizes, anchor) for anchor in flat])
    level_of = np.repeat(np.arange(len(own)), [len(level) for level in own])[overlaps.argmax(axis=0)]
    found: list[np.ndarray] = []
    for place, level in enumerate(own):
        try:
            found.append(find_anchors(sizes[level_of == place], len(level), seed))
        except UserError:  # too few different boxes
            found.append(np.array(level, dtype=np.float64))
    return by_level(np.concatenate(found), len(own))


def by_area(anchors: np.ndarray) -> np.ndarray:
    """Return the anchors, smallest area first."""
    return anchors[np.argsort(anchors.prod(axis=1), kind="stable")]


def by_level(anchors: np.ndarray, levels: int) -> Anchors:
    """Divide anchors over a network's levels: the smallest go to the level with the smallest stride.

    Each level gets as many; what is left over goes, one each, to the first levels.

    Raises:
        UserError: there are fewer anchors than levels.
    """
    if len(anchors) < levels:
        raise UserError(
            f"anchors: got {len(anchors)}, but the network has {levels} levels, and each needs one or more"
        )
    parts = np.array_split(by_area(anchors), levels)
    return tuple(tuple((float(w), float(h)) for w, h in part) for part in parts)


def parse_anchors(text: str) -> np.ndarray:
    """Turn ``"10,13, 16,30"`` into anchors (A, 2).

    Raises:
        UserError: it is no such list.
    """
    words = [word for word in re.split(r"[,\s]+", text.strip()) if word]
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError as error:
        raise UserError(f"anchors {text.strip()!r}: {_FORM}") from error
    if not len(numbers) or len(numbers) % 2 or not np.isfinite(numbers).all() or numbers.min() <= 0:
        raise UserError(f"anchors {text.strip()!r}: {_FORM}; an even count, all above 0")
    return numbers.reshape(-1, 2)


def format_anchors(anchors: np.ndarray | Sequence[Sequence[float]]) -> str:
    """Return anchors (A, 2) as :func:`parse_anchors` reads them."""
    return ", ".join(f"{exact(w)},{exact(h)}" for w, h in anchors)


def named_anchors(text: str) -> np.ndarray:
    """Return the anchors (A, 2) of a file, or of a list as :func:`parse_anchors` takes it.

    Raises:
        UserError: it is neither.
    """
    if os.path.exists(text) or re.search(r"[^-+.,\deE\s]", text):
        return read_anchors(text)
    return parse_anchors(text)


def read_anchors(path: str | os.PathLike[str]) -> np.ndarray:
    """Read anchors (A, 2) from a file whose first line is a list of them; ``#`` begins a comment.

    Raises:
        UserError: there is no such file, or it holds something else.
    """
    path = os.fspath(path)
    lines = [line.partition("#")[0].strip() for line in read_text(path, "the anchors").splitlines()]
    try:
        return parse_anchors(next((line for line in lines if line), ""))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def write_anchors(path: str | os.PathLike[str], anchors: np.ndarray, iou: float) -> None:
    """Write the file that Yolo-FastestV2 keeps anchors in: a line of anchors, then their mean best overlap.

    A file of anchors is written over; any other stays.

    Raises:
        UserError: something else is there, or the place cannot be written.
    """
    path = os.fspath(path)
    if os.path.exists(path):
        try:
            read_anchors(path)
        except UserError as error:
            raise UserError(f"{path}: holds something else than anchors; name another file") from error
    with writing(Path(path), "name another place"):
        Path(path).write_text(f"{format_anchors(anchors)}\n{iou:.6f}\n", encoding="utf-8")


def _iou(sizes: np.ndarray, anchor: np.ndarray) -> np.ndarray:
    """Return the overlaps (N,) of sizes (N, 2) with one anchor (2,), all centred at one point."""
    intersection = np.minimum(sizes[:, 0], anchor[0]) * np.minimum(sizes[:, 1], anchor[1])
    return intersection / (sizes[:, 0] * sizes[:, 1] + anchor[0] * anchor[1] - intersection)


def _scattered(sizes: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Pick first centres far from each other: each with a chance by its squared distance from those before.

    Source: Arthur & Vassilvitskii 2007, k-means++, section 2.2.
    """
    chosen = [sizes[rng.integers(len(sizes))]]
    distance = 1 - _iou(sizes, chosen[0])
    for _ in range(count - 1):
        chances = distance**2
        total = chances.sum()
        chosen.append(sizes[rng.choice(len(sizes), p=chances / total if total else None)])
        distance = np.minimum(distance, 1 - _iou(sizes, chosen[-1]))
    return np.array(chosen)


def _cluster(sizes: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Move each centre to the median of the boxes that it fits best, until none changes its centre."""
    owners = np.full(len(sizes), -1)
    for _ in range(_ITERATIONS):
        nearest = np.stack([_iou(sizes, centre) for centre in centres]).argmax(axis=0)
        if (nearest == owners).all():
            break
        owners = nearest
        for number in np.unique(owners):
            centres[number] = np.median(sizes[owners == number], axis=0)
    return centres
