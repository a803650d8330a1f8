"""``import darknet``: a cfg, its weights and its class names as a model's folder."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from gluon_yolo.cli.import_.writing import write_model
from gluon_yolo.data.classes.read import read_class_names
from gluon_yolo.errors import UserError
from gluon_yolo.text import counted

if TYPE_CHECKING:
    from gluon_yolo.models.darknet.plan import Plan

HELP = """\
Turn a darknet network into a folder that every command here takes. Darknet's own and AlexeyAB's cfgs are
read; a section or key that would change the result and is not known here is an error, with its line.

  gluon-yolo import darknet yolov3-tiny.cfg yolov3-tiny.weights --names coco.names --out models/tiny
  gluon-yolo demo --model models/tiny street.jpg

Back to darknet's files: gluon-yolo export models/tiny --format darknet --out FOLDER
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what ``import darknet`` takes."""
    parser.add_argument("cfg", metavar="CFG", help="the network: a .cfg file")
    parser.add_argument("weights", metavar="WEIGHTS", help="its weights, all of them: a .weights file")
    parser.add_argument("--names", metavar="FILE", help="its class names, one a line, in its order; needed")
    parser.add_argument("--out", required=True, metavar="DIR", help="the folder to write; new, or empty")


def run(args: argparse.Namespace) -> int:
    """Read, write, say what was read."""
    from gluon_yolo.models import build
    from gluon_yolo.models.build import CfgArchitecture
    from gluon_yolo.weights import darknet_model

    if Path(args.cfg).suffix == ".weights" or Path(args.weights).suffix == ".cfg":
        raise UserError(f"{args.cfg} {args.weights}: first the .cfg, then the .weights")
    known = CfgArchitecture(build.read_cfg(args.cfg))
    class_names = _class_names(args.names, known.plan)
    net, header = darknet_model.load(args.cfg, args.weights, class_names)
    plan, version = net.plan, f"{header.major}.{header.minor}.{header.revision}"
    report = [
        f"{args.cfg}: {len(plan.layers)} layers, {len(plan.convolutions)} of them convolutional",
        f"{args.weights}: all of its weights, by darknet {version} after {header.seen:,} pictures",
    ]
    report[1:1] = net.remarks
    origin = darknet_model.make_origin(args.cfg, args.weights, header)
    write_model(net, known, args.out, known.size_hw, origin, report)
    return 0


def _class_names(path: str | None, plan: Plan) -> tuple[str, ...]:
    """Read the class names.

    Raises:
        UserError: they are not named, cannot be read, or are not as many as the cfg has classes; the message
            names files nearby that would suit.
    """
    classes = plan.heads[0].num_classes
    wanted = counted(classes, "class")
    problem = f"--names FILE is missing: the names of the {wanted} of {plan.cfg.path}, one a line"
    if path is not None:
        names = read_class_names(path)
        if len(names) == classes:
            return names
        count = counted(len(names), "name")
        problem = f"{path}: has {count}, where the [yolo] sections of {plan.cfg.path} have {wanted}"
    suiting = _suiting_names(Path(plan.cfg.path), classes)
    raise UserError(f"{problem}; {f'is it --names {suiting}?' if suiting else 'give that file'}")


def _suiting_names(cfg: Path, classes: int) -> Path | None:
    """Return a file beside the cfg, or beside its folder, that has so many class names."""
    beside = Path(os.path.abspath(cfg)).parent
    for folder in (beside, beside.parent):
        for path in sorted(folder.glob("*.names")):
            try:
                if len(read_class_names(path)) == classes:
                    return path
            except UserError:
                continue  # no names at all, whatever its own name says
    return None
