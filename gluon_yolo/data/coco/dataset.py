"""COCO data sets: one JSON file of annotations, and a folder of pictures."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gluon_yolo.data.classes import unknown_classes
from gluon_yolo.data.coco import json_file
from gluon_yolo.data.dataset import PictureFiles
from gluon_yolo.data.labels import Labels
from gluon_yolo.data.parallel import threaded_map
from gluon_yolo.data.pictures import Measure, measure
from gluon_yolo.data.report import BadFile, Report
from gluon_yolo.errors import UserError
from gluon_yolo.structures import Detections


class COCODataset(PictureFiles):
    """Pictures with COCO annotations, as :func:`open_coco` reads them; ordered by image id.

    Args:
        annotations_file: the JSON file, for COCO's own evaluation.
        category_ids: for each class index the category id in that file.
        image_ids: N image ids in that file.
        pictures: the arguments of :class:`PictureFiles`.
    """

    def __init__(
        self, annotations_file: str, category_ids: Sequence[int], image_ids: Sequence[int], **pictures: Any
    ) -> None:
        super().__init__(**pictures)
        self.annotations_file = annotations_file
        self.category_ids = tuple(category_ids)
        self.image_ids = tuple(image_ids)

    def image_id(self, index: int) -> int:
        """Return a picture's id in the annotation file."""
        return self.image_ids[index]


def gluoncv_coco_root() -> Path:
    """Return the folder where GluonCV's scripts put COCO; it need not exist."""
    return Path.home() / ".mxnet" / "datasets" / "coco"


def open_coco(
    annotations: str | os.PathLike[str],
    images: str | os.PathLike[str],
    class_names: Sequence[str] | None = None,
    skip_bad: bool = False,
    check_pictures: bool = True,
) -> COCODataset:
    """Open a COCO annotation file: read it, and make sure that every picture can be read.

    A box ``[x, y, w, h]`` becomes the corners ``x, y, x + w, y + h``. Crowds are left out and counted; a
    picture without objects is kept.

    Args:
        annotations: the JSON file (``images``, ``annotations``, ``categories``).
        images: the folder that its file names are relative to.
        class_names: names that the class ids stand for, each of them a category, matched exactly; None takes
            all categories by ascending id.
        skip_bad: leave out, and count, pictures that cannot be read.
        check_pictures: decode every picture once; without it the sizes in the file are believed.

    Raises:
        UserError: the file or the folder is missing or broken; pictures are (all of them in one message); or
            a class is unknown.
    """
    file = json_file.CocoFile(os.fspath(annotations))
    if not os.path.isdir(images):
        raise UserError(f"{os.fspath(images)}: no such folder; it should hold the pictures of {file.path}")
    report = Report(Path(file.path).stem)
    return read_coco(file, images, report, class_names, skip_bad, check_pictures)


def read_coco(
    file: json_file.CocoFile,
    images: str | os.PathLike[str],
    report: Report,
    class_names: Sequence[str] | None = None,
    skip_bad: bool = False,
    check_pictures: bool = True,
) -> COCODataset:
    """Do what :func:`open_coco` does, with an annotation file that has been read.

    Args:
        file: the annotation file.
        images: the folder that its file names are relative to.
        report: where counts and findings go.
        class_names: as for :func:`open_coco`, like the other arguments.
        skip_bad: see there.
        check_pictures: see there.

    Raises:
        UserError: as :func:`open_coco`.
    """
    reader = _Reader(file, os.fspath(images), check_pictures)
    read = threaded_map(reader, file.images, f"reading {report.title}")
    report.skip([problem for problem in read if isinstance(problem, BadFile)])
    usable = [(image, found) for image, found in zip(file.images, read) if not isinstance(found, BadFile)]
    report.raise_if_errors(skip_bad, len(usable))
    if class_names is None:
        class_names = list(file.categories.values())
    return COCODataset(
        annotations_file=file.path,
        category_ids=file.category_ids(class_names),
        image_ids=[image["id"] for image, _ in usable],
        class_names=class_names,
        names=[reader.path(image) for image, _ in usable],
        sizes_hw=[found.size_hw for _, found in usable],
        truths=_truths(file, reader, usable, class_names, report),
        report=report,
    )


class _Reader:
    """Measures an image, or says why it cannot be used."""

    def __init__(self, file: json_file.CocoFile, folder: str, check_pictures: bool) -> None:
        self._file = file
        self._folder = folder
        self._check_pictures = check_pictures

    def path(self, image: Mapping[str, Any]) -> str:
        """Return the path of an image's file."""
        return json_file.picture_path(self._folder, image)

    def __call__(self, image: Mapping[str, Any]) -> Measure | BadFile:
        written = json_file.size_hw(image)
        try:
            self._check_categories(image)
            if self._check_pictures or written is None:
                return measure(self.path(image))
            return Measure(written)
        except BadFile as error:
            return error

    def _check_categories(self, image: Mapping[str, Any]) -> None:
        """Raise BadFile when an object of the image is of a category that is not there."""
        for annotation in self._file.annotations.get(image["id"], ()):
            if annotation["category_id"] not in self._file.categories:
                problem = f"no category has its category_id {annotation['category_id']!r}"
                raise BadFile(self._file.path, f"{_where(annotation, image)}: {problem}", "unknown-class")


def _truths(
    file: json_file.CocoFile,
    reader: _Reader,
    usable: Sequence[tuple[Mapping[str, Any], Measure]],
    class_names: Sequence[str],
    report: Report,
) -> list[Detections]:
    """Turn the annotations of the usable images into ground truth.

    Raises:
        UserError: an annotation's category is not among ``class_names``.
    """
    class_ids = {name: class_id for class_id, name in enumerate(class_names)}
    unknown: dict[str, str] = {}
    labels, truths = Labels(report), []
    for image, found in usable:
        written, place = json_file.size_hw(image), f"image {image['file_name']}"
        truth = labels.truth(file.path, reader.path(image), found, written, place)
        for annotation in file.annotations.get(image["id"], ()):
            name = file.categories[annotation["category_id"]]
            where = _where(annotation, image)
            if annotation.get("iscrowd"):
                report.crowd_boxes += 1
            elif name not in class_ids:
                unknown.setdefault(name, f"{file.path}: {where}")
            else:
                bbox = annotation.get("bbox")
                difficult = bool(annotation.get("difficult"))  # which VOC has, and our own files keep
                truth.add(json_file.corners(bbox), class_ids[name], difficult, f"{where} ({name}, {bbox})")
        truths.append(truth.detections())
    if unknown:
        raise unknown_classes(unknown, class_names)
    labels.note(file.path)
    strays = file.stray_annotations()
    if strays:
        report.warn("stray-label", file.path, f"{strays} annotations are of no image in the file; ignored")
    return truths


def _where(annotation: Mapping[str, Any], image: Mapping[str, Any]) -> str:
    """Return the place of an annotation in the file, for messages."""
    return f"annotation {annotation.get('id')} of {image['file_name']}"
