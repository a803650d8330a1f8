"""``summary``: print the layers, parameters and FLOPs of a network."""

from __future__ import annotations

import argparse

from gluon_yolo.api.summary import summary

HELP = """\
Print a network's layers, parameters and FLOPs. Activations and the like are left out.

  gluon-yolo summary mobilenet1_0
  gluon-yolo summary yolov3-tiny.cfg
  gluon-yolo summary runs/cells --size 320
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``summary``."""
    parser.add_argument(
        "network",
        metavar="NAME|CFG|DIR",
        help="as yolo3_mobilenet1.0_voc, or mobilenet1_0 for VOC's classes; a darknet .cfg; a run's (also "
        "RUN/best, RUN/last) or an imported model's folder",
    )
    parser.add_argument(
        "--size", metavar="N|HxW", help="the picture's size in pixels (default: the network's own)"
    )
    parser.add_argument(
        "--classes", type=int, metavar="N", help="number of classes (default: the network's own)"
    )


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    print(summary(args.network, args.size or None, args.classes))
    return 0
