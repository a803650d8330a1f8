"""Anchors of a data set: find them by k-means, measure them, read and write them, divide them into levels.

Sizes and anchors are (N, 2) width and height in pixels of the network's input. The IoU of a box and an anchor
is that of two boxes with one centre.
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
_SAMPLE = 10_000  # boxes that the search uses: ten times as many gain less than 0.001 of mean IoU
_DECIMALS = 2
_FORM = "expected widths and heights with commas between, as 10,13, 16,30, 33,23"


def box_sizes(dataset: Dataset, size_hw: tuple[int, int], fit: str = "resize") -> np.ndarray:
    """Return the sizes (N, 2) of all boxes of a data set when its images have one size.

    Args:
        dataset: images and boxes.
        size_hw: the network's input.
        fit: ``"resize"`` stretches each side; ``"letterbox"`` keeps the aspect ratio.
    """
    sizes = [np.zeros((0, 2))]
    for index in range(len(dataset)):
        boxes = dataset.annotations(index).boxes.astype(np.float64)
        height, width = dataset.size_hw(index)
        scale = np.array([size_hw[1] / width, size_hw[0] / height])
        sizes.append((boxes[:, 2:] - boxes[:, :2]) * (scale.min() if fit == "letterbox" else scale))
    return np.concatenate(sizes)


def best_iou(sizes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Return the IoU (N,) of each of the sizes (N, 2) with its best of the anchors (A, 2)."""
    best = np.zeros(len(sizes))
    for anchor in anchors:
        np.maximum(best, _iou(sizes, anchor), out=best)
    return best


def mean_best_iou(sizes: np.ndarray, anchors: np.ndarray) -> float:
    """Return the mean of :func:`best_iou`, which k-means maximises; NaN without boxes."""
    return float(best_iou(sizes, anchors).mean()) if len(sizes) else float("nan")


def recall(sizes: np.ndarray, anchors: np.ndarray, threshold: float = 0.5) -> float:
    """Return the best possible recall: the share of boxes whose best anchor has at least this IoU.

    A network that can move its anchors, but not resize them, finds no other boxes.
    """
    return float((best_iou(sizes, anchors) >= threshold).mean()) if len(sizes) else float("nan")


def find_anchors(sizes: np.ndarray, count: int = 9, seed: int = 0) -> np.ndarray:
    """Find anchors by k-means on 1 - IoU: dimension clusters (Redmon & Farhadi 2017, section 2).

    It runs several times from the starts of k-means++; the result with the best mean IoU wins. A cluster's
    centre is the median of its widths and heights, not their mean, which outliers move away from most boxes.
    The median was better in all experiments (BCCD at 416: 0.884 against 0.879; drawn shapes 0.929 against
    0.928; widths and heights over two decades: 0.572 against 0.544).

    Args:
        sizes: (N, 2), all above zero; of very many, a sample is used.
        count: number of anchors.
        seed: of the sample and the starts; one seed gives the same anchors.

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
    tries = [_cluster(sizes, _initial_centres(sizes, count, rng)) for _ in range(RESTARTS)]
    best = max(tries, key=lambda anchors: mean_best_iou(sizes, anchors))
    return by_area(np.maximum(np.round(best, _DECIMALS), 10.0**-_DECIMALS))


def refine_anchors(sizes: np.ndarray, own: Anchors, seed: int = 0) -> Anchors:
    """Find anchors level by level, so that each level keeps the boxes that it matches now.

    Anchors that are found together and then divided give every level its share of the boxes, even when all
    boxes are of a similar size; a coarse level with small boxes must then learn these from the start.

    Args:
        sizes: (N, 2), all above zero.
        own: the network's anchors per level, which say which boxes belong to a level.
        seed: as for :func:`find_anchors`.

    Returns:
        The same number of anchors per level. A level with fewer different boxes than anchors keeps its own.
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
    """Return the anchors (A, 2) sorted by area, smallest first."""
    return anchors[np.argsort(anchors.prod(axis=1), kind="stable")]


def by_level(anchors: np.ndarray, levels: int) -> Anchors:
    """Divide anchors (A, 2) among a network's levels: the smallest go to the level with the smallest stride.

    Each level gets the same number; the remaining ones go, one each, to the first levels.

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
    """Parse ``"10,13, 16,30"`` into anchors (A, 2).

    Raises:
        UserError: the text is not such a list.
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
    """Return anchors (A, 2) as text that :func:`parse_anchors` reads."""
    return ", ".join(f"{exact(w)},{exact(h)}" for w, h in anchors)


def named_anchors(text: str) -> np.ndarray:
    """Return the anchors (A, 2) of a file or of a list in the text itself.

    Raises:
        UserError: the text is neither.
    """
    if os.path.exists(text) or re.search(r"[^-+.,\deE\s]", text):
        return read_anchors(text)
    return parse_anchors(text)


def read_anchors(path: str | os.PathLike[str]) -> np.ndarray:
    """Read anchors (A, 2) from a file whose first line is a list of them; ``#`` begins a comment.

    Raises:
        UserError: there is no such file, or it contains something else.
    """
    path = os.fspath(path)
    lines = [line.partition("#")[0].strip() for line in read_text(path, "the anchors").splitlines()]
    try:
        return parse_anchors(next((line for line in lines if line), ""))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def write_anchors(path: str | os.PathLike[str], anchors: np.ndarray, iou: float) -> None:
    """Write anchors in Yolo-FastestV2's file format: a line of anchors, then their mean best IoU.

    An existing file of anchors is overwritten, any other file is not.

    Raises:
        UserError: there is a file of another kind, or the path cannot be written.
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
    """Return the IoU (N,) of sizes (N, 2) with one anchor (2,), all with one centre."""
    intersection = np.minimum(sizes[:, 0], anchor[0]) * np.minimum(sizes[:, 1], anchor[1])
    return intersection / (sizes[:, 0] * sizes[:, 1] + anchor[0] * anchor[1] - intersection)


def _initial_centres(sizes: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Choose the initial centres: each with a probability by its squared distance from the earlier ones.

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
    """Move each centre to the median of the boxes nearest to it, until no box changes its centre."""
    owners = np.full(len(sizes), -1)
    for _ in range(_ITERATIONS):
        nearest = np.stack([_iou(sizes, centre) for centre in centres]).argmax(axis=0)
        if (nearest == owners).all():
            break
        owners = nearest
        for number in np.unique(owners):
            centres[number] = np.median(sizes[owners == number], axis=0)
    return centres
