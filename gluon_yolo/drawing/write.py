"""Write images as files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from gluon_yolo.atomic_io import writing
from gluon_yolo.errors import UserError


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Write an image in the format of the file name's ending, ``.jpg`` or ``.png``.

    Args:
        path: of the file.
        image: (H, W, 3) uint8 RGB.

    Raises:
        UserError: the file cannot be written, or OpenCV has no image format with this ending.
    """
    path = Path(path)
    try:
        data = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    except cv2.error as error:
        raise UserError(f"{path}: no picture format ends with {path.suffix!r}; use .jpg or .png") from error
    with writing(path, "name another place"):
        path.write_bytes(data.tobytes())
