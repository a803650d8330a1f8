"""Images written as files; images are (H, W, 3) uint8 RGB."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from gluon_yolo.atomic_io import writing
from gluon_yolo.errors import UserError


def write_image(path: str | Path, image: np.ndarray) -> None:
    """Write an image (H, W, 3) as the file that its name's ending says, ``.jpg`` or ``.png``.

    Raises:
        UserError: when the place cannot be written, or OpenCV knows no such ending.
    """
    path = Path(path)
    try:
        data = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    except cv2.error as error:
        raise UserError(f"{path}: no picture format ends with {path.suffix!r}; use .jpg or .png") from error
    with writing(path, "name another place"):
        path.write_bytes(data.tobytes())
