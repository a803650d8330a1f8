"""Images of a report: small JPEGs inside the page, with boxes drawn on them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from gluon_yolo.detections import Detections
from gluon_yolo.drawing.draw import WHITE, draw
from gluon_yolo.report.page import Image

SIDE = 360  # pixels of the longer side of an image in a pair
GRID_WIDTH = 1080  # of an image grid
_QUALITY = 80
_GAP = 6


def pair(
    image: np.ndarray,
    annotations: Detections,
    detections: Detections,
    class_names: Sequence[str],
    threshold: float,
    caption: str,
) -> Image:
    """Return an image twice, side by side: with its annotations, and with its detections.

    Boxes are drawn on the small image, so that lines and labels stay legible.

    Args:
        image: (H, W, 3) uint8 RGB.
        annotations: in its pixels.
        detections: in its pixels, with scores.
        class_names: one name per class id.
        threshold: detections with a lower score are not drawn.
        caption: the line below it.
    """
    scale = min(1.0, SIDE / max(image.shape[:2]))
    width, height = (max(1, round(side * scale)) for side in (image.shape[1], image.shape[0]))
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    factors = np.array([width / image.shape[1], height / image.shape[0]] * 2, dtype=np.float32)
    left = draw(small, annotations.replace(boxes=annotations.boxes * factors), class_names)
    moved = detections.replace(boxes=detections.boxes * factors)
    right = draw(small, moved, class_names, score_threshold=threshold)
    gap = np.full((height, _GAP, 3), WHITE, dtype=np.uint8)
    return embedded(
        np.concatenate([left, gap, right], axis=1), caption, f"{caption}: annotated, and detected"
    )


def embedded(image: np.ndarray, caption: str, alt: str) -> Image:
    """Return an image (H, W, 3) uint8 RGB as a JPEG inside the page."""
    options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1].tobytes()
    uri = f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"
    return Image(uri, (image.shape[0], image.shape[1]), caption, alt)


def of_file(path: Path, caption: str) -> Image | None:
    """Return an image file of a run for the page; None where there is none that can be read."""
    image = cv2.imread(str(path)) if path.is_file() else None
    if image is None:
        return None
    rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    if rgb.shape[1] > GRID_WIDTH:
        height = max(1, round(rgb.shape[0] * GRID_WIDTH / rgb.shape[1]))
        rgb = cv2.resize(rgb, (GRID_WIDTH, height), interpolation=cv2.INTER_AREA)
    return embedded(rgb, caption, caption)
