"""COCO layouts: the annotation files of a path, and their splits."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from gluon_yolo.data.images.files import files_ending
from gluon_yolo.data.splits import pattern_of, split_role
from gluon_yolo.data.text_file import decoded
from gluon_yolo.errors import UserError

LAYOUTS = (
    "a .json file of annotations, or a folder with annotations/*.json, with one .json file a split, or with "
    "_annotations.coco.json in folders train/, valid/, test/"
)
_FOLDER = "annotations"
_IN_SPLITS = ("_annotations.coco.json", "annotations.json", "labels.json")
_HEAD = 1 << 23  # bytes; a long description of the data set may come before its lists
_KEYS = re.compile(r'"(images|annotations)"\s*:\s*\[')
_MOST_FILES = 50
# COCO's other annotation files, which have the same format.
_OTHERS = ("captions_", "person_keypoints_", "panoptic_", "stuff_", "image_info_")


def looks_like_coco(file: Path) -> bool:
    """Return whether a file has COCO's lists of images and annotations, or, if large, begins with one."""
    try:
        state = file.stat()
        return _looks_like_coco(file, state.st_mtime_ns, state.st_size)
    except OSError:
        return False


@functools.lru_cache(maxsize=4 * _MOST_FILES)
def _looks_like_coco(file: Path, changed_ns: int, size: int) -> bool:
    with open(file, "rb") as stream:
        head = stream.read(_HEAD)
    text = decoded(head, errors="replace")
    if not text.lstrip("\ufeff \t\r\n").startswith("{"):
        return False
    found = set(_KEYS.findall(text))
    return {"images", "annotations"} <= found or bool(found) and size > _HEAD


def find_annotations(path: Path) -> list[Path]:
    """Return the annotation files of a path, which may be none.

    Of several layouts in a folder, the first of these counts: ``annotations/instances_*.json``, other files
    in ``annotations/``, one file in each split's folder, one file per split in the folder.
    """
    if path.is_file():
        return [path] if looks_like_coco(path) else []
    named = [file for file in next(_layouts(path)) if split_role(_stem(file))]  # their names are enough
    return next(filter(None, map(_annotations_among, _layouts(path))), named)


def passed_over(path: Path) -> list[Path]:
    """Return the annotation files in a folder's other layouts, which :func:`find_annotations` ignores."""
    found = set(find_annotations(path))
    if path.is_file():
        return []
    others = [file for files in _layouts(path) for file in _annotations_among(files)]
    return [file for file in dict.fromkeys(others) if file not in found]


def by_split(path: Path) -> dict[str, Path]:
    """Return the annotation files of a path by the names of their splits.

    Raises:
        UserError: two are of one split.
    """
    if path.is_file() and not _is_called(path, _IN_SPLITS[0]):
        return {_stem(path): path for path in find_annotations(path)}
    found: dict[str, Path] = {}
    for file in find_annotations(path):
        split = _split_of(file)
        if split in found:
            raise UserError(
                f"{file}: has annotations of the split {split}, and so has {found[split]}; name one of the "
                "files, or move the other away"
            )
        found[split] = file
    return found


def _layouts(path: Path) -> Iterator[list[Path]]:
    """Yield the candidate annotation files of each layout, in the order of preference."""
    names = os.listdir(path) if path.is_dir() else []
    called = [name for name in names if name.lower() == _FOLDER]
    folder = path / (_FOLDER if _FOLDER in called or not called else called[0])
    beside = [file for file in _jsons(folder) if not file.name.startswith(_OTHERS)]
    yield [file for file in beside if file.name.startswith("instances_")]
    yield beside
    folders = sorted(child for child in path.iterdir() if child.is_dir()) if path.is_dir() else []
    within = [file for folder in folders for file in _jsons(folder)]
    yield [file for name in _IN_SPLITS for file in within if _is_called(file, name)]
    yield _jsons(path)


def _annotations_among(files: Sequence[Path]) -> list[Path]:
    """Return the files that are annotations; of very many files, those with names of splits are read first.

    Some tools write one file per image; no data set has so many splits.
    """
    named_first = (
        sorted(files, key=lambda file: not split_role(file.stem)) if len(files) > _MOST_FILES else files
    )
    found = [file for file in named_first[:_MOST_FILES] if looks_like_coco(file)]
    return sorted({*found, *_called_alike(files, found)})


def _called_alike(files: Sequence[Path], found: Sequence[Path]) -> list[Path]:
    """Return files named as annotation files, except for the word for the split: they should be some.

    Their errors are reported when they are read.
    """
    patterns = {(file.suffix.lower(), pattern_of(_split_of(file))) for file in found}
    splits = {_split_of(file) for file in found}
    return [
        file
        for file in files
        if split_role(_split_of(file))
        and (file.suffix.lower(), pattern_of(_split_of(file))) in patterns
        and _split_of(file) not in splits
    ]


def _split_of(file: Path) -> str:
    """Return an annotation file's split: its own name, or its folder's when all files have one name."""
    return _folder_of(file) if any(_is_called(file, name) for name in _IN_SPLITS) else _stem(file)


def _jsons(folder: Path) -> list[Path]:
    """Return a folder's JSON files, in any letter case of the ending."""
    return files_ending(folder, ".json")


def _is_called(file: Path, name: str) -> bool:
    """Return whether a file has a name, in any letter case of the ending."""
    return f"{file.stem}{file.suffix.lower()}" == name


def _folder_of(file: Path) -> str:
    return file.resolve().parent.name


def _stem(file: Path) -> str:
    return file.stem.replace("instances_", "", 1)
