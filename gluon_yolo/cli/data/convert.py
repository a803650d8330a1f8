"""``data convert``: write a data set in another format."""

from __future__ import annotations

import argparse
import logging
import shlex
from collections.abc import Iterable

from gluon_yolo.cli.data_flags import add_source_arguments, source_of
from gluon_yolo.data.classes import read_class_names
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.formats import TITLES, WRITERS
from gluon_yolo.data.source import Source
from gluon_yolo.errors import UserError

HELP = """\
Write a data set in another format: all of its parts for training, validation and test, called train, val and
test, with the pictures in the same order and the classes too. Picture files are copied byte by byte, and keep
their names; of two with one name in different folders the second gets _2. Boxes come back as they were: whole
pixels exactly, others to a thousandth of a pixel.

  gluon-yolo data convert VOCdevkit --to coco voc_as_coco
  gluon-yolo data convert my_data --to yolo my_data_yolo --link
  gluon-yolo data convert instances_val2017.json --to voc val2017_as_voc --split val2017

OUT must be new or empty. `data pack` makes RecordIO too, goes on where it was interrupted, and verifies it.
"""

logger = logging.getLogger("gluon_yolo")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``data convert`` takes."""
    add_source_arguments(parser)
    parser.add_argument("out", metavar="OUT", help="the folder to make")
    parser.add_argument("--to", required=True, choices=tuple(WRITERS), help="the format to write")
    parser.add_argument(
        "--split",
        action="append",
        metavar="NAME",
        help="write this split only, under its own name; may be given several times",
    )
    parser.add_argument(
        "--link",
        action="store_true",
        help="make hard links of the picture files, which take no room, where that can be",
    )
    parser.add_argument(
        "--classes", metavar="FILE", help="class names, one a line (default: those that the data gives)"
    )
    parser.add_argument("--skip-bad", action="store_true", help="leave out pictures that cannot be used")


def run(args: argparse.Namespace) -> int:
    """Open all parts, write them, and say where they are."""
    WRITERS[args.to].check_free(args.out)
    source = source_of(args)
    splits = {split: split for split in args.split} if args.split else source.parts()
    names = read_class_names(args.classes) if args.classes else source.class_names(tuple(splits.values()))
    parts = _open(source, splits, names, args.skip_bad)
    try:
        writer = WRITERS[args.to](args.out, names)
        for split, dataset in parts.items():
            writer.write(split, dataset, copy=not args.link)
        place = writer.finish()
    except OSError as error:
        raise UserError(f"{args.out}: cannot be written: {error.strerror or error}") from error
    _say_what_is_lost(parts.values())
    counts = ", ".join(f"{len(dataset)} {split}" for split, dataset in parts.items())
    train = f"gluon-yolo train --data {shlex.quote(str(place))}"
    print(f"{TITLES[args.to]}, {counts} pictures: {args.out}; train on it: {train}")
    return 0


def _open(
    source: Source, splits: dict[str, str], names: tuple[str, ...], skip_bad: bool
) -> dict[str, Dataset]:
    """Open splits, and log what each holds and what is wrong with it."""
    parts = {}
    for part, split in splits.items():
        parts[part] = source.open(split, names, skip_bad)
        parts[part].report.log()
    return parts


def _say_what_is_lost(datasets: Iterable[Dataset]) -> None:
    """Log how much of the source is not in what was written."""
    reports = [dataset.report for dataset in datasets]
    lost = {
        "broken boxes dropped": sum(report.broken_boxes for report in reports),
        "crowd boxes left out": sum(report.crowd_boxes for report in reports),
        "unreadable pictures left out": sum(report.skipped for report in reports),
    }
    if any(lost.values()):
        logger.warning(
            "not written: %s", ", ".join(f"{count:,} {what}" for what, count in lost.items() if count)
        )
