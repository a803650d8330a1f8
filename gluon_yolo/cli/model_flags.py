"""Model flags: the arguments that name a model, and the predictor they load; for commands that use one."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from gluon_yolo.errors import UserError

if TYPE_CHECKING:
    from gluon_yolo.inference.predictor import Predictor


def add_model_arguments(parser: argparse.ArgumentParser, score_threshold: float) -> None:
    """Declare ``--model``, or ``--network`` with ``--weights``, and how the model is asked.

    Args:
        parser: a command's parser; it also needs ``--classes``, the names of a custom network.
        score_threshold: the default of ``--score-threshold``.
    """
    group = parser.add_argument_group("model")
    group.add_argument("--model", metavar="PATH", help="an exported model (folder or NAME.json), or a run")
    group.add_argument("--network", metavar="NAME", help="a network of the zoo, with --weights")
    group.add_argument("--weights", metavar="FILE", help="weights for --network, ours or GluonCV's")
    group.add_argument(
        "--size", metavar="N|HxW", help="input size in pixels (default: the model's own; 416 with --network)"
    )
    group.add_argument(
        "--score-threshold",
        type=float,
        default=score_threshold,
        metavar="S",
        help="leave out detections that score less (default: %(default)s)",
    )
    group.add_argument(
        "--nms-threshold",
        type=float,
        default=0.45,
        metavar="IOU",
        help="drop the worse of two boxes of a class that overlap more (default: %(default)s)",
    )
    group.add_argument("--gpu", type=int, metavar="N", help="run on this GPU (default: the processor)")


def open_predictor(args: argparse.Namespace) -> Predictor:
    """Load the model that the arguments name.

    Raises:
        UserError: when they name none or two, or it cannot be loaded.
    """
    from gluon_yolo.data.classes import read_class_names
    from gluon_yolo.inference.predictor import Predictor

    options = {"gpu": args.gpu, "score_threshold": args.score_threshold, "nms_threshold": args.nms_threshold}
    if args.model and not (args.network or args.weights):
        return Predictor.load(args.model, size_hw=parse_size(args.size) if args.size else None, **options)
    if args.model or not (args.network and args.weights):
        raise UserError("name one model: --model PATH, or --network NAME with --weights FILE")
    class_names = read_class_names(args.classes) if args.classes else None
    if class_names is None and args.network.endswith("_custom"):
        raise UserError(f"{args.network}: has no classes of its own; name them with --classes FILE")
    size_hw = parse_size(args.size or "416")
    return Predictor.from_network(args.network, args.weights, class_names, size_hw, **options)


def parse_size(text: str, flag: str = "--size") -> tuple[int, int]:
    """Turn ``416`` or ``320x416`` into (height, width) in pixels.

    Raises:
        UserError: when it is neither.
    """
    words = text.lower().split("x")
    if len(words) > 2 or not all(word.isdecimal() and int(word) for word in words):
        raise UserError(f"{flag} {text!r}: expected pixels as 416 or, height first, 320x416")
    return int(words[0]), int(words[-1])
