"""``data anchors``: find anchors for a data set, and measure how well they fit it."""

from __future__ import annotations

import argparse

from gluon_yolo.cli.data.opening import add_split_arguments, open_split
from gluon_yolo.cli.flags.data import add_source_arguments, source_of
from gluon_yolo.cli.flags.model import parse_size
from gluon_yolo.data import anchors
from gluon_yolo.errors import UserError
from gluon_yolo.spec import DEFAULT_ANCHORS, DetectionSpec

HELP = """\
Find anchors for the training pictures of a data set: k-means on 1 - IoU of the boxes' widths and heights, as
they are on the network's input. Printed are, beside those of other anchors,

  mean best IoU  how much a box overlaps the anchor that fits it best, both centred at one point
  recall         the share of boxes for which that is 0.5 or more

and the anchors are written to a file: a line "w,h, w,h, ..." in input pixels, then their mean best IoU.

  gluon-yolo data anchors my_data
  gluon-yolo data anchors my_data --num 6 --size 320x480 --out anchors6.txt
  gluon-yolo train --data my_data --anchors anchors9.txt

`gluon-yolo train --anchors auto` finds and takes nine by itself.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``data anchors``."""
    add_source_arguments(parser)
    num = "how many to find, over all levels of the network, which has three (default: %(default)s)"
    parser.add_argument("--num", type=int, default=9, metavar="N", help=num)
    size = "the network's input in pixels, height first (default: %(default)s)"
    parser.add_argument("--size", default="416", metavar="N|HxW", help=size)
    letterbox = "for training with the transform letterbox, which keeps the pictures' proportions"
    parser.add_argument("--letterbox", action="store_true", help=letterbox)
    compare = "anchors to compare with: a file, or a list such as 10,13,16,30,33,23 (default: YOLOv3's nine)"
    parser.add_argument("--anchors", metavar="FILE|LIST", help=compare)
    seed = "of the search's starts (default: %(default)s, as `gluon-yolo train --anchors auto` has it)"
    parser.add_argument("--seed", type=int, default=0, metavar="S", help=seed)
    add_split_arguments(parser)
    parser.add_argument("--out", metavar="FILE", help="where to write them (default: anchorsN.txt)")


def run(args: argparse.Namespace) -> int:
    """Find anchors, compare them with others, write them, and print how to use them."""
    size_hw, fit = parse_size(args.size), "letterbox" if args.letterbox else "resize"
    _check(args, size_hw)
    title, others = "YOLOv3's", DetectionSpec(("any",)).flat_anchors
    if args.anchors:
        title, others = "those given", anchors.named_anchors(args.anchors)
    data = open_split(source_of(args), args)
    sizes = anchors.box_sizes(data, size_hw, fit)
    found = anchors.find_anchors(sizes, args.num, args.seed)
    print(f"{args.num} anchors at {size_hw[0]}x{size_hw[1]}: {anchors.format_anchors(found)}")
    print(f"{'':16}{'anchors':>8}{'mean best IoU':>15}{'recall':>9}")
    for name, those in (("found", found), (title, others)):
        iou, recall = anchors.mean_best_iou(sizes, those), anchors.recall(sizes, those)
        print(f"{name:16}{len(those):8}{iou:15.3f}{recall:9.3f}")
    out = args.out or f"anchors{args.num}.txt"
    anchors.write_anchors(out, found, anchors.mean_best_iou(sizes, found))
    print(f"written to {out}; train with them: --anchors {out} --data-shape {args.size}")
    return 0


def _check(args: argparse.Namespace, size_hw: tuple[int, int]) -> None:
    """Check the arguments before any data is read.

    Raises:
        UserError: there are too few anchors, or the seed or the size is invalid.
    """
    levels, stride = len(DEFAULT_ANCHORS), DetectionSpec(("any",)).max_stride
    for name, value, least in (("--num", args.num, levels), ("--seed", args.seed, 0)):
        if value < least:
            raise UserError(f"{name} {value}: expected {least} or more")
    if any(side % stride for side in size_hw):
        raise UserError(f"--size {args.size}: both sides must be multiples of {stride}")
