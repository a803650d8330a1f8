"""Reading a network's parameters, and saving them: once mxnet has come to rest.

On a CPU a convolution turns its own weight into oneDNN's layout for inference, and back for training. It
queues that while it runs, behind a reader who waits already. Such a reader is told that the array is ready,
and reads it while the layout changes: numbers out of place, or a segmentation fault in
``NDArray::Reorder2Default`` (mxnet 1.9.1; ``asnumpy`` and ``nd.save`` alike, right behind a training step).
Waiting for the whole engine covers what its operators have queued.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gluon_yolo.mxnet_compat import gluon, mx, nd


def wait() -> None:
    """Wait until mxnet has finished everything; for who reads parameters in another way than below."""
    nd.waitall()


def array(parameter: gluon.Parameter) -> np.ndarray:
    """Return the numbers of a parameter, those of its first device."""
    wait()
    return parameter.list_data()[0].asnumpy()


def on_cpu(parameters: Mapping[str, gluon.Parameter]) -> dict[str, nd.NDArray]:
    """Return each parameter's array on its first device, or a copy on the CPU where that is a GPU."""
    wait()
    return {name: parameter.list_data()[0].as_in_context(mx.cpu()) for name, parameter in parameters.items()}


def save_network(net: gluon.Block, path: str) -> None:
    """Write a network's parameters as ``net.save_parameters`` does, their mean where devices differ.

    Raises:
        MXNetError: mxnet cannot write the file.
    """
    wait()
    net.save_parameters(path)


def save(path: str, arrays: Mapping[str, nd.NDArray]) -> None:
    """Write arrays as ``nd.save`` does.

    Raises:
        MXNetError: mxnet cannot write the file.
    """
    wait()
    nd.save(path, dict(arrays))
