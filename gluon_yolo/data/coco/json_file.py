"""COCO annotation files: read and check the JSON file of all images."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from gluon_yolo import json_text
from gluon_yolo.data.coco.values import Identity, identity, order
from gluon_yolo.data.text_file import decoded, type_in_place_of_text
from gluon_yolo.errors import UserError

# The lists of a detection file, and the required fields of their records.
_LISTS = {
    "images": ("id", "file_name"),
    "annotations": ("image_id", "category_id"),
    "categories": ("id", "name"),
}
_TEXTS = ("file_name", "name")
_USED = {*_LISTS, *(field for fields in _LISTS.values() for field in fields)} | {
    "area",
    "bbox",
    "difficult",
    "height",
    "iscrowd",
    "width",
}


def read_content(path: str, whole: bool = False) -> dict[str, Any]:
    """Read an annotation file, and check its lists and the required fields of their records.

    Args:
        path: the JSON file.
        whole: return its whole content; False drops unused fields such as outlines, most of a large file.

    Raises:
        UserError: it cannot be read, or is not a COCO detection file.
    """
    try:
        with open(path, "rb") as file:
            text = decoded(file.read())
        content = json_text.loads(text, object_pairs_hook=None if whole else _used)
    except OSError as error:
        raise UserError(f"{path}: cannot read the annotations: {error.strerror or error}") from error
    except ValueError as error:
        instead = type_in_place_of_text(path) or ("" if os.path.getsize(path) else "the file is empty")
        raise UserError(f"{path}: the annotations are no valid JSON: {instead or error}") from error
    for key, fields in _LISTS.items():
        records = content.get(key) if isinstance(content, dict) else None
        if not isinstance(records, list):
            raise UserError(f"{path}: no list {key!r}; expected COCO's {', '.join(_LISTS)}")
        if not records and key != "annotations":
            raise UserError(f"{path}: the list {key!r} is empty; nothing can be read")
        for number, record in enumerate(records):
            problem = _problem(record, fields)
            if problem:
                raise UserError(f"{path}: {key}[{number}]: {problem}")
    return content


def _used(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the used fields of a record."""
    return {key: value for key, value in pairs if key in _USED}


def _problem(record: Any, fields: Sequence[str]) -> str:
    """Return what is wrong with a record that needs these fields; empty when it is valid."""
    if not isinstance(record, dict) or any(field not in record for field in fields):
        return f"expected a record with {' and '.join(fields)}"
    for field in fields:
        value = record[field]
        if field in _TEXTS and not isinstance(value, str):
            return f"{field} {value!r} is no text"
        if field not in _TEXTS:
            try:
                identity(value)
            except ValueError:
                return f"{field} {value!r} is no number: ids are whole numbers, or texts"
    return ""


class CocoFile:
    """The content of an annotation file, checked as far as reading needs.

    Ids in all records are those of :func:`gluon_yolo.data.coco.values.identity`.

    Attributes:
        path: the JSON file.
        images: its image records by ascending id.
        categories: class names by category id, ascending.
        annotations: its annotation records by image id.
        notes: notes about what is ignored.

    Args:
        path: the JSON file.

    Raises:
        UserError: it cannot be read, or is not a COCO detection file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        content = read_content(path)
        self.images: list[dict[str, Any]] = _by_id(content["images"])
        self.notes: list[str] = []
        categories = _by_id(content["categories"])
        self.annotations: dict[Identity, list[dict[str, Any]]] = defaultdict(list)
        for annotation in content["annotations"]:
            annotation["category_id"] = identity(annotation["category_id"])
            self.annotations[identity(annotation["image_id"])].append(annotation)
        if len({image["id"] for image in self.images}) < len(self.images):
            raise UserError(f"{path}: two images have the same id; every image needs its own")
        if len({category["id"] for category in categories}) < len(categories):
            raise UserError(f"{path}: two categories have the same id; every category needs its own")
        self.categories: dict[Identity, str] = self._without_namesakes(categories)

    def _without_namesakes(self, categories: Sequence[Mapping[str, Any]]) -> dict[Identity, str]:
        """Return class names by id; of several ids with one name, the one with annotations.

        Roboflow writes the project as category 0, the parent of the others, sometimes with the name of one of
        them. When none of them has annotations, the last one is kept.

        Raises:
            UserError: several of them have annotations.
        """
        used = {record["category_id"] for records in self.annotations.values() for record in records}
        ids: dict[str, list[Identity]] = defaultdict(list)
        for category in categories:
            ids[category["name"]].append(category["id"])
        kept: set[Identity] = set()
        for name, same in ids.items():
            with_annotations = [each for each in same if each in used]
            if len(with_annotations) > 1:
                which = " and ".join(map(repr, with_annotations))
                raise UserError(
                    f"{self.path}: the categories {which} have the same name, {name!r}, and both have "
                    "annotations; rename one, or give the annotations of both one category_id"
                )
            kept.add(with_annotations[0] if with_annotations else same[-1])
            left_out = ", ".join(repr(each) for each in same if each not in kept)
            if left_out:
                self.notes.append(
                    f"category {left_out} has no annotations and the name of another, {name!r}; left out"
                )
        return {category["id"]: category["name"] for category in categories if category["id"] in kept}

    def add_categories(self, class_names: Sequence[str]) -> None:
        """Add classes that the file does not have, under free ids."""
        missing = [name for name in class_names if name not in self.categories.values()]
        ids = [category_id for category_id in self.categories if isinstance(category_id, int)]
        self.categories.update(enumerate(missing, max(ids, default=0) + 1))

    def category_ids(self, class_names: Sequence[str]) -> list[Identity]:
        """Return the category id of each class.

        Raises:
            UserError: a class is not among the categories.
        """
        ids = {name: category_id for category_id, name in self.categories.items()}
        missing = [name for name in class_names if name not in ids]
        if missing:
            raise UserError(
                f"{self.path}: no category {', '.join(map(repr, missing))}; its categories are "
                f"{', '.join(map(repr, ids))}. Names must match exactly, case and blanks included"
            )
        return [ids[name] for name in class_names]

    def stray_annotations(self) -> int:
        """Return the number of annotations whose image is not in the file."""
        known = {image["id"] for image in self.images}
        return sum(len(records) for image_id, records in self.annotations.items() if image_id not in known)


def _by_id(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Normalise the ids of records in place, and return the records by ascending id."""
    for record in records:
        record["id"] = identity(record["id"])
    return sorted(records, key=lambda record: order(record["id"]))


def size_hw(image: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the (height, width) in an image record; None when it has none."""
    try:
        height, width = int(float(image["height"])), int(float(image["width"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return (height, width) if height > 0 and width > 0 else None
