"""``data convert``: write a data set in another format."""

from __future__ import annotations

import argparse
from pathlib import Path

from gluon_yolo.atomic_io import writing
from gluon_yolo.cli.data.opening import add_parts_arguments, open_parts
from gluon_yolo.cli.data.writing import ADVICE, refuse_inside, say_what_is_lost, what_next
from gluon_yolo.cli.flags.data import add_source_arguments, source_of
from gluon_yolo.data.registry import SOURCES, WRITERS

HELP = """\
Write a data set in another format: all of its parts for training, validation and test, called train, val and
test, with the pictures in the same order and the classes too. Picture files are copied byte by byte, and keep
their names; of two with one name in different folders the second gets _2. Boxes come back as they were: whole
pixels exactly, others to a thousandth of a pixel; WIDER FACE's text holds whole pixels only.

  gluon-yolo data convert VOCdevkit --to coco voc_as_coco
  gluon-yolo data convert my_data --to yolo my_data_yolo --link
  gluon-yolo data convert instances_val2017.json --to voc val2017_as_voc --split val2017

OUT must be new or empty. `data pack` makes RecordIO too, goes on where it was interrupted, and verifies it.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``data convert``."""
    add_source_arguments(parser)
    parser.add_argument("out", metavar="OUT", help="the folder to make")
    parser.add_argument("--to", required=True, choices=tuple(WRITERS), help="the format to write")
    add_parts_arguments(parser)
    parser.add_argument(
        "--link",
        action="store_true",
        help="make hard links of the picture files, which take no room, where that can be",
    )


def run(args: argparse.Namespace) -> int:
    """Open all parts, write them, and print the folder."""
    with writing(Path(args.out), ADVICE):
        WRITERS[args.to].check_free(args.out)
    source = source_of(args)
    refuse_inside(args.out, source.path)
    parts = open_parts(source, args)
    with writing(Path(args.out), ADVICE):
        writer = WRITERS[args.to](args.out, next(iter(parts.values())).class_names)
        for split, dataset in parts.items():
            writer.write(split, dataset, copy=not args.link)
        place = writer.finish()
    say_what_is_lost(source, place, parts.values(), parts.values())
    counts = ", ".join(f"{len(dataset)} {split}" for split, dataset in parts.items())
    print(
        f"{SOURCES[args.to].title}, {counts} pictures: {args.out}; {what_next(args.to, place, source, args)}"
    )
    return 0
