"""COCO data sets: one JSON file of annotations, and a folder of images."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gluon_yolo import boxes as box_maths
from gluon_yolo.data.classes.read import unknown_classes
from gluon_yolo.data.coco import json_file
from gluon_yolo.data.coco.images import each_once, locate
from gluon_yolo.data.coco.values import Identity, corners, mark, positive
from gluon_yolo.data.dataset import ImageFiles
from gluon_yolo.data.images.read import Measure, measure
from gluon_yolo.data.loading.workers import threaded_map
from gluon_yolo.data.quality.orientation import Labels
from gluon_yolo.data.quality.report import BadFile, DatasetReport
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError

_SMALLEST_AREA = 1e-6  # square pixels; tools write 0 or less for an unknown area


class COCODataset(ImageFiles):
    """Images with COCO annotations, in the order of their ids; :func:`open_coco` opens it.

    Args:
        annotations_file: the JSON file.
        category_ids: the category id in that file of each class.
        image_ids: N image ids in that file.
        areas: for each image, the areas of its objects in square pixels, as the file gives them.
        crowds: for each image, its crowds.
        images: the arguments of :class:`ImageFiles`.
    """

    def __init__(
        self,
        annotations_file: str,
        category_ids: Sequence[Identity],
        image_ids: Sequence[Identity],
        areas: Sequence[np.ndarray],
        crowds: Sequence[Detections],
        **images: Any,
    ) -> None:
        super().__init__(**images)
        self.annotations_file = annotations_file
        self.category_ids = tuple(category_ids)
        self.image_ids = tuple(image_ids)
        self._areas = np.concatenate([np.zeros(0), *areas])
        self._crowds = {index: each for index, each in enumerate(crowds) if len(each)}

    @property
    def is_coco(self) -> bool:
        """Always True."""
        return True

    def image_id(self, index: int) -> Identity:
        """Return an image's id in the annotation file."""
        return self.image_ids[index]

    def category_id(self, class_id: int) -> Identity:
        """Return a class's id in the annotation file."""
        return self.category_ids[class_id]

    def areas(self, index: int) -> np.ndarray:
        """Return the areas (N,) of an image's objects in square pixels, as the file gives them."""
        return self._areas[self._starts[index] : self._starts[index + 1]]

    def crowds(self, index: int) -> Detections:
        """Return an image's crowds."""
        return self._crowds.get(index) or Detections.empty()


def gluoncv_coco_root() -> Path:
    """Return the folder where GluonCV's scripts put COCO; it may not exist."""
    return Path.home() / ".mxnet" / "datasets" / "coco"


def open_coco(
    annotations: str | os.PathLike[str],
    images: str | os.PathLike[str],
    class_names: Sequence[str] | None = None,
    skip_bad: bool = False,
    check_images: bool = True,
) -> COCODataset:
    """Open a COCO annotation file: read it, and check that every image can be read.

    A box ``[x, y, w, h]`` becomes the corners ``x, y, x + w, y + h``. Crowds are not objects: they are
    counted, and kept for COCO's metrics. An image without objects is kept.

    Args:
        annotations: the JSON file (``images``, ``annotations``, ``categories``).
        images: the folder that its file names are relative to.
        class_names: names in the order of the class ids, each of them a category, matched exactly; None takes
            all categories by ascending id.
        skip_bad: skip and count images that cannot be read.
        check_images: decode every image once; False trusts the sizes in the file.

    Raises:
        UserError: the file or the folder is missing or broken; images are (all in one message); or a class is
            unknown.
    """
    file = json_file.CocoFile(os.fspath(annotations))
    if not os.path.isdir(images):
        raise UserError(f"{os.fspath(images)}: no such folder; it should hold the pictures of {file.path}")
    report = DatasetReport(Path(file.path).stem)
    return read_coco(file, images, report, class_names, skip_bad, check_images)


def read_coco(
    file: json_file.CocoFile,
    images: str | os.PathLike[str],
    report: DatasetReport,
    class_names: Sequence[str] | None = None,
    skip_bad: bool = False,
    check_images: bool = True,
) -> COCODataset:
    """Do the same as :func:`open_coco` with an annotation file that is already read.

    Args:
        file: the annotation file.
        images: the folder that its file names are relative to.
        report: receives counts and issues.
        class_names: as for :func:`open_coco`.
        skip_bad: as for :func:`open_coco`.
        check_images: as for :func:`open_coco`.

    Raises:
        UserError: as :func:`open_coco`.
    """
    paths, notes = locate(file.path, images, file.images)
    report.notes += [*file.notes, *notes]
    paths = each_once(file, paths)
    reader = _Reader(file, check_images)
    read = threaded_map(reader, [*zip(file.images, paths)], f"reading {report.title}")
    report.skip([found for found in read if isinstance(found, BadFile)])
    usable = [
        _Image(image, path, found)
        for image, path, found in zip(file.images, paths, read)
        if not isinstance(path, BadFile) and not isinstance(found, BadFile)
    ]
    report.raise_if_errors(skip_bad, len(usable))
    if class_names is None:
        class_names = list(file.categories.values())
    category_ids = file.category_ids(class_names)
    objects = _objects(file, usable, class_names, report)
    return COCODataset(
        annotations_file=file.path,
        category_ids=category_ids,
        image_ids=[image.record["id"] for image in usable],
        areas=[each.areas for each in objects],
        crowds=[each.crowds for each in objects],
        class_names=class_names,
        names=[image.path for image in usable],
        sizes_hw=[image.measure.size_hw for image in usable],
        truths=[each.truth for each in objects],
        report=report,
    )


class _Image(NamedTuple):
    """An image that can be used: its record, its path, and its measure."""

    record: Mapping[str, Any]
    path: str
    measure: Measure


class _Reader:
    """Measures an image, or returns why it cannot be used."""

    def __init__(self, file: json_file.CocoFile, check_images: bool) -> None:
        self._file = file
        self._check_images = check_images

    def __call__(self, item: tuple[Mapping[str, Any], str | BadFile]) -> Measure | BadFile:
        image, path = item
        if isinstance(path, BadFile):
            return path
        written = json_file.size_hw(image)
        try:
            for annotation in self._file.annotations.get(image["id"], ()):
                self._check(annotation, image)
            return measure(path) if self._check_images or written is None else Measure(written)
        except BadFile as error:
            return error

    def _check(self, annotation: Mapping[str, Any], image: Mapping[str, Any]) -> None:
        """Raise BadFile when an object's category does not exist, or a mark is invalid."""
        where = _where(annotation, image)
        if annotation["category_id"] not in self._file.categories:
            problem = f"no category has its category_id {annotation['category_id']!r}"
            raise BadFile(self._file.path, f"{where}: {problem}", "unknown-class")
        for name in ("iscrowd", "difficult"):
            try:
                mark(annotation.get(name))
            except ValueError as error:
                raise BadFile(self._file.path, f"{where}: {name}: {error}", "broken-label") from error


class _Objects(NamedTuple):
    """The objects of an image, their areas (N,) in square pixels, and its crowds."""

    truth: Detections
    areas: np.ndarray
    crowds: Detections


def _objects(
    file: json_file.CocoFile, images: Sequence[_Image], class_names: Sequence[str], report: DatasetReport
) -> list[_Objects]:
    """Turn the annotations of images into ground truth.

    Raises:
        UserError: an annotation's category is not among ``class_names``.
    """
    class_ids = {name: class_id for class_id, name in enumerate(class_names)}
    unknown: dict[str, str] = {}
    labels = Labels(report)
    found = [_objects_of(file, image, class_ids, unknown, labels, report) for image in images]
    if unknown:
        raise unknown_classes(unknown, class_names)
    labels.note(file.path)
    orphans = file.stray_annotations()
    if orphans:
        report.warn("stray-label", file.path, f"{orphans} annotations are of no image in the file; ignored")
    return found


def _objects_of(
    file: json_file.CocoFile,
    image: _Image,
    class_ids: Mapping[str, int],
    unknown: dict[str, str],
    labels: Labels,
    report: DatasetReport,
) -> _Objects:
    """Turn the annotations of one image into ground truth; unknown classes are added to ``unknown``."""
    written, place = json_file.size_hw(image.record), f"image {image.record['file_name']}"
    truth = labels.annotations(file.path, image.path, image.measure, written, place)
    crowds = truth.another()
    areas: list[float] = []
    for annotation in file.annotations.get(image.record["id"], ()):
        name, bbox = file.categories[annotation["category_id"]], annotation.get("bbox")
        is_crowd, where = mark(annotation.get("iscrowd")), _where(annotation, image.record)
        report.crowd_boxes += is_crowd
        if name in class_ids:
            difficult = mark(annotation.get("difficult"))  # VOC's mark, which COCOWriter keeps
            place = f"{where} ({name}, {bbox})"
            try:
                box_xyxy = corners(bbox)
            except ValueError as error:
                report.broken_boxes += 1
                report.warn("not-finite", file.path, f"box {error}; dropped", place)
                continue
            taken = (crowds if is_crowd else truth).add(box_xyxy, class_ids[name], difficult, place)
            if taken and not is_crowd:
                areas.append(_area(annotation, image.measure.size_hw))
        elif not is_crowd:
            unknown.setdefault(name, f"{file.path}: {where}")
    objects = truth.detections()
    of_boxes = box_maths.area(objects.boxes.astype(np.float64))
    return _Objects(objects, np.where(np.isnan(areas), of_boxes, areas), crowds.detections())


def _area(annotation: Mapping[str, Any], size_hw: tuple[int, int]) -> float:
    """Return an object's area in the file, in square pixels; NaN when it is not plausible."""
    area = positive(annotation.get("area"), _SMALLEST_AREA)
    return float("nan") if area is None or area > size_hw[0] * size_hw[1] else area


def _where(annotation: Mapping[str, Any], image: Mapping[str, Any]) -> str:
    """Return the place of an annotation in the file, for messages."""
    return f"annotation {annotation.get('id')} of {image['file_name']}"
