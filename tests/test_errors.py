"""One sentence for each way in which an import fails."""

from __future__ import annotations

import pytest

from gluon_yolo.errors import explain

GONE = "cannot open shared object file: No such file or directory"


@pytest.mark.parametrize(
    ("error", "package", "parts"),
    [
        (
            ModuleNotFoundError("No module named 'mxnet'", name="mxnet"),
            "mxnet",
            ["mxnet is not installed", "make setup"],
        ),
        (ModuleNotFoundError("No module named 'cv2'", name="cv2"), None, ["pip install opencv-python"]),
        (
            ModuleNotFoundError("No module named 'yacs'", name="yacs"),
            "gluoncv",
            ["yacs is not installed", "pip install yacs"],
        ),
        (
            ImportError(f"libGL.so.1: {GONE}"),
            "cv2",
            ["libGL.so.1", "opencv-python-headless", "apt-get install libgl1"],
        ),
        (ImportError(f"libgthread-2.0.so.0: {GONE}"), "cv2", ["libgthread-2.0.so.0", "libglib2.0-0"]),
        (OSError(f"libcuda.so.1: {GONE}"), "mxnet", ["CUDA build", "no NVIDIA driver", "requirements.txt"]),
        (OSError(f"libcudnn.so.8: {GONE}"), "mxnet", ["libcudnn.so.8 is missing", "requirements-gpu.txt"]),
        (OSError(f"libgomp.so.1: {GONE}"), "mxnet", ["mxnet does not load", "apt-get install libgomp1"]),
        (
            OSError(f"libarmpl_lp64_mp.so: {GONE}"),  # as on aarch64
            "mxnet",
            [
                "mxnet does not load",
                "libarmpl_lp64_mp.so is missing",
                "Arm Performance Libraries",
                "without mxnet",
            ],
        ),
        (
            ImportError(  # glibc 2.43's words
                "/v/_mnn.so: cannot enable executable stack as shared object requires: Invalid argument"
            ),
            "MNN",
            [
                "MNN is installed and does not load",
                "glibc 2.41",
                "export GLIBC_TUNABLES=glibc.rtld.execstack=2",
            ],
        ),
        (
            OSError("/v/mxnet/libmxnet.so: undefined symbol: cuGetErrorString"),
            "mxnet",
            ["mxnet is installed and does not load", "undefined symbol"],
        ),
        (
            AttributeError("module 'numpy' has no attribute 'flat'\nand many lines more"),
            "mxnet",
            [
                "does not get on with the installed NumPy (module 'numpy' has no attribute 'flat')",
                "requirements.txt",
            ],
        ),
    ],
)
def test_sentence(error, package, parts):
    sentence = explain(error, package)
    assert all(part in sentence for part in parts), sentence
    assert "\n" not in sentence
