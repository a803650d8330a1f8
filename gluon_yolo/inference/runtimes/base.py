"""What the runtimes beside mxnet share: the package that runs a model, threads, sizes that it can take."""

from __future__ import annotations

import contextlib
import importlib
import os
import platform
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo.errors import MissingDependency, UserError, explain
from gluon_yolo.inference.decode import RawMaps
from gluon_yolo.inference.runtimes import quiet
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.system.cpu import physical_cores

BROKEN = "is damaged or no ONNX file; export the model again with --format onnx"


def to_boxes(outputs: Mapping[str, np.ndarray], spec: DetectionSpec) -> Sequence[np.ndarray]:
    """Turn a model's outputs, wherever it was cut, into boxes and scores.

    Of a model that ends behind suppression only what that let stand can be given, at most K boxes; each has a
    score for its own class and 0 for the others.

    Args:
        outputs: by their names in the file.
        spec: of the model.

    Returns:
        Boxes (B, N, 4) float32, corners in input pixels, and scores (B, N, C) float32; of raw maps the
        :class:`gluon_yolo.inference.decode.RawMaps` that give them.

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
        return RawMaps([outputs[name] for name in raw], spec)
    raise UserError(
        f"its outputs are {', '.join(sorted(names))}, which are no detector's; export the model again"
    )


CPUINFO = Path("/proc/cpuinfo")
_X86 = ("x86_64", "amd64", "i386", "i686")
_WITHOUT_VNNI = (
    "SSE41",
    "AVX",
    "AVX2",
    "AVX512_MIC",
    "AVX512_MIC_4OPS",
    "AVX512_CORE",
)  # as oneDNN names them
TALKATIVE = ("MNN",)  # packages that print a line about the processor when they are imported
REPORTERS = {"openvino": "openvino_telemetry"}  # what sends to a package's maker how it is used


def import_package(name: str) -> Any:
    """Import a runtime's package and return it; the standard output stays as it is, and nobody is told.

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
    """Return how many threads to compute with: as ``OMP_NUM_THREADS`` says, else the physical cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdecimal() and int(asked) else physical_cores()


def processor_has(features: Collection[str], cpuinfo: Path = CPUINFO) -> bool:
    """Return whether the processor's flags hold one of these; False where none can tell."""
    try:
        return not set(features).isdisjoint(cpuinfo.read_text(errors="replace").split())
    except OSError:
        return False


def has_vnni(cpuinfo: Path | None = None) -> bool:
    """Return whether this processor sums products of int8 in 32 bits, and fast; False where none can tell."""
    return processor_has({"avx512_vnni", "avx_vnni"}, cpuinfo or CPUINFO)


def sums_saturate() -> bool:
    """Return whether sums of int8's products may overflow here: on x86 without VNNI, or where it is not used.

    oneDNN, of which OpenVINO has its own, can be told by ``ONEDNN_MAX_CPU_ISA`` to leave it alone.
    """
    if platform.machine().lower() not in _X86:
        return False
    asked = os.environ.get("ONEDNN_MAX_CPU_ISA") or os.environ.get("DNNL_MAX_CPU_ISA") or ""
    return asked.upper() in _WITHOUT_VNNI or not has_vnni()


def check_size(size_hw: Sequence[int], spec: DetectionSpec) -> None:
    """Raise a UserError unless an input of this height and width suits the network's grids.

    mxnet says so where two maps do not fit together; other engines may stretch one instead.
    """
    if any(side < spec.max_stride or side % spec.max_stride for side in size_hw):
        raise UserError(f"size {size_hw[0]}x{size_hw[1]}: both sides must be multiples of {spec.max_stride}")


@contextlib.contextmanager
def _without(reporter: str | None) -> Iterator[None]:
    """Hide a package that sends reports, which the one that is imported meanwhile can do without."""
    if reporter is None or reporter in sys.modules:
        yield
        return
    sys.modules[reporter] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[reporter]
