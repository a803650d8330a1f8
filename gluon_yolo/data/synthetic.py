"""Synthetic data set: drawn scenes in VOC layout, the same files for the same seed."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import cv2
import numpy as np

from gluon_yolo import boxes as box_maths
from gluon_yolo.atomic_io import is_unused, replacing
from gluon_yolo.data.loading.workers import threaded_map
from gluon_yolo.data.voc.xml_file import write_annotation
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError

CLASS_NAMES = ("circle", "square", "triangle", "star")
_HUES = {"circle": 0, "square": 110, "triangle": 60, "star": 27}  # in OpenCV's 0..180
_HUE_SPREAD = 11
_RADIUS_RANGE = (0.075, 0.23)  # relative to the image's shorter side
_OBJECTS_RANGE = (2, 7)
_MARGIN = 2
_TRIES = 30
_MOST_OVERLAP = 0.05
_HALO = 16  # pixels around a shape that its shadow can reach
_SHADOW = 0.35
_SHADOW_OFFSET = (3, 4)
_SHIFT = 4  # OpenCV draws with 1/16 pixel precision


def draw_scene(rng: np.random.Generator, size_hw: tuple[int, int]) -> tuple[np.ndarray, Detections]:
    """Draw up to seven shapes with random size, rotation and shade on an uneven background.

    Each class has its shape and its range of hues, as road signs have. Boxes hardly overlap and lie inside
    the image.

    Args:
        rng: the only source of randomness.
        size_hw: the image's (height, width) in pixels.

    Returns:
        The image (H, W, 3) uint8 RGB, and its annotations; a box reaches from the first drawn pixel to the
        last.
    """
    image = _background(rng, size_hw)
    _draw_clutter(rng, image)
    boxes = np.zeros((0, 4), dtype=np.float32)
    class_ids: list[int] = []
    for _ in range(int(rng.integers(_OBJECTS_RANGE[0], _OBJECTS_RANGE[1] + 1))):
        class_id = int(rng.integers(len(CLASS_NAMES)))
        outline = _place(rng, _outline(rng, class_id), boxes, size_hw)
        if outline is not None:
            _draw_shape(rng, image, outline, _HUES[CLASS_NAMES[class_id]])
            boxes = np.concatenate([boxes, _box(outline)])
            class_ids.append(class_id)
    return _with_noise(rng, image), Detections(boxes, np.array(class_ids, dtype=np.int64))


def _background(rng: np.random.Generator, size_hw: tuple[int, int]) -> np.ndarray:
    """Return a muted gradient between two colours with soft blotches, (H, W, 3) float32."""
    height, width = size_hw
    colors = rng.uniform(40, 200, size=(2, 1, 1, 3)).astype(np.float32)
    colors = 0.4 * colors + 0.6 * colors.mean(axis=3, keepdims=True)  # towards grey
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    along = (x / width - 0.5) * np.cos(angle) + (y / height - 0.5) * np.sin(angle)
    image = colors[0] + (colors[1] - colors[0]) * (along[..., None] + 0.5)
    cells = int(rng.integers(3, 12))
    blotches = rng.normal(0, rng.uniform(4, 14), size=(cells, cells, 3)).astype(np.float32)
    return image + cv2.resize(blotches, (width, height), interpolation=cv2.INTER_CUBIC)


def _draw_clutter(rng: np.random.Generator, image: np.ndarray) -> None:
    """Draw a few thin lines and arcs, which are not objects."""
    height, width = image.shape[:2]
    for _ in range(int(rng.integers(0, 7))):
        color = (image.mean(axis=(0, 1)) + rng.uniform(-50, 50, size=3)).tolist()
        points = (rng.uniform(-0.1, 1.1, size=(3, 2)) * (width, height)).astype(int)
        if rng.random() < 0.7:
            cv2.line(image, points[0].tolist(), points[1].tolist(), color, 1 + int(rng.integers(2)))
        else:
            axes = (np.abs(points[2]) // 2 + 1).tolist()
            start = float(rng.uniform(0, 360))
            cv2.ellipse(image, points[0].tolist(), axes, 0, start, start + 100, color, 1)


def _outline(rng: np.random.Generator, class_id: int) -> np.ndarray:
    """Return a shape's corners (K, 2) as x, y around the origin, within distance 1, rotated at random."""
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
    """Return the outline in pixels, apart from the boxes (N, 4); None when no free place is found."""
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
    """Return the box (1, 4) from the first to the last pixel of an outline (K, 2)."""
    ends = np.concatenate([np.floor(outline.min(axis=0)), np.ceil(outline.max(axis=0))])
    return ends[None].astype(np.float32)


def _draw_shape(rng: np.random.Generator, image: np.ndarray, outline: np.ndarray, hue: int) -> None:
    """Fill an outline with a colour near a hue that contrasts with its background, over a soft shadow."""
    x1, y1, x2, y2 = _box(outline)[0].astype(int).tolist()
    color = _contrasting(rng, hue, image[y1 : y2 + 1, x1 : x2 + 1].mean(axis=(0, 1)))
    left, top = max(x1 - _HALO, 0), max(y1 - _HALO, 0)
    patch = image[top : y2 + _HALO, left : x2 + _HALO]  # a view: drawing on it changes the image
    corners = outline - (left, top)
    shadow = cv2.GaussianBlur(_mask(corners + _SHADOW_OFFSET, patch.shape[:2]), (0, 0), 3)[..., None]
    patch *= 1 - _SHADOW * shadow
    y, x = np.mgrid[0 : patch.shape[0], 0 : patch.shape[1]].astype(np.float32)
    light = 1.12 - 0.15 * ((x + left - x1) / (x2 - x1) + (y + top - y1) / (y2 - y1))[..., None]
    patch += _mask(corners, patch.shape[:2])[..., None] * (color * light - patch)
    edge = (color * 0.45).tolist()
    fixed = np.round(outline * 2**_SHIFT).astype(np.int32)
    cv2.polylines(image, [fixed], True, edge, 1, cv2.LINE_AA, _SHIFT)


def _mask(outline: np.ndarray, size_hw: tuple[int, ...]) -> np.ndarray:
    """Return the share of each pixel inside an outline (K, 2) in pixels: (H, W) float32, 0 to 1."""
    mask = np.zeros(size_hw, dtype=np.uint8)
    cv2.fillPoly(mask, [np.round(outline * 2**_SHIFT).astype(np.int32)], (255,), cv2.LINE_AA, _SHIFT)
    return mask.astype(np.float32) / 255


def _contrasting(rng: np.random.Generator, hue: int, under: np.ndarray) -> np.ndarray:
    """Return a bright colour (3,) near a hue, different from the colour ``under`` it if one is found."""
    for _ in range(_TRIES):
        near = (hue + rng.integers(-_HUE_SPREAD, _HUE_SPREAD + 1)) % 180
        shade = rng.integers(120, 256, size=2)
        hue_saturation_value = np.array([near, *shade], dtype=np.uint8)
        color = cv2.cvtColor(hue_saturation_value[None, None], cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32)
        if np.linalg.norm(color - under) > 90:
            break
    return color


def _with_noise(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Return the image (H, W, 3) as uint8 with sensor noise."""
    grain = rng.uniform(1, 6) * rng.standard_normal(size=image.shape, dtype=np.float32)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


_MARKER = "synthetic.json"
_VAL_EVERY = 5
_SMALLEST_SIDE = 64
_JPEG_QUALITY = 92


def generate(
    root: str | os.PathLike[str],
    images: int = 400,
    size_hw: tuple[int, int] = (240, 320),
    seed: int = 0,
) -> Path:
    """Draw a data set with the lists ``train`` (four images of five), ``val`` and ``trainval``.

    Image i depends on the seed and on i only. A folder that already holds the same data set is not changed;
    an interrupted one is written again.

    Args:
        root: the folder to make.
        images: number of images, at least 5.
        size_hw: (height, width) of each image in pixels.
        seed: the only source of randomness.

    Returns:
        The folder.

    Raises:
        UserError: the folder holds something else or cannot be written, or a number is out of range.
    """
    if images < _VAL_EVERY or min(size_hw) < _SMALLEST_SIDE or seed < 0:
        raise UserError(
            f"expected at least {_VAL_EVERY} pictures, sides of at least {_SMALLEST_SIDE} pixels and a seed "
            f"from 0, got {images} pictures of {size_hw[1]}x{size_hw[0]}, seed {seed}"
        )
    root, recipe = Path(root), _Recipe(images, (int(size_hw[0]), int(size_hw[1])), seed)
    try:
        if not _is_complete(root, recipe):
            _write(root, recipe)
    except OSError as error:
        raise UserError(f"{root}: cannot write the data set: {error.strerror or error}") from error
    return root


@dataclasses.dataclass(frozen=True)
class _Recipe:
    """The parameters of the files; ``drawing`` increases when the drawing of scenes changes."""

    images: int
    size_hw: tuple[int, int]
    seed: int
    drawing: int = 1

    def marker(self, complete: bool) -> str:
        """Return the content of the marker file."""
        recipe = {
            "pictures": self.images,
            "size_hw": self.size_hw,
            "seed": self.seed,
            "drawing": self.drawing,
        }
        return json.dumps({**recipe, "complete": complete})


def _is_complete(root: Path, recipe: _Recipe) -> bool:
    """Return whether the folder holds this complete data set.

    Raises:
        UserError: the folder holds something else.
    """
    if not root.exists() or (root.is_dir() and is_unused(root)):
        return False
    marker = root / _MARKER
    found = marker.read_text(encoding="utf-8") if marker.is_file() else ""
    if found not in (recipe.marker(True), recipe.marker(False)):
        raise UserError(f"{root}: holds something else already; give another folder, or remove this one")
    return found == recipe.marker(True)


def _write(root: Path, recipe: _Recipe) -> None:
    """Write all files; the marker comes first, and again last, when all is complete."""
    root.mkdir(parents=True, exist_ok=True)
    _mark(root, recipe, False)
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    stems = [f"scene_{index:05d}" for index in range(recipe.images)]

    def write_one(index: int) -> None:
        rng = np.random.default_rng((recipe.seed, index))
        image, truth = draw_scene(rng, recipe.size_hw)
        _, jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
        (root / "JPEGImages" / f"{stems[index]}.jpg").write_bytes(jpeg.tobytes())
        annotation = root / "Annotations" / f"{stems[index]}.xml"
        write_annotation(annotation, f"{stems[index]}.jpg", recipe.size_hw, truth, CLASS_NAMES)

    threaded_map(write_one, range(len(stems)), "drawing scenes")
    lists = {
        "train": [stem for index, stem in enumerate(stems) if (index + 1) % _VAL_EVERY],
        "val": stems[_VAL_EVERY - 1 :: _VAL_EVERY],
        "trainval": stems,
    }
    for name, members in lists.items():
        (root / "ImageSets" / "Main" / f"{name}.txt").write_text("\n".join(members) + "\n", encoding="utf-8")
    _mark(root, recipe, True)


def _mark(root: Path, recipe: _Recipe, complete: bool) -> None:
    with replacing(root / _MARKER) as part:
        part.write_text(recipe.marker(complete), encoding="utf-8")
