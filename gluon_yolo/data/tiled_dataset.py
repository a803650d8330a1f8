"""TiledDataset: the tiles of a data set's images, as a data set that a writer can write."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import cv2
import numpy as np

from gluon_yolo.boxes import area, part_in
from gluon_yolo.data.dataset import Dataset, ListedImages
from gluon_yolo.data.images.file_types import JPEG, PNG, WEBP, kind_of
from gluon_yolo.data.images.files import EXTENSIONS
from gluon_yolo.data.quality.report import BadFile, DatasetReport
from gluon_yolo.data.tiles import Tiling
from gluon_yolo.detections import Detections
from gluon_yolo.errors import check_within, named

VISIBLE = 0.3  # default share of a box that has to be in a tile
EMPTY = 0.1  # default share of the tiles without objects that are kept
_ROUNDING = 1e-6  # of a share
_LEAST_SIDE = 1  # pixels of a clipped box
_HELD = 2  # decoded images
_QUALITY = 95  # of JPEG
_Window = tuple[int, int, int, int]
_Pixels = tuple[np.ndarray, bool]


class TiledDataset(ListedImages):
    """The tiles of a data set's images; an image is decoded once for all its tiles, in their order.

    A tile of a JPEG or WebP file is a JPEG, any other one a PNG. An image that is one tile stays the file
    that it is.

    Args:
        dataset: images of any size.
        tiling: cuts them.
        visible: a tile has the objects of whose box at least this share is in it, 0..1. Their boxes are
            clipped to the tile, and an object may be in several tiles.
        empty: the share of the tiles without objects that is kept, 0..1. Tiles that show parts of objects
            below ``visible`` alone, or crowds alone, are never kept: they are no background.
        seed: of the choice of tiles without objects.

    Attributes:
        empty_tiles: number of tiles without objects.
        dropped_parts: number of parts of objects in these tiles that are below ``visible``.
        lost_objects: number of objects that are in no tile.

    Raises:
        SettingError: a share is outside 0..1, or a tile is too small for an image.
    """

    def __init__(
        self, dataset: Dataset, tiling: Tiling, visible: float = VISIBLE, empty: float = EMPTY, seed: int = 0
    ) -> None:
        check_within("visible", visible, 0, 1)
        check_within("empty", empty, 0, 1)
        self._dataset = dataset
        self._lock = threading.Lock()
        self._decoded: OrderedDict[int, Future[_Pixels]] = OrderedDict()
        self.dropped_parts = self.lost_objects = 0
        tiles = [
            (index, *tile) for index in range(len(dataset)) for tile in self._cut(index, tiling, visible)
        ]
        background = [number for number, (_, _, truth) in enumerate(tiles) if not len(truth)]
        self.empty_tiles = round(empty * len(background))
        chosen = np.random.default_rng(seed).permutation(len(background))[: self.empty_tiles]
        kept = {background[place] for place in chosen.tolist()}
        tiles = [tile for number, tile in enumerate(tiles) if len(tile[2]) or number in kept]
        self._places = [(index, window) for index, window, _ in tiles]
        super().__init__(
            dataset.class_names,
            [_name(dataset.name(index), window) for index, window in self._places],
            [(bottom - top, right - left) for _, (left, top, right, bottom) in self._places],
            [truth for _, _, truth in tiles],
            DatasetReport(dataset.report.title),
        )

    def _cut(self, index: int, tiling: Tiling, visible: float) -> Iterator[tuple[_Window, Detections]]:
        """Yield the tiles of an image that have objects or nothing at all, with their annotations."""
        truth, crowds = self._dataset.annotations(index), self._dataset.crowds(index)
        areas = np.maximum(area(truth.boxes.astype(np.float64)), np.finfo(np.float64).tiny)
        found = np.zeros(len(truth), dtype=bool)
        with named(self._dataset.name(index)):
            windows = tiling.windows(self._dataset.size_hw(index))
        for window in windows:
            clipped, sides = _clipped(truth.boxes, window)
            there = (sides > 0).all(axis=1)
            wanted = sides.clip(0).prod(axis=1) >= (visible - _ROUNDING) * areas
            wanted &= (sides >= _LEAST_SIDE).all(axis=1)
            if wanted.any():
                found |= wanted
                self.dropped_parts += int((there & ~wanted).sum())
            elif there.any() or (_clipped(crowds.boxes, window)[1] > 0).all(axis=1).any():
                continue
            moved = truth[wanted].replace(boxes=clipped[wanted] - np.tile(window[:2], 2))
            left, top, right, bottom = window.tolist()
            yield (left, top, right, bottom), moved
        self.lost_objects += int((~found).sum())

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs: no image that is decoded here."""
        return {**self.__dict__, "_lock": None, "_decoded": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock(), _decoded=OrderedDict())

    def encoded(self, index: int) -> bytes:
        """Return a tile as the bytes of an image file.

        Raises:
            BadFile: the image can no longer be read, or has another size than before.
        """
        place, window = self._places[index]
        if window == (0, 0, *self._dataset.size_hw(place)[::-1]):
            with contextlib.suppress(NotImplementedError):  # where its images are no files
                return self._dataset.encoded(place)
        pixels, is_lossy = self._tile(index)
        options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY] if is_lossy else []
        return cv2.imencode(".jpg" if is_lossy else ".png", pixels[:, :, ::-1], options)[1].tobytes()

    def image(self, index: int, reduction: int = 1) -> np.ndarray:
        """Return a tile as (H, W, 3) uint8 RGB, before it is encoded; ``reduction`` is not used."""
        return self._tile(index)[0].copy()

    def _tile(self, index: int) -> _Pixels:
        """Return a tile as a part of its image's array, and whether the file is a JPEG or WebP."""
        place, (left, top, right, bottom) = self._places[index]
        pixels, is_lossy = self._whole(place)
        return pixels[top:bottom, left:right], is_lossy

    def _whole(self, place: int) -> _Pixels:
        """Return an image of the data set. The last two are held, and no thread decodes one that is held."""
        with self._lock:
            future = self._decoded.get(place)
            is_new = future is None
            if future is None:
                future = self._decoded[place] = Future()
                while len(self._decoded) > _HELD:
                    self._decoded.popitem(last=False)
        if is_new:
            try:
                future.set_result(self._read(place))
            except BaseException as error:
                future.set_exception(error)
        return future.result()

    def _read(self, place: int) -> _Pixels:
        image, size_hw = self._dataset.image(place), self._dataset.size_hw(place)
        if image.shape[:2] != tuple(size_hw):
            raise BadFile(
                self._dataset.name(place),
                f"is {image.shape[1]}x{image.shape[0]}, and its label says {size_hw[1]}x{size_hw[0]}",
                "wrong-size",
            )
        try:
            kind = kind_of(self._dataset.encoded(place))
        except NotImplementedError:  # its images are no files
            kind = PNG
        return image, kind in (JPEG, WEBP)


def _clipped(boxes: np.ndarray, window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes (N, 4) clipped to a window, and their widths and heights (N, 2), below 0 outside of it."""
    clipped = part_in(boxes, window).astype(np.float64)
    return clipped, clipped[:, 2:] - clipped[:, :2]


def _name(image: str, window: _Window) -> str:
    """Return the name of a tile: that of its image, and its left top corner."""
    folder, base = os.path.split(image)
    stem, ending = os.path.splitext(base)
    stem = stem if ending.lower() in EXTENSIONS else base
    return os.path.join(folder, f"{stem}_{window[0]}_{window[1]}")
