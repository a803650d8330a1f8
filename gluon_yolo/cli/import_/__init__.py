"""``import``: the commands that convert other programs' models to model folders, one file each.

The package's name ends with an underscore, because ``import`` is a keyword of Python. The module of a command
has ``HELP``, ``add_arguments(parser)`` and ``run(args) -> int``, as in :mod:`gluon_yolo.cli`.
"""

from __future__ import annotations

import argparse

from gluon_yolo.cli import add_sub_commands, run_sub_command

# Here and not in the modules of the commands, so that the list of commands needs no import of them.
COMMANDS = {
    "darknet": "a darknet network: its .cfg and its .weights",
    "fastestv2": "a Yolo-FastestV2: its .pth",
    "caffe": "a network of face landmarks: its .prototxt and its .caffemodel",
}

_LINES = "\n".join(f"  {name:9} {line}" for name, line in COMMANDS.items())
HELP = f"""\
Turn another program's model into a folder that every command here takes, as it takes a training run. A
network of face landmarks is for export and for demo --landmarks.

kinds:
{_LINES}

  gluon-yolo import darknet yolo.cfg yolo.weights --names coco.names --out models/yolo
  gluon-yolo import fastestv2 model.pth --names coco.names --out models/fastestv2
  gluon-yolo import caffe NAME.prototxt NAME.caffemodel --task landmarks --mean 127.5 --scale 127.5 \\
      --out models/points

`gluon-yolo import KIND --help` explains one kind."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the kind of model, and the words after it as the kind's own arguments."""
    add_sub_commands(parser, COMMANDS, "KIND")


def run(args: argparse.Namespace) -> int:
    """Import a model of the chosen kind; without one, print the kinds."""
    return run_sub_command("import", args)
