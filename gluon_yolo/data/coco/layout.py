"""COCO's folders: which annotation files a path holds, for which splits, and where their pictures are."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gluon_yolo.data.coco import json_file
from gluon_yolo.data.picture_files import files_ending
from gluon_yolo.errors import UserError

LAYOUTS = (
    "a .json file of annotations, or a folder with annotations/*.json, with one .json file a split, or with "
    "_annotations.coco.json in folders train/, valid/, test/"
)
_IN_SPLITS = ("_annotations.coco.json", "annotations.json", "labels.json")
_PICTURES = ("{split}", "images/{split}", "{split}/images", "images", "data", "JPEGImages", "")
_HEAD = 1 << 16
_KEYS = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[')
_MOST_FILES = 50
_SAMPLE = 20


def looks_like_coco(file: Path) -> bool:
    """Say whether the beginning of a file is that of COCO annotations."""
    try:
        with open(file, "rb") as stream:
            head = stream.read(_HEAD)
    except OSError:
        return False
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and _KEYS.search(head) is not None


def find_annotations(path: Path) -> dict[str, Path]:
    """Return the annotation file of each split that a path holds, by the splits' names; perhaps none.

    Of the layouts that a folder may have, the first that is there counts: ``annotations/instances_*.json``,
    other files in ``annotations/``, one file in each split's folder, one file for each split in the folder.
    """
    if path.is_file():
        split = _folder_of(path) if _is_called(path, _IN_SPLITS[0]) else _stem(path)
        return {split: path} if looks_like_coco(path) else {}
    jsons = _jsons(path / "annotations")
    folders = sorted(child for child in path.iterdir() if child.is_dir()) if path.is_dir() else []
    for files in (
        [file for file in jsons if file.name.startswith("instances_")],
        [file for file in jsons if not file.name.startswith("captions_")],
        [
            file
            for name in _IN_SPLITS
            for folder in folders
            for file in _jsons(folder)
            if _is_called(file, name)
        ],
        _jsons(path),
    ):
        # Some tools write a file for each picture; nobody has that many splits.
        found = [file for file in files[:_MOST_FILES] if looks_like_coco(file)]
        if found:
            return {_split_of(file): file for file in found}
    return {}


def find_pictures(annotations: Path, split: str, images: Sequence[Mapping[str, Any]]) -> Path:
    """Return the folder that an annotation file's picture names are relative to.

    Looked at are the folder of the file and the one above: in each a folder called as the split, ``images``
    and the like, and the folder itself. The one that holds most of a sample of the pictures is taken.

    Args:
        annotations: the annotation file.
        split: its split.
        images: its image records.

    Raises:
        UserError: not one picture of the sample is in any of them.
    """
    beside = annotations.parent
    bases = (beside.parent, beside) if beside.name == "annotations" else (beside, beside.parent)
    places = [base / place.format(split=split) for base in bases for place in _PICTURES]
    folders = [folder for folder in dict.fromkeys(places) if folder.is_dir()]
    sample = images[:: max(1, len(images) // _SAMPLE)]

    def pictures_in(folder: Path) -> int:
        return sum(os.path.isfile(json_file.picture_path(str(folder), image)) for image in sample)

    best = max(folders, key=pictures_in)
    if not pictures_in(best):
        looked = ", ".join(str(folder) for folder in folders)
        raise UserError(
            f"{annotations}: cannot find its pictures, such as {sample[0]['file_name']}; looked in {looked}. "
            f"Put them into one of these, or into {bases[0] / split}"
        )
    return best


def _split_of(file: Path) -> str:
    """Return an annotation file's split: its own name, or its folder's where all are called alike."""
    return _folder_of(file) if any(_is_called(file, name) for name in _IN_SPLITS) else _stem(file)


def _jsons(folder: Path) -> list[Path]:
    """Return a folder's JSON files, whatever the letter case of their ending."""
    return files_ending(folder, ".json")


def _is_called(file: Path, name: str) -> bool:
    """Say whether a file has a name, whatever the letter case of its ending."""
    return f"{file.stem}{file.suffix.lower()}" == name


def _folder_of(file: Path) -> str:
    return file.resolve().parent.name


def _stem(file: Path) -> str:
    return file.stem.replace("instances_", "", 1)
