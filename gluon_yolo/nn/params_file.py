"""ParamsFile: what a ``.params`` file holds, and what it and its folder say of the network it came from."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np

from gluon_yolo.compat import mx
from gluon_yolo.errors import UserError
from gluon_yolo.nn import gluoncv_names
from gluon_yolo.spec import Anchors, DetectionSpec


@dataclasses.dataclass(frozen=True)
class ParamsFile:
    """The contents of a parameter file.

    Args:
        path: the file.
        values: arrays under our names; those that have no place here, under their own.
        from_gluoncv: whether GluonCV wrote it.
        class_names: of the network in it; None when nothing tells them.
        anchors: of the network in it, by ascending stride; None when nothing tells them.
    """

    path: Path
    values: dict[str, np.ndarray]
    from_gluoncv: bool
    class_names: tuple[str, ...] | None
    anchors: Anchors | None

    @classmethod
    def read(cls, path: Path, levels: int) -> ParamsFile:
        """Read a file of ours or of GluonCV's.

        Args:
            path: the file.
            levels: of the detector; GluonCV counts them from the coarsest.

        Raises:
            UserError: when it is absent, damaged, or holds no named arrays.
        """
        if not path.is_file():
            raise UserError(f"{path}: no such weights file; give a .params file or a run's folder")
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
