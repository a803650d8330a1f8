"""Fixed input shapes: batch and size of a graph, and how any number of images run through it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable, NamedTuple

import numpy as np

from gluon_yolo.errors import SettingError


class FixedShape(NamedTuple):
    """Batch, height and width that a graph is fixed to; None where it is not fixed."""

    batch: int | None = None
    height: int | None = None
    width: int | None = None

    @classmethod
    def of(cls, sides: Sequence[Any]) -> FixedShape:
        """Return the shape of an input (B, H, W, 3), in which sides that are no integers are free."""
        numbers = [side if isinstance(side, int) and side > 0 else None for side in sides[:3]]
        return cls(*numbers)

    @property
    def size(self) -> str:
        """Height and width as text, such as ``416x416``."""
        return "x".join("any" if side is None else str(side) for side in self[1:])

    def suits(self, size_hw: Sequence[int]) -> bool:
        """Return whether images of this height and width fit."""
        return all(own is None or own == side for own, side in zip(self[1:], size_hw))

    def check(self, size_hw: Sequence[int], name: str, always: bool = False) -> None:
        """Raise a SettingError unless images of this height and width can go in.

        Args:
            size_hw: of the images.
            name: of the file.
            always: whether files of this format take one size, however they are exported.
        """
        if self.suits(size_hw):
            return
        size = f"{size_hw[0]}x{size_hw[1]}"
        if always:
            raise SettingError(
                f"{name}: takes pictures of {self.size} alone, as files of its format take one size, and not "
                f"of {size}; take that size, or export it with {{size}} {size}"
            )
        raise SettingError(
            f"{name}: takes pictures of {self.size} alone, since it was exported with {{fixed_size}}, "
            f"and not of {size}; take that size, or export it without {{fixed_size}}"
        )

    def run(
        self, network: Callable[[np.ndarray], Sequence[np.ndarray]], pixels: np.ndarray
    ) -> Sequence[np.ndarray]:
        """Run any number of images through a network with this batch size.

        Args:
            network: pixels (B, H, W, 3), with the fixed B, to arrays (B, ...).
            pixels: (N, H, W, 3). The last batch is padded with its last image.

        Returns:
            The network's arrays (N, ...).
        """
        if self.batch is None or self.batch == len(pixels):
            return network(pixels)
        parts = []
        for start in range(0, len(pixels), self.batch):
            part = pixels[start : start + self.batch]
            count = len(part)
            filled = np.concatenate([part, np.repeat(part[-1:], self.batch - count, axis=0)])
            parts.append([array[:count] for array in network(filled)])
        return [np.concatenate(arrays) for arrays in zip(*parts)]


ANY = FixedShape()
