"""The OpenCV runtime: runs NAME.prototxt and NAME.caffemodel in OpenCV 4's dnn. Imports no mxnet."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from gluon_yolo.caffe import text
from gluon_yolo.errors import MissingDependency, SettingError, UserError
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes import base, quiet
from gluon_yolo.inference.runtimes.base import check_size
from gluon_yolo.inference.runtimes.fixed_shape import FixedShape
from gluon_yolo.text import first_line

INPUT = "data"
INSTALL = 'pip install "opencv-python<5"'
_READER = "readNetFromCaffe"


def missing_reader() -> str:
    """Return a sentence about a missing reader of Caffe's files, as in OpenCV 5; empty where it is there."""
    return "" if hasattr(cv2.dnn, _READER) else f"OpenCV {cv2.__version__} has no reader of Caffe's files"


class OpenCVRuntime:
    """Run Caffe's files from pixels to boxes and scores; decoding is in NumPy. Several threads may call it.

    Their calls run one by one.

    Args:
        folder: of the files.
        files: names of the prototxt and the caffemodel.
        spec: of the model.
        shape: input shape of the files.
        gpu: must be None; OpenCV runs on the CPU here.

    Raises:
        MissingDependency: this OpenCV has no reader of Caffe's files.
        UserError: a file is absent or damaged, or ``gpu`` is not None.
    """

    def __init__(
        self, folder: Path, files: Sequence[str], spec: Any, shape: FixedShape, gpu: int | None = None
    ) -> None:
        if gpu is not None:
            raise SettingError(f"GPU {gpu}: OpenCV runs on the processor here; leave {{gpu}} away")
        missing = missing_reader()
        if missing:
            raise MissingDependency(f"{missing}: {INSTALL}")
        self._spec, self._shape, self._names = spec, shape, list(spec.output_names)
        self._path = folder / files[0]
        self._lock = threading.Lock()
        self._check_text()
        try:
            # As bytes: OpenCV opens no path with letters that the system's code page lacks.
            texts = [np.frombuffer((folder / file).read_bytes(), np.uint8) for file in files]
            with quiet.output_kept(quiet.ERRORS):
                self._net = getattr(cv2.dnn, _READER)(*texts)
            found = sorted(self._net.getUnconnectedOutLayersNames())
        except (cv2.error, OSError) as error:
            raise self._damaged(error) from error
        if found != sorted(self._names):
            raise UserError(
                f"{self._path}: its outputs are {', '.join(found)}, expected {', '.join(self._names)}; "
                "export the model again with --format caffe"
            )

    def __call__(self, pixels: np.ndarray) -> Sequence[np.ndarray]:
        """Run the network.

        Args:
            pixels: (B, h, w, 3) uint8 RGB, of the size of the files.

        Returns:
            Boxes (B, N, 4) float32, corners in input pixels, and scores (B, N, C) float32, decoded on access.
        """
        check_size(pixels.shape[1:3], self._spec)
        self._shape.check(pixels.shape[1:3], self._path.name, always=True)
        arrays = self._shape.run(self._run, pixels)
        return base.to_results(dict(zip(self._names, arrays)), self._spec, self._path)

    def _run(self, pixels: np.ndarray) -> Sequence[np.ndarray]:
        planes = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float32)
        with self._lock:
            self._net.setInput(planes, INPUT)
            try:
                return list(self._net.forward(self._names))  # copies of the network's own memory
            except cv2.error as error:  # OpenCV reads a caffemodel without weights, and misses them only now
                raise self._damaged(error) from error

    def _check_text(self) -> None:
        """Read the prototxt with protobuf, if it is installed: OpenCV 4 crashes on some damaged ones."""
        try:
            text.read(self._path)
        except MissingDependency:
            pass
        except UserError as error:
            raise self._damaged(error) from error

    def _damaged(self, error: Exception) -> UserError:
        return UserError(
            f"{self._path}: is damaged or no network of Caffe's, or its caffemodel is; export the model "
            f"again with --format caffe ({first_line(error)})"
        )


def load(record: ModelRecord, folder: Path, gpu: int | None = None) -> OpenCVRuntime:
    """Load an exported model's Caffe files.

    Args:
        record: of the model.
        folder: of the files.
        gpu: must be None: OpenCV runs on the CPU here.

    Raises:
        MissingDependency: this OpenCV has no reader of Caffe's files.
        UserError: a file is absent or damaged, or ``gpu`` is not None.
    """
    graph = record.exported("caffe", folder)
    return OpenCVRuntime(folder, graph.files, record.spec, graph.shape, gpu)
