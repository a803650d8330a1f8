"""``import fastestv2``: a Yolo-FastestV2's ``.pth`` as a model's folder."""

from __future__ import annotations

import argparse
import os

from gluon_yolo.cli.flags.model import parse_size
from gluon_yolo.cli.import_.writing import write_model
from gluon_yolo.data.anchors import by_level, named_anchors
from gluon_yolo.data.classes.read import read_class_names

HELP = """\
Turn the .pth of a Yolo-FastestV2 (github.com/dog-qiuqiu/Yolo-FastestV2) into a folder that every command here
takes. No torch is needed, and nothing in the file is run.

  gluon-yolo import fastestv2 coco2017-0.241078ap-model.pth --names coco.names --out models/fastestv2
  gluon-yolo import fastestv2 mine.pth --names mine.names --anchors 12.6,19.4,44.9,48.5 ... --out models/mine
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``import fastestv2`` takes."""
    parser.add_argument("weights", metavar="FILE", help="the whole model's .pth, as its training writes them")
    parser.add_argument(
        "--names", required=True, metavar="FILE", help="its class names, one a line, in order"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder to write; new, or empty")
    anchors = (
        "the anchors of its .data file: a file, or a list w,h,w,h,... (default: those of its COCO model)"
    )
    parser.add_argument("--anchors", metavar="FILE|LIST", help=anchors)
    parser.add_argument("--size", metavar="N|HxW", help="input size in pixels (default: 352)")


def run(args: argparse.Namespace) -> int:
    """Read, write, say what was read."""
    class_names = read_class_names(args.names)
    size_hw = parse_size(args.size) if args.size else None
    given = named_anchors(args.anchors) if args.anchors else None

    from gluon_yolo.models.build import find_architecture
    from gluon_yolo.weights.load import load_weights

    known = find_architecture("yolo_fastestv2")
    net = known.build(class_names, None if given is None else by_level(given, known.spec.num_levels))
    net.initialize_weights()
    report = load_weights(net, args.weights, class_names=class_names)
    origin = {"kind": "fastestv2", "weights": os.path.abspath(args.weights)}
    write_model(net, known, args.out, size_hw or known.size_hw, origin, [str(report)])
    return 0
