"""WeightsFile: what a weights file of any kind holds, and what it says of the network it came from."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np

from gluon_yolo.compat import mx
from gluon_yolo.errors import UserError
from gluon_yolo.nn import gluoncv_names
from gluon_yolo.nn.detector import DetectionNetwork
from gluon_yolo.spec import Anchors, DetectionSpec


@dataclasses.dataclass(frozen=True)
class WeightsFile:
    """The contents of a file.

    Args:
        path: the file.
        values: arrays under our names; those that have no place here, under their own.
        is_foreign: whether another program wrote it.
        class_names: of the network in it; None when nothing tells them.
        anchors: of the network in it, by ascending stride; None when nothing tells them.
        anchors_per_level: how many these are, which more files tell.
        left_out: what in the file is not among the values, each with the reason.
        misfit: why they are not the whole network, where more than names and shapes tells.
    """

    path: Path
    values: dict[str, np.ndarray]
    is_foreign: bool
    class_names: tuple[str, ...] | None
    anchors: Anchors | None
    anchors_per_level: tuple[int, ...] | None = None
    left_out: tuple[str, ...] = ()
    misfit: str | None = None

    @classmethod
    def read(cls, path: Path, net: DetectionNetwork) -> WeightsFile:
        """Read a file: ours, GluonCV's, or of a kind that the network has a reader for.

        Args:
            path: the file.
            net: what it is to be for.

        Raises:
            UserError: when it is absent, damaged, holds no named arrays, or is of a kind that this network
                cannot read.
        """
        if not path.is_file():
            raise UserError(f"{path}: no such weights file; give a weights file or a run's folder")
        kind = _kind(path)
        if kind == "params":
            return cls._read_params(path, net.spec.num_levels)
        if kind not in net.readers:
            raise UserError(
                f"{path}: looks like {_KINDS[kind]}, which is no use to {net.zoo_name}; {_ADVICE[kind]}"
            )
        foreign = net.readers[kind](path)
        return cls(
            path,
            foreign.values,
            True,
            None,
            foreign.anchors,
            foreign.anchors_per_level,
            foreign.left_out,
            foreign.misfit,
        )

    @classmethod
    def _read_params(cls, path: Path, levels: int) -> WeightsFile:
        """Read a file of mxnet's; GluonCV counts levels from the coarsest."""
        try:
            arrays = mx.nd.load(str(path))
        except (mx.MXNetError, ValueError) as error:
            raise UserError(
                f"{path}: not a whole MXNet parameter file (truncated, or of another kind); get it anew"
            ) from error
        if not isinstance(arrays, dict) or not arrays:
            raise UserError(f"{path}: holds no named parameters; give a file saved with save_parameters")
        from_gluoncv = gluoncv_names.is_gluoncv(arrays)
        ours = gluoncv_names.translate(arrays, levels) if from_gluoncv else {}
        values: dict[str, np.ndarray]
        values = {ours.get(name) or name: array.asnumpy() for name, array in arrays.items()}
        if from_gluoncv:
            return cls(path, values, True, None, _gluoncv_anchors(values, levels))
        spec = _spec_of_run(path)
        return cls(path, values, False, spec.class_names if spec else None, spec.anchors if spec else None)


def _kind(path: Path) -> str:
    """Return what a file is by its first bytes, and where they say nothing, by its name."""
    with open(path, "rb") as file:
        start = file.read(8)
    is_pth = start.startswith((b"PK\x03\x04", b"\x80\x02"))  # a zip file, a bare pickle
    if is_pth or path.suffix in (".pth", ".pt"):
        return "pth"
    return "params" if start == _PARAMS or path.suffix in ("", ".params") else "darknet"


_PARAMS = (0x112).to_bytes(8, "little")  # how mxnet's lists of arrays begin
_KINDS = {"pth": "a PyTorch file", "darknet": "darknet weights"}
_ADVICE = {
    "pth": "such files are read for yolo_fastestv2",
    "darknet": "name its cfg with --network FILE.cfg, or yolo3_darknet53",
}


def _spec_of_run(path: Path) -> DetectionSpec | None:
    """Return the spec of the run that a parameter file lies in, if it lies in one."""
    for folder in list(path.resolve().parents)[:3]:
        try:
            return DetectionSpec.from_dict(json.loads((folder / "model.json").read_text("utf-8"))["spec"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # no such file here, or another program's
    return None


def _gluoncv_anchors(values: dict[str, np.ndarray], levels: int) -> Anchors | None:
    """Return the anchors that GluonCV keeps among a detector's parameters, coarsest level first."""
    stored = [values.get(f"yolo_outputs.{levels - 1 - level}.anchors") for level in range(levels)]
    return (
        tuple(tuple(map(tuple, level.reshape(-1, 2).tolist())) for level in stored if level is not None)
        or None
    )
