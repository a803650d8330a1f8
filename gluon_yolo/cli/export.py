"""``export``: write a trained model as files that stand alone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from gluon_yolo.cli.model_flags import parse_size
from gluon_yolo.data.classes import read_class_names
from gluon_yolo.errors import UserError
from gluon_yolo.inference.model_file import ModelFile, find_model_file, weights_of

HELP = """\
Write a trained network as NAME-symbol.json and NAME-0000.params, which mxnet runs without this package, and
NAME.json, which says what they are. Pixels go in as plain RGB, 0..255, (B, H, W, 3); what comes out is
chosen by --cut:

  nms       class ids (B, K, 1), scores (B, K, 1), boxes (B, K, 4) in input pixels, rows of -1 filling up
  decoded   a box (B, N, 4) and class scores (B, N, C) for each anchor, for suppression elsewhere
  raw       the network's maps, for decoding elsewhere

The files are tried on a random picture before they appear.

  gluon-yolo export runs/cells --out exported
  gluon-yolo export --network yolo3_mobilenet1.0_voc --weights FILE.params --size 320x416 --out exported
"""
USUAL_SIZE_HW = (416, 416)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``export`` takes."""
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="a run's folder (its best weights), or a weights file in it"
    )
    parser.add_argument(
        "--network", metavar="NAME", help="a network of the zoo in the place of a run, with --weights"
    )
    parser.add_argument("--weights", metavar="FILE", help="weights for --network, ours or GluonCV's")
    parser.add_argument("--classes", metavar="FILE", help="class names, one a line, for a custom --network")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write to")
    parser.add_argument("--name", help="stem of the files (default: the network's name)")
    size_help = "input size that the model suggests (default: the run's; 416 with --network)"
    parser.add_argument("--size", metavar="N|HxW", help=size_help)
    parser.add_argument(
        "--cut", choices=("nms", "decoded", "raw"), default="nms", help="(default: %(default)s)"
    )
    group = parser.add_argument_group("written into the graph with --cut nms")
    group.add_argument(
        "--nms-threshold",
        type=float,
        default=0.45,
        metavar="IOU",
        help="drop the worse of two boxes of a class that overlap more (default: %(default)s)",
    )
    group.add_argument(
        "--score-threshold",
        type=float,
        default=0.01,
        metavar="S",
        help="leave out detections that score less (default: %(default)s)",
    )
    group.add_argument(
        "--max-detections", type=int, default=100, metavar="K", help="rows per picture (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Load, export, and say how to use it."""
    for name, value in (("--nms-threshold", args.nms_threshold), ("--score-threshold", args.score_threshold)):
        if not 0 <= value <= 1:
            raise UserError(f"{name} {value}: must lie within 0 and 1")
    if args.max_detections < 1:
        raise UserError(f"--max-detections {args.max_detections}: expected 1 or more")
    size_hw = parse_size(args.size) if args.size else None

    net, own_size_hw, fit = _load(args)
    from gluon_yolo.export.symbol import export

    size_hw = size_hw or own_size_hw
    record = export(
        net,
        args.out,
        name=args.name,
        size_hw=size_hw,
        cut=args.cut,
        nms_threshold=args.nms_threshold,
        score_threshold=args.score_threshold,
        max_detections=args.max_detections,
        fit=fit,
    )
    files = ", ".join(f"{record.stem}{ending}" for ending in ("-symbol.json", "-0000.params", ".json"))
    size = f"{size_hw[0]}x{size_hw[1]}"
    print(f"{net.zoo_name}, {net.spec.num_classes} classes, input {size}, cut {args.cut}: {files}")
    use = record if _holds_several(record.parent) else record.parent
    print(
        f"the model is in {record.parent}; use it with: gluon-yolo demo --model {use} PICTURES, "
        f"or in Python: gluon_yolo.Predictor.load({str(use)!r})(picture)"
    )
    return 0


def _load(args: argparse.Namespace) -> tuple[Any, tuple[int, int], str]:
    """Return the network that the arguments name, with its weights, its usual input size and its fit.

    Raises:
        UserError: when they name none or two, or it cannot be loaded.
    """
    if args.run and not (args.network or args.weights or args.classes):
        path = Path(args.run)
        file = find_model_file(path)
        record = ModelFile.read(file)
        if record.cut is not None:
            raise UserError(f"{path}: is exported already; export the run that it came from")
        from gluon_yolo.inference.mxnet_runtime import from_weights

        net = from_weights(record.network, weights_of(path), record.spec.class_names, record.spec.anchors)
        return net, record.size_hw, record.fit
    if args.run or not (args.network and args.weights):
        raise UserError("name one model: RUN, or --network NAME with --weights FILE")
    from gluon_yolo.inference.mxnet_runtime import from_weights

    class_names = read_class_names(args.classes) if args.classes else None
    return from_weights(args.network, args.weights, class_names), USUAL_SIZE_HW, "resize"


def _holds_several(folder: Path) -> bool:
    try:
        find_model_file(folder)
    except UserError:
        return True
    return False
