"""mxnet_compat: the workarounds for the imports of mxnet and gluoncv, and their messages."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import types
import warnings
from pathlib import Path

import pytest

from gluon_yolo import mxnet_compat
from gluon_yolo.errors import MissingDependency, UserError
from tests.child import python

ROOT = Path(__file__).resolve().parent.parent


def test_mxnet_computes_and_gluoncv_builds_a_network():
    assert mxnet_compat.nd.ones((2, 3)).sum().asscalar() == 6
    gluoncv = mxnet_compat.gluoncv()
    assert mxnet_compat.gluoncv() is gluoncv
    net = gluoncv.model_zoo.get_model("yolo3_mobilenet1.0_custom", classes=["a", "b"], pretrained_base=False)
    net.initialize()
    ids, scores, boxes = net(mxnet_compat.nd.zeros((1, 3, 64, 64)))
    assert ids.shape == scores.shape == (1, 100, 1) and boxes.shape == (1, 100, 4)


def test_settings_are_made_and_the_users_are_kept(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    mxnet_compat._prepare()
    assert os.environ["OMP_NUM_THREADS"] == str(mxnet_compat.physical_cores())

    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    mxnet_compat._prepare()
    assert os.environ["OMP_NUM_THREADS"] == "7"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("active", "5000")),
        ({"OMP_WAIT_POLICY": "passive"}, ("passive", None)),  # a number would make it spin
        ({"GOMP_SPINCOUNT": "100"}, (None, "100")),
        ({"OMP_NUM_THREADS": "1"}, ("active", "5000")),
    ],
)
def test_threads_wait_actively_for_a_short_time_unless_the_user_says_how(monkeypatch, given, expected):
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    mxnet_compat._prepare()
    assert tuple(map(os.environ.get, names)) == expected


def test_torch_is_hidden_and_comes_back_as_it_was(monkeypatch):
    torch, functional = types.ModuleType("torch"), types.ModuleType("torch.nn.functional")
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch.nn.functional", functional)
    with mxnet_compat._without("torch"):
        for name in ("torch", "torch.nn.functional"):
            with pytest.raises(ImportError):
                importlib.import_module(name)
    assert sys.modules["torch"] is torch
    assert sys.modules["torch.nn.functional"] is functional


def test_an_unimported_torch_leaves_no_trace(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    with pytest.raises(ZeroDivisionError), mxnet_compat._without("torch"):
        raise ZeroDivisionError
    assert "torch" not in sys.modules
    assert not any(isinstance(finder, mxnet_compat._Refusal) for finder in sys.meta_path)


def test_gluoncv_loads_beside_torch_2(tmp_path):
    (tmp_path / "torch").mkdir()
    # SciPy looks for Tensor in a loaded torch.
    (tmp_path / "torch" / "__init__.py").write_text("__version__ = '2.3.0'\nclass Tensor: pass\n")
    code = (
        "import torch\n"
        "from gluon_yolo import mxnet_compat\n"
        "mxnet_compat.gluoncv()\n"
        "import sys; assert sys.modules['torch'] is torch; print('loaded')\n"
    )
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.stdout == "loaded\n", done.stderr


def test_gluoncv_leaves_pil_as_it_was():
    """Without the workaround PIL accepts truncated images, and fills them with grey."""
    done = python(
        "-c",
        "from gluon_yolo import mxnet_compat\n"
        "mxnet_compat.gluoncv()\n"
        "from PIL import ImageFile; print(ImageFile.LOAD_TRUNCATED_IMAGES)",
    )
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ModuleNotFoundError("No module named 'mxnet'", name="mxnet"),
            "mxnet is not installed: run `make setup`",
        ),
        (OSError("libcuda.so.1: cannot open shared object file: No such file"), "finds no NVIDIA driver"),
        (OSError("libmxnet.so: undefined symbol: x"), "mxnet is installed and does not load"),
        (AttributeError("module 'numpy' has no attribute 'x'"), "does not get on with the installed NumPy"),
    ],
)
def test_a_failed_import_is_one_sentence(monkeypatch, error, said):
    def fail(name):
        warnings.warn("noise that nobody can act on", stacklevel=2)
        raise error

    monkeypatch.setattr(mxnet_compat.importlib, "import_module", fail)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserError, match=said) as caught:
            mxnet_compat._import_mxnet()
    assert isinstance(caught.value, ImportError)


def test_without_mxnet_the_import_of_compat_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "mxnet", None)
    monkeypatch.delitem(sys.modules, "gluon_yolo.mxnet_compat")
    with pytest.raises(MissingDependency, match="mxnet is not installed"):
        importlib.import_module("gluon_yolo.mxnet_compat")


def test_without_gluoncv_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gluoncv", None)
    with pytest.raises(MissingDependency, match="pip install gluoncv==0.10.5.post0"):
        mxnet_compat.gluoncv()


def test_asking_the_cpu_build_for_a_gpu_says_what_to_install():
    if mxnet_compat._cuda_build():
        pytest.skip("mxnet is a CUDA build here")
    with pytest.raises(UserError, match="requirements-gpu.txt"):
        mxnet_compat.check_gpu(0)
    assert mxnet_compat.gpu_report()


@pytest.mark.parametrize(("given", "expected"), [(None, "300"), ("-1", "-1")])
def test_kernels_are_bounded_unless_the_user_says_how(monkeypatch, given, expected):
    """Without a bound mxnet keeps each kernel of oneDNN that it ever made: one for each shape."""
    monkeypatch.delenv("MXNET_MKLDNN_CACHE_NUM")
    if given is not None:
        monkeypatch.setenv("MXNET_MKLDNN_CACHE_NUM", given)
    mxnet_compat._prepare()
    assert os.environ["MXNET_MKLDNN_CACHE_NUM"] == expected
