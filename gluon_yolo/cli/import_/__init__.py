"""``import``: the commands that turn other programs' models into folders, one file each.

The package's name has an underscore, since ``import`` is a word of Python's. A command's module has ``HELP``,
``add_arguments(parser)`` and ``run(args) -> int``, like those of :mod:`gluon_yolo.cli`.
"""

from __future__ import annotations

import argparse

from gluon_yolo.cli import add_sub_commands, run_sub_command

# Kept here and not in the commands' modules, so that listing the commands imports none of them.
COMMANDS = {
    "darknet": "a darknet network: its .cfg and its .weights",
    "fastestv2": "a Yolo-FastestV2: its .pth",
}

_LINES = "\n".join(f"  {name:9} {line}" for name, line in COMMANDS.items())
HELP = f"""\
Turn another program's model into a folder that every command here takes, as it takes a training run.

kinds:
{_LINES}

  gluon-yolo import darknet yolo.cfg yolo.weights --names coco.names --out models/yolo
  gluon-yolo import fastestv2 model.pth --names coco.names --out models/fastestv2

`gluon-yolo import KIND --help` explains one kind."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the kind; all words after it are its own."""
    add_sub_commands(parser, COMMANDS, "KIND")


def run(args: argparse.Namespace) -> int:
    """Import a model of the chosen kind; without one, say which there are."""
    return run_sub_command("import", args)
