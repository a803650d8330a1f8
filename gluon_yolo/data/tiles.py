"""Tiles: the overlapping windows into which a large image is cut, for training and for detection alike."""

from __future__ import annotations

import dataclasses

import numpy as np

from gluon_yolo.errors import SettingError, check_within
from gluon_yolo.input_size import Size, parse_size
from gluon_yolo.text import size_word

OVERLAP = 0.2  # default share of a tile that its neighbour has too
SMALLEST = 32  # side of a tile in pixels, the coarsest stride of most networks
_LARGEST_OVERLAP = 0.9
_MOST = 10_000  # tiles of one image


@dataclasses.dataclass(frozen=True)
class Tiling:
    """Cuts images of any size into tiles of one size.

    Args:
        size_hw: height and width of a tile, in pixels of the image.
        overlap: the share of a tile's side that its neighbour has too, at least.

    Raises:
        SettingError: a side is too small, or the overlap is outside 0..0.9.
    """

    size_hw: tuple[int, int]
    overlap: float = OVERLAP

    def __post_init__(self) -> None:
        """Check the settings."""
        check_within("tile", min(self.size_hw), SMALLEST)
        check_within("overlap", self.overlap, 0, _LARGEST_OVERLAP)

    @classmethod
    def of(cls, tile: Size, overlap: float | None = None) -> Tiling:
        """Return a tiling from what a user writes.

        Args:
            tile: ``640``, ``"480x640"`` (height first), or a pair of numbers.
            overlap: None takes the default.

        Raises:
            SettingError: they are no size or no overlap.
        """
        return cls(parse_size(tile, "tile"), OVERLAP if overlap is None else overlap)

    def windows(self, image_hw: tuple[int, int]) -> np.ndarray:
        """Return the tiles of an image, row by row.

        The tiles of an image have one size, are spread evenly, and end at its edges. So neighbours mostly
        share more than ``overlap``. A side of the image that is shorter than a tile is a tile's side.

        Args:
            image_hw: height and width of the image in pixels.

        Returns:
            (T, 4) int64 corners x1 y1 x2 y2 in pixels of the image.

        Raises:
            SettingError: there are more than ten thousand.
        """
        tops, lefts = (self._starts(*sides) for sides in zip(image_hw, self.size_hw))
        if len(tops) * len(lefts) > _MOST:
            count = len(tops) * len(lefts)
            raise SettingError(
                f"{{tile}} {size_word(self.size_hw)}: cuts a picture of {image_hw[1]}x{image_hw[0]} into "
                f"{count:,} tiles, more than {_MOST:,}; give larger tiles, or less {{overlap}}"
            )
        corners = np.stack(np.meshgrid(lefts, tops), axis=-1).reshape(-1, 2)
        height, width = (min(sides) for sides in zip(image_hw, self.size_hw))
        return np.concatenate([corners, corners + (width, height)], axis=1)

    def _starts(self, side: int, tile: int) -> np.ndarray:
        """Return where the tiles along one side of an image begin."""
        rest = max(0, side - tile)
        step = max(1, int(tile * (1 - self.overlap)))
        gaps = -(-rest // step)
        return np.arange(gaps + 1) * rest // max(1, gaps)
