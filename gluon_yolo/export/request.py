"""What every format asks of a request before it writes, and the pictures that what it wrote is tried on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gluon_yolo.errors import UserError
from gluon_yolo.nn.detector import DetectionNetwork

BATCHES = (1, 2)  # pictures of each trial


def checked_name(net: DetectionNetwork, name: str | None, size_hw: tuple[int, int]) -> str:
    """Return the stem of the files to write.

    Args:
        net: what is to be written.
        name: the stem; None takes the network's name.
        size_hw: height and width of the input in pixels.

    Raises:
        UserError: the name is no plain file name, or the size does not suit the network.
    """
    name = net.zoo_name if name is None else name
    if not name or Path(name).name != name:
        raise UserError(f"name {name!r}: expected a plain file name without a folder")
    if any(side <= 0 or side % net.spec.max_stride for side in size_hw):
        size = "x".join(map(str, size_hw))
        raise UserError(f"size {size}: both sides must be multiples of {net.spec.max_stride}")
    return name


def trial_pictures(size_hw: tuple[int, int]) -> list[np.ndarray]:
    """Return random pictures of the model's size, (B, H, W, 3) uint8: one alone, and two together."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (count, *size_hw, 3), dtype=np.uint8) for count in BATCHES]
