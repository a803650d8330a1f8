"""Folders of a YOLO data set without a description: find the splits by the folders' names."""

from __future__ import annotations

import os
from pathlib import Path

from gluon_yolo.data.images.files import images_below, is_image, is_unread_image, visible_files
from gluon_yolo.data.splits import pattern_of, split_role
from gluon_yolo.data.yolo.paths import label_paths
from gluon_yolo.errors import UserError


def split_folders(root: Path) -> dict[str, tuple[Path, ...]]:
    """Return the splits of a folder without lists: folders with names of splits, otherwise all as train.

    The images are in ``images/`` or in the folder itself; a split's in its folder, or in ``images/`` there.
    """
    top = _top(root)
    splits: dict[str, tuple[Path, ...]] = {}
    for name in sorted(entry.name for entry in os.scandir(top) if split_role(entry.name) and entry.is_dir()):
        if some_images(top / name) or _should_have_images(top / name):
            splits[name] = (_images_in(top / name) or top / name,)
    if not any(some_images(folder) for (folder,) in splits.values()):
        splits = {}
    return splits or ({"train": (top,)} if some_images(top) else {})


def outside_of_splits(root: Path) -> str:
    """Return a note about labelled images outside the splits' folders; empty without such images.

    Raises:
        UserError: there are such images and no split is for training, so they are probably the training data.
    """
    top, splits = _top(root), split_folders(root)
    if splits == {"train": (top,)}:
        return ""
    folders = [top / name for name in splits]
    inside = tuple(f"{folder}{os.sep}" for folder in folders)
    for image in images_below(top):
        if not image.startswith(inside) and any(map(os.path.isfile, label_paths(image))):
            break
    else:
        return ""
    found = f"the splits are {', '.join(map(str, folders))}; labelled pictures lie elsewhere too, as {image}"
    if not any(split_role(name).startswith("train") for name in splits):
        raise UserError(
            f"{root}: {found}: put those for training into {top / 'train'}, or name the folders of each "
            "split in a data.yaml"
        )
    return f"{found}; they are left out"


def _should_have_images(folder: Path) -> bool:
    """Return whether a folder without images should have some: it has unread ones, or is an empty split."""
    files = [name for _, names in visible_files(folder) for name in names]
    return any(map(is_unread_image, files)) or not files and pattern_of(folder.name) == "*"


def some_images(folder: Path) -> list[str]:
    """Return the images of the first folder below a folder that has any: enough to classify it."""
    for parent, names in visible_files(folder):
        if any(map(is_image, names)):
            return [os.path.join(parent, name) for name in names if is_image(name)]
    return []


def _top(root: Path) -> Path:
    images = _images_in(root)
    return images if images and some_images(images) else root


def _images_in(folder: Path) -> Path | None:
    """Return the subfolder called images, in any of three letter cases."""
    called = [name for name in ("images", "Images", "IMAGES") if (folder / name).is_dir()]
    return folder / called[0] if called else None
