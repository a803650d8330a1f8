"""Crops: each object of an image as an image file, in one folder for each class."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Callable

import numpy as np

from gluon_yolo.atomic_io import writing
from gluon_yolo.drawing.write import write_image
from gluon_yolo.file_names import free_path, made_name

PlaceFile = Callable[[Path, str, str], Path]
"""A folder, a file name without its ending, and the ending -> the path to write to."""


def write_crops(
    image: np.ndarray,
    boxes: np.ndarray,
    folders: Sequence[Path],
    stem: str,
    suffix: str,
    place: PlaceFile = free_path,
    advice: str = "name another place",
) -> Iterator[Path]:
    """Write the part of an image in each box; yield the path of each written file.

    Args:
        image: (H, W, 3) uint8 RGB.
        boxes: (N, 4) xyxy in pixels of the image.
        folders: the N folders to write to, made when absent.
        stem: the files are named ``STEM_NUMBER``, counted from 0.
        suffix: the ending of the files, such as ``.png``.
        place: returns the path to write to; by default one that does not exist.
        advice: the fix in the error for a folder that cannot be made.

    Raises:
        NotWritten: a folder or a file cannot be written.
        UserError: OpenCV has no image format with this ending.
    """
    for number, (box, folder) in enumerate(zip(boxes, folders)):
        with writing(folder, advice):
            folder.mkdir(parents=True, exist_ok=True)
        path = place(folder, f"{stem}_{number}", suffix)
        write_image(path, crop(image, box))
        yield path


def crop(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return the part of an image in a box: whole pixels, with those on the edge; one pixel at least."""
    height, width = image.shape[:2]
    left, top = (int(min(max(0, np.floor(low)), most - 1)) for low, most in zip(box[:2], (width, height)))
    right, bottom = (int(min(np.ceil(high), most)) for high, most in zip(box[2:], (width, height)))
    return image[top : max(bottom, top + 1), left : max(right, left + 1)]


def class_folders(class_names: Sequence[str]) -> list[str]:
    """Return a folder name for each class; the names differ on file systems that ignore case too."""
    folders: list[str] = []
    taken: set[str] = set()
    for class_id, name in enumerate(class_names):
        folder = _free(made_name(re.sub(r"[^\w .-]+", "_", name)) or f"class_{class_id}", taken)
        taken.add(folder.casefold())
        folders.append(folder)
    return folders


def _free(name: str, taken: Collection[str]) -> str:
    free, number = name, 1
    while free.casefold() in taken:
        number += 1
        free = f"{name}_{number}"
    return free
