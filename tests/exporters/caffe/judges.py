"""Other programs that read Caffe's files: OpenCV 4's dnn, and MNN's converter and MNN."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest

_CONVERT = "import sys, _tools; sys.exit(not _tools.mnnconvert(sys.argv))"


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
    mnn = pytest.importorskip("MNN", reason="package MNN is not installed")
    words = ["-f", "CAFFE", "--prototxt", str(folder / f"{name}.prototxt")]
    words += ["--modelFile", str(folder / f"{name}.caffemodel"), "--MNNModel", str(folder / "judge.mnn")]
    done = subprocess.run(
        [sys.executable, "-c", _CONVERT, *words, "--bizCode", "test"], capture_output=True, text=True
    )
    assert done.returncode == 0 and (folder / "judge.mnn").is_file(), done.stdout + done.stderr
    options = ({"backend": 0, "numThread": 1, "precision": "high"},)
    manager = mnn.nn.create_runtime_manager(options)
    manager.set_hint(3, 0)  # the smallest tiles of Winograd's convolutions, as the runtime takes
    net = mnn.nn.load_module_from_file(
        str(folder / "judge.mnn"), ["data"], list(outputs), runtime_manager=manager
    )
    expr = mnn.expr
    given = expr.const(planes(pixels), [len(pixels), 3, *pixels.shape[1:3]], expr.NCHW, expr.float)
    found = net.forward([given])
    return {name: expr.convert(array, expr.NCHW).read().copy() for name, array in zip(outputs, found)}
