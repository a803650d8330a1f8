"""``data pack``: pack a data set into RecordIO files."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from gluon_yolo.atomic_io import writing
from gluon_yolo.cli.data.opening import add_parts_arguments, open_parts
from gluon_yolo.cli.data.writing import ADVICE, refuse_inside, say_what_is_lost, what_next
from gluon_yolo.cli.flags.data import add_source_arguments, source_of
from gluon_yolo.data.recordio.writer import RecordWriter

HELP = """\
Pack a data set into RecordIO files: for each part (train, val, test) one .rec file with all pictures and
boxes, an .idx file, and classes.names. One large file is read faster than many small ones, and copied at
once. mxnet's ImageDetIter and GluonCV's RecordFileDetection read these files too. Pictures are packed as they
are, byte by byte, in the order of the data; only their names are not kept.

  gluon-yolo data pack my_data my_data_rec
  gluon-yolo data pack instances_train2017.json coco_rec --split train2017
  gluon-yolo train --data my_data_rec

What was interrupted goes on where it stopped when the same command is given again. A file gets its name when
all of it was read again and found equal to the data; what is not finished ends in .part. A file that is there
already is compared with the data and left alone."""

logger = logging.getLogger("gluon_yolo")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``data pack``."""
    add_source_arguments(parser)
    parser.add_argument("out", metavar="OUT", help="the folder to make, or to go on with")
    add_parts_arguments(parser)
    parser.add_argument("--force", action="store_true", help="pack anew what is packed already")


def run(args: argparse.Namespace) -> int:
    """Open the parts, pack them, and print the folder."""
    with writing(Path(args.out), ADVICE):
        RecordWriter.check_free(args.out)
    source = source_of(args)
    refuse_inside(args.out, source.path)
    parts = open_parts(source, args)
    with writing(Path(args.out), ADVICE):
        writer = RecordWriter(args.out, next(iter(parts.values())).class_names, args.force)
        for part, dataset in parts.items():
            writer.write(part, dataset)
        place = writer.finish()
    say_what_is_lost(source, place, parts.values(), parts.values())
    counts = ", ".join(f"{len(dataset)} {part}" for part, dataset in parts.items())
    next_step = what_next("record", place, source, args)
    print(f"{_done(writer)}: {counts} pictures, {_megabytes(writer)}: {place}; {next_step}")
    return 0


def _done(writer: RecordWriter) -> str:
    """Return the words for what was done."""
    return "packed" if writer.packed else "packed already, and whole (--force packs it anew)"


def _megabytes(writer: RecordWriter) -> str:
    """Return the size of the packed files in words."""
    size = sum(file.stat().st_size for file in writer.packed + writer.found_whole)
    return f"{size / 1e6:,.1f} MB"
