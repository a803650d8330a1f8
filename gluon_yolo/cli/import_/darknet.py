"""``import darknet``: convert a cfg, its weights and its class names to a model folder."""

from __future__ import annotations

import argparse

from gluon_yolo.cli.calling import typed

HELP = """\
Turn a darknet network into a folder that every command here takes. Darknet's own and AlexeyAB's cfgs are
read; a section or key that would change the result and is not known here is an error, with its line.

  gluon-yolo import darknet yolov3-tiny.cfg yolov3-tiny.weights --names coco.names --out models/tiny
  gluon-yolo demo --model models/tiny street.jpg

Back to darknet's files: gluon-yolo export models/tiny --format darknet --out FOLDER
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``import darknet``."""
    parser.add_argument("cfg", metavar="CFG", help="the network: a .cfg file")
    parser.add_argument("weights", metavar="WEIGHTS", help="its weights, all of them: a .weights file")
    parser.add_argument("--names", metavar="FILE", help="its class names, one a line, in its order; needed")
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder to write; new, or empty")


def run(args: argparse.Namespace) -> int:
    """Import the model and print what was read."""
    from gluon_yolo.api.import_darknet import import_darknet

    print(typed(str(import_darknet(args.cfg, args.weights, args.names, args.out))))
    return 0
