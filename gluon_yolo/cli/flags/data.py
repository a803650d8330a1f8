"""Data flags: the arguments that name a data set, and the data sets that they open.

Training and evaluation have ``--data``, or ``--dataset`` and ``--data-root`` for published data; the commands
of ``data`` take a path. :mod:`gluon_yolo.data.opening` opens the data.
"""

from __future__ import annotations

import argparse
from typing import Any

from gluon_yolo.cli.parser import Joined
from gluon_yolo.data import opening
from gluon_yolo.data.classes.select import Classes
from gluon_yolo.data.opening import PUBLISHED
from gluon_yolo.data.registry import SOURCES
from gluon_yolo.data.request import DataRequest
from gluon_yolo.data.source import Source

_FORMAT_HELP = "what PATH is (default: found from what is there)"


def add_data_arguments(parser: argparse.ArgumentParser, first: Any = None) -> None:
    """Declare the flags that name a data set.

    Args:
        parser: gets a group with them.
        first: the group of ``--data`` itself. None puts it in the same group.
    """
    group = parser.add_argument_group("pictures and classes")
    (first or group).add_argument(
        "--data",
        metavar="PATH",
        help="your data: a folder or file in the format of Pascal VOC, COCO, YOLO, RecordIO, keras-yolo3 or "
        "WIDER FACE",
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
        choices=sorted(PUBLISHED),
        help="published data in the place of --data, or its format (default: voc)",
    )
    group.add_argument(
        "--data-root",
        metavar="DIR",
        help="where --dataset lies (default: GluonCV's place in ~/.mxnet/datasets)",
    )


def add_class_arguments(group: Any) -> None:
    """Declare the flags that leave classes out and rename them."""
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


def add_calibrated_data_arguments(group: Any, data_help: str, classes_help: str, required: bool) -> None:
    """Declare the flags of data that a model is calibrated and scored on: ``--data``, its parts and names.

    Args:
        group: gets them. ``--format`` is free there for the formats of a model.
        data_help: of ``--data``.
        classes_help: of ``--classes``.
        required: whether ``--data`` must be given.
    """
    group.add_argument("--data", required=required, metavar="PATH", help=data_help)
    group.add_argument("--data-format", choices=tuple(SOURCES), help="what PATH is (default: found)")
    calibrate_help = "split to calibrate on (default: the data's for training)"
    group.add_argument("--train-split", metavar="NAMES", help=calibrate_help)
    score_help = "split to score on (default: the data's for validation or test)"
    group.add_argument("--val-split", metavar="NAMES", help=score_help)
    group.add_argument("--classes", metavar="FILE", help=classes_help)
    group.add_argument("--skip-bad", action="store_true", help="leave out what cannot be used")


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the commands of ``data``: the path of a data set, and its format."""
    parser.add_argument("data", metavar="PATH", help="the data set: a folder or a file")
    parser.add_argument("--format", choices=tuple(SOURCES), help=_FORMAT_HELP)


def request_of(args: argparse.Namespace) -> DataRequest:
    """Return the request of parsed flags; a command may have only some of them."""
    return DataRequest.of(vars(args))


def classes_of(args: argparse.Namespace) -> Classes:
    """Return the classes of ``--classes`` and of the flags of :func:`add_class_arguments`.

    Raises:
        UserError: a file cannot be read, or ``--only`` names no class.
    """
    return opening.classes_of(request_of(args))


def source_of(args: argparse.Namespace) -> Source:
    """Return the data set of the flags of :func:`add_data_arguments` or :func:`add_source_arguments`.

    Raises:
        UserError: they name no data set or two, or the format is unknown.
    """
    return opening.source_of(request_of(args))
