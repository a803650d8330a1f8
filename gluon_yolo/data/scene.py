"""Scenes: drawn pictures of simple shapes whose boxes are known exactly."""

from __future__ import annotations

import cv2
import numpy as np

from gluon_yolo import boxes as box_maths
from gluon_yolo.structures import Detections

CLASS_NAMES = ("circle", "square", "triangle", "star")
_HUES = {"circle": 0, "square": 110, "triangle": 60, "star": 27}  # in OpenCV's 0..180
_HUE_SPREAD = 11
_RADIUS_RANGE = (0.075, 0.23)  # of the picture's shorter side
_OBJECTS_RANGE = (2, 7)
_MARGIN = 2
_TRIES = 30
_MOST_OVERLAP = 0.05
_HALO = 16  # pixels around a shape that its shadow may reach
_SHADOW = 0.35
_SHADOW_OFFSET = (3, 4)
_SHIFT = 4  # OpenCV draws at 1/16 pixel


def draw_scene(rng: np.random.Generator, size_hw: tuple[int, int]) -> tuple[np.ndarray, Detections]:
    """Draw up to seven shapes of any size, turn and shade on an uneven background.

    A class has its shape and its family of hues, as road signs do. Boxes hardly overlap and lie inside the
    picture.

    Args:
        rng: where every choice comes from.
        size_hw: the picture's (height, width) in pixels.

    Returns:
        The picture (H, W, 3) uint8 RGB, and its shapes; a box goes from the first pixel drawn to the last.
    """
    picture = _background(rng, size_hw)
    _draw_clutter(rng, picture)
    boxes = np.zeros((0, 4), dtype=np.float32)
    class_ids: list[int] = []
    for _ in range(int(rng.integers(_OBJECTS_RANGE[0], _OBJECTS_RANGE[1] + 1))):
        class_id = int(rng.integers(len(CLASS_NAMES)))
        outline = _place(rng, _outline(rng, class_id), boxes, size_hw)
        if outline is not None:
            _draw_shape(rng, picture, outline, _HUES[CLASS_NAMES[class_id]])
            boxes = np.concatenate([boxes, _box(outline)])
            class_ids.append(class_id)
    return _with_noise(rng, picture), Detections(boxes, np.array(class_ids, dtype=np.int64))


def _background(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """Return a muted gradient between two colours with soft blotches on it, (H, W, 3) float32."""
    height, width = size_hw
    colors = rng.uniform(40, 200, size=(2, 1, 1, 3)).astype(np.float32)
    colors = 0.4 * colors + 0.6 * colors.mean(axis=3, keepdims=True)  # towards grey
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    along = (x / width - 0.5) * np.cos(angle) + (y / height - 0.5) * np.sin(angle)
    picture = colors[0] + (colors[1] - colors[0]) * (along[..., None] + 0.5)
    cells = int(rng.integers(3, 12))
    blotches = rng.normal(0, rng.uniform(4, 14), size=(cells, cells, 3)).astype(np.float32)
    return picture + cv2.resize(blotches, (width, height), interpolation=cv2.INTER_CUBIC)


def _draw_clutter(rng: np.random.Generator, picture: np.ndarray) -> None:
    """Draw a few thin lines and arcs, which are no objects."""
    height, width = picture.shape[:2]
    for _ in range(int(rng.integers(0, 7))):
        color = (picture.mean(axis=(0, 1)) + rng.uniform(-50, 50, size=3)).tolist()
        points = (rng.uniform(-0.1, 1.1, size=(3, 2)) * (width, height)).astype(int)
        if rng.random() < 0.7:
            cv2.line(picture, points[0].tolist(), points[1].tolist(), color, 1 + int(rng.integers(2)))
        else:
            axes = (np.abs(points[2]) // 2 + 1).tolist()
            start = float(rng.uniform(0, 360))
            cv2.ellipse(picture, points[0].tolist(), axes, 0, start, start + 100, color, 1)


def _outline(rng: np.random.Generator, class_id: int) -> np.ndarray:
    """Return a shape's corners (K, 2) as x, y around the origin, all within distance 1, turned at random."""
    corners, inner = {"circle": (90, 1.0), "square": (4, 1.0), "triangle": (3, 1.0), "star": (5, 0.42)}[
        CLASS_NAMES[class_id]
    ]
    count = corners * (1 if inner == 1.0 else 2)
    angles = rng.uniform(0, 2 * np.pi) + np.arange(count) * 2 * np.pi / count
    radii = np.where(np.arange(count) % 2 == 0, 1.0, inner)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def _place(
    rng: np.random.Generator, outline: np.ndarray, boxes: np.ndarray, size_hw: tuple[int, int]
) -> np.ndarray | None:
    """Return the outline in pixels, clear of the boxes (N, 4) that are there; None where no room is found."""
    height, width = size_hw
    for _ in range(_TRIES):
        low, high = np.log(_RADIUS_RANGE)
        scaled = outline * np.exp(rng.uniform(low, high)) * min(height, width)
        first, last = scaled.min(axis=0), scaled.max(axis=0)
        centre = rng.uniform(_MARGIN - first, np.array([width, height]) - 1 - _MARGIN - last)
        placed = scaled + centre
        if not len(boxes) or box_maths.iou_matrix(_box(placed), boxes).max() <= _MOST_OVERLAP:
            return placed
    return None


def _box(outline: np.ndarray) -> np.ndarray:
    """Return the box (1, 4) from the first to the last pixel that an outline (K, 2) touches."""
    ends = np.concatenate([np.floor(outline.min(axis=0)), np.ceil(outline.max(axis=0))])
    return ends[None].astype(np.float32)


def _draw_shape(rng: np.random.Generator, picture: np.ndarray, outline: np.ndarray, hue: int) -> None:
    """Fill an outline with a shade near a hue that differs from what lies under it, over a soft shadow."""
    x1, y1, x2, y2 = _box(outline)[0].astype(int).tolist()
    color = _contrasting(rng, hue, picture[y1 : y2 + 1, x1 : x2 + 1].mean(axis=(0, 1)))
    left, top = max(x1 - _HALO, 0), max(y1 - _HALO, 0)
    patch = picture[top : y2 + _HALO, left : x2 + _HALO]  # a view: what is drawn here is drawn in the picture
    corners = outline - (left, top)
    shadow = cv2.GaussianBlur(_mask(corners + _SHADOW_OFFSET, patch.shape[:2]), (0, 0), 3)[..., None]
    patch *= 1 - _SHADOW * shadow
    y, x = np.mgrid[0 : patch.shape[0], 0 : patch.shape[1]].astype(np.float32)
    light = 1.12 - 0.15 * ((x + left - x1) / (x2 - x1) + (y + top - y1) / (y2 - y1))[..., None]
    patch += _mask(corners, patch.shape[:2])[..., None] * (color * light - patch)
    edge = (color * 0.45).tolist()
    fixed = np.round(outline * 2**_SHIFT).astype(np.int32)
    cv2.polylines(picture, [fixed], True, edge, 1, cv2.LINE_AA, _SHIFT)


def _mask(outline: np.ndarray, size_hw: tuple[int, ...]) -> np.ndarray:
    """Return how much of each pixel lies inside an outline (K, 2) in pixels: (H, W) float32, 0 to 1."""
    mask = np.zeros(size_hw, dtype=np.uint8)
    cv2.fillPoly(mask, [np.round(outline * 2**_SHIFT).astype(np.int32)], (255,), cv2.LINE_AA, _SHIFT)
    return mask.astype(np.float32) / 255


def _contrasting(rng: np.random.Generator, hue: int, under: np.ndarray) -> np.ndarray:
    """Return a bright colour (3,) near a hue, well away from the colour ``under`` it if tries find one."""
    for _ in range(_TRIES):
        near = (hue + rng.integers(-_HUE_SPREAD, _HUE_SPREAD + 1)) % 180
        shade = rng.integers(120, 256, size=2)
        hue_saturation_value = np.array([near, *shade], dtype=np.uint8)
        color = cv2.cvtColor(hue_saturation_value[None, None], cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32)
        if np.linalg.norm(color - under) > 90:
            break
    return color


def _with_noise(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Return the picture (H, W, 3) as uint8 with a camera's grain."""
    grain = rng.uniform(1, 6) * rng.standard_normal(size=picture.shape, dtype=np.float32)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)
