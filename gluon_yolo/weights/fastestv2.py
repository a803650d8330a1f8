"""Yolo-FastestV2's weights: its parameter names mapped to this package's, detector and ImageNet backbone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from gluon_yolo.errors import UserError
from gluon_yolo.models.detector import Detector
from gluon_yolo.models.head_layout import DELTAS
from gluon_yolo.weights import pth_file
from gluon_yolo.weights.foreign import ForeignWeights

# Indices in the original's sequences of convolution, batch normalisation and ReLU at which a cell here
# begins.
_PROJECTION = (0, 2)
_MAIN = (0, 3, 5)
_TOWER = (0, 3, 5, 8)
# (original stage, units, stage here, index of its first unit here)
_STAGES = (("stage2", 4, 0, 2), ("stage3", 8, 0, 6), ("stage4", 4, 1, 0))
_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "running_mean", "running_var": "running_var"}
_HEADS = {
    "output_reg_layers": "heads.boxes",
    "output_obj_layers": "heads.objectness",
    "output_cls_layers": "heads.classes",
}
_COUNTER = ".num_batches_tracked"
_PREFIX = "backbone."
_FIRST = "first_conv.0"  # the original's first convolution, after any prefix
FIRST = "backbone.stages.0.0.0.weight"


def read(path: Path) -> dict[str, np.ndarray]:
    """Read a ``.pth`` file of Yolo-FastestV2 or of its backbone (see :func:`translate`).

    Raises:
        UserError: the file cannot be read (:func:`gluon_yolo.weights.pth_file.read`), or some arrays are
            absent.
    """
    return translate(pth_file.read(path), str(path))


def read_for(path: Path, net: Detector) -> ForeignWeights:
    """Read a file for a network, as :func:`read`, with the number of anchors per cell of a whole detector."""
    values = read(path)
    boxes = values.get("heads.boxes.bias")  # absent in a backbone's file
    levels = net.spec.num_levels
    return ForeignWeights(values, None if boxes is None else (len(boxes) // DELTAS,) * levels)


def translate(arrays: Mapping[str, np.ndarray], source: str) -> dict[str, np.ndarray]:
    """Rename Yolo-FastestV2's arrays, and reverse the input channels of the first convolution.

    The original is trained on pixels in BGR order, this package's networks get RGB. There is no other
    difference.

    Args:
        arrays: by PyTorch's name, of the detector or of the backbone.
        source: of the arrays, for messages.

    Returns:
        The arrays by this package's names; an array without a parameter keeps its own name. Batch counters
        are left out.

    Raises:
        UserError: some of the network's arrays are absent.
    """
    arrays = _without_path(arrays)
    names = backbone_names()
    if not names.keys() & arrays.keys():
        names = detector_names()
    missing = [name for name in names if name not in arrays]
    if missing:
        raise UserError(
            f"{source}: not the weights of a Yolo-FastestV2 or of its backbone: {len(missing)} of "
            f"{len(names)} arrays are absent ({', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''})"
        )
    ours = {names.get(name, name): array for name, array in arrays.items() if not name.endswith(_COUNTER)}
    return {**ours, FIRST: ours[FIRST][:, ::-1]}


def _without_path(arrays: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    """Return the arrays without a common prefix, such as ``module.`` of DataParallel."""
    first = f"{_FIRST}.weight"
    paths = [name[: -len(first)] for name in arrays if re.search(rf"(^|\.){re.escape(first)}$", name)]
    path = paths[0] if len(paths) == 1 else ""
    path = path[: -len(_PREFIX)] if path.endswith(_PREFIX) else path
    return {name[len(path) :] if name.startswith(path) else name: array for name, array in arrays.items()}


def detector_names() -> dict[str, str]:
    """Return the names of the detector's parameters: from the original's to this package's."""
    names = {_PREFIX + theirs: ours for theirs, ours in backbone_names().items()}
    for number, level in ((3, 0), (2, 1)):  # the original's numbers are the backbone's
        place = f"neck.levels.{level}"
        names.update(_cells(f"fpn.conv1x1_{number}", f"{place}.narrow", None))
        names.update(_cells(f"fpn.cls_head_{number}.block", f"{place}.classes", _TOWER))
        names.update(_cells(f"fpn.reg_head_{number}.block", f"{place}.boxes", _TOWER))
    for theirs, ours in _HEADS.items():
        names.update({f"{theirs}.{kind}": f"{ours}.{kind}" for kind in ("weight", "bias")})
    return names


def backbone_names() -> dict[str, str]:
    """Return the names of the backbone's parameters: from the original's to this package's."""
    names = dict(_cells(_FIRST[: -len(".0")], "backbone.stages.0.0", None))
    for theirs, units, stage, first in _STAGES:
        for unit in range(units):
            place = f"backbone.stages.{stage}.{first + unit}"
            if unit == 0:
                names.update(_cells(f"{theirs}.{unit}.branch_proj", f"{place}.projection", _PROJECTION))
            names.update(_cells(f"{theirs}.{unit}.branch_main", f"{place}.main", _MAIN))
    return names


def _cells(theirs: str, ours: str, starts: Sequence[int] | None) -> Iterator[tuple[str, str]]:
    """Yield pairs of names of a sequence's parameters; without ``starts`` it is a single cell."""
    for cell, start in enumerate(starts or (0,)):
        place = ours if starts is None else f"{ours}.{cell}"
        yield f"{theirs}.{start}.weight", f"{place}.0.weight"
        for theirs_kind, kind in _NORM.items():
            yield f"{theirs}.{start + 1}.{theirs_kind}", f"{place}.1.{kind}"
