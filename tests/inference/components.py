"""A network without weights: it detects each bright spot of its input, as a circle or a square."""

from __future__ import annotations

import cv2
import numpy as np

from gluon_yolo.spec import DetectionSpec

NAMES = ("red", "blue")
SPEC = DetectionSpec(NAMES, anchors=(((10, 10),),), strides=(32,))
COLORS = {"red": (255, 0, 0), "blue": (0, 0, 255)}
LEAST = 6  # pixels of the input: smaller spots are not seen
_MOST = 400


def components(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Detect the connected red and blue regions of images (B, h, w, 3); larger ones score better."""
    boxes = np.zeros((len(pixels), _MOST, 4), np.float32)
    scores = np.zeros((len(pixels), _MOST, len(NAMES)), np.float32)
    for i, image in enumerate(pixels):
        number = 0
        for class_id, name in enumerate(NAMES):
            mask = np.abs(image.astype(int) - COLORS[name]).sum(axis=2) < 150
            found = cv2.connectedComponentsWithStats(mask.astype(np.uint8))[2]
            for left, top, width, height, size in found[1:]:
                if min(width, height) < LEAST:
                    continue
                boxes[i, number] = [left, top, left + width, top + height]
                scores[i, number, class_id] = 0.9 - 0.3 / (1 + size / 100)
                number += 1
    return boxes, scores


def spots(size_hw: tuple[int, int], boxes: np.ndarray, class_ids: np.ndarray) -> np.ndarray:
    """Return a grey image (H, W, 3) uint8 with filled boxes (N, 4) of whole pixels."""
    image = np.full((*size_hw, 3), 90, np.uint8)
    for (left, top, right, bottom), class_id in zip(np.asarray(boxes, int), class_ids):
        image[top:bottom, left:right] = COLORS[NAMES[class_id]]
    return image


def apart(
    rng: np.random.Generator, size_hw: tuple[int, int], sides: tuple[int, int], count: int
) -> np.ndarray:
    """Return up to ``count`` boxes (N, 4) of whole pixels that do not touch, with sides of a range."""
    boxes = np.zeros((0, 4), int)
    for _ in range(20 * count):
        wh = np.exp(rng.uniform(*np.log(sides), 2)).astype(int).clip(1, (size_hw[1], size_hw[0]))
        corner = (rng.random(2) * ((size_hw[1], size_hw[0]) - wh + 1)).astype(int)
        box = np.concatenate([corner, corner + wh])
        away = (boxes[:, :2] > box[2:] + 2).any(axis=1) | (boxes[:, 2:] < box[:2] - 2).any(axis=1)
        if away.all():
            boxes = np.concatenate([boxes, box[None]])
        if len(boxes) == count:
            break
    return boxes
