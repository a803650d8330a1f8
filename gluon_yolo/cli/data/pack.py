"""``data pack``: pack a data set into RecordIO files."""

from __future__ import annotations

import argparse
import shlex

from gluon_yolo.cli.data_flags import add_source_arguments, source_of
from gluon_yolo.data.classes import read_class_names
from gluon_yolo.data.record.writer import RecordWriter
from gluon_yolo.errors import UserError

HELP = """\
Pack a data set into RecordIO files: for each part (train, val, test) one .rec file with all pictures and
boxes, an .idx file, and classes.names. One large file is read faster than many small ones, and copied at
once. mxnet's ImageDetIter and GluonCV's RecordFileDetection read these files too. Pictures are packed as they
are, byte by byte, in the order of the data.

  gluon-yolo data pack my_data my_data_rec
  gluon-yolo data pack instances_train2017.json coco_rec --split train2017
  gluon-yolo train --data my_data_rec

What was interrupted goes on where it stopped when the same command is given again. A file gets its name when
all of it was read again and found equal to the data; what is not finished ends in .part. A file that is there
already is compared with the data and left alone."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``data pack`` takes."""
    add_source_arguments(parser)
    parser.add_argument("out", metavar="OUT", help="the folder to make, or to go on with")
    parser.add_argument(
        "--split",
        action="append",
        metavar="NAME",
        help="pack this split only, under its own name; may be given several times",
    )
    parser.add_argument("--force", action="store_true", help="pack anew what is packed already")
    parser.add_argument(
        "--classes", metavar="FILE", help="class names, one a line (default: those that the data gives)"
    )
    parser.add_argument("--skip-bad", action="store_true", help="leave out pictures that cannot be used")


def run(args: argparse.Namespace) -> int:
    """Open the parts, pack them, and say where they are."""
    RecordWriter.check_free(args.out)
    source = source_of(args)
    splits = {split: split for split in args.split} if args.split else source.parts()
    names = read_class_names(args.classes) if args.classes else source.class_names(tuple(splits.values()))
    parts = {part: source.open(split, names, args.skip_bad) for part, split in splits.items()}
    for dataset in parts.values():
        dataset.report.log()
    try:
        writer = RecordWriter(args.out, names, args.force)
        for part, dataset in parts.items():
            writer.write(part, dataset)
        place = writer.finish()
    except OSError as error:
        raise UserError(f"{args.out}: cannot be written: {error.strerror or error}") from error
    print(
        _last_line(writer, ", ".join(f"{len(dataset)} {part}" for part, dataset in parts.items()), str(place))
    )
    return 0


def _last_line(writer: RecordWriter, counts: str, place: str) -> str:
    """Say what was done, how large it is, where, and how to train on it."""
    files = writer.packed + writer.found_whole
    megabytes = sum(file.stat().st_size for file in files) / 1e6
    done = "packed" if writer.packed else "packed already, and whole (--force packs it anew)"
    train = f"gluon-yolo train --data {shlex.quote(place)}"
    return f"{done}: {counts} pictures, {megabytes:,.1f} MB: {place}; train on it: {train}"
