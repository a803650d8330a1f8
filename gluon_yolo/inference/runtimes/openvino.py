"""The OpenVINO runtime: runs OpenVINO's own files, or NAME.onnx. Imports no mxnet."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo.errors import UserError
from gluon_yolo.inference import embedded_record, onnx_file
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes import base
from gluon_yolo.inference.runtimes.base import check_size, import_package, sums_saturate, threads
from gluon_yolo.inference.runtimes.fixed_shape import FixedShape
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.text import first_line

KEPT_SHAPES = 4
INT8_KERNELS = "LP_TRANSFORMS_MODE"  # an internal property of OpenVINO: False computes int8 graphs in float32


class OpenVINORuntime:
    """Run a file of any cut from pixels to boxes and scores. Several threads may call it.

    The model is compiled once for each input shape: a graph with fixed shapes is faster.

    Args:
        path: an ONNX file, or OpenVINO's ``.xml`` with its ``.bin`` beside it.
        spec: of the model.
        gpu: index of an Intel GPU; None is the CPU.
        precision: of the model's record. ``bfloat16`` computes in bfloat16 where the device supports it; all
            others in float32 (or in int8, if the file does).
        portable: for int8: whether the file needs no VNNI; one that does is computed in float32 without it,
            with the same boxes.

    Raises:
        MissingDependency: openvino is not installed.
        UserError: the file is damaged, or there is no such GPU.
    """

    def __init__(
        self,
        path: Path,
        spec: DetectionSpec,
        gpu: int | None = None,
        precision: str = "float32",
        portable: bool = False,
    ) -> None:
        openvino = import_package("openvino")
        self._core = openvino.Core()
        self._device = _device(self._core, gpu)
        hint = "bf16" if precision == "bfloat16" else "f32"
        self._options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
        if gpu is None:
            self._options["INFERENCE_NUM_THREADS"] = threads()
            self._options["ENABLE_CPU_PINNING"] = (
                False  # otherwise the calling thread stays pinned to one core, with its child threads
            )
            if precision == "int8" and not portable and sums_saturate():
                self._options[INT8_KERNELS] = False
        if path.suffix.lower() == ".onnx":
            onnx_file.check_whole(path)
        self._path = path
        self._spec = spec
        try:
            self._model = self._core.read_model(path)
            self._names = [output.any_name for output in self._model.outputs]
            sides = self._model.inputs[0].partial_shape
        # RuntimeError; of damaged names UnicodeDecodeError; without inputs IndexError
        except Exception as error:
            raise UserError(f"{path}: {_broken(path)}") from error
        self._shape = FixedShape.of([side.get_length() if side.is_static else None for side in sides])
        if INT8_KERNELS in self._options and self._shape.batch is None:  # it fails to compile for more
            self._shape = self._shape._replace(batch=1)
        element = self._model.inputs[0].element_type.get_type_name()
        self._type = np.uint8 if element == "u8" else np.float32
        self._compiled: OrderedDict[tuple[int, ...], Any] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, pixels: np.ndarray) -> Sequence[np.ndarray]:
        """Run the network.

        Args:
            pixels: (B, h, w, 3) uint8 RGB; h and w are multiples of the largest stride. Calls may differ in
                size.

        Returns:
            Boxes (B, N, 4) float32, corners in input pixels, and scores (B, N, C) float32.
        """
        check_size(pixels.shape[1:3], self._spec)
        self._shape.check(pixels.shape[1:3], self._path.name)
        outputs = self._shape.run(self._run, np.ascontiguousarray(pixels, dtype=self._type))
        return base.to_results(dict(zip(self._names, outputs)), self._spec, self._path)

    def _run(self, pixels: np.ndarray) -> Sequence[np.ndarray]:
        compiled, free = self._compile(pixels.shape)
        try:
            request = free.pop()
        except IndexError:  # a check before pop() is no help: another thread may be faster
            request = compiled.create_infer_request()
        try:
            request.infer([pixels], share_inputs=True)
        except RuntimeError as error:
            raise UserError(f"{self._path}: {base.STOPPED} ({first_line(error)})") from error
        outputs = [request.get_output_tensor(place).data.copy() for place in range(len(self._names))]
        free.append(request)
        return outputs

    def _compile(self, shape: tuple[int, ...]) -> tuple[Any, list[Any]]:
        """Return the model compiled for an input shape, and its unused infer requests."""
        with self._lock:
            if shape not in self._compiled:
                self._compiled[shape] = (self._compiled_for(shape), [])
                if len(self._compiled) > KEPT_SHAPES:
                    self._compiled.popitem(last=False)
            self._compiled.move_to_end(shape)
            return self._compiled[shape]

    def _compiled_for(self, shape: tuple[int, ...]) -> Any:
        model = self._model.clone()
        try:
            model.reshape(list(shape))
        except RuntimeError as error:  # the last line says what; before it are places in OpenVINO's source
            reason = str(error).strip().splitlines()[-1]
            raise UserError(f"{self._path}: {_broken(self._path)} ({reason})") from error
        try:
            return self._core.compile_model(model, self._device, self._options)
        except RuntimeError as error:
            if INT8_KERNELS in self._options:
                raise UserError(
                    f"{self._path}: in int8 it overflows on a processor without VNNI, and this OpenVINO "
                    "cannot compute it otherwise; quantize the model again, or take --runtime onnxruntime"
                ) from error
            raise UserError(f"{self._path}: {_broken(self._path)} ({first_line(error)})") from error


def load(record: ModelRecord, folder: Path, gpu: int | None = None) -> OpenVINORuntime:
    """Load an exported model: OpenVINO's own files if there are any, else the ONNX file.

    Args:
        record: of the model.
        folder: of its files.
        gpu: index of an Intel GPU; None is the CPU.

    Raises:
        MissingDependency: openvino is not installed.
        UserError: a file is absent, damaged or of another model, or there is no such GPU.
    """
    graph = record.exported("openvino" if "openvino" in record.formats else "onnx", folder)
    path = folder / graph.files[0]
    embedded_record.check(path, record)
    return OpenVINORuntime(path, record.spec, gpu, record.precision, graph.portable)


def _broken(path: Path) -> str:
    """Return what may be wrong with a file that OpenVINO cannot read."""
    if path.suffix == ".onnx":
        return base.BROKEN
    return "it or the .bin beside it is damaged; export the model again with --format openvino"


def _device(core: Any, gpu: int | None) -> str:
    """Return OpenVINO's name of the device."""
    if gpu is None:
        return "CPU"
    known = [name for name in core.available_devices if name.startswith("GPU")]
    wanted = f"GPU.{gpu}"
    if wanted in known or (gpu == 0 and "GPU" in known):
        return wanted if wanted in known else "GPU"
    raise UserError(f"GPU {gpu}: OpenVINO, which knows Intel's, finds {', '.join(known) or 'none'}")
