"""``data``: the commands for data sets, one file each; only the chosen one is imported.

A command's module has ``HELP``, ``add_arguments(parser)`` and ``run(args) -> int``, as those of
:mod:`gluon_yolo.cli`.
"""

from __future__ import annotations

import argparse

from gluon_yolo.cli import add_sub_commands, run_sub_command

# Here and not in the commands' modules, so that a list of the commands imports none of them.
COMMANDS = {
    "check": "find what is wrong in a data set: pictures, labels, boxes, names, splits",
    "convert": "write a data set in another format",
    "split": "divide a data set into train and val lists, stratified by class",
    "dedupe": "list the pictures that a data set has twice, or write it without them",
    "tile": "cut large pictures into overlapping tiles, to train on small objects",
    "pack": "pack a data set into RecordIO files, which are read fastest",
    "anchors": "find anchors for a data set, and say how well it is covered",
    "show": "draw a sheet of pictures with their boxes, as they are or as training sees them",
}

_LINES = "\n".join(f"  {name:9} {line}" for name, line in COMMANDS.items())
HELP = f"""\
Work on a data set in the format of Pascal VOC, COCO, YOLO, RecordIO or keras-yolo3's list. It is found from
what is there, and so is WIDER FACE's folder; --format NAME says it.

commands:
{_LINES}

  gluon-yolo data check my_data
  gluon-yolo data split my_data --val 0.2
  gluon-yolo data convert my_data --to coco my_data_coco

`gluon-yolo data COMMAND --help` explains one command."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's name; all words after it are that command's arguments."""
    add_sub_commands(parser, COMMANDS)


def run(args: argparse.Namespace) -> int:
    """Run the chosen command; without one, list the commands."""
    return run_sub_command("data", args)
