"""Yolo-FastestV2's parameter names, said in ours: the whole detector and its ImageNet backbone."""

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

# Theirs number convolution, batch norm and ReLU one after the other; where each of our cells begins.
_PROJECTION = (0, 2)
_MAIN = (0, 3, 5)
_TOWER = (0, 3, 5, 8)
# (their stage, units, our stage, our number of its first unit)
_STAGES = (("stage2", 4, 0, 2), ("stage3", 8, 0, 6), ("stage4", 4, 1, 0))
_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "running_mean", "running_var": "running_var"}
_HEADS = {
    "output_reg_layers": "heads.boxes",
    "output_obj_layers": "heads.objectness",
    "output_cls_layers": "heads.classes",
}
_COUNTER = ".num_batches_tracked"
_PREFIX = "backbone."
_FIRST = "first_conv.0"  # their first convolution, below what stands before
FIRST = "backbone.stages.0.0.0.weight"


def read(path: Path) -> dict[str, np.ndarray]:
    """Read a ``.pth`` file of Yolo-FastestV2 or of its backbone; see :func:`translate`.

    Raises:
        UserError: the file is no such file (:func:`gluon_yolo.weights.pth_file.read`), or lacks some arrays.
    """
    return translate(pth_file.read(path), str(path))


def read_for(path: Path, net: Detector) -> ForeignWeights:
    """Read a file for a network, as :func:`read` does; a whole detector's tells its anchors a cell."""
    values = read(path)
    boxes = values.get("heads.boxes.bias")  # a backbone by itself has none
    levels = net.spec.num_levels
    return ForeignWeights(values, None if boxes is None else (len(boxes) // DELTAS,) * levels)


def translate(arrays: Mapping[str, np.ndarray], source: str) -> dict[str, np.ndarray]:
    """Turn Yolo-FastestV2's arrays into ours.

    The network was trained on pixels in the order blue, green, red, and ours gets them as red, green, blue:
    its first convolution's input channels change places. Nothing else differs.

    Args:
        arrays: by PyTorch's name, of the detector, or of the backbone alone.
        source: where they come from, for messages.

    Returns:
        By our names; what has no place here, under its own. Counters of batches are left out.

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
    """Return arrays without what stands before their names: ``module.`` of DataParallel, or the like."""
    first = f"{_FIRST}.weight"
    paths = [name[: -len(first)] for name in arrays if re.search(rf"(^|\.){re.escape(first)}$", name)]
    path = paths[0] if len(paths) == 1 else ""
    path = path[: -len(_PREFIX)] if path.endswith(_PREFIX) else path
    return {name[len(path) :] if name.startswith(path) else name: array for name, array in arrays.items()}


def detector_names() -> dict[str, str]:
    """Return the detector's parameters: theirs to ours."""
    names = {_PREFIX + theirs: ours for theirs, ours in backbone_names().items()}
    for number, level in ((3, 0), (2, 1)):  # they count as the backbone does, we from the coarsest
        place = f"neck.levels.{level}"
        names.update(_cells(f"fpn.conv1x1_{number}", f"{place}.narrow", None))
        names.update(_cells(f"fpn.cls_head_{number}.block", f"{place}.classes", _TOWER))
        names.update(_cells(f"fpn.reg_head_{number}.block", f"{place}.boxes", _TOWER))
    for theirs, ours in _HEADS.items():
        names.update({f"{theirs}.{kind}": f"{ours}.{kind}" for kind in ("weight", "bias")})
    return names


def backbone_names() -> dict[str, str]:
    """Return the parameters of the backbone by itself: theirs to ours."""
    names = dict(_cells(_FIRST[: -len(".0")], "backbone.stages.0.0", None))
    for theirs, units, stage, first in _STAGES:
        for unit in range(units):
            place = f"backbone.stages.{stage}.{first + unit}"
            if unit == 0:
                names.update(_cells(f"{theirs}.{unit}.branch_proj", f"{place}.projection", _PROJECTION))
            names.update(_cells(f"{theirs}.{unit}.branch_main", f"{place}.main", _MAIN))
    return names


def _cells(theirs: str, ours: str, starts: Sequence[int] | None) -> Iterator[tuple[str, str]]:
    """Yield the names of a sequence's parameters; without starts it is a single cell."""
    for cell, start in enumerate(starts or (0,)):
        place = ours if starts is None else f"{ours}.{cell}"
        yield f"{theirs}.{start}.weight", f"{place}.0.weight"
        for theirs_kind, kind in _NORM.items():
            yield f"{theirs}.{start + 1}.{theirs_kind}", f"{place}.1.{kind}"
