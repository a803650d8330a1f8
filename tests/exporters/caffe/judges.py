"""Other programs that read Caffe's files: OpenCV 4's dnn, and MNN's converter and MNN."""

from __future__ import annotations

import importlib.util

import cv2
import numpy as np
import pytest

from tests.child import python

# In a process of its own: the converter prints much, and either can end the process.
_MNN = """
import sys
import MNN, _tools
import numpy as np
stem, folder, *outputs = sys.argv[1:]
words = ["convert", "-f", "CAFFE", "--prototxt", stem + ".prototxt", "--modelFile", stem + ".caffemodel"]
if not _tools.mnnconvert([*words, "--MNNModel", folder + "/judge.mnn", "--bizCode", "test"]):
    sys.exit("the converter failed")
planes, expr = np.load(folder + "/planes.npy"), MNN.expr
manager = MNN.nn.create_runtime_manager(({"backend": 0, "numThread": 1, "precision": "high"},))
manager.set_hint(3, 0)  # the smallest tiles of Winograd's convolutions, as the runtime takes
net = MNN.nn.load_module_from_file(folder + "/judge.mnn", ["data"], outputs, runtime_manager=manager)
# Networks that come from Caffe take NC4HW4: with NCHW, Scale and PReLU read past the end of their input.
given = expr.convert(expr.const(planes, list(planes.shape), expr.NCHW, expr.float), expr.NC4HW4)
found = net.forward([given])
np.savez(folder + "/found.npz", *[expr.convert(array, expr.NCHW).read().copy() for array in found])
"""


def planes(pixels):
    """Return images (B, H, W, 3) as Caffe takes them, (B, 3, H, W) float32."""
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float32)


def by_opencv(folder, name, pixels):
    """Return OpenCV's results by output."""
    if not hasattr(cv2.dnn, "readNetFromCaffe"):
        pytest.skip("OpenCV 5 has no reader of Caffe's files")
    net = cv2.dnn.readNetFromCaffe(str(folder / f"{name}.prototxt"), str(folder / f"{name}.caffemodel"))
    net.setInput(planes(pixels), "data")
    names = net.getUnconnectedOutLayersNames()
    return {output: array.copy() for output, array in zip(names, net.forward(names))}


def by_mnn(folder, name, pixels, outputs):
    """Convert the files by MNN's own converter, and return MNN's results by output."""
    if importlib.util.find_spec("MNN") is None:  # its import prints
        pytest.skip("package MNN is not installed")
    np.save(folder / "planes.npy", planes(pixels))
    python("-c", _MNN, str(folder / name), str(folder), *outputs)
    return dict(zip(outputs, np.load(folder / "found.npz").values()))
