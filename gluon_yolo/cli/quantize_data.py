"""What ``quantize`` takes of a data set: images to calibrate on, and others to score on."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from gluon_yolo.cli.flags.data import (
    add_class_arguments,
    classes_of,
    log_reports,
    open_datasets,
    source_of,
)
from gluon_yolo.cli.flags.numbers import Within
from gluon_yolo.data.classes.spelling import Spellings
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.images.files import images_below
from gluon_yolo.data.registry import SOURCES
from gluon_yolo.data.subset import Subset, open_unlabelled
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.export.quantize.calibrate import divided, drawn
from gluon_yolo.text import counted

log = logging.getLogger("gluon_yolo")

FEW_IMAGES = 20
FEW_OBJECTS = 100  # each of which is a point of mAP, the usual --max-drop


@dataclasses.dataclass(frozen=True)
class Data:
    """Images for two purposes; none is for both.

    Args:
        calibration: to calibrate on.
        scoring: to score on.
        labelled: whether they have ground truth.
        coco: whether it is COCO's.
        note: how they were chosen.
        spellings: what else the data may call the model's classes.
    """

    calibration: Dataset
    scoring: Dataset
    labelled: bool
    coco: bool
    note: str
    spellings: Spellings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that name the data and how much of it is used."""
    group = parser.add_argument_group("data")
    data_help = "your data, in any format that training reads; or a folder of pictures without labels"
    group.add_argument("--data", required=True, metavar="PATH", help=data_help)
    group.add_argument(
        "--data-format", dest="source_format", choices=tuple(SOURCES), help="what PATH is (default: found)"
    )
    calibrate_help = "split to calibrate on (default: the data's for training)"
    group.add_argument("--train-split", metavar="NAMES", help=calibrate_help)
    score_help = "split to score on (default: the data's for validation or test)"
    group.add_argument("--val-split", metavar="NAMES", help=score_help)
    group.add_argument("--classes", metavar="FILE", help="class names, one a line, of the data or --network")
    add_class_arguments(group)
    group.add_argument("--skip-bad", action="store_true", help="leave out what cannot be used")
    num_help = "pictures to calibrate on (default: %(default)s)"
    group.add_argument("--num", type=int, action=Within, least=1, default=200, metavar="N", help=num_help)
    eval_help = "pictures to score on at most (default: %(default)s)"
    group.add_argument(
        "--eval-num", type=int, action=Within, least=1, default=500, metavar="N", help=eval_help
    )
    seed_help = "of drawing them (default: 0)"
    group.add_argument("--seed", type=int, action=Within, least=0, default=0, metavar="S", help=seed_help)


def open_data(args: argparse.Namespace, class_names: Sequence[str]) -> Data:
    """Open the data that the arguments name and draw the images.

    Args:
        args: parsed with the flags of :func:`add_arguments`.
        class_names: of the model, for images without labels.

    Raises:
        UserError: there is no such data, it is broken, or there are too few images.
    """
    if _without_labels(args):
        images = open_unlabelled(os.path.expanduser(args.data), class_names, args.skip_bad)
        return _halves(images, args, labelled=False, coco=False)
    train, val = _open(args)
    if val is None:
        return _halves(train, args, labelled=True, coco=train.is_coco)
    scored = {val.name(index) for index in range(len(val))}
    free = [index for index in range(len(train)) if train.name(index) not in scored]
    if not (free and len(val)):
        raise UserError(
            f"{args.data}: no picture is left to calibrate on that is not scored on; name other splits with "
            "--train-split and --val-split"
        )
    if len(free) < args.num:
        there = f"is {counted(1, 'picture')}" if len(free) == 1 else f"are {len(free)} pictures"
        log.warning("--num %d: there %s to calibrate on", args.num, there)
    calibration = Subset(train, [free[place] for place in drawn(len(free), args.num, args.seed)])
    whole = len(val) <= args.eval_num
    scoring = val if whole else Subset(val, drawn(len(val), args.eval_num, args.seed))
    note = f"calibration: {_drawn(calibration, len(train))} of {train.report.title}; "
    note += f"score: {_drawn(scoring, len(val))} of {val.report.title}"
    return Data(calibration, scoring, True, val.is_coco, note, classes_of(args).spellings)


def warn_of_few(scoring: Dataset) -> None:
    """Warn where so little is scored that the mAP says little.

    Args:
        scoring: images with what is to be found in them.
    """
    images, objects = len(scoring), sum(len(scoring.annotations(index)) for index in range(len(scoring)))
    wanted = [f"{FEW_IMAGES} pictures"] if images < FEW_IMAGES else []
    wanted += [f"{FEW_OBJECTS} objects"] if objects < FEW_OBJECTS else []
    if objects and wanted:
        message = (
            "only %s with %s %s scored: the mAP means little (one object is about %.1f points of it); give "
            "%s at least"
        )
        there = (counted(images, "picture"), counted(objects, "object"), "is" if images == 1 else "are")
        log.warning(message, *there, 100 / objects, " and ".join(wanted))


def _without_labels(args: argparse.Namespace) -> bool:
    """Say whether the path is a folder of images and of no format that has labels."""
    path = Path(os.path.expanduser(args.data))
    if args.source_format or not path.is_dir() or any(kind.recognises(path) for kind in SOURCES.values()):
        return False
    return bool(images_below(path))


def _open(args: argparse.Namespace) -> tuple[Dataset, Dataset | None]:
    """Return the two parts of the data, or the one and None where it is not divided."""
    named = argparse.Namespace(**{**vars(args), "format": args.source_format})
    try:
        source = source_of(named)
        both = bool(args.val_split) or "val" in source.parts()
        train, val, _ = open_datasets(named, need_val=both, source=source)
    except UserError as error:
        said = error.message if isinstance(error, SettingError) else str(error)
        said = said.replace("--format", "--data-format").replace("{format}", "{data_format}")
        raise SettingError(said) from error
    log_reports(train, val)
    assert train is not None
    return train, val


def _halves(dataset: Dataset, args: argparse.Namespace, labelled: bool, coco: bool) -> Data:
    """Divide a data set that has one part only."""
    count, title = len(dataset), dataset.report.title
    if count < 2:
        there = "no pictures" if not count else "one picture"
        raise UserError(f"{title}: {there}; at least two are needed, one to calibrate on and one to score on")
    calibrated, scored = divided(count, args.num, args.seed)
    if len(calibrated) < args.num:
        log.warning("--num %d: %d of the %d pictures calibrate", args.num, len(calibrated), count)
    scored = [scored[place] for place in drawn(len(scored), args.eval_num, args.seed)]
    note = f"{title} has no second part: {len(calibrated)} of its {count} pictures calibrate, {len(scored)} "
    parts, spellings = (Subset(dataset, calibrated), Subset(dataset, scored)), classes_of(args).spellings
    return Data(*parts, labelled, coco, f"{note}others score", spellings)


def _drawn(part: Dataset, count: int) -> str:
    return counted(count, "picture") if len(part) == count else f"{len(part)} of {count} pictures"
