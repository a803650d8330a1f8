"""Pascal VOC data sets: a folder of images, an XML annotation for each, and lists of the splits."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from gluon_yolo.data.classes.read import lookalikes, unknown_classes
from gluon_yolo.data.dataset import ImageFiles
from gluon_yolo.data.images.files import left_out
from gluon_yolo.data.images.read import Measure, measure
from gluon_yolo.data.loading.workers import threaded_map
from gluon_yolo.data.quality.orientation import Labels
from gluon_yolo.data.quality.report import BadFile
from gluon_yolo.data.voc.entry import Entry
from gluon_yolo.data.voc.layout import find_entries
from gluon_yolo.data.voc.xml_file import Annotation
from gluon_yolo.detections import Detections
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.text import counted


class VOCDataset(ImageFiles):
    """Images with VOC annotations; :func:`open_voc` opens it.

    Args:
        annotation_paths: N paths of XML files.
        images: the arguments of :class:`ImageFiles`.
    """

    def __init__(self, annotation_paths: Sequence[str], **images: Any) -> None:
        super().__init__(**images)
        self.annotation_paths = tuple(annotation_paths)


def gluoncv_voc_root() -> Path:
    """Return the folder where GluonCV's scripts put Pascal VOC; it may not exist."""
    return Path.home() / ".mxnet" / "datasets" / "voc"


def open_voc(
    root: str | os.PathLike[str],
    split: str | Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    skip_bad: bool = False,
    check_images: bool = True,
) -> VOCDataset:
    """Open a data set in VOC layout: read every annotation, and check that every image can be read.

    Args:
        root: a VOCdevkit, one folder like VOC2007, or any folder with ``Annotations/`` and ``JPEGImages/``.
        split: names of lists in ``ImageSets/Main``, several as a sequence or separated by commas; in a
            VOCdevkit ``"2007_trainval"`` selects the year. None means every annotation. A folder without
            lists has the splits all, train and val; val is every tenth image.
        class_names: names in the order of the class ids, matched exactly; None takes the annotations',
            sorted.
        skip_bad: skip and count images that cannot be read or have a broken annotation.
        check_images: decode every image once; False trusts the sizes in the annotations.

    Raises:
        UserError: the root or a list is missing; images or annotations are missing or broken (all in one
            message); or a class is unknown.
    """
    entries, report = find_entries(root, split)
    records = threaded_map(_Reader(check_images), entries, f"reading {report.title}")
    usable = [record for record in records if isinstance(record, _Record)]
    report.skip([record for record in records if isinstance(record, BadFile)])
    report.raise_if_errors(skip_bad, len(usable))
    if class_names is None:
        class_names = _sorted_names((record.annotation.class_names() for record in usable), root)
        for group in lookalikes(class_names):
            names = " and ".join(repr(name) for name in group)
            kept = f"the classes {names} differ only in case or blanks; they are kept apart"
            report.warn("lookalike-classes", str(root), kept)
    labels = Labels(report)
    truths = _truths(usable, tuple(class_names), labels)
    folders = dict.fromkeys(record.entry.images.path for record in usable)
    report.notes += [note for note in map(left_out, folders) if note]
    labels.note(root, split if isinstance(split, str) else ",".join(split or ()))
    return VOCDataset(
        annotation_paths=[record.entry.annotation for record in usable],
        class_names=class_names,
        names=[record.image for record in usable],
        sizes_hw=[record.measure.size_hw for record in usable],
        truths=truths,
        report=report,
    )


def find_class_names(
    root: str | os.PathLike[str], splits: str | Sequence[str] | None = None
) -> tuple[str, ...]:
    """Return the class names in the annotations of one or several splits, sorted.

    Annotations that cannot be read are skipped when others can: :func:`open_voc` reports them.

    Raises:
        UserError: the root or a list is missing, no annotation can be read, or none has an object.
    """
    entries, _ = find_entries(root, splits)
    found = threaded_map(_class_names_of, entries, "reading class names")
    bad = [names for names in found if isinstance(names, BadFile)]
    if bad and len(bad) == len(found):
        raise UserError(f"{root}: none of its {len(bad):,} annotations can be read; the first: {bad[0]}")
    read = [names for names in found if not isinstance(names, BadFile)]
    if bad and not any(read):
        raise UserError(
            f"{root}: {counted(len(bad), 'annotation', form=',')} cannot be read, and the others have no "
            f"object; the first: {bad[0]}"
        )
    return _sorted_names(read, root)


@dataclasses.dataclass(frozen=True)
class _Record:
    """The content of one entry; ``measure`` is the image's own when the image was checked."""

    entry: Entry
    image: str
    measure: Measure
    annotation: Annotation


class _Reader:
    """Reads one entry into a record, or returns why it cannot be used."""

    def __init__(self, check_images: bool) -> None:
        self._check_images = check_images

    def __call__(self, entry: Entry) -> _Record | BadFile:
        try:
            annotation = _annotation(entry)
            images = entry.images_meant(annotation.filename)
            if len(images) > 1:
                problem = (
                    f"may be of {' or '.join(images)}, and its <filename> is neither; name the one there"
                )
                raise BadFile(entry.annotation, problem, "broken-label")
            if not images:
                missing = f"there is no picture {entry.stem}.jpg (or .png ...) in {entry.images.path}"
                unread = entry.images.unread(entry.stem)
                if unread:
                    ending = os.path.splitext(unread)[1]
                    missing += f"; {unread} is there, but {ending} is not read: save it as PNG or JPEG"
                raise BadFile(entry.annotation, missing, "missing-picture")
            image = images[0]
            if self._check_images or annotation.size_hw is None:
                return _Record(entry, image, measure(image), annotation)
            return _Record(entry, image, Measure(annotation.size_hw), annotation)
        except BadFile as error:
            return error


def _annotation(entry: Entry) -> Annotation:
    """Read an entry's annotation; the error about a missing one names the split's list."""
    if not os.path.exists(entry.annotation):
        raise BadFile(
            entry.annotation,
            f"the split names {entry.stem}, but there is no such annotation",
            "missing-label",
        )
    return entry.read()


def _class_names_of(entry: Entry) -> set[str] | BadFile:
    """Return the class names in one annotation, or why it cannot be read."""
    try:
        return _annotation(entry).class_names()
    except BadFile as error:
        return error


def _sorted_names(names: Iterable[set[str]], root: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return every class name once, sorted."""
    union: set[str] = set().union(*names)
    if not union:
        raise SettingError(f"{root}: no annotation has an object, so no class names; give {{classes}}")
    return tuple(sorted(union))


def _truths(records: Sequence[_Record], class_names: tuple[str, ...], labels: Labels) -> list[Detections]:
    """Turn annotations into ground truth.

    Raises:
        UserError: an annotation has a class that is not among ``class_names``.
    """
    class_ids = {name: class_id for class_id, name in enumerate(class_names)}
    unknown: dict[str, str] = {}
    truths = []
    for record in records:
        file = record.entry.annotation
        truth = labels.annotations(file, record.image, record.measure, record.annotation.size_hw)
        for number, thing in enumerate(record.annotation.objects, 1):
            if thing.name in class_ids:
                where = f"object {number} ({thing.name}, {thing.written})"
                truth.add(thing.box_xyxy, class_ids[thing.name], thing.difficult, where)
            else:
                unknown.setdefault(thing.name, f"{file}: object {number}")
        truths.append(truth.detections())
    if unknown:
        raise unknown_classes(unknown, class_names)
    return truths
