"""The one place that imports mxnet and gluoncv, after preparing the ground they need.

Everything else writes ``from gluon_yolo.mxnet_compat import mx, gluon, nd, autograd`` and
``compat.gluoncv()``.
Importing this module: gives NumPy's removed names back to mxnet and gluoncv alone, sets threads unless the
user did, loads pip's CUDA libraries for a CUDA wheel, and turns each way in which the import can fail into
one clear sentence.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gluon_yolo import numpy_compat
from gluon_yolo.errors import MissingDependency, explain
from gluon_yolo.system import cuda
from gluon_yolo.system.cpu import physical_cores

__all__ = ["autograd", "check_gpu", "gluon", "gluoncv", "gpu_report", "mx", "nd", "physical_cores"]


def _prepare() -> None:
    """Do what must be done before mxnet's library is loaded."""
    numpy_compat.restore()
    # mxnet takes half of the logical CPUs otherwise, which halves the speed where there are no hyper-threads.
    os.environ.setdefault("OMP_NUM_THREADS", str(physical_cores()))
    if sys.version_info >= (3, 12):
        _provide_distutils()
    cuda.load_libraries()


def _provide_distutils() -> None:
    """Import setuptools, whose import hook gives mxnet the ``distutils`` that Python 3.12 dropped."""
    try:
        import setuptools  # noqa: F401
    except ImportError as error:
        raise MissingDependency(
            "mxnet needs distutils, which Python 3.12 dropped: install setuptools (pip install setuptools)"
        ) from error


def _import_mxnet() -> ModuleType:
    """Import mxnet and return it.

    Raises:
        MissingDependency: mxnet, or a library or driver that its wheel needs, is absent.
    """
    try:
        with _quiet():
            return importlib.import_module("mxnet")
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise MissingDependency(explain(error, "mxnet")) from error


def gluoncv() -> ModuleType:
    """Import gluoncv (model zoo, metrics, transforms) and return it; the second call costs nothing.

    Raises:
        MissingDependency: gluoncv, or a library that it needs, is absent.
    """
    loaded = sys.modules.get("gluoncv")
    if loaded is not None:
        return loaded
    try:
        with _quiet(), _without_torch(), _pil_as_it_was():
            return importlib.import_module("gluoncv")
    except (ImportError, OSError, AttributeError) as error:
        raise MissingDependency(explain(error, "gluoncv")) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back the warnings that mxnet and gluoncv raise at import: nobody can act on them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class _NoTorch:
    """A finder that stands before all others and finds no torch.

    ``sys.modules["torch"] = None`` would do for ``import torch``, and trip those who look torch up in
    ``sys.modules``.
    """

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@contextlib.contextmanager
def _without_torch() -> Iterator[None]:
    """Make ``import torch`` fail: gluoncv refuses to start beside torch 2, and takes an absent one calmly."""
    hidden = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "torch"}
    for name in hidden:
        del sys.modules[name]
    blocker = _NoTorch()
    sys.meta_path.insert(0, blocker)
    try:
        yield
    finally:
        sys.meta_path.remove(blocker)
        sys.modules.update(hidden)


@contextlib.contextmanager
def _pil_as_it_was() -> Iterator[None]:
    """Let PIL go on refusing images that are cut short: gluoncv tells it, for the whole process, not to."""
    try:
        from PIL import ImageFile
    except ImportError:
        yield
        return
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


if TYPE_CHECKING:
    import mxnet as mx
    from mxnet import autograd, gluon, nd
else:
    _prepare()
    mx = _import_mxnet()
    gluon = mx.gluon
    nd = mx.nd
    autograd = mx.autograd


def check_gpu(index: int) -> None:
    """Raise UserError when mxnet cannot compute on GPU ``index``, saying why; no kernel is started."""
    cuda.check_gpu(index, _cuda_build())


def gpu_report() -> list[str]:
    """Return one line for each GPU with whether mxnet can use it, or one line on why there is none."""
    return cuda.gpu_report(_cuda_build())


def _cuda_build() -> bool:
    return mx.runtime.Features().is_enabled("CUDA")
