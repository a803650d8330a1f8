"""The MNN runtime: runs NAME.mnn. Imports no mxnet."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes import base, quiet
from gluon_yolo.inference.runtimes.base import check_size, import_package, threads
from gluon_yolo.inference.runtimes.fixed_shape import ANY, FixedShape
from gluon_yolo.spec import DetectionSpec

INPUT = "data"
# Largest tile of Winograd convolutions. With the default, 3, boxes are a pixel off, at 4 % less time.
WINOGRAD_HINT, SMALLEST = 3, 0


class MNNRuntime:
    """Run an MNN file from pixels to boxes and scores. Several threads may call it; calls run one by one.

    Args:
        path: of the file.
        spec: of the model.
        outputs: names of the graph's outputs, from the record.
        gpu: must be None; MNN's GPU backends are not supported here.
        shape: fixed input shape, which the file does not tell.

    Raises:
        MissingDependency: MNN is not installed.
        UserError: the file is damaged, or ``gpu`` is not None.
    """

    def __init__(
        self,
        path: Path,
        spec: DetectionSpec,
        outputs: Sequence[str],
        gpu: int | None = None,
        shape: FixedShape = ANY,
    ) -> None:
        if gpu is not None:
            raise SettingError(f"GPU {gpu}: MNN runs on the processor here; leave {{gpu}} away")
        package = import_package("MNN")
        self._expr = package.expr
        self._path = path
        self._shape = shape
        self._spec = spec
        self._names = list(outputs)
        self._lock = threading.Lock()
        options = {"backend": 0, "numThread": threads(), "precision": "normal"}  # float32
        self._ran = False
        try:
            with quiet.output_kept():
                self._manager = package.nn.create_runtime_manager((options,))
                self._manager.set_hint(WINOGRAD_HINT, SMALLEST)
                self._net = package.nn.load_module_from_file(
                    str(path), [INPUT], self._names, runtime_manager=self._manager, shape_mutable=True
                )
        except Exception as error:  # MNN raises no narrower class
            raise UserError(
                f"{path}: is damaged or no file of MNN's; export the model again with --format mnn"
            ) from error

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
        arrays = self._shape.run(self._run, np.ascontiguousarray(pixels))
        return base.to_results(dict(zip(self._names, arrays)), self._spec, self._path)

    def _run(self, pixels: np.ndarray) -> Sequence[np.ndarray]:
        with self._lock, contextlib.nullcontext() if self._ran else quiet.output_kept():
            self._ran = True
            given = self._expr.const(pixels, list(pixels.shape), self._expr.NCHW, self._expr.uint8)
            found = self._net.forward([given])
            return [self._expr.convert(array, self._expr.NCHW).read().copy() for array in found]


def load(record: ModelRecord, folder: Path, gpu: int | None = None) -> MNNRuntime:
    """Load an exported model's MNN file.

    Args:
        record: of the model.
        folder: of the file.
        gpu: must be None: MNN runs on the CPU here.

    Raises:
        MissingDependency: MNN is not installed.
        UserError: the file is absent or damaged, or ``gpu`` is not None.
    """
    graph = record.exported("mnn", folder)
    return MNNRuntime(folder / graph.files[0], record.spec, graph.outputs, gpu, graph.shape)
