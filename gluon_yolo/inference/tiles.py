"""Tiled detection: a large image is detected tile by tile, and the boxes become those of the whole image.

A tile's inner edge cuts objects. Such an object is seen in part by one tile, and whole by a neighbour where
it is smaller than the overlap. Two boxes are *views* of one object where they look alike in the region that
both their tiles see. Of the views of an object, a whole one is kept. Where no tile sees it whole, because it
is larger than the overlap, the parts are joined.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Callable

import numpy as np

from gluon_yolo.boxes import area, intersection_matrix, part_in
from gluon_yolo.data.tiles import Tiling
from gluon_yolo.detections import Detections
from gluon_yolo.inference.call import Call, timed, together
from gluon_yolo.nms import Selection, nms

# The scores hardly depend on these: on two images of benchmarks/tiles.py AP50 changes by 0.003 at most for an
# EDGE of 0.003 to 0.05, a CUT of 0.25 to 0.9, and a COVERED of 0.5 to 0.9.
EDGE = 0.01  # share of a tile's side: a box that ends so near to an inner edge is taken as cut by it
CUT = 0.5  # factor of a cut box's score, by which it is compared with other views of the object
COVERED = 0.7  # share of a cut box that lies in a view which goes on beyond the edge

Detect = Callable[[Sequence[np.ndarray]], Call]


def detect_tiled(
    detect: Detect,
    image: np.ndarray,
    tiling: Tiling,
    whole: bool,
    batch_size: int,
    nms_threshold: float,
    agnostic: bool,
    max_detections: int,
) -> Call:
    """Detect the objects of an image tile by tile.

    Args:
        detect: returns the detections of some images, in their own pixels.
        image: (H, W, 3) uint8 RGB.
        tiling: cuts it. An image that is one tile gets what ``detect`` gives.
        whole: detect in the whole image too, for objects that are larger than a tile.
        batch_size: tiles for one call of ``detect``.
        nms_threshold: IoU above which two boxes are views of one object; outside (0, 1) all boxes are kept.
        agnostic: compare boxes of all classes, not only of one class.
        max_detections: the limit for the whole image.

    Returns:
        The call of one image: its detections, best score first.
    """
    image_hw = (image.shape[0], image.shape[1])
    windows = tiling.windows(image_hw)
    if whole and len(windows) > 1:
        windows = np.concatenate([windows, [[0, 0, *image_hw[::-1]]]])
    crops = [image[top:bottom, left:right] for left, top, right, bottom in windows.tolist()]
    call = together(detect(crops[start : start + batch_size]) for start in range(0, len(crops), batch_size))
    with timed(call, "postprocess"):
        moved = [
            one.replace(boxes=one.boxes + np.tile(window[:2], 2)) for one, window in zip(call.found, windows)
        ]
        chosen = merge(moved, windows, image_hw, nms_threshold, agnostic, max_detections)
    left_out = max(chosen.left_out, *call.left_out)
    return call._replace(found=[chosen.found], left_out=(left_out,))


def merge(
    found: Sequence[Detections],
    windows: np.ndarray,
    image_hw: tuple[int, int],
    nms_threshold: float,
    agnostic: bool,
    max_detections: int,
) -> Selection:
    """Turn the detections of an image's tiles into those of the image.

    Args:
        found: of each tile, boxes in the image's pixels.
        windows: (T, 4) the tiles' corners x1 y1 x2 y2.
        image_hw: height and width of the image.
        nms_threshold: IoU above which two boxes are views of one object; outside (0, 1) all boxes are kept.
        agnostic: compare boxes of all classes.
        max_detections: the largest number of boxes, the best ones.

    Returns:
        The detections, best score first, and the best score that the limit removed.
    """
    every = Detections.concatenate(found)
    if 0 < nms_threshold < 1:
        groups = np.zeros_like(every.class_ids) if agnostic else every.class_ids
        tiles = np.repeat(np.arange(len(found)), [len(one) for one in found])
        every = _Views(every, groups, tiles, windows, image_hw, nms_threshold).joined()
        groups = np.zeros_like(every.class_ids) if agnostic else every.class_ids
        order = nms(every.boxes, _scores(every), groups, nms_threshold, max_detections + 1)
    else:
        order = np.argsort(-_scores(every), kind="stable")
    left_out = float(_scores(every)[order[max_detections]]) if len(order) > max_detections else 0.0
    return Selection(every[order[:max_detections]], left_out)


class _Views:
    """The boxes of all tiles, which of them are views of one object, and the box of each object.

    Args:
        found: N boxes in the image's pixels, with scores.
        groups: (N,) numbers; boxes of different numbers are different objects.
        tiles: (N,) the tile of each box.
        windows: (T, 4) corners of the tiles.
        image_hw: height and width of the image.
        threshold: IoU above which two boxes are views of one object.
    """

    def __init__(
        self,
        found: Detections,
        groups: np.ndarray,
        tiles: np.ndarray,
        windows: np.ndarray,
        image_hw: tuple[int, int],
        threshold: float,
    ) -> None:
        self._found, self._boxes, self._scores = found, found.boxes, _scores(found)
        self._groups, self._tiles, self._threshold = groups, tiles, threshold
        self._windows = windows.astype(np.float32)
        self._cut = _cut_sides(self._boxes, self._windows[tiles], image_hw)

    def joined(self) -> Detections:
        """Return one box for each object that several tiles see, and all other boxes, by falling rank."""
        views: dict[int, list[int]] = defaultdict(list)
        for one, other in self._pairs():
            views[one].append(other)
            views[other].append(one)
        # A view that is cut has the wrong extent, whatever its score, so that a whole view goes before it.
        rank = self._scores * np.where(self._cut.any(axis=1), np.float32(CUT), np.float32(1))
        taken = np.zeros(len(self._boxes), dtype=bool)
        boxes, scores, kept = self._boxes.copy(), self._scores.copy(), []
        for index in np.argsort(-rank, kind="stable").tolist():
            if not taken[index]:
                taken[index] = True
                kept.append(index)
                if index in views:
                    boxes[index], scores[index] = self._object(index, views, taken)
        return self._found.replace(boxes=boxes, scores=scores)[np.array(kept, dtype=np.int64)]

    def _object(
        self, index: int, views: dict[int, list[int]], taken: np.ndarray
    ) -> tuple[np.ndarray, np.float32]:
        """Take all views of an object, and return its box and score.

        A whole view has them. A cut view grows over the sides where it is cut, by cut views that go on there,
        one from each other tile, and by the views of these. The score is that of the best view: the object is
        there, whichever view has the right extent.
        """
        box, score, open_sides = self._boxes[index].copy(), self._scores[index], self._cut[index].copy()
        tiles, waiting = {self._tiles[index]}, [index]
        is_cut = open_sides.any()
        while waiting:
            for other in views[waiting.pop()]:
                if taken[other] or self._tiles[other] == self._tiles[index]:
                    continue  # two boxes of one tile are two objects
                taken[other] = True
                score = max(score, self._scores[other])
                if is_cut and self._cut[other].any() and self._tiles[other] not in tiles:
                    grown = open_sides & _beyond(self._boxes[other], box)
                    box = np.where(grown, self._boxes[other], box)
                    open_sides = np.where(grown, self._cut[other], open_sides)
                    tiles.add(self._tiles[other])
                    waiting.append(other)
        return box, score

    def _pairs(self) -> Iterator[tuple[int, int]]:
        """Yield the pairs of boxes, of two tiles, that are views of one object."""
        there = np.unique(self._tiles)
        of_tile = {tile: np.flatnonzero(self._tiles == tile) for tile in there.tolist()}
        for tile in there.tolist():
            others = there[there > tile]
            others = others[_overlaps(self._windows[others], self._windows[tile])]
            shared = part_in(self._windows[others], self._windows[tile])
            for other, region in zip(others.tolist(), shared):
                yield from self._pairs_of(of_tile[tile], of_tile[other], region)

    def _pairs_of(
        self, ours: np.ndarray, theirs: np.ndarray, region: np.ndarray
    ) -> Iterator[tuple[int, int]]:
        """Yield the pairs of views of two tiles.

        Args:
            ours: indices of the boxes of one tile.
            theirs: indices of the boxes of the other tile.
            region: (4,) corners of what both tiles see.
        """
        ours, theirs = (some[_overlaps(self._boxes[some], region)] for some in (ours, theirs))
        if not (len(ours) and len(theirs)):
            return
        a, b = (part_in(self._boxes[some], region) for some in (ours, theirs))
        common = intersection_matrix(a, b)
        same = common > self._threshold * (area(a)[:, None] + area(b) - common)
        same |= self._is_part(ours, theirs, common)
        same |= self._is_part(theirs, ours, common.T).T
        same &= self._groups[ours][:, None] == self._groups[theirs]
        rows, columns = np.nonzero(same)
        yield from zip(ours[rows].tolist(), theirs[columns].tolist())

    def _is_part(self, ours: np.ndarray, theirs: np.ndarray, common: np.ndarray) -> np.ndarray:
        """Return which boxes are cut, and covered by a box that goes on beyond that edge of their tile.

        Args:
            ours: (N,) indices of boxes of one tile.
            theirs: (M,) indices of boxes of another tile.
            common: (N, M) area of their intersections.

        Returns:
            (N, M) bool.
        """
        goes_on = _beyond(self._boxes[theirs], self._windows[self._tiles[ours[0]]])
        through = (self._cut[ours][:, None] & goes_on).any(axis=2)
        return through & (common > COVERED * area(self._boxes[ours])[:, None])


def _scores(found: Detections) -> np.ndarray:
    assert found.scores is not None
    return found.scores


def _cut_sides(boxes: np.ndarray, windows: np.ndarray, image_hw: tuple[int, int]) -> np.ndarray:
    """Return which sides (N, 4) of boxes lie at an edge of their tile (N, 4) that is none of the image."""
    height, width = image_hw
    inner = windows != np.array([0, 0, width, height], dtype=windows.dtype)
    margin = EDGE * np.tile(windows[:, 2:] - windows[:, :2], 2)
    return inner & (np.abs(boxes - windows) <= margin)


def _beyond(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return on which sides (..., 4) boxes reach out of a box (4,)."""
    return np.concatenate([boxes[..., :2] < box[:2], boxes[..., 2:] > box[2:]], axis=-1)


def _overlaps(boxes: np.ndarray, region: np.ndarray) -> np.ndarray:
    """Return which boxes (N, 4) have a part in a region (4,)."""
    return (np.minimum(boxes[:, 2:], region[2:]) > np.maximum(boxes[:, :2], region[:2])).all(axis=1)
