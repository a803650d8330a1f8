"""Image grids: images of any sizes in rows and columns of one image.

All images are (H, W, 3) uint8 RGB.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gluon_yolo.drawing.draw import WHITE
from gluon_yolo.inference.preprocess import Preprocess


def image_grid(
    images: Sequence[np.ndarray], columns: int = 4, cell_hw: tuple[int, int] | None = None, gap: int = 4
) -> np.ndarray:
    """Arrange images (H, W, 3) of any sizes in rows on one white image, each scaled to fit its cell.

    Args:
        images: at least one.
        columns: maximum number of images in a row.
        cell_hw: height and width of a cell in pixels; None takes the largest image's, at most 480 a side.
        gap: white pixels between cells and around them.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: there is no image.
    """
    if not len(images):
        raise ValueError("pictures: expected at least one")
    if cell_hw is None:
        largest = max((image.shape[:2] for image in images), key=lambda hw: hw[0] * hw[1])
        shrink = min(1.0, 480 / max(largest))
        cell_hw = (max(1, round(largest[0] * shrink)), max(1, round(largest[1] * shrink)))
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    step_y, step_x = cell_hw[0] + gap, cell_hw[1] + gap
    canvas = np.full((rows * step_y + gap, columns * step_x + gap, 3), WHITE, dtype=np.uint8)
    for i, image in enumerate(images):
        top, left = gap + i // columns * step_y, gap + i % columns * step_x
        canvas[top : top + cell_hw[0], left : left + cell_hw[1]] = Preprocess("letterbox")(image, cell_hw)[0]
    return canvas
