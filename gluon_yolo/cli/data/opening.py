"""Open a data set for a command: shared flags that choose images, and the data sets that they open."""

from __future__ import annotations

import argparse
import logging

from gluon_yolo.cli.flags.data import add_class_arguments, classes_of, request_of
from gluon_yolo.data import hints
from gluon_yolo.data.classes import select
from gluon_yolo.data.classes.read import read_class_names
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.source import Source

logger = logging.getLogger("gluon_yolo")


def add_parts_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of a command that reads all parts of a data set."""
    split = "take this split only, under its own name; may be given several times"
    parser.add_argument("--split", action="append", metavar="NAME", help=split)
    add_class_arguments(parser)
    add_opening_arguments(parser)


def add_split_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of a command that reads one split."""
    parser.add_argument("--split", metavar="NAME", help="of which pictures (default: those to train on)")
    add_opening_arguments(parser)


def add_opening_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that say how images are opened."""
    parser.add_argument("--classes", metavar="FILE", help="class names, one a line (default: the data's)")
    parser.add_argument("--skip-bad", action="store_true", help="leave out pictures that cannot be used")


def open_parts(source: Source, args: argparse.Namespace) -> dict[str, Dataset]:
    """Open the parts of a data set, or the given splits; log their counts and issues.

    Args:
        source: the data set.
        args: parsed with the flags of :func:`add_parts_arguments`.

    Returns:
        The data sets, all with the same classes, by ``"train"`` and so on, or by the splits' names.

    Raises:
        UserError: one cannot be opened.
    """
    splits = {split: split for split in args.split} if args.split else source.parts()
    for note in () if args.split else (*source.in_no_part(), *source.left_out()):
        logger.warning("%s: %s", source.path, note)
    parts = select.open_parts(source, splits, classes_of(args), args.skip_bad)
    for dataset in parts.values():
        hints.complete_notes(dataset.report, request_of(args))
        dataset.report.log()
    return parts


def open_split(source: Source, args: argparse.Namespace) -> Dataset:
    """Open the given split, or the training split; log its counts and issues.

    Args:
        source: the data set.
        args: parsed with the flags of :func:`add_split_arguments`.

    Raises:
        UserError: it cannot be opened.
    """
    split = args.split or source.split_for("train", "name one with --split")
    dataset = source.open(split, read_class_names(args.classes) if args.classes else None, args.skip_bad)
    hints.complete_notes(dataset.report, request_of(args))
    dataset.report.log()
    return dataset
