"""The ONNX Runtime runtime: runs NAME.onnx. Imports no mxnet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo.errors import UserError
from gluon_yolo.inference import embedded_record, onnx_file
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes import base
from gluon_yolo.inference.runtimes.base import check_size, has_vnni, import_package, threads
from gluon_yolo.inference.runtimes.fixed_shape import FixedShape
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.text import first_line


class OnnxRuntime:
    """Run an ONNX file of any cut from pixels to boxes and scores. Several threads may call it.

    Args:
        path: of the file.
        spec: of the model.
        gpu: index of an NVIDIA GPU; None is the CPU.
        portable: for int8: whether the file needs no VNNI; one that does is slower without it.

    Raises:
        MissingDependency: onnxruntime is not installed.
        UserError: the file is damaged, or there is no such GPU.
    """

    def __init__(
        self, path: Path, spec: DetectionSpec, gpu: int | None = None, portable: bool = False
    ) -> None:
        runtime = import_package("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads()
        options.log_severity_level = 3  # errors; its warnings do not help users of a model
        if not (portable or has_vnni()):  # int8 sums would overflow without this option
            options.add_session_config_entry("session.x64quantprecision", "1")
        providers = _providers(runtime, gpu)
        onnx_file.check_whole(path)
        try:
            session = runtime.InferenceSession(str(path), options, providers=providers)
        except Exception as error:  # its errors have no narrower base class
            raise UserError(f"{path}: {base.BROKEN} ({first_line(error)})") from error
        if gpu is not None and session.get_providers()[0] != "CUDAExecutionProvider":
            raise UserError(f"GPU {gpu}: cannot be used by onnxruntime; are CUDA and cuDNN installed?")
        self._session = session
        self._path = path
        self._spec = spec
        self._names = [output.name for output in session.get_outputs()]
        pixels = session.get_inputs()[0]
        self._input = pixels.name
        self._type = np.uint8 if pixels.type == "tensor(uint8)" else np.float32
        self._shape = FixedShape.of(pixels.shape)

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
        outputs = self._shape.run(self._run, pixels.astype(self._type, copy=False))
        return base.to_results(dict(zip(self._names, outputs)), self._spec, self._path)

    def _run(self, pixels: np.ndarray) -> Sequence[np.ndarray]:
        try:
            return self._session.run(self._names, {self._input: pixels})
        except Exception as error:  # some damage shows only now
            raise UserError(f"{self._path}: {base.STOPPED} ({first_line(error)})") from error


def load(record: ModelRecord, folder: Path, gpu: int | None = None) -> OnnxRuntime:
    """Load an exported model's ONNX file.

    Args:
        record: of the model.
        folder: of the file.
        gpu: index of an NVIDIA GPU (package onnxruntime-gpu); None is the CPU.

    Raises:
        MissingDependency: onnxruntime is not installed.
        UserError: the file is absent, damaged or of another model, or there is no such GPU.
    """
    graph = record.exported("onnx", folder)
    path = folder / graph.files[0]
    embedded_record.check(path, record)
    return OnnxRuntime(path, record.spec, gpu, graph.portable)


def _providers(runtime: Any, gpu: int | None) -> list[Any]:
    """Return the execution providers, by descending priority."""
    if gpu is None:
        return ["CPUExecutionProvider"]
    if "CUDAExecutionProvider" not in runtime.get_available_providers():
        raise UserError(
            f"GPU {gpu}: the installed onnxruntime has no CUDA; pip uninstall onnxruntime, then "
            "pip install onnxruntime-gpu"
        )
    return [("CUDAExecutionProvider", {"device_id": gpu}), "CPUExecutionProvider"]
