"""Write the splits of WIDER FACE: its text files, with the rows as they are."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.splits import split_role
from gluon_yolo.data.wider.layout import (
    CLASSES_FILE,
    FOLDER,
    TEXT,
    ImageFinder,
    image_folders,
    root_of,
    text_folder,
    texts,
)
from gluon_yolo.data.wider.source import CLASS, WiderDataset
from gluon_yolo.data.wider.writer import entry_lines


def folder_of_texts(path: Path, out: Path | None = None) -> Path:
    """Return the folder that the text files are written to.

    Args:
        path: of the data.
        out: another folder for the new splits.
    """
    return out / FOLDER if out else text_folder(path) or path


def standing_texts(path: Path, out: Path | None = None) -> list[Path]:
    """Return the text files of splits that are there; see :func:`folder_of_texts`."""
    return [file for split, file in texts(folder_of_texts(path, out)).items() if split_role(split)]


def split_texts(
    path: Path, parts: Mapping[str, Sequence[tuple[Dataset, int]]], out: Path | None = None
) -> dict[Path, str]:
    """Return the content of each file to write; images are named ``EVENT/NAME.jpg`` where that finds them.

    Args:
        path: of the data.
        parts: the images of each part.
        out: another folder for the new splits; its text names images by whole paths.
    """
    folder, folders = folder_of_texts(path, out), {} if out else image_folders(root_of(path))
    files = {}
    for part, members in parts.items():
        finder, lines = ImageFinder(part, folders), []
        for dataset, index in members:
            if isinstance(dataset, WiderDataset):
                lines += entry_lines(_name(dataset.name(index), finder), dataset.written[index])
        files[folder / TEXT.format(part)] = "".join(f"{line}\n" for line in lines)
    (class_name,) = next(iter(parts.values()))[0][0].class_names
    if out and class_name != CLASS:
        files[folder / CLASSES_FILE] = f"{class_name}\n"
    return files


def _name(image: str, finder: ImageFinder) -> str:
    """Return the name by which a part's text finds an image: ``EVENT/NAME.jpg``, else its whole path."""
    folder = next((each for each in finder.folders if image.startswith(each + os.sep)), None)
    if folder:
        name = os.path.relpath(image, folder).replace(os.sep, "/")
        if finder.find(name) == image:
            return name
    return os.path.abspath(image)
