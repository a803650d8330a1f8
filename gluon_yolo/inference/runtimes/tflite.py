"""The TFLite runtime: runs NAME.tflite in LiteRT's interpreter. Imports no mxnet."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes import base, quiet
from gluon_yolo.inference.runtimes.base import check_size, import_package, threads
from gluon_yolo.inference.runtimes.fixed_shape import FixedShape
from gluon_yolo.spec import DetectionSpec

PACKAGE = "ai_edge_litert"


class TFLiteRuntime:
    """Run a TFLite file from pixels to boxes and scores. Several threads may call it; calls run one by one.

    Args:
        path: of the file.
        spec: of the model.
        shape: fixed input shape of the file.
        gpu: must be None; LiteRT runs on the CPU here, with XNNPACK's kernels.

    Raises:
        MissingDependency: ai-edge-litert is not installed.
        UserError: the file is damaged, or ``gpu`` is not None.
    """

    def __init__(self, path: Path, spec: DetectionSpec, shape: FixedShape, gpu: int | None = None) -> None:
        if gpu is not None:
            raise SettingError(f"GPU {gpu}: LiteRT runs on the processor here; leave {{gpu}} away")
        self._path, self._spec, self._shape = path, spec, shape
        self._lock = threading.Lock()
        try:
            # From memory: an interpreter of a file keeps it mapped, and crashes when it is written again.
            self._interpreter = open_interpreter(path.read_bytes())
            (given,) = self._interpreter.get_input_details()
            self._outputs = {
                entry["name"]: entry["index"] for entry in self._interpreter.get_output_details()
            }
        except (ValueError, RuntimeError) as error:
            raise self._damaged() from error
        self._input = given["index"]

    def __call__(self, pixels: np.ndarray) -> Sequence[np.ndarray]:
        """Run the network.

        Args:
            pixels: (B, h, w, 3) uint8 RGB, of the size of the file.

        Returns:
            What :func:`gluon_yolo.inference.runtimes.base.to_results` returns.
        """
        check_size(pixels.shape[1:3], self._spec)
        self._shape.check(pixels.shape[1:3], self._path.name, always=True)
        arrays = dict(zip(self._outputs, self._shape.run(self._run, np.ascontiguousarray(pixels))))
        for name, array in arrays.items():
            if array.ndim == 4:  # a map, (B, H, W, K)
                arrays[name] = np.ascontiguousarray(array.transpose(0, 3, 1, 2))
        return base.to_results(arrays, self._spec, self._path)

    def _run(self, pixels: np.ndarray) -> Sequence[np.ndarray]:
        try:
            with self._lock:
                self._interpreter.set_tensor(self._input, pixels)
                self._interpreter.invoke()
                return [self._interpreter.get_tensor(index) for index in self._outputs.values()]
        except (ValueError, RuntimeError) as error:  # some damage shows only now
            raise self._damaged() from error

    def _damaged(self) -> UserError:
        said = "is damaged or no TFLite file of this model; export the model again with --format tflite"
        return UserError(f"{self._path}: {said}")


def load(record: ModelRecord, folder: Path, gpu: int | None = None) -> TFLiteRuntime:
    """Load an exported model's TFLite file.

    Args:
        record: of the model.
        folder: of the file.
        gpu: must be None: LiteRT runs on the CPU here.

    Raises:
        MissingDependency: ai-edge-litert is not installed.
        UserError: the file is absent or damaged, or ``gpu`` is not None.
    """
    graph = record.exported("tflite", folder)
    return TFLiteRuntime(folder / graph.files[0], record.spec, graph.shape, gpu)


def open_interpreter(content: bytes) -> Any:
    """Return LiteRT's interpreter of a file's content.

    Raises:
        MissingDependency: ai-edge-litert is not installed.
        ValueError, RuntimeError: the content is damaged.
    """
    import_package(PACKAGE)
    package = import_package(f"{PACKAGE}.interpreter")
    with quiet.output_kept(quiet.ERRORS):
        interpreter = package.Interpreter(model_content=content, num_threads=threads())
        interpreter.allocate_tensors()
    return interpreter
