"""Folders of the Pascal VOC layout: find annotations and images by the folders' names."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from gluon_yolo.data.images.files import is_image, visible_files
from gluon_yolo.data.voc.entry import XML
from gluon_yolo.errors import UserError

# Lower case, the usual name first; _OTHERS, which other formats use too, count when they contain XML files.
_ANNOTATIONS = ("annotations",)
_OTHERS = ("labels", "annots", "xmls", "xml")
_IMAGES = ("jpegimages", "images", "data", "imgs")


class SeveralFolders(UserError):
    """Annotations are in several folders whose names differ in letter case only."""


def annotations_folder(path: Path) -> Path | None:
    """Return the folder of annotations in a folder; None when there is none.

    Raises:
        SeveralFolders: there are two.
    """
    named = _called(path, _ANNOTATIONS)
    having = [folder for folder in named if _holds(folder, is_xml)]
    if len(having) > 1:
        folders = " and in ".join(map(str, having))
        raise SeveralFolders(f"{path}: there are annotations in {folders}; move them into one of these")
    if not having and images_folder(path):
        having = [folder for folder in _called(path, _OTHERS) if _holds(folder, is_xml)]
    return next(iter(having or named), None)


def images_folder(path: Path) -> Path | None:
    """Return the folder of images in a folder; None when there is none."""
    folders = _called(path, _IMAGES)
    having = (folder for folder in folders if _holds(folder, is_image))
    return next(having, folders[0]) if len(folders) > 1 else next(iter(folders), None)


def has_pairs(root: Path) -> bool:
    """Return whether a folder or its subfolders have an image with an XML file beside it."""
    for _, names in visible_files(root):
        stems = {os.path.splitext(name)[0] for name in names if is_xml(name)}
        if stems and any(is_image(name) and os.path.splitext(name)[0] in stems for name in names):
            return True
    return False


def is_xml(name: str) -> bool:
    """Return whether a file has the name of an annotation."""
    return name.lower().endswith(XML)


def _holds(folder: Path, fits: Callable[[str], bool]) -> bool:
    """Return whether a folder or its subfolders have a file whose name fits."""
    return any(fits(name) for _, names in visible_files(folder) for name in names)


def _called(path: Path, names: Sequence[str]) -> list[Path]:
    """Return the subfolders with these names, in any letter case, in the order of the names."""
    if not path.is_dir():
        return []
    folders = sorted(name for name in os.listdir(path) if name.lower() in names and (path / name).is_dir())
    return [path / folder for folder in sorted(folders, key=lambda folder: names.index(folder.lower()))]
