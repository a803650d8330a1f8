"""``import fastestv2``: convert the ``.pth`` of a Yolo-FastestV2 to a model folder."""

from __future__ import annotations

import argparse

from gluon_yolo.cli.calling import typed

HELP = """\
Turn the .pth of a Yolo-FastestV2 (github.com/dog-qiuqiu/Yolo-FastestV2) into a folder that every command here
takes. No torch is needed, and nothing in the file is run.

  gluon-yolo import fastestv2 coco2017-0.241078ap-model.pth --names coco.names --out models/fastestv2
  gluon-yolo import fastestv2 mine.pth --names mine.names --anchors 12.6,19.4,44.9,48.5 ... --out models/mine
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``import fastestv2``."""
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
    """Import the model and print what was read."""
    from gluon_yolo.api.import_fastestv2 import import_fastestv2

    done = import_fastestv2(
        args.weights, args.names, args.out, anchors=args.anchors or None, size=args.size or None
    )
    print(typed(str(done)))
    return 0
