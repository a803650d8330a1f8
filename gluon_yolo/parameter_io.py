"""Read and save a network's parameters only when mxnet's engine is idle.

In inference on a CPU, a convolution changes its own weight to oneDNN's memory layout, and back for training.
mxnet queues this change while the convolution runs, after the requests of readers that already wait. So a
reader gets the array while its layout changes: values at wrong positions, or a segmentation fault in
``NDArray::Reorder2Default`` (mxnet 1.9.1; in ``asnumpy`` and ``nd.save``, directly after a training step).
Waiting for the whole engine includes the queued changes.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator, Mapping

import numpy as np

from gluon_yolo.mxnet_compat import gluon, mx, nd


def wait() -> None:
    """Wait until mxnet's engine is idle, before parameters are read without the functions below."""
    nd.waitall()


def array(parameter: gluon.Parameter) -> np.ndarray:
    """Return the values of a parameter on its first device."""
    wait()
    return parameter.list_data()[0].asnumpy()


def on_cpu(parameters: Mapping[str, gluon.Parameter]) -> dict[str, nd.NDArray]:
    """Return each parameter's array on its first device, or a copy on the CPU where that is a GPU."""
    wait()
    return {name: parameter.list_data()[0].as_in_context(mx.cpu()) for name, parameter in parameters.items()}


def save_network(net: gluon.Block, path: str) -> None:
    """Write a network's parameters as ``net.save_parameters`` does: their mean over the devices.

    Raises:
        OSError: mxnet cannot write the file.
    """
    wait()
    with _writing(path):
        net.save_parameters(path)


def save(path: str, arrays: Mapping[str, nd.NDArray]) -> None:
    """Write arrays as ``nd.save`` does.

    Raises:
        OSError: mxnet cannot write the file.
    """
    wait()
    with _writing(path):
        nd.save(path, dict(arrays))


@contextlib.contextmanager
def _writing(path: str) -> Iterator[None]:
    """Turn mxnet's error into one of the system, as other writers of files raise it."""
    try:
        yield
    except mx.MXNetError as error:
        raise OSError(errno.EIO, "mxnet could not write all of it; is the disk full?", path) from error
