"""Open the training and validation data that a :class:`DataRequest` names."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path

from gluon_yolo.data.classes.read import lookalikes, read_class_names
from gluon_yolo.data.classes.select import Classes, open_parts
from gluon_yolo.data.classes.spelling import Spellings
from gluon_yolo.data.coco.dataset import gluoncv_coco_root
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.hints import complete_notes, division
from gluon_yolo.data.quality.leakage import shared
from gluon_yolo.data.registry import SOURCES, open_source
from gluon_yolo.data.request import DataRequest
from gluon_yolo.data.source import Source
from gluon_yolo.data.splits import split_role
from gluon_yolo.data.voc.dataset import gluoncv_voc_root
from gluon_yolo.errors import SettingError, UserError

# The data sets of the published commands: GluonCV's folder, its content, and the published splits.
PUBLISHED = {
    "voc": (
        gluoncv_voc_root,
        "VOC2007 and VOC2012",
        {"train": "2007_trainval,2012_trainval", "val": "2007_test"},
    ),
    "coco": (gluoncv_coco_root, "annotations/ and val2017/", {"train": "train2017", "val": "val2017"}),
}

logger = logging.getLogger("gluon_yolo")


def classes_of(request: DataRequest) -> Classes:
    """Return the classes of a request.

    Raises:
        UserError: a file cannot be read, or ``only`` names no class.
    """
    only, class_map = request.only, request.class_map
    words = (word.replace("\\,", ",").strip() for word in re.split(r"(?<!\\),", only or ""))
    names = tuple(word for word in words if word)
    if only is not None and not names:
        raise SettingError("{only}: names no class; give names with commas between")
    return Classes(
        read_class_names(request.classes) if request.classes else None,
        names,
        Spellings.read(class_map) if class_map else Spellings(),
    )


def source_of(request: DataRequest) -> Source:
    """Return the data set of a request.

    Raises:
        UserError: the request names no data set or two, or the format is unknown.
    """
    dataset, root = request.dataset, request.data_root
    if request.data:
        if dataset or root:
            raise SettingError("name the data once: {data} PATH, or {dataset} with {data_root} DIR")
        return open_source(request.data, request.format)
    if request.format:
        raise SettingError("{format} says what {data} PATH is; with {data_root}, {dataset} does")
    dataset = dataset or "voc"
    return SOURCES[dataset](Path(root) if root else _standard_place(dataset))


def open_datasets(
    request: DataRequest, need_train: bool = True, need_val: bool = True, source: Source | None = None
) -> tuple[Dataset | None, Dataset | None, tuple[str, ...]]:
    """Open the training and the validation data.

    Args:
        request: names the data.
        need_train: open the training images.
        need_val: open the validation images.
        source: the data set, where it is open already.

    Returns:
        The training data, the validation data (None where not needed), and the class names of both.

    Raises:
        UserError: the data does not exist, or is broken.
    """
    source = source or source_of(request)
    needed = [part for part, need in (("train", need_train), ("val", need_val)) if need]
    splits = {part: request.split_of(part) or _split_for(part, source, needed, request) for part in needed}
    classes = classes_of(request)
    opened = open_parts(source, splits, classes, request.skip_bad)
    for dataset in opened.values():
        complete_notes(dataset.report, request)
    class_names = next(iter(opened.values())).class_names
    for group in lookalikes(class_names) if classes.names is None else ():
        message = "%s: the classes %s differ in case or blanks only; they are kept apart"
        logger.warning(message, source.path, " and ".join(map(repr, group)))
    if not request.skip_bad:
        _refuse_wrong_units(opened.values())
        if len(opened) > 1 and not (request.train_split or request.val_split):
            _refuse_shared_images(opened["train"], opened["val"], division(source, request))
    return opened.get("train"), opened.get("val"), class_names


def log_reports(train: Dataset | None, val: Dataset | None) -> None:
    """Log a summary and the issues of each split, and the images that both contain."""
    for dataset in (train, val):
        if dataset is not None:
            dataset.report.log()
    if train is not None and val is not None and (found := shared(train, val)).number:
        message = "%d of %d validation pictures are training pictures too; the scores will flatter (%s)"
        logger.warning(message, found.number, len(val), found.first())


def _refuse_wrong_units(datasets: Iterable[Dataset]) -> None:
    """Raise a UserError where most boxes seem to have a wrong unit: training on them is useless."""
    for dataset in datasets:
        for issue in dataset.report.warnings:
            if issue.kind == "wrong-units":
                raise UserError(f"{issue}. Repair: {issue.advice}. If it is right so: --skip-bad")


def _split_for(part: str, source: Source, needed: list[str], request: DataRequest) -> str:
    """Return the split of the data for ``"train"`` or ``"val"``.

    Raises:
        UserError: the data has none.
    """
    if not (request.data or request.data_root):
        return PUBLISHED[request.dataset or "voc"][2][part]
    splits = source.splits()
    if len(splits) == 1 and needed == [part]:
        if part == "val" and split_role(splits[0]).startswith("train"):
            logger.warning(
                "%s: its only split, %s, is taken, which may be what was trained on", source.path, splits[0]
            )
        return splits[0]  # data that is not divided, for evaluation
    advice = f"name some with --{part}-split"
    if part == "val":
        advice = f"{division(source, request, 'hold some out')}, or {advice}"
    return source.split_for(part, advice)


def _standard_place(dataset: str) -> Path:
    """Return GluonCV's folder of a data set.

    Raises:
        UserError: it does not exist.
    """
    root, content, _ = PUBLISHED[dataset]
    place = root()
    if not place.is_dir():
        raise SettingError(
            f"{place}: no such folder; {{dataset}} {dataset} without {{data_root}} reads {content} there. "
            "Put them there, or name your own data with {data} PATH"
        )
    return place


def _refuse_shared_images(train: Dataset, val: Dataset, remedy: str) -> None:
    """Raise a UserError where both splits contain the same files, unless the splits are identical.

    Identical splits are intended. Copies with other names give a warning only: images without content, such
    as test patterns, are similar by nature.

    Args:
        train: the training images.
        val: the validation images.
        remedy: the fix beside removing the images from one split.
    """
    found = shared(train, val)
    if found.is_all or not found.same:
        return
    why = ""
    if found.moved:
        why = " (the training part names the folder {0}, the validation part {1}; both were found in {2})"
        why = why.format(*found.moved)
    raise UserError(
        f"{train.report.title}: {found.number:,} of {len(val):,} validation pictures are training pictures "
        f"too, such as {found.same[0]}{why}; the scores would flatter: take them out of one part, or "
        f"{remedy}. If it is right so: --skip-bad"
    )
