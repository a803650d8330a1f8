"""What the runtimes of NAME.onnx share: its place, the package that runs it, threads, and its outputs."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo.cores import physical_cores
from gluon_yolo.errors import MissingDependency, UserError
from gluon_yolo.inference.decode import decode
from gluon_yolo.inference.model_file import ModelFile
from gluon_yolo.missing import explain
from gluon_yolo.spec import DetectionSpec

BROKEN = "is damaged or no ONNX file; export the model again with --format onnx"


def path_of(record: ModelFile, folder: Path) -> Path:
    """Return the path of a model's ONNX file.

    Raises:
        UserError: when there is none.
    """
    path = folder / f"{record.name}.onnx"
    if not path.is_file():
        raise UserError(f"{path}: no such file; write it with `gluon_yolo export --format onnx`")
    return path


def import_package(name: str) -> Any:
    """Import a runtime's package and return it.

    Raises:
        MissingDependency: it is not installed, or does not load.
    """
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:
        raise MissingDependency(explain(error, name)) from error


def threads() -> int:
    """Return how many threads to compute with: as ``OMP_NUM_THREADS`` says, else the physical cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) else physical_cores()


def check_size(pixels: np.ndarray, spec: DetectionSpec) -> None:
    """Raise a UserError unless height and width of (B, h, w, 3) suit the network's grids.

    mxnet says so where two maps do not fit together; other engines may stretch one instead.
    """
    if any(side % spec.max_stride for side in pixels.shape[1:3]):
        raise UserError(
            f"size {pixels.shape[1]}x{pixels.shape[2]}: both sides must be multiples of {spec.max_stride}"
        )


def to_boxes(outputs: Mapping[str, np.ndarray], spec: DetectionSpec) -> tuple[np.ndarray, np.ndarray]:
    """Turn a model's outputs, wherever it was cut, into boxes and scores.

    Of a model that ends behind suppression only what that let stand can be given, at most K boxes; each has a
    score for its own class and 0 for the others.

    Args:
        outputs: by their names in the file.
        spec: of the model.

    Returns:
        Boxes (B, N, 4) float32, corners in input pixels, and scores (B, N, C) float32.

    Raises:
        UserError: when these are no model's outputs.
    """
    names = set(outputs)
    if names == {"boxes", "scores"}:
        return outputs["boxes"], outputs["scores"]
    if names == {"ids", "scores", "bboxes"}:
        ids, scores = outputs["ids"], np.maximum(outputs["scores"], 0)
        return outputs["bboxes"], np.where(ids == np.arange(spec.num_classes), scores, np.float32(0))
    raw = [f"raw_{level}" for level in range(spec.num_levels)]
    if names == set(raw):
        return decode([outputs[name] for name in raw], spec)
    raise UserError(
        f"its outputs are {', '.join(sorted(names))}, which are no detector's; export the model again"
    )
