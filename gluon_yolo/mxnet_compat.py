"""The only module that imports mxnet and gluoncv, with workarounds for their imports.

All other modules use ``from gluon_yolo.mxnet_compat import mx, gluon, nd, autograd`` and
``mxnet_compat.gluoncv()``.

The import of this module restores NumPy's removed names for mxnet and gluoncv only, sets the number of
threads and how they wait unless the user has set it, loads pip's CUDA libraries for a CUDA wheel, and reports
each known failure of the import in one sentence.
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

# How often a thread of libgomp looks whether the others are ready, before it sleeps. "active" alone would be
# minutes; with it, 1000 times where libgomp knows of more threads than CPUs.
_WAITING = {"OMP_WAIT_POLICY": "active", "GOMP_SPINCOUNT": "5000"}
_THREADS = "OMP_NUM_THREADS"
# How many of oneDNN's kernels mxnet keeps of each kind of operator. A kernel is for one shape, and without a
# bound mxnet keeps all that it ever made: steps of MobileNet0.25 at 48 sizes then took 290 MB more, and with
# a bound of 50 12 MB more (tests/test_mxnet_kernels.py). This is four sizes of a network of 75 convolutions.
_KERNELS = {"MXNET_MKLDNN_CACHE_NUM": "300"}
threads_are_given = _THREADS in os.environ
"""Whether the user sets the number of threads."""


def _prepare() -> None:
    """Do what is needed before mxnet's library is loaded."""
    numpy_compat.restore()
    # mxnet's default is half of the logical CPUs, which halves the speed of a CPU without hyper-threading.
    os.environ.setdefault(_THREADS, str(physical_cores()))
    _bound_spinning()
    for name, count in _KERNELS.items():
        os.environ.setdefault(name, count)
    if sys.version_info >= (3, 12):
        _provide_distutils()
    cuda.load_libraries()


def _bound_spinning() -> None:
    """Let OpenMP's threads wait for each other some tens of microseconds, unless the user says how they wait.

    libgomp's own choice depends on the number of its threads, of which mxnet has two sets. Where they are
    more than CPUs, a thread sleeps at once, and to wake it takes longer than most operators of a small
    network. Where they are not, it spins for milliseconds on a CPU that another program could use.
    """
    if not any(name in os.environ for name in _WAITING):
        os.environ.update(_WAITING)


def _provide_distutils() -> None:
    """Import setuptools, whose import hook provides the ``distutils`` that Python 3.12 removed."""
    try:
        import setuptools  # noqa: F401
    except ImportError as error:
        raise MissingDependency(
            "mxnet needs distutils, which Python 3.12 dropped: install setuptools (pip install setuptools)"
        ) from error


def _import_mxnet() -> ModuleType:
    """Import mxnet.

    Raises:
        MissingDependency: mxnet, or a library or driver that its wheel needs, is absent.
    """
    try:
        with _quiet(), _without("bokeh"):
            return importlib.import_module("mxnet")
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise MissingDependency(explain(error, "mxnet")) from error


def gluoncv() -> ModuleType:
    """Import gluoncv (model zoo, metrics, transforms) and return it; later calls return the loaded module.

    Raises:
        MissingDependency: gluoncv, or a library that it needs, is absent.
    """
    loaded = sys.modules.get("gluoncv")
    if loaded is not None:
        return loaded
    try:
        with _quiet(), _without("torch"), _pil_as_it_was():
            return importlib.import_module("gluoncv")
    except (ImportError, OSError, AttributeError) as error:
        raise MissingDependency(explain(error, "gluoncv")) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress the warnings of mxnet and gluoncv at import: users cannot act on them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class _Refusal:
    """A finder that comes first in ``sys.meta_path`` and raises ModuleNotFoundError for a package.

    ``sys.modules["torch"] = None`` has the same effect on ``import torch``, but breaks code that looks up
    torch in ``sys.modules``.

    Args:
        package: the name of the package.
    """

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] == self._package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@contextlib.contextmanager
def _without(package: str) -> Iterator[None]:
    """Make the import of a package fail.

    gluoncv does not start with torch 2, but does without torch. mxnet imports Bokeh for a callback of its
    own, which takes 80 ms.
    """
    hidden = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == package}
    for name in hidden:
        del sys.modules[name]
    blocker = _Refusal(package)
    sys.meta_path.insert(0, blocker)
    try:
        yield
    finally:
        sys.meta_path.remove(blocker)
        sys.modules.update(hidden)


@contextlib.contextmanager
def _pil_as_it_was() -> Iterator[None]:
    """Restore PIL's rejection of truncated images: gluoncv switches it off for the whole process."""
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
    """Raise a UserError with the reason when mxnet cannot compute on GPU ``index``; no kernel is started."""
    cuda.check_gpu(index, _cuda_build())


def gpu_report() -> list[str]:
    """Return one line per GPU about whether mxnet can use it, or one line about why there is none."""
    return cuda.gpu_report(_cuda_build())


def _cuda_build() -> bool:
    return mx.runtime.Features().is_enabled("CUDA")
