"""The registry of runtimes: their names, and which of them can run a given model. Imports none of them."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Callable

import numpy as np

from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.inference.exported_format import ALWAYS_FIXED
from gluon_yolo.inference.model_files import find_model_record, weights_of
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.system import memory
from gluon_yolo.text import did_you_mean

Network = Callable[[np.ndarray], Sequence[np.ndarray]]
"""Pixels (B, h, w, 3) uint8 RGB to a pair: boxes (B, N, 4) in input pixels and scores (B, N, C)."""


@dataclasses.dataclass(frozen=True)
class Runtime:
    """One runtime: the module ``NAME.py`` in this folder, with ``load(record, folder, gpu=None) -> Network``.

    Args:
        package: that the module imports.
        formats: that it reads, keys of ``exported_format.ENDINGS``; the first one that a model has is used.
        builds: whether it runs networks too, which a run, an imported model or a weights file has; it then
            has ``from_block(net, gpu=None) -> Network``.
        for_gpus: whether it is left to GPUs, unless it is named: on a CPU ``auto`` and ``quantize`` do not
            try it.
        crashes: whether its reader, in C++, ends the process at some damaged files. A file that is not as the
            export wrote it is then refused, and one of which the record says nothing is tried in another
            process first (:mod:`gluon_yolo.inference.runtimes.trial`).
        function: of the package, which not every version has; the package is one that all of this needs.
    """

    package: str
    formats: tuple[str, ...]
    builds: bool = False
    for_gpus: bool = False
    crashes: bool = False
    function: str = ""

    @property
    def installed(self) -> bool:
        """Whether its package is installed; importing it may still fail."""
        if importlib.util.find_spec(self.package) is None:
            return False
        found: Any = importlib.import_module(self.package) if self.function else None
        for name in filter(None, self.function.split(".")):
            found = getattr(found, name, None)
        return not self.function or found is not None


# Those that crash: of 300 files each that `python -m endurance.garbage` damaged, MNN 3.6.1 ended the process
# at 6, ncnn 1.0.20261020 at 1. OpenCV 4 does at some prototxts, which protobuf reads first where it is
# installed. OpenVINO 2026.4.1, ONNX Runtime 1.32.0 and LiteRT 2.3.0 gave errors, or went on, at 1,000 and
# more files each. mxnet and torch are given symbols and arrays that were checked before.
RUNTIMES = {
    "mxnet": Runtime("mxnet", ("symbol",), builds=True),
    "onnxruntime": Runtime("onnxruntime", ("onnx",)),
    "openvino": Runtime("openvino", ("openvino", "onnx")),
    "ncnn": Runtime("ncnn", ("ncnn",), crashes=True),
    "mnn": Runtime("MNN", ("mnn",), crashes=True),
    # On a CPU it loads for seconds, and is not the fastest. Fastest calls of Yolo-Fastest at 320, two threads
    # of an AMD EPYC: ONNX Runtime 2.1 ms, OpenVINO 2.5, ncnn 2.8, torch 5.6, mxnet 6.7.
    "torch": Runtime("torch", ("symbol",), builds=True, for_gpus=True),
    "tflite": Runtime("ai_edge_litert", ("tflite",), crashes=True),
    "opencv": Runtime("cv2", ("caffe",), crashes=True, function="dnn.readNetFromCaffe"),  # OpenCV 5 lacks it
}


BUILDERS = tuple(name for name, runtime in RUNTIMES.items() if runtime.builds)


def known(name: str) -> Runtime:
    """Return the runtime of a name.

    Raises:
        UserError: there is none.
    """
    if name not in RUNTIMES:
        raise UserError(
            f"runtime {name!r}: unknown; {did_you_mean(name, RUNTIMES)}known are {', '.join(RUNTIMES)}"
        )
    return RUNTIMES[name]


def module_of(name: str) -> Any:
    """Import a runtime's module and return it.

    Raises:
        UserError: there is no runtime of this name.
        MissingDependency: its package is not installed.
    """
    known(name)
    return importlib.import_module(f"gluon_yolo.inference.runtimes.{name}")


def load(name: str, record: ModelRecord, folder: Path, gpu: int | None = None) -> Network:
    """Load an exported model.

    Args:
        name: of the runtime.
        record: of the model.
        folder: of its files.
        gpu: index of a GPU; None is the CPU.

    Raises:
        UserError: there is no such runtime, or the model has no file for it, or the file is damaged.
        MissingDependency: the runtime's package is not installed.
    """
    return module_of(name).load(record, folder, gpu=gpu)


def load_run(name: str, record: ModelRecord, path: Path, gpu: int | None = None) -> Network:
    """Build the network of a run or an imported model, with its weights.

    Args:
        name: of the runtime.
        record: of the run.
        path: the run's folder, ``RUN/best``, ``RUN/last``, or a weights file in it.
        gpu: index of a GPU; None is the CPU.

    Raises:
        UserError: the runtime runs exported models only, or there are no weights, or they do not fit.
        MissingDependency: mxnet, or the runtime's package, is not installed.
    """
    if not known(name).builds:
        raise UserError(
            f"{path}: is a run, which only {' and '.join(BUILDERS)} read; export it, then load that with "
            f"{name}"
        )
    module_of(name)  # says at once what is missing
    net = module_of("mxnet").from_record(record, find_model_record(path).parent, weights_of(path))
    network = from_block(name, net, gpu)
    del net
    memory.give_back()  # the runtime has a copy
    return network


def from_block(name: str, net: Any, gpu: int | None = None) -> Network:
    """Copy a network in memory into a runtime.

    Args:
        name: of the runtime.
        net: the network.
        gpu: index of a GPU; None is the CPU.

    Raises:
        UserError: the runtime runs exported models only, or cannot use the GPU.
        MissingDependency: the runtime's package is not installed.
    """
    if not known(name).builds:
        raise SettingError(
            f"{{runtime}} {name}: runs exported models; a network runs in {' and '.join(BUILDERS)}"
        )
    return module_of(name).from_block(net, gpu=gpu)


def builder_for(gpu: int | None) -> str:
    """Return the runtime for networks: mxnet, or, if it is installed, torch for a GPU that mxnet cannot use.

    Args:
        gpu: index of a GPU; None is the CPU.

    Raises:
        MissingDependency: mxnet is not installed.
    """
    if gpu is not None and RUNTIMES["torch"].installed:
        try:
            module_of("mxnet").check_gpu(gpu)
        except UserError:
            return "torch"
    return "mxnet"


def kind_for(name: str, record: ModelRecord) -> str | None:
    """Return the format of a model that a runtime reads; None where the model has none for it."""
    return next((kind for kind in known(name).formats if kind in record.formats), None)


def check_fixed(name: str, record: ModelRecord, size_hw: tuple[int, int]) -> None:
    """Raise a UserError where the file that a runtime would read is fixed to another input size."""
    kind = kind_for(name, record)
    if kind is not None:
        record.formats[kind].shape.check(size_hw, record.formats[kind].files[0], kind in ALWAYS_FIXED)


def _scored(name: str, record: ModelRecord) -> Sequence[str]:
    """Return the runtimes whose accuracy was measured with a runtime's graph; all where none was."""
    kind = next(kind for kind in known(name).formats if kind in record.formats)
    return record.formats[kind].runtimes or tuple(RUNTIMES)


def candidates(
    record: ModelRecord, size_hw: tuple[int, int] | None = None, gpu: int | None = None
) -> list[str]:
    """Return the runtimes that are installed and have a file of a model.

    If none is installed, the result is one that is not; its loading then tells what to install. For an int8
    model they are those with a measured, good enough accuracy, unless none of these is installed.

    Args:
        record: of the model.
        size_hw: height and width of the images in pixels, to which a file may not be fixed; None is the
            model's.
        gpu: index of a GPU; None is the CPU.

    Raises:
        UserError: the model has no format that any of them reads, or none that takes this size.
    """
    fitting = [
        name
        for name, runtime in RUNTIMES.items()
        if set(runtime.formats) & set(record.formats) and _tried(runtime, record, gpu)
    ]
    if not fitting:
        raise UserError(
            f"model {record.name} is there as {', '.join(record.formats)}, which nothing here runs"
        )
    scored = [name for name in fitting if name in _scored(name, record)]
    if any(RUNTIMES[name].installed for name in scored):
        fitting = scored
    refused: list[UserError] = []
    for name in list(fitting):
        try:
            check_fixed(name, record, size_hw or record.size_hw)
        except UserError as error:
            fitting.remove(name)
            refused.append(error)
    if not fitting:
        raise refused[0]
    smallest_first = sorted(fitting, key="mxnet".__eq__)  # the smallest package to install
    return [name for name in fitting if RUNTIMES[name].installed] or smallest_first[:1]


def _tried(runtime: Runtime, record: ModelRecord, gpu: int | None) -> bool:
    """Return whether a runtime is tried for a model without being named."""
    return not runtime.for_gpus or (gpu is not None and runtime.installed and record.precision != "int8")


def limit_of(name: str, record: ModelRecord, name_of_limit: str = "max_detections") -> int | None:
    """Return how many boxes per image a model's graph returns to a runtime, or compares; None for all.

    There is a limit where the graph ends after NMS and its earlier outputs are not available.

    Args:
        name: of the runtime.
        record: of the model.
        name_of_limit: ``max_detections``, or ``max_candidates`` for the boxes that its NMS compares.
    """
    formats = [record.formats[kind] for kind in RUNTIMES[name].formats if kind in record.formats]
    if not formats or formats[0].decoded or not formats[0].nms:
        return None
    limit = formats[0].nms.get(name_of_limit)
    return None if limit is None else int(limit)
