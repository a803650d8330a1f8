"""Shared by the runtimes: import of their packages, threads, CPU features, outputs, input sizes."""

from __future__ import annotations

import contextlib
import importlib
import os
import platform
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo.errors import MissingDependency, UserError, explain
from gluon_yolo.inference.decode import RawMaps
from gluon_yolo.inference.runtimes import quiet
from gluon_yolo.landmarks import LandmarkSpec
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.system.cpu import physical_cores
from gluon_yolo.system.instructions import CPUINFO, processor_has

BROKEN = "is damaged or no ONNX file; export the model again with --format onnx"
STOPPED = "stops while it is run; unless memory is short, it is damaged: export the model again"


def to_boxes(outputs: Mapping[str, np.ndarray], spec: DetectionSpec, path: Path) -> Sequence[np.ndarray]:
    """Turn a model's outputs, for any cut, into boxes and scores.

    A graph that ends after NMS returns only the K boxes that NMS kept; each has a score for its own class and
    0 for the others.

    Args:
        outputs: by their names in the file.
        spec: of the model.
        path: of the file, for messages.

    Returns:
        Boxes (B, N, 4) float32, corners in input pixels, and scores (B, N, C) float32; for raw maps the
        :class:`gluon_yolo.inference.decode.RawMaps`.

    Raises:
        UserError: these are not the outputs of a detector.
    """
    names = set(outputs)
    if names == {"boxes", "scores"}:
        return outputs["boxes"], outputs["scores"]
    if names == {"ids", "scores", "bboxes"}:
        ids, scores = outputs["ids"], np.maximum(outputs["scores"], 0)
        return outputs["bboxes"], np.where(ids == np.arange(spec.num_classes), scores, np.float32(0))
    raw = [f"raw_{level}" for level in range(spec.num_levels)]
    if names == set(raw):
        return RawMaps([outputs[name] for name in raw], spec)
    raise UserError(
        f"{path}: its outputs are {', '.join(sorted(names)) or 'none'}, which are no detector's; export the "
        "model again"
    )


def to_results(outputs: Mapping[str, np.ndarray], spec: Any, path: Path) -> Sequence[np.ndarray]:
    """Turn a model's outputs into the results of its task.

    Args:
        outputs: by their names in the file.
        spec: of the model, a DetectionSpec or a LandmarkSpec.
        path: of the file, for messages.

    Returns:
        What :func:`to_boxes` returns; of a landmark network its one output (B, 2 * P).

    Raises:
        UserError: these are not the outputs of such a model.
    """
    if not isinstance(spec, LandmarkSpec):
        return to_boxes(outputs, spec, path)
    if set(outputs) != set(spec.output_names) or any(array.ndim != 2 for array in outputs.values()):
        raise UserError(
            f"{path}: its outputs are {', '.join(sorted(outputs)) or 'none'}, which are no landmark "
            "network's; export the model again"
        )
    return [outputs[name] for name in spec.output_names]


def spec_of_maps(spec: DetectionSpec | LandmarkSpec) -> DetectionSpec | None:
    """Return the spec that decodes a network's raw maps; None of a landmark network, which gives points."""
    return None if isinstance(spec, LandmarkSpec) else spec


_X86 = ("x86_64", "amd64", "i386", "i686")
_WITHOUT_VNNI = (
    "SSE41",
    "AVX",
    "AVX2",
    "AVX512_MIC",
    "AVX512_MIC_4OPS",
    "AVX512_CORE",
)  # oneDNN's names
TALKATIVE = ("MNN",)  # packages that print a line about the CPU when they are imported
REPORTERS = {"openvino": "openvino_telemetry"}  # packages that send usage reports
_hiding = threading.RLock()


def import_package(name: str) -> Any:
    """Import a runtime's package; nothing is printed to the standard output, and no usage report is sent.

    Raises:
        MissingDependency: it is not installed, or does not load.
    """
    talks = name in TALKATIVE and name not in sys.modules
    try:
        with quiet.output_kept() if talks else contextlib.nullcontext(), _without(REPORTERS.get(name)):
            return importlib.import_module(name)
    except (ImportError, OSError) as error:
        raise MissingDependency(explain(error, name)) from error


def threads() -> int:
    """Return the number of threads: ``OMP_NUM_THREADS``, else the number of physical cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) else physical_cores()


def has_vnni(cpuinfo: Path | None = None) -> bool:
    """Return whether this CPU sums int8 products in 32 bits in one instruction; False where unknown."""
    return processor_has({"avx512_vnni", "avx_vnni"}, cpuinfo or CPUINFO)


def sums_saturate() -> bool:
    """Return whether sums of int8 products can overflow: on x86 without VNNI, or where VNNI is switched off.

    ``ONEDNN_MAX_CPU_ISA`` can switch it off in oneDNN, which is also a part of OpenVINO.
    """
    if platform.machine().lower() not in _X86:
        return False
    asked = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or ""
    return asked.upper() in _WITHOUT_VNNI or not has_vnni()


def check_size(size_hw: Sequence[int], spec: Any) -> None:
    """Raise a UserError unless the sides of an input are multiples of the largest stride.

    A landmark network has one size, and takes no other.

    With other sizes mxnet fails at the first maps that do not fit each other; other engines may resize a map
    instead.
    """
    if isinstance(spec, LandmarkSpec):
        if tuple(size_hw) != spec.size_hw:
            own = "x".join(map(str, spec.size_hw))
            raise UserError(f"size {size_hw[0]}x{size_hw[1]}: this landmark network takes {own} alone")
        return
    if any(side < spec.max_stride or side % spec.max_stride for side in size_hw):
        raise UserError(f"size {size_hw[0]}x{size_hw[1]}: both sides must be multiples of {spec.max_stride}")


@contextlib.contextmanager
def _without(reporter: str | None) -> Iterator[None]:
    """Hide a package that sends usage reports, while a package that does not need it is imported.

    One thread at a time: the first one to end would show it to the others.
    """
    if reporter is None:
        yield
        return
    with _hiding:
        if reporter in sys.modules:
            yield
            return
        sys.modules[reporter] = None  # type: ignore[assignment]
        try:
            yield
        finally:
            del sys.modules[reporter]
