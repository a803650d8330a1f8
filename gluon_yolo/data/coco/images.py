"""Images of a COCO annotation file: find their folder and their paths."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gluon_yolo.data.coco.json_file import CocoFile
from gluon_yolo.data.coco.values import Identity
from gluon_yolo.data.path_finder import PathFinder
from gluon_yolo.data.quality.report import BadFile
from gluon_yolo.errors import UserError

_PLACES = ("{split}", "images/{split}", "{split}/images", "images", "data", "JPEGImages", "")
_SAMPLE = 20


def find_folder(annotations: Path, split: str, images: Sequence[Mapping[str, Any]]) -> Path:
    """Return the folder that an annotation file's image names are relative to.

    Candidates are in the folder of the file and its parent: in each a folder named as the split, ``images``
    and similar ones, and the folder itself. The folder with most images of a sample wins; when none has any,
    the one with most images by the ends of their names.

    Args:
        annotations: the annotation file.
        split: its split.
        images: its image records.

    Raises:
        UserError: no image of the sample is in any candidate.
    """
    beside = annotations.parent
    is_within = beside.name.lower() == "annotations"
    bases = (beside.parent, beside) if is_within else (beside, beside.parent)
    finder = PathFinder([], os.path.isdir)
    folders: dict[Path, None] = {}
    for base in bases:
        for place in _PLACES:
            parts = [part for part in place.format(split=split).split("/") if part]
            path = base.joinpath(*parts)
            found = str(path) if path.is_dir() else finder.in_any_case(str(base), parts)
            folders.update({Path(found): None} if found else {})
    sample = images[:: max(1, len(images) // _SAMPLE)]

    def images_in(folder: Path) -> tuple[int, int]:
        finder = PathFinder([folder], os.path.isfile, from_here=False)
        found = [finder.find(image["file_name"]) for image in sample]
        there = sum(path is not None for path in found)
        return (0 if finder.moved else there), there

    counts = {folder: images_in(folder) for folder in folders}
    best = max(counts, key=counts.__getitem__)
    if not any(counts[best]):
        looked, name = ", ".join(map(str, folders)), sample[0]["file_name"]
        unread = PathFinder(folders, os.path.isfile, from_here=False).unread(name)
        raise UserError(
            f"{annotations}: cannot find its pictures, such as {name}{unread}; looked in {looked}. "
            f"Put them into one of these, or into {bases[0] / split}"
        )
    return best


def locate(
    annotations: str, folder: str | os.PathLike[str], images: Sequence[Mapping[str, Any]]
) -> tuple[list[str | BadFile], list[str]]:
    """Find the images of an annotation file.

    Args:
        annotations: the annotation file, for messages.
        folder: the folder that the images' names are relative to.
        images: its image records.

    Returns:
        For each record, the path of its image, or why there is none; and notes about names that were found by
        their ends.
    """
    finder = PathFinder([Path(folder)], os.path.isfile, from_here=False)
    found: list[str | BadFile] = []
    for image in images:
        name = image["file_name"]
        path = finder.find(name)
        if path is not None:
            found.append(path)
        elif finder.rival(name):
            problem = f"image {image['id']}: {finder.problem(name)}"
            found.append(BadFile(annotations, problem, "missing-picture"))
        else:
            problem = f"cannot read the picture: no such file{finder.unread(name)}; image {image['id']} of "
            problem += f"{annotations} names it"
            found.append(BadFile(os.path.join(folder, name), problem, "missing-picture"))
    return found, finder.notes(os.path.basename(annotations))


def each_once(file: CocoFile, paths: Sequence[str | BadFile]) -> list[str | BadFile]:
    """Return paths, with an error for an image file that several records name with different objects.

    Args:
        file: the annotation file.
        paths: of the images of its records, or why there is none.
    """
    checked = list(paths)
    images: dict[str, list[int]] = defaultdict(list)
    for index, path in enumerate(paths):
        if isinstance(path, str):
            images[path].append(index)
    for path, same in images.items():
        ids = [file.images[index]["id"] for index in same]
        if len({repr(_objects_written(file, image_id)) for image_id in ids}) == 1:
            continue
        named = " and ".join(map(repr, ids))
        problem = (
            f"the images {named} both name {path}, with other objects each; give all of them one image_id"
        )
        for index in same:
            checked[index] = BadFile(file.path, problem, "broken-label")
    return checked


def _objects_written(file: CocoFile, image_id: Identity) -> list[tuple[str, str]]:
    """Return the categories and boxes of an image, sorted."""
    records = file.annotations.get(image_id, ())
    return sorted((repr(each["category_id"]), repr(each.get("bbox"))) for each in records)
