"""The command ``summary``: a network's layers, parameters and FLOPs."""

from __future__ import annotations

import argparse

from gluon_yolo.cli.model_flags import parse_size
from gluon_yolo.errors import UserError

HELP = "Print a network's layers, parameters and FLOPs. Activations and the like are left out."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "network", metavar="NAME", help="as yolo3_mobilenet1.0_voc, or mobilenet1_0 for VOC's classes"
    )
    parser.add_argument(
        "--size", default="416", metavar="N|HxW", help="the picture's size in pixels (default: 416)"
    )
    parser.add_argument(
        "--classes", type=int, metavar="N", help="number of classes (default: the data set's)"
    )


def run(args: argparse.Namespace) -> int:
    """Print the table."""
    from gluon_yolo.nn import zoo
    from gluon_yolo.nn.summary import summarize

    if args.classes is not None and args.classes < 1:
        raise UserError(f"--classes: expected 1 or more, got {args.classes}")
    name = zoo.canonical(args.network, "voc" if args.classes is None else "custom")
    if args.classes is None and name.endswith("_custom"):
        raise UserError(f"{name} has no number of classes of its own: add --classes N")
    classes = None if args.classes is None else [f"class {index}" for index in range(args.classes)]
    net = zoo.build(name, classes)
    size_hw = parse_size(args.size)
    if any(side % net.spec.max_stride for side in size_hw):
        raise UserError(f"--size: expected multiples of {net.spec.max_stride}, got {args.size}")
    print(summarize(net, size_hw))
    return 0
