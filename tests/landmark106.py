"""The 106-point network of the shared data, and what Caffe and ncnn give for nine crops."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import gluon_yolo
from gluon_yolo.inference.runtimes.registry import RUNTIMES
from tests.inference.test_without_mxnet import OTHERS

FORMATS = {  # of a landmark network, by runtime
    "mxnet": "symbol",
    "onnxruntime": "onnx",
    "openvino": "openvino",
    "ncnn": "ncnn",
    "mnn": "mnn",
    "opencv": "caffe",
    "tflite": "tflite",
    "torch": "symbol",
}
RUNTIMES_HERE = [*OTHERS, *(name for name in ("mxnet", "torch") if RUNTIMES[name].installed)]
PREPARED = {"colour": "bgr", "mean": 127.5, "scale": 127.5}


class Expected:
    """The contents of ``expected.npz``.

    Args:
        folder: of the data.

    Attributes:
        image: the picture (H, W, 3) uint8 RGB.
        crops: names of all crops.
        by_the_rule: names of the crops that were cut as :class:`gluon_yolo.landmarks.LandmarkSpec` does; the
            others were cut by hand, or resized cubically, and have their pixels alone.
    """

    by_the_rule = ("ncnn500k_0", "ncnn500k_1")

    def __init__(self, folder: Path) -> None:
        with np.load(folder / "expected.npz") as file:
            self._arrays = {name: file[name] for name in file.files}
        self.image = np.ascontiguousarray(self._arrays["picture_bgr"][:, :, ::-1])
        self.crops = sorted({name.split("/")[0] for name in self._arrays if "/" in name})

    def of(self, crop: str, what: str) -> np.ndarray:
        """Return an array of a crop."""
        return self._arrays[f"{crop}/{what}"]

    def has_points(self, crop: str) -> bool:
        """Whether a crop is one of the picture."""
        return f"{crop}/points_xy" in self._arrays

    def pixels(self) -> np.ndarray:
        """Return all crops, (9, 112, 112, 3) uint8 RGB."""
        return np.stack([self.of(crop, "input_bgr")[:, :, ::-1] for crop in self.crops])

    def raw(self, what: str = "raw_opencv_caffe") -> np.ndarray:
        """Return what all crops give, (9, 212)."""
        return np.stack([self.of(crop, what) for crop in self.crops])


def import_it(data: Path, out: Path) -> Path:
    """Import the network and return its folder."""
    files = (data / "landmark106" / f"landmark106.{ending}" for ending in ("prototxt", "caffemodel"))
    return gluon_yolo.import_caffe(*files, out, task="landmarks", **PREPARED).folder
