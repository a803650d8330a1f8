"""The four files of WIDER FACE's ground truth, written in the form of the official ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

Faces = Sequence[tuple[Sequence[int], str]]  # x y width height, and the letters of the sets that have it


def write_official(folder: Path, events: Mapping[str, Mapping[str, Faces]]) -> Path:
    """Write the files of some images, and return their folder.

    Args:
        folder: is made.
        events: the faces of each image by its name, by event; the letters are of e, m and h.
    """
    from scipy.io import savemat

    folder.mkdir()
    content: dict[str, list[list[np.ndarray]]] = {"face_bbx_list": [], "file_list": []}
    sets: dict[str, list[list[np.ndarray]]] = {"easy": [], "medium": [], "hard": []}
    for images in events.values():
        content["file_list"].append([np.array([name]) for name in images])
        boxes = [np.array([box for box, _ in faces], dtype=np.int32) for faces in images.values()]
        content["face_bbx_list"].append(boxes)
        for name, chosen in sets.items():
            chosen.append(
                [
                    np.array([[i] for i, (_, letters) in enumerate(faces, 1) if name[0] in letters], np.uint8)
                    for faces in images.values()
                ]
            )
    names = cells([np.array([event]) for event in events])
    both = {key: cells([cells(images) for images in lists]) for key, lists in content.items()}
    savemat(folder / "wider_face_val.mat", {"event_list": names, **both})
    for name, lists in sets.items():
        numbers = cells([cells(images) for images in lists])
        savemat(folder / f"wider_{name}_val.mat", {"event_list": names, **both, "gt_list": numbers})
    return folder


def cells(values: Sequence[object]) -> np.ndarray:
    """Return a column of MATLAB's cells."""
    column = np.empty((len(values), 1), dtype=object)
    for row, value in enumerate(values):
        column[row, 0] = value
    return column
