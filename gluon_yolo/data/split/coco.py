"""Split COCO annotation files: write new files with some of their images, and unchanged records."""

from __future__ import annotations

import itertools
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gluon_yolo.data.coco.dataset import COCODataset
from gluon_yolo.data.coco.images import find_folder, locate
from gluon_yolo.data.coco.json_file import read_content
from gluon_yolo.data.coco.values import Identity, identity
from gluon_yolo.errors import UserError


class CocoDivider:
    """Makes the content of new annotation files from the images of opened data sets.

    Images of one file keep their ids. Images of several files, and their annotations, get new ids, and
    categories of one name become one. An image keeps its name when the image is found by it from the new
    file; otherwise its name becomes the path from the root, or the full path when it is not below the root.

    Args:
        datasets: the data sets of the images.
        root: the folder with ``annotations/``; None for files elsewhere, which name full paths.
    """

    def __init__(self, datasets: Sequence[COCODataset], root: Path | None) -> None:
        paths = list(dict.fromkeys(dataset.annotations_file for dataset in datasets))
        self._contents = {path: read_content(path, whole=True) for path in paths}
        self._images = {
            path: {identity(image["id"]): image for image in content["images"]}
            for path, content in self._contents.items()
        }
        self._annotations = {
            path: _by_image(content["annotations"]) for path, content in self._contents.items()
        }
        self._root = root
        self._one = len(paths) == 1
        first = self._images[paths[0]][datasets[0].image_id(0)]
        self._keeps_names = self._one and root is not None and _finds_images(datasets[0], root, first)
        self._ids, self._annotation_ids = itertools.count(1), itertools.count(1)
        self._categories, self._category_ids = _merged_categories(self._contents)

    def content(self, members: Sequence[tuple[COCODataset, int]]) -> dict[str, Any]:
        """Return the content of the annotation file of one part.

        Args:
            members: data sets and indices of images in them.
        """
        images, annotations = [], []
        for dataset, index in members:
            path, image_id = dataset.annotations_file, dataset.image_id(index)
            image = dict(self._images[path][image_id])
            if not self._one:
                image["id"] = next(self._ids)
            if not self._keeps_names:
                image["file_name"] = path_from(self._root, dataset.name(index))
            images.append(image)
            annotations += [
                self._annotation(path, record, image["id"]) for record in self._annotations[path][image_id]
            ]
        common = {**next(iter(self._contents.values())), "categories": self._categories}
        return {**common, "images": images, "annotations": annotations}

    def _annotation(self, path: str, record: Mapping[str, Any], image_id: int) -> dict[str, Any]:
        if self._one:
            return dict(record)
        category_id = self._category_ids[path][identity(record["category_id"])]
        return {**record, "id": next(self._annotation_ids), "image_id": image_id, "category_id": category_id}


def _by_image(annotations: Sequence[Mapping[str, Any]]) -> Mapping[Identity, list[Mapping[str, Any]]]:
    """Return annotations by the ids of their images."""
    found: defaultdict[Identity, list[Mapping[str, Any]]] = defaultdict(list)
    for annotation in annotations:
        found[identity(annotation["image_id"])].append(annotation)
    return found


def path_from(folder: Path | None, image: str) -> str:
    """Return an image's path relative to a folder when it is below it, otherwise its absolute path."""
    path = os.path.abspath(image)
    if folder is not None and path.startswith(os.path.abspath(folder) + os.sep):
        return Path(os.path.relpath(path, folder)).as_posix()
    return path


def _finds_images(dataset: COCODataset, root: Path, image: Mapping[str, Any]) -> bool:
    """Return whether the data set's first image is found by its name from ``root/annotations``."""
    annotations = root / "annotations" / "any.json"
    try:
        ((found,), _) = locate(str(annotations), find_folder(annotations, "", [image]), [image])
    except UserError:
        return False
    return isinstance(found, str) and os.path.samefile(found, dataset.name(0))


def _merged_categories(
    contents: Mapping[str, Mapping[str, Any]],
) -> tuple[list[dict[str, Any]], dict[str, dict[Identity, Identity]]]:
    """Return the categories of all files, each name once, and for each file the new id of each old id."""
    merged: dict[str, dict[str, Any]] = {}
    ids: dict[str, dict[Identity, Identity]] = {}
    for path, content in contents.items():
        for category in content["categories"]:
            if category["name"] not in merged:
                taken = [known["id"] for known in merged.values()]
                free = max((number for number in taken if not isinstance(number, str)), default=0) + 1
                own = identity(category["id"])
                merged[category["name"]] = {**category, "id": free if own in taken else own}
        ids[path] = {
            identity(category["id"]): merged[category["name"]]["id"] for category in content["categories"]
        }
    return list(merged.values()), ids
