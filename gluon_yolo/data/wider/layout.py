"""The folders of WIDER FACE: where its text files and its images are."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

FOLDER = "wider_face_split"
TEXT = "wider_face_{}_bbx_gt.txt"
"""The name of a split's text file."""
IMAGES = "WIDER_{}"
"""The name of a split's folder; its images are below ``images/``."""
CLASSES_FILE = "classes.txt"
"""A file beside the text files with the class's name, which `data convert` writes unless it is ``face``."""
TEST_LIST = "wider_face_test_filelist.txt"
"""The published list of test images, whose faces are not published."""
_TEXT = re.compile(TEXT.format("(.+)"), re.IGNORECASE)
_IMAGES = re.compile(IMAGES.format("(.+)"), re.IGNORECASE)


def is_text(path: Path) -> bool:
    """Return whether a file has the name of a split's text file."""
    return bool(_TEXT.fullmatch(path.name))


def text_folder(path: Path) -> Path | None:
    """Return the folder with the text files: of a folder with ``wider_face_split``, itself, or of one file.

    An archive that was unpacked into a folder of its own name has the files one folder deeper.
    """
    if path.is_file():
        return path.parent if is_text(path) else None
    return next((folder for folder in (path / FOLDER, path / FOLDER / FOLDER, path) if _texts(folder)), None)


def texts(path: Path) -> dict[str, Path]:
    """Return the text files at a path by their splits; empty without one."""
    if path.is_file():
        match = _TEXT.fullmatch(path.name)
        return {match.group(1): path} if match else {}
    folder = text_folder(path)
    return _texts(folder) if folder else {}


def root_of(path: Path) -> Path:
    """Return the folder with ``WIDER_train`` and its like: the path, or a folder above its text files."""
    folder = text_folder(path)
    if folder is None or (path.is_dir() and folder != path):
        return path
    above = (folder, *folder.resolve().parents[:2])
    found = next((each for each in above if image_folders(each)), folder.resolve().parent)
    return found


def image_folders(root: Path) -> dict[str, Path]:
    """Return the folders of images by their splits: ``WIDER_val/images``, or one folder deeper."""
    found: dict[str, Path] = {}
    for name in sorted(os.listdir(root)) if root.is_dir() else []:
        match = _IMAGES.fullmatch(name)
        folders = (root / name / "images", root / name / name / "images")
        images = next((folder for folder in folders if folder.is_dir()), None)
        if match and images:
            found.setdefault(match.group(1), images)
    return found


class ImageFinder:
    """Finds the images that text files name.

    Args:
        split: whose folder comes first; those of other splits follow, since `data split` moves no image.
        folders: as :func:`image_folders` returns them.

    Attributes:
        has_own: whether the split has a folder.
        folders: all folders, in the order of the search.
    """

    def __init__(self, split: str, folders: dict[str, Path]) -> None:
        own = [folder for name, folder in folders.items() if name.lower() == split.lower()]
        self.has_own = bool(own)
        self.folders: Sequence[str] = [str(each) for each in dict.fromkeys([*own, *folders.values()])]

    def find(self, name: str) -> str | None:
        """Return the path of an image that is named ``EVENT/NAME.jpg`` or by its whole path; None without."""
        if os.path.isabs(name):
            return name if os.path.isfile(name) else None
        parts = name.replace("\\", "/").split("/")
        candidates = (os.path.join(folder, *parts) for folder in self.folders)
        return next((path for path in candidates if os.path.isfile(path)), None)


def _texts(folder: Path) -> dict[str, Path]:
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    found = {match.group(1): folder / name for name in names if (match := _TEXT.fullmatch(name))}
    return {split: path for split, path in found.items() if path.is_file()}
