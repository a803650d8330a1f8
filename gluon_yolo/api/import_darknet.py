"""``gluon_yolo.import_darknet``: convert a darknet network to a model folder."""

from __future__ import annotations

import os
from pathlib import Path

from gluon_yolo.data.classes.read import read_class_names
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.exporters import memory_need
from gluon_yolo.exporters.imported import Imported, write_imported
from gluon_yolo.exporters.source_model import ClassNames, PathLike, read_classes
from gluon_yolo.models import build
from gluon_yolo.models.build import CfgArchitecture
from gluon_yolo.models.darknet.plan import Plan
from gluon_yolo.text import counted
from gluon_yolo.weights import darknet_model


def import_darknet(
    cfg: PathLike, weights: PathLike, names: ClassNames | None = None, out: PathLike = "imported"
) -> Imported:
    """Convert a darknet network to a folder that training, evaluation, demo and export accept.

    The cfg may be for the original darknet or for AlexeyAB's. An unknown section or key that would change the
    result is an error with its line.

    Args:
        cfg: the ``.cfg`` file of the network.
        weights: the ``.weights`` file with all weights of the network.
        names: the class names in the network's order: a file with one a line, or a sequence. Required.
        out: the folder to write; it must be absent or empty.

    Returns:
        The folder and what was read. ``print(imported)`` shows how to use it.

    Raises:
        UserError: a file is missing, damaged or belongs to another network, the number of names differs from
            the cfg's number of classes, or the folder is not empty.

    Example:
        >>> imported = gluon_yolo.import_darknet("yolov3-tiny.cfg", "yolov3-tiny.weights", "coco.names")
    """
    cfg, weights = os.fspath(cfg), os.fspath(weights)
    if Path(cfg).suffix == ".weights" or Path(weights).suffix == ".cfg":
        raise UserError(f"{cfg} {weights}: first the .cfg, then the .weights")
    known = CfgArchitecture(build.read_cfg(cfg))
    class_names = _class_names(names, known.plan)
    memory_need.check_import(Path(weights))
    net, header = darknet_model.load(cfg, weights, class_names)
    plan, version = net.plan, f"{header.major}.{header.minor}.{header.revision}"
    report = (
        f"{cfg}: {len(plan.layers)} layers, {len(plan.convolutions)} of them convolutional",
        *net.remarks,
        f"{weights}: all of its weights, by darknet {version} after {header.seen:,} pictures",
    )
    origin = darknet_model.make_origin(cfg, weights, header)
    return write_imported(net, known, out, known.size_hw, origin, report, weights)


def _class_names(names: ClassNames | None, plan: Plan) -> tuple[str, ...]:
    """Return the class names.

    Raises:
        UserError: no names are given, they cannot be read, or their number differs from the cfg's. The
            message names a file nearby with the right number.
    """
    classes = plan.heads[0].num_classes
    wanted = counted(classes, "class")
    problem = f"{{names}} FILE is missing: the names of the {wanted} of {plan.cfg.path}, one a line"
    if names is not None:
        class_names = read_classes(names) or ()
        if len(class_names) == classes:
            return class_names
        place = os.fspath(names) if isinstance(names, (str, os.PathLike)) else "{names}"
        count = counted(len(class_names), "name")
        problem = f"{place}: has {count}, where the [yolo] sections of {plan.cfg.path} have {wanted}"
    suiting = _suiting_names(Path(plan.cfg.path), classes)
    raise SettingError(f"{problem}; {f'is it {{names}} {suiting}?' if suiting else 'give that file'}")


def _suiting_names(cfg: Path, classes: int) -> Path | None:
    """Return a file with this number of class names, in the cfg's folder or the folder above; else None."""
    beside = Path(os.path.abspath(cfg)).parent
    for folder in (beside, beside.parent):
        for path in sorted(folder.glob("*.names")):
            try:
                if len(read_class_names(path)) == classes:
                    return path
            except UserError:
                continue  # the file holds no class names
    return None
