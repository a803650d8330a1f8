"""``synth``: draw a small detection data set."""

from __future__ import annotations

import argparse

from gluon_yolo.data.synthetic import CLASS_NAMES, generate

HELP = f"""\
Draw pictures of coloured shapes ({", ".join(CLASS_NAMES)}) on uneven backgrounds, and
write them with their boxes as a data set in Pascal VOC layout: JPEGImages/, Annotations/, and the lists
train, val and trainval in ImageSets/Main/. The same numbers give the same files. A folder that holds
something else is not touched."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``synth``."""
    parser.add_argument("out", metavar="OUT", help="folder to make")
    parser.add_argument(
        "--pictures", type=int, default=400, metavar="N", help="how many (default: %(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S", help="another data set (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Draw the data set and print where it is."""
    root = generate(args.out, images=args.pictures, seed=args.seed)
    print(f"{args.pictures} pictures of {', '.join(CLASS_NAMES)} with their boxes are in {root}")
    return 0
