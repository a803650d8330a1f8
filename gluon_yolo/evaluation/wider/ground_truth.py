"""The faces of WIDER FACE's three sets: from the official files, or by the height of the annotations."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gluon_yolo.detections import Detections
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.evaluation.matching import marks_of
from gluon_yolo.evaluation.wider.mat_file import read_variables
from gluon_yolo.file_names import is_plain

SETS = ("Easy", "Medium", "Hard")
HEIGHTS = (50, 30, 10)  # pixels: faces that are higher are in the set, where the official files are absent
VALIDATION_IMAGES = 3226  # of the whole validation set
FILES = tuple(f"wider_{name}_val.mat" for name in ("face", "easy", "medium", "hard"))


class ImageFaces(NamedTuple):
    """The faces of an image.

    Args:
        boxes: (G, 4) float64, x y width height in pixels: all faces.
        in_set: (3, G) bool: which of them each of ``SETS`` has.
    """

    boxes: np.ndarray
    in_set: np.ndarray


class GroundTruth(NamedTuple):
    """The official ground truth of the validation set.

    Args:
        folder: of the files.
        images: the faces of each image, by the stem of its file, which no two images share.
        events: the event of each image, the folder that it is in.
    """

    folder: Path
    images: Mapping[str, ImageFaces]
    events: Mapping[str, str]


def check_folder(folder: str | os.PathLike[str]) -> None:
    """Check that a folder has the four files.

    Raises:
        SettingError: it has not.
    """
    folder = Path(folder)
    absent = [name for name in FILES if not (folder / name).is_file()]
    if absent:
        more = f" (and {len(absent) - 1} more)" if len(absent) > 1 else ""
        raise SettingError(
            f"{{wider_ground_truth}} {folder}: has no {absent[0]}{more}; it is the folder with the official "
            f"{', '.join(FILES)}, which lie in `ground_truth` of WIDER FACE's evaluation tools"
        )


def read_ground_truth(folder: str | os.PathLike[str]) -> GroundTruth:
    """Read the four official files.

    Args:
        folder: that holds ``FILES``.

    Raises:
        SettingError: a file is absent.
        UserError: a file cannot be read, or is none of these.
    """
    check_folder(folder)
    folder = Path(folder)
    faces, *sets = (folder / name for name in FILES)
    content = _read(faces)
    boxes, names = _cells(faces, content, "face_bbx_list"), _cells(faces, content, "file_list")
    numbers = [_cells(path, _read(path), "gt_list") for path in sets]
    images: dict[str, ImageFaces] = {}
    event_of: dict[str, str] = {}
    try:
        for i, event in enumerate(map(_text, content["event_list"][:, 0])):
            if not is_plain(event):  # predictions are written into a folder of this name
                raise ValueError(f"event {event!r}")
            for j, name in enumerate(map(_text, names[i])):
                images[name] = _faces(boxes[i][j], [of_set[i][j] for of_set in numbers])
                event_of[name] = event
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise UserError(
            f"{folder}: the files are not of one version ({_kind(error)}); fetch all four"
        ) from error
    return GroundTruth(folder, images, event_of)


def by_height(truth: Detections) -> ImageFaces:
    """Return the faces of an image with sets by their height, which approximate the official ones.

    Args:
        truth: the annotations, boxes in pixels. Those marked difficult (``invalid``) are in no set.
    """
    boxes = truth.boxes.astype(np.float64)
    boxes[:, 2:] -= boxes[:, :2]
    heights = np.array(HEIGHTS)[:, None]
    return ImageFaces(boxes, (boxes[:, 3] > heights) & ~marks_of(truth))


def _read(path: Path) -> Mapping[str, Any]:
    """Return the variables of a MATLAB file."""
    try:
        return read_variables(path)
    except (ValueError, IndexError, OSError) as error:
        raise UserError(f"{path}: cannot be read as a MATLAB file ({error})") from error


def _cells(path: Path, content: Mapping[str, Any], key: str) -> list[list[np.ndarray]]:
    """Return a variable that has an array for each image of each event.

    Raises:
        UserError: the file has no such variable.
    """
    try:
        return [list(images[:, 0]) for images in content[key][:, 0]]
    except (KeyError, IndexError, TypeError) as error:
        raise UserError(f"{path}: is not WIDER FACE's file of this name ({_kind(error)})") from error


def _faces(boxes: np.ndarray, numbers: Sequence[np.ndarray]) -> ImageFaces:
    """Return the faces of an image.

    Args:
        boxes: (G, 4) x y width height.
        numbers: of each set, the places of its faces among these, from 1.
    """
    boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    if not np.isfinite(boxes).all():
        raise ValueError("boxes that are not finite")
    in_set = np.zeros((len(SETS), len(boxes)), dtype=bool)
    for chosen, places in zip(in_set, numbers):
        places = np.asarray(places).ravel()
        if not ((places >= 1) & (places <= len(boxes))).all():
            raise ValueError(f"faces {places.tolist()} of {len(boxes)}")
        chosen[places.astype(int) - 1] = True
    return ImageFaces(boxes, in_set)


def _text(cell: Any) -> str:
    """Return the text of a cell, which is an array in an array."""
    return str(np.asarray(cell).ravel()[0]) if np.asarray(cell).dtype != object else _text(cell.ravel()[0])


def _kind(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
