"""Data flags: the arguments that name a data set, and the data sets they open.

Training and evaluation name theirs with ``--data``, or as published with ``--dataset`` and ``--data-root``;
the commands of ``data`` take a path. All of them open a :class:`~gluon_yolo.data.source.Source`.
"""

from __future__ import annotations

import argparse
import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gluon_yolo.cli.data_hints import complete_notes, division
from gluon_yolo.cli.parser import Joined
from gluon_yolo.data.classes.read import lookalikes, read_class_names
from gluon_yolo.data.classes.select import Classes, open_parts
from gluon_yolo.data.classes.spelling import Spellings
from gluon_yolo.data.coco.dataset import gluoncv_coco_root
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.quality.leakage import shared
from gluon_yolo.data.registry import SOURCES, open_source
from gluon_yolo.data.source import Source
from gluon_yolo.data.splits import split_role
from gluon_yolo.data.voc.dataset import gluoncv_voc_root
from gluon_yolo.errors import UserError

# The data sets of the published commands: GluonCV's place, what should be there, and the parts as published.
_PUBLISHED = {
    "voc": (
        gluoncv_voc_root,
        "VOC2007 and VOC2012",
        {"train": "2007_trainval,2012_trainval", "val": "2007_test"},
    ),
    "coco": (gluoncv_coco_root, "annotations/ and val2017/", {"train": "train2017", "val": "val2017"}),
}
_FORMAT_HELP = "what PATH is (default: found from what is there)"

logger = logging.getLogger("gluon_yolo")


def add_data_arguments(parser: argparse.ArgumentParser, first: Any = None) -> None:
    """Declare the flags that name a data set.

    Args:
        parser: gets a group of them.
        first: the group for ``--data`` itself; None puts it with the others.
    """
    group = parser.add_argument_group("pictures and classes")
    (first or group).add_argument(
        "--data",
        metavar="PATH",
        help="your data: a folder or file in the format of Pascal VOC, COCO, YOLO, RecordIO or keras-yolo3",
    )
    group.add_argument("--format", choices=tuple(SOURCES), help=_FORMAT_HELP)
    group.add_argument(
        "--train-split",
        metavar="NAMES",
        help="the part to train on, where names do not tell: a list of VOC's (several with commas between, "
        "such as 2007_trainval,2012_trainval), a split of COCO's such as train2017",
    )
    group.add_argument("--val-split", metavar="NAMES", help="the part to validate on, likewise")
    group.add_argument(
        "--classes",
        metavar="FILE",
        help="class names, one a line, where the data gives none or another order is wanted",
    )
    add_class_arguments(group)
    group.add_argument(
        "--skip-bad",
        action="store_true",
        help="leave out pictures and labels that cannot be used, and go on with what is doubtful; see first "
        "what `gluon-yolo data check` says",
    )
    group.add_argument(
        "--dataset",
        choices=sorted(_PUBLISHED),
        help="published data in the place of --data, or its format (default: voc)",
    )
    group.add_argument(
        "--data-root",
        metavar="DIR",
        help="where --dataset lies (default: GluonCV's place in ~/.mxnet/datasets)",
    )


def add_class_arguments(group: Any) -> None:
    """Declare the flags that leave classes out, and that say what they are called elsewhere."""
    group.add_argument(
        "--only",
        action=Joined,
        metavar="CLASS,CLASS",
        help="use these classes alone; boxes of the others are left out, and counted. May be given several "
        "times; a comma within a name is written \\,",
    )
    group.add_argument(
        "--class-map",
        metavar="FILE",
        help="lines NAME = OTHER NAME: what the data calls NAME counts as OTHER NAME, several perhaps as "
        "one. What VOC, COCO and darknet spell otherwise (sofa, couch) is known",
    )


def classes_of(args: argparse.Namespace) -> Classes:
    """Return the classes that the arguments ask for.

    Args:
        args: parsed with ``--classes`` and the flags of :func:`add_class_arguments`.

    Raises:
        UserError: a file cannot be read, or ``--only`` names nothing.
    """
    only = getattr(args, "only", None)
    words = (word.replace("\\,", ",").strip() for word in re.split(r"(?<!\\),", only or ""))
    names = tuple(word for word in words if word)
    if only is not None and not names:
        raise UserError("--only: names no class; give names with commas between")
    class_map = getattr(args, "class_map", None)
    return Classes(
        read_class_names(args.classes) if args.classes else None,
        names,
        Spellings.read(class_map) if class_map else Spellings(),
    )


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the commands of ``data`` take: the path of a data set, and its format."""
    parser.add_argument("data", metavar="PATH", help="the data set: a folder or a file")
    parser.add_argument("--format", choices=tuple(SOURCES), help=_FORMAT_HELP)


def source_of(args: argparse.Namespace) -> Source:
    """Return the data set that the arguments name.

    Args:
        args: parsed with the flags of :func:`add_data_arguments` or of :func:`add_source_arguments`.

    Raises:
        UserError: they name none, or two, or it is of no format.
    """
    dataset, root = getattr(args, "dataset", None), getattr(args, "data_root", None)
    if args.data:
        if dataset or root:
            raise UserError("name the data once: --data PATH, or --dataset with --data-root DIR")
        return open_source(args.data, args.format)
    if args.format:
        raise UserError("--format says what --data PATH is; with --data-root, --dataset does")
    dataset = dataset or "voc"
    return SOURCES[dataset](Path(root) if root else _standard_place(dataset))


def open_datasets(
    args: argparse.Namespace, need_train: bool = True, need_val: bool = True, source: Source | None = None
) -> tuple[Dataset | None, Dataset | None, tuple[str, ...]]:
    """Open the data that the arguments name.

    Args:
        args: parsed with the flags of :func:`add_data_arguments`.
        need_train: open the training images.
        need_val: open the validation images.
        source: the data set, where it is known already.

    Returns:
        The training data, the validation data (None where not needed), and the class names of both.

    Raises:
        UserError: when there is no such data, or it is broken.
    """
    source = source or source_of(args)
    needed = [part for part, need in (("train", need_train), ("val", need_val)) if need]
    splits = {
        part: getattr(args, f"{part}_split") or _split_for(part, source, needed, args) for part in needed
    }
    classes = classes_of(args)
    opened = open_parts(source, splits, classes, args.skip_bad)
    for dataset in opened.values():
        complete_notes(dataset.report, args)
    class_names = next(iter(opened.values())).class_names
    for group in lookalikes(class_names) if classes.names is None else ():
        message = "%s: the classes %s differ in case or blanks only; they are kept apart"
        logger.warning(message, source.path, " and ".join(map(repr, group)))
    if not args.skip_bad:
        _refuse_wrong_units(opened.values())
        if len(opened) > 1 and not (args.train_split or args.val_split):
            _refuse_shared_images(opened["train"], opened["val"], division(source, args))
    return opened.get("train"), opened.get("val"), class_names


def log_reports(train: Dataset | None, val: Dataset | None) -> None:
    """Log what each part holds and what is wrong with it."""
    for dataset in (train, val):
        if dataset is not None:
            dataset.report.log()
    if train is not None and val is not None and (found := shared(train, val)).number:
        message = "%d of %d validation pictures are training pictures too; the scores will flatter (%s)"
        logger.warning(message, found.number, len(val), found.first())


def _refuse_wrong_units(datasets: Iterable[Dataset]) -> None:
    """Raise a UserError where most boxes seem to be in other units than the format has: no training helps."""
    for dataset in datasets:
        for issue in dataset.report.warnings:
            if issue.kind == "wrong-units":
                raise UserError(f"{issue}. Repair: {issue.advice}. If it is right so: --skip-bad")


def _split_for(part: str, source: Source, needed: list[str], args: argparse.Namespace) -> str:
    """Return the split that the data offers for a part.

    Raises:
        UserError: it offers none.
    """
    if not (args.data or args.data_root):
        return _PUBLISHED[args.dataset or "voc"][2][part]
    splits = source.splits()
    if len(splits) == 1 and needed == [part]:
        if part == "val" and split_role(splits[0]).startswith("train"):
            logger.warning(
                "%s: its only split, %s, is taken, which may be what was trained on", source.path, splits[0]
            )
        return splits[0]  # what is evaluated on data that has no division
    advice = f"name some with --{part}-split"
    if part == "val":
        advice = f"{division(source, args, 'hold some out')}, or {advice}"
    return source.split_for(part, advice)


def _standard_place(dataset: str) -> Path:
    """Return GluonCV's place for a data set.

    Raises:
        UserError: when it does not exist.
    """
    root, content, _ = _PUBLISHED[dataset]
    place = root()
    if not place.is_dir():
        raise UserError(
            f"{place}: no such folder; --dataset {dataset} without --data-root reads {content} there. "
            "Put them there, or name your own data with --data PATH"
        )
    return place


def _refuse_shared_images(train: Dataset, val: Dataset, remedy: str) -> None:
    """Raise a UserError where files are in both parts, unless both are one and the same: it is meant so.

    Copies under other names are warned of: images of nothing, as test patterns, are alike by nature.

    Args:
        train: the training images.
        val: the validation images.
        remedy: what else to do than to take the images out.
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
