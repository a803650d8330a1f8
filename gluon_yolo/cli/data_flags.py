"""Data flags: the arguments that name a data set, and the data sets they open; shared by train and eval.

A format is one entry of ``FORMATS``: a function that opens the parts asked for, ``"train"`` and ``"val"``.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from gluon_yolo.class_names import VOC_CLASSES
from gluon_yolo.data.classes import lookalikes, read_class_names
from gluon_yolo.data.coco import gluoncv_coco_root, open_coco_root
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.voc import find_class_names, gluoncv_voc_root, open_voc
from gluon_yolo.data.voc_layout import list_names
from gluon_yolo.errors import UserError

ClassNames = Optional[Sequence[str]]

logger = logging.getLogger("gluon_yolo")


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that name a data set."""
    group = parser.add_argument_group("data")
    group.add_argument("--dataset", choices=sorted(FORMATS), default="voc", help="(default: voc)")
    group.add_argument(
        "--data-root",
        metavar="DIR",
        help="voc: a VOCdevkit, a folder like VOC2007, or any with Annotations/ and JPEGImages/; coco: the "
        "folder with annotations/ (default: GluonCV's place in ~/.mxnet/datasets)",
    )
    group.add_argument(
        "--train-split",
        metavar="LISTS",
        help="training pictures: voc: lists in ImageSets/Main, with commas between, such as "
        "2007_trainval,2012_trainval; coco: such as train2017 (default: what the folder offers)",
    )
    group.add_argument("--val-split", metavar="LISTS", help="validation pictures, likewise")
    group.add_argument(
        "--classes", metavar="FILE", help="class names, one a line (default: those in the annotations)"
    )
    group.add_argument(
        "--skip-bad", action="store_true", help="leave out pictures and annotations that cannot be read"
    )


def open_datasets(
    args: argparse.Namespace, need_train: bool = True, need_val: bool = True
) -> tuple[Dataset | None, Dataset | None, tuple[str, ...]]:
    """Open the data that the arguments name.

    Args:
        args: parsed with the flags of :func:`add_data_arguments`.
        need_train: open the training pictures.
        need_val: open the validation pictures.

    Returns:
        The training data, the validation data (None where not needed), and the class names of both.

    Raises:
        UserError: when there is no such data, or it is broken.
    """
    splits = {"train": args.train_split} if need_train else {}
    if need_val:
        splits["val"] = args.val_split
    class_names = read_class_names(args.classes) if args.classes else None
    parts = FORMATS[args.dataset](args.data_root, splits, class_names, args.skip_bad)
    return parts.get("train"), parts.get("val"), next(iter(parts.values())).class_names


def log_reports(train: Dataset | None, val: Dataset | None) -> None:
    """Log what each part holds and what is wrong with it."""
    for dataset in (train, val):
        if dataset is not None:
            dataset.report.log()
    if train is not None and val is not None:
        _warn_of_shared_pictures(train, val)


def open_voc_parts(
    root: str | None, splits: dict[str, str | None], class_names: ClassNames, skip_bad: bool
) -> dict[str, Dataset]:
    """Open parts of a data set in Pascal VOC's layout.

    Args:
        root: its folder; GluonCV's place for VOC 2007 and 2012 when None.
        splits: for each part the names of its lists; what the folder offers when None.
        class_names: the names; when None those in the annotations of all parts: VOC's own twenty in the order
            of published weights, others sorted.
        skip_bad: leave out what cannot be read.
    """
    if root is None:
        place = _standard_place(gluoncv_voc_root(), "voc", "VOC2007 and VOC2012")
        offered = {"train": "2007_trainval,2012_trainval", "val": "2007_test"}
    else:
        place, offered = Path(root), _offered_splits(list_names(root))
    chosen = {part: split or offered[part] for part, split in splits.items()}
    if class_names is None:
        class_names = find_class_names(place, ",".join(chosen.values()))
        if set(class_names) == set(VOC_CLASSES):
            class_names = VOC_CLASSES
        for group in lookalikes(class_names):
            message = "%s: the classes %s differ in case or blanks only; they are kept apart"
            logger.warning(message, place, " and ".join(map(repr, group)))
    return {part: open_voc(place, split, class_names, skip_bad) for part, split in chosen.items()}


def open_coco_parts(
    root: str | None, splits: dict[str, str | None], class_names: ClassNames, skip_bad: bool
) -> dict[str, Dataset]:
    """Open parts of a data set in COCO's layout; the arguments are those of :func:`open_voc_parts`.

    The splits default to those of 2017, and the class names to the first part's categories by ascending id.
    """
    place = Path(root) if root else _standard_place(gluoncv_coco_root(), "coco", "annotations/ and val2017/")
    parts: dict[str, Dataset] = {}
    for part, split in splits.items():
        parts[part] = open_coco_root(place, split or f"{part}2017", class_names, skip_bad)
        class_names = parts[part].class_names
    return parts


FORMATS = {"voc": open_voc_parts, "coco": open_coco_parts}


def _offered_splits(lists: set[str]) -> dict[str, str]:
    """Return the lists to train and validate on: trainval and test where both exist, else train and val."""
    if {"trainval", "test"} <= lists:
        return {"train": "trainval", "val": "test"}
    return {"train": "train", "val": "test" if "test" in lists and "val" not in lists else "val"}


def _standard_place(place: Path, dataset: str, content: str) -> Path:
    """Return GluonCV's place for a data set.

    Raises:
        UserError: when it does not exist.
    """
    if not place.is_dir():
        raise UserError(
            f"{place}: no such folder; --dataset {dataset} without --data-root reads {content} there. "
            "Put them there, or name your own data with --data-root DIR"
        )
    return place


def _warn_of_shared_pictures(train: Dataset, val: Dataset) -> None:
    """Warn when pictures are both trained and validated on: the score would say nothing about new ones."""
    names = {train.name(i) for i in range(len(train))}
    shared = sum(val.name(i) in names for i in range(len(val)))
    if shared:
        message = "%d of %d validation pictures are training pictures too; the scores will flatter"
        logger.warning(message, shared, len(val))
