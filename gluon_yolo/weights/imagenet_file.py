"""Files of ImageNet classifiers of torchvision and timm, read for the backbones of this package."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from gluon_yolo import json_text
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.models.detector import Detector
from gluon_yolo.spec import BackboneForm
from gluon_yolo.weights import tensor_file
from gluon_yolo.weights.foreign import ForeignWeights
from gluon_yolo.weights.imagenet import SOURCES, Source, parameter_names, recognised

_COUNTER = ".num_batches_tracked"
_BODY = ("blocks.", "features.", "stages.", "stem.", "conv_stem.")  # beginnings of a backbone's names
_CONFIG = "config.json"  # of a model of timm's on Hugging Face, beside its weights


def read_for(path: Path, net: Detector) -> ForeignWeights:
    """Read the backbone of a classifier for a network; the classifier is left out.

    Args:
        path: of the file.
        net: the network; it is not changed.

    Returns:
        The arrays by this package's names, and the form that the backbone needs.

    Raises:
        UserError: the file cannot be read, or is of another network or width.
    """
    arrays = tensor_file.read(path)
    source, arrays = _recognised(path, arrays, net.zoo_name)
    layers = [name for name in net.layer_names if name.startswith(net.backbone_prefix)]
    names = parameter_names(source, layers)
    missing = [name for name in names if name not in arrays]
    if missing:
        raise UserError(
            f"{path}: is {source.name}, of which {len(missing)} arrays are absent ({missing[0]}, ...); get "
            "it anew"
        )
    _check_widths(path, source, arrays, names, net)
    others = (name for name in arrays if name not in names and not name.endswith(_COUNTER))
    left_out = tuple(f"{name}: of the classifier" for name in others)
    values = {ours: arrays[theirs].astype(np.float32, copy=False) for theirs, ours in names.items()}
    return ForeignWeights(values, left_out=left_out, form=_form(path, source, net.zoo_name))


def form_of(path: Path, network: str) -> BackboneForm:
    """Return the form that a file's backbone needs; the architecture's own for a file of another kind.

    Args:
        path: of the file.
        network: the zoo's name of the network that it is for.

    Raises:
        UserError: the file cannot be read.
    """
    found = recognised(tensor_file.read(path))
    if found is None or not network.startswith(found[0].network):
        return BackboneForm()  # its reader explains what is wrong
    return _form(path, found[0], network)


def _form(path: Path, source: Source, network: str) -> BackboneForm:
    """Return a source's form, with mean and deviation of timm's record where one lies beside the file.

    Of the full width all widths of MobileNetV2 are multiples of 8 as they are.
    """
    divisor = source.divisor if "_1.0_" not in network else 0
    form = dataclasses.replace(source.form, divisor=divisor)
    try:
        record = json_text.loads((path.parent / _CONFIG).read_text("utf-8"))["pretrained_cfg"]
        told = BackboneForm(mean=record["mean"], std=record["std"])
    except (OSError, ValueError, KeyError, TypeError):
        return form
    return dataclasses.replace(form, mean=told.mean, std=told.std)


def _recognised(
    path: Path, arrays: dict[str, np.ndarray], network: str
) -> tuple[Source, dict[str, np.ndarray]]:
    found = recognised(arrays)
    if found is None:
        known = ", ".join(source.name for source in SOURCES)
        few = ", ".join(list(arrays)[:3])
        raise UserError(
            f"{path}: holds the weights of a network that is not read here ({few}, ...); for {network} give "
            f"a file of a backbone that is: {known}"
        )
    if not network.startswith(found[0].network):
        right = ", ".join(source.name for source in SOURCES if network.startswith(source.network))
        raise SettingError(
            f"{path}: holds the weights of {found[0].name}, which is not the backbone of {network}; ask for "
            f"a {found[0].network}* with {{network}}, or give {right or 'no such file'}"
        )
    return found


def _check_widths(
    path: Path, source: Source, arrays: dict[str, np.ndarray], names: dict[str, str], net: Detector
) -> None:
    """Demand that all arrays have the network's shapes, and that the file's network is not deeper."""
    parameters = net._collect_params_with_prefix()
    for theirs, ours in names.items():
        if arrays[theirs].shape != parameters[ours].shape:
            raise UserError(
                f"{path}: is {source.name} of another width than {net.zoo_name}: {theirs} has the shape "
                f"{arrays[theirs].shape}, here {parameters[ours].shape}; give a file of the same width"
            )
    more = [name for name in arrays if name.startswith(_BODY) and name not in names and _COUNTER not in name]
    if more:
        raise UserError(
            f"{path}: is {source.name} with more layers than {net.zoo_name} ({more[0]}, ...); give a file of "
            "the same depth"
        )
