"""COCO's folders: which annotation files a path holds, and for which splits."""

from __future__ import annotations

import re
from pathlib import Path

LAYOUTS = (
    "a .json file of annotations, or a folder with annotations/*.json, with one .json file a split, or with "
    "_annotations.coco.json in folders train/, valid/, test/"
)
_IN_SPLITS = ("_annotations.coco.json", "annotations.json", "labels.json")
_HEAD = 1 << 16
_KEYS = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[')
_MOST_FILES = 50


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
        split = _folder_of(path) if path.name == _IN_SPLITS[0] else _stem(path)
        return {split: path} if looks_like_coco(path) else {}
    for files in (
        sorted(path.glob("annotations/instances_*.json")),
        [file for file in sorted(path.glob("annotations/*.json")) if not file.name.startswith("captions_")],
        [file for name in _IN_SPLITS for file in sorted(path.glob(f"*/{name}"))],
        sorted(path.glob("*.json")),
    ):
        # Some tools write a file for each picture; nobody has that many splits.
        found = [file for file in files[:_MOST_FILES] if looks_like_coco(file)]
        if found:
            return {_split_of(file): file for file in found}
    return {}


def _split_of(file: Path) -> str:
    """Return an annotation file's split: its own name, or its folder's where all are called alike."""
    return _folder_of(file) if file.name in _IN_SPLITS else _stem(file)


def _folder_of(file: Path) -> str:
    return file.resolve().parent.name


def _stem(file: Path) -> str:
    return file.stem.replace("instances_", "", 1)
