"""Weights in: our own files, GluonCV's detectors and ImageNet backbones; whole, or as far as they fit."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gluon_yolo import compat
from gluon_yolo.class_names import COCO_CLASSES, VOC_CLASSES
from gluon_yolo.compat import gluon, mx
from gluon_yolo.errors import UserError
from gluon_yolo.nn import gluoncv_names
from gluon_yolo.nn.detector import Detector
from gluon_yolo.nn.heads import BOX_CHANNELS

log = logging.getLogger("gluon_yolo")
_HEAD = "heads.levels."


@dataclasses.dataclass(frozen=True)
class Loaded:
    """What became of a parameter file.

    Attributes:
        source: the file.
        taken: our names of the parameters that now hold the file's values.
        adapted: our names of head parameters of which only the box part and the shared classes were taken.
        left_out: names in the file, each with the reason.
        fresh: our names of parameters that the file says nothing of.
        shared_classes: class names whose weights were taken over by name.
    """

    source: str
    taken: tuple[str, ...]
    adapted: tuple[str, ...]
    left_out: tuple[str, ...]
    fresh: tuple[str, ...]
    shared_classes: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether every parameter of the network came from the file unchanged."""
        return not self.adapted and not self.fresh

    def __str__(self) -> str:
        """Say it in a line or a few."""
        text = f"{self.source}: {len(self.taken)} parameters taken"
        if self.adapted:
            shared = ", ".join(self.shared_classes) or "none"
            text += f", {len(self.adapted)} of the heads adapted (classes taken over: {shared})"
        if self.fresh:
            text += f", {len(self.fresh)} left fresh ({_few(self.fresh)})"
        if self.left_out:
            text += f", {len(self.left_out)} left out ({_few(self.left_out)})"
        return text


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def structural_parameters(net: gluon.Block) -> dict[str, gluon.Parameter]:
    """Return a network's parameters and statistics by their place in it, without graph constants."""
    parameters = net._collect_params_with_prefix()
    return {name: p for name, p in parameters.items() if not isinstance(p, gluon.Constant)}


def load(net: Detector, source, partial: bool = False, class_names: Sequence[str] | None = None) -> Loaded:
    """Set an initialised network's weights from a file.

    Args:
        net: gets the weights, on all its devices.
        source: a ``.params`` file of ours or of GluonCV's (detector or backbone), or a run's folder.
        partial: take what fits and report the rest, for fine-tuning; else the file must fit whole.
        class_names: of the network in the file, to carry classes over by name; None finds them beside the
            file, or by their number in a GluonCV file (20 are VOC's, 80 are COCO's).

    Raises:
        UserError: when the file is missing, is no parameter file, or does not fit.
    """
    path = _params_file(Path(source))
    values, gluoncv = _read(path, net.spec.num_levels)
    names = class_names or _stored_class_names(path) or _usual_class_names(values, net, gluoncv)
    report = _set(net, values, str(path), names)
    if not report.taken:
        raise UserError(f"{path}: holds no weights of {net.zoo_name}; is it another network's file?")
    if not partial and not report.whole:
        raise UserError(_misfit(net, path, values, report))
    return report


def load_pretrained(net: Detector, backbone_only: bool = False) -> Loaded:
    """Load GluonCV's published weights through its model store (``~/.mxnet/models``, downloaded when absent).

    Args:
        net: a network that GluonCV has under the same name; with ``backbone_only``, any with its backbone.
        backbone_only: take the ImageNet weights of the backbone.

    Raises:
        UserError: when GluonCV has no such weights, or they can be neither found nor downloaded.
    """
    name = net.zoo_name
    if backbone_only:
        name = name[len("yolo3_") :].rsplit("_", 1)[0]
    store = compat.gluoncv().model_zoo.model_store
    if name not in store._model_sha1:
        raise UserError(f"GluonCV publishes no weights named {name}; give a file with --weights")
    try:
        path = store.get_model_file(name)
    except Exception as error:  # any of requests', urllib3's, portalocker's and GluonCV's own failures
        folder = os.path.join(os.environ.get("MXNET_HOME", "~/.mxnet"), "models")
        raise UserError(
            f"{name}: GluonCV's weights are not in {folder} and could not be downloaded "
            f"({type(error).__name__}); put the .params file there, or start without: --pretrained-base no"
        ) from error
    return load(net, path, partial=True)


def _params_file(path: Path) -> Path:
    if path.is_dir():
        path = path / "weights" / "best.params"
    if not path.is_file():
        raise UserError(f"{path}: no such weights file; give a .params file or a run's folder")
    return path


def _read(path: Path, levels: int) -> tuple[dict[str, np.ndarray], bool]:
    """Return a file's values under our names, others under their own, and whether GluonCV wrote it."""
    try:
        arrays = mx.nd.load(str(path))
    except (mx.MXNetError, ValueError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}: not a whole MXNet parameter file (truncated, or of another kind)"
        ) from error
    if not isinstance(arrays, dict) or not arrays:
        raise UserError(f"{path}: holds no named parameters")
    gluoncv = gluoncv_names.is_gluoncv(arrays)
    ours = gluoncv_names.translate(arrays, levels) if gluoncv else {}
    return {ours.get(name, name): array.asnumpy() for name, array in arrays.items()}, gluoncv


def _stored_class_names(path: Path) -> list[str] | None:
    """Return the class names of the run that a parameter file lies in."""
    for folder in list(path.resolve().parents)[:3]:
        record = folder / "model.json"
        if record.is_file():
            return json.loads(record.read_text())["spec"]["class_names"]
    return None


def _usual_class_names(values: dict[str, np.ndarray], net: Detector, gluoncv: bool) -> Sequence[str] | None:
    count = _num_classes(values, net)
    usual = {len(names): names for names in (VOC_CLASSES, COCO_CLASSES)}.get(count or 0) if gluoncv else None
    if usual is None and count == net.spec.num_classes:
        return net.spec.class_names
    return usual


def _num_classes(values: dict[str, np.ndarray], net: Detector) -> int | None:
    bias = values.get(f"{_HEAD}0.bias")
    return None if bias is None else len(bias) // net.spec.anchors_per_level[0] - BOX_CHANNELS


def _set(
    net: Detector, values: dict[str, np.ndarray], source: str, class_names: Sequence[str] | None
) -> Loaded:
    parameters = structural_parameters(net)
    taken, adapted, left_out = [], [], []
    shared = [name for name in net.spec.class_names if class_names and name in class_names]
    renamed = class_names is not None and tuple(class_names) != net.spec.class_names
    for name, value in values.items():
        parameter = parameters.get(name)
        is_head = name.startswith(_HEAD)
        if parameter is None:
            if "normalize." not in name and not name.endswith((".anchors", ".offsets")):
                left_out.append(f"{name}: no such part here")
        elif parameter.shape == value.shape and not (is_head and renamed):
            parameter.set_data(mx.nd.array(value))
            taken.append(name)
        elif is_head and value.shape[1:] == parameter.shape[1:]:
            anchors = net.spec.anchors_per_level[int(name[len(_HEAD) :].split(".")[0])]
            merged = _merge_head(parameter, value, anchors, net.spec.class_names, class_names)
            parameter.set_data(mx.nd.array(merged))
            adapted.append(name)
        else:
            left_out.append(f"{name}: shape {value.shape}, here {parameter.shape}")
    fresh = [name for name in parameters if name not in taken and name not in adapted]
    return Loaded(source, tuple(taken), tuple(adapted), tuple(left_out), tuple(fresh), tuple(shared))


def _merge_head(
    parameter, value: np.ndarray, anchors: int, ours: Sequence[str], theirs: Sequence[str] | None
):
    """Return our head's values with box, objectness and the classes of the same name taken from theirs."""
    merged = parameter.data(parameter.list_ctx()[0]).asnumpy()
    new = merged.reshape((anchors, BOX_CHANNELS + len(ours)) + merged.shape[1:])
    old = value.reshape((anchors, -1) + value.shape[1:])
    new[:, :BOX_CHANNELS] = old[:, :BOX_CHANNELS]
    for index, name in enumerate(ours):
        if theirs and name in theirs:
            new[:, BOX_CHANNELS + index] = old[:, BOX_CHANNELS + list(theirs).index(name)]
    return new.reshape(merged.shape)


def _misfit(net: Detector, path: Path, values: dict[str, np.ndarray], report: Loaded) -> str:
    count = _num_classes(values, net)
    if report.adapted and not report.fresh and count != net.spec.num_classes:
        return f"{path}: weights for {count} classes, but the network has {net.spec.num_classes}"
    if report.adapted and not report.fresh:
        return f"{path}: weights for other class names than {', '.join(net.spec.class_names)}"
    missing = _few(report.fresh or report.left_out)
    count = len(report.fresh)
    return f"{path}: not the weights of {net.zoo_name}: {count} of its parameters are not in it ({missing})"
