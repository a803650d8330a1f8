"""A small detection data set of drawn scenes in VOC layout: the same seed gives the same files."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import cv2
import numpy as np

from gluon_yolo.data.parallel import threaded_map
from gluon_yolo.data.scene import CLASS_NAMES, draw_scene
from gluon_yolo.data.voc.xml_file import write_annotation
from gluon_yolo.errors import UserError

_MARKER = "synthetic.json"
_VAL_EVERY = 5
_SMALLEST_SIDE = 64
_JPEG_QUALITY = 92


def generate(
    root: str | os.PathLike[str],
    pictures: int = 400,
    size_hw: tuple[int, int] = (240, 320),
    seed: int = 0,
) -> Path:
    """Draw a data set with the lists ``train`` (four pictures in five), ``val`` and ``trainval``.

    Picture i depends on the seed and on i alone. A folder that already holds the very same data set is left
    as it is; one that was interrupted is begun again.

    Args:
        root: the folder to make.
        pictures: how many, at least 5.
        size_hw: (height, width) of each picture in pixels.
        seed: where every choice comes from.

    Returns:
        The folder.

    Raises:
        UserError: the folder holds something else or cannot be written; or a number is out of range.
    """
    if pictures < _VAL_EVERY or min(size_hw) < _SMALLEST_SIDE or seed < 0:
        raise UserError(
            f"expected at least {_VAL_EVERY} pictures, sides of at least {_SMALLEST_SIDE} pixels and a seed "
            f"from 0, got {pictures} pictures of {size_hw[1]}x{size_hw[0]}, seed {seed}"
        )
    root, recipe = Path(root), _Recipe(pictures, (int(size_hw[0]), int(size_hw[1])), seed)
    try:
        if not _is_complete(root, recipe):
            _write(root, recipe)
    except OSError as error:
        raise UserError(f"{root}: cannot write the data set: {error.strerror or error}") from error
    return root


@dataclasses.dataclass(frozen=True)
class _Recipe:
    """What makes the files what they are; ``drawing`` counts up when scenes are drawn another way."""

    pictures: int
    size_hw: tuple[int, int]
    seed: int
    drawing: int = 1

    def marker(self, complete: bool) -> str:
        """Return the content of the marker file."""
        return json.dumps({**dataclasses.asdict(self), "complete": complete})


def _is_complete(root: Path, recipe: _Recipe) -> bool:
    """Say whether the folder holds this data set whole.

    Raises:
        UserError: it holds something else.
    """
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    marker = root / _MARKER
    found = marker.read_text(encoding="utf-8") if marker.is_file() else ""
    if found not in (recipe.marker(True), recipe.marker(False)):
        raise UserError(f"{root}: holds something else already; give another folder, or remove this one")
    return found == recipe.marker(True)


def _write(root: Path, recipe: _Recipe) -> None:
    """Write all files, the marker that says so last."""
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / _MARKER).write_text(recipe.marker(False), encoding="utf-8")
    stems = [f"scene_{index:05d}" for index in range(recipe.pictures)]

    def write_one(index: int) -> None:
        rng = np.random.default_rng((recipe.seed, index))
        picture, truth = draw_scene(rng, recipe.size_hw)
        _, jpeg = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
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
    (root / _MARKER).write_text(recipe.marker(True), encoding="utf-8")
