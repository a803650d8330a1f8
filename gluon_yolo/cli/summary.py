"""The command ``summary``: a network's layers, parameters and FLOPs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from gluon_yolo.cli.flags.model import parse_size
from gluon_yolo.errors import UserError
from gluon_yolo.inference.model_path import read_model
from gluon_yolo.inference.model_record import names_model

if TYPE_CHECKING:
    from gluon_yolo.models.detector import DetectionNetwork

HELP = """\
Print a network's layers, parameters and FLOPs. Activations and the like are left out.

  gluon-yolo summary mobilenet1_0
  gluon-yolo summary yolov3-tiny.cfg
  gluon-yolo summary runs/cells --size 320
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
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
    from gluon_yolo.models.summary import summarize

    if args.classes is not None and args.classes < 1:
        raise UserError(f"--classes: expected 1 or more, got {args.classes}")
    size_hw = parse_size(args.size) if args.size else None
    names = None if args.classes is None else tuple(f"class {index}" for index in range(args.classes))
    net, own_size_hw = _build(args.network, names)
    size_hw = size_hw or own_size_hw
    if any(side % net.spec.max_stride for side in size_hw):
        raise UserError(f"--size: expected multiples of {net.spec.max_stride}, got {args.size}")
    print(summarize(net, size_hw))
    for line in net.remarks:
        print(line)
    return 0


def _build(network: str, class_names: tuple[str, ...] | None) -> tuple[DetectionNetwork, tuple[int, int]]:
    """Return a network, its weights not set, and the size of its input in pixels.

    Args:
        network: a name of the zoo, a cfg, or a model's folder.
        class_names: None takes its own; for a name of the zoo without an ending, VOC's.

    Raises:
        UserError: there is no such network, or it has no classes of its own.
    """
    from gluon_yolo.models.build import find_architecture

    path = Path(network)
    if names_model(path):
        record, file = read_model(path)
        if not record.is_run:
            raise UserError(f"{path}: is an exported graph; name the run or the network that it came from")
        known = find_architecture(record.network, file.parent)
        return known.build(class_names or record.spec.class_names, record.spec.anchors), record.size_hw
    known = find_architecture(network, datasets=() if class_names else ("voc",))
    if class_names is None and known.name.endswith("_custom") and not network.endswith(".cfg"):
        raise UserError(f"{known.name} has no number of classes of its own: add --classes N")
    return known.build(class_names), known.size_hw
