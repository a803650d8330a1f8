"""Symbol files run without this package, and graphs of a network to be transformed."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from gluon_yolo.exporters.mxnet import trace
from gluon_yolo.exporters.mxnet.write import save
from gluon_yolo.mxnet_compat import gluon, mx


def traced(net, tail=None):
    """Return a network's symbol, with a tail of :mod:`gluon_yolo.models.decode`, and its parameters."""
    tail = tail and tail(net.spec)
    if tail is not None:
        tail.initialize()
    parameters = {name: value.data() for name, value in trace.parameters(net, tail).items()}
    return trace.trace(net, tail), parameters


def written(folder: Path, symbol, parameters) -> Path:
    """Write both as ``export`` does, and return the prefix for mxnet's own loaders."""
    save(symbol, parameters, folder / "toy-symbol.json", folder / "toy-0000.params")
    return folder / "toy"


def by_symbol_block(prefix: Path, pixels: np.ndarray) -> list[np.ndarray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about the type of the input, for every graph
        block = gluon.SymbolBlock.imports(f"{prefix}-symbol.json", ["data"], f"{prefix}-0000.params")
        outputs = block(mx.nd.array(pixels, dtype="float32"))
    return [output.asnumpy() for output in (outputs if isinstance(outputs, list) else [outputs])]


def by_module(prefix: Path, pixels: np.ndarray) -> list[np.ndarray]:
    symbol, arguments, statistics = mx.model.load_checkpoint(str(prefix), 0)
    module = mx.mod.Module(symbol, data_names=["data"], label_names=None)
    module.bind(for_training=False, data_shapes=[("data", pixels.shape)])
    module.set_params(arguments, statistics)
    module.forward(mx.io.DataBatch([mx.nd.array(pixels)]), is_train=False)
    return [output.asnumpy() for output in module.get_outputs()]


STRANGERS = {"SymbolBlock": by_symbol_block, "Module": by_module}


def difference(ours, theirs) -> float:
    """Return the largest difference relative to the root mean square, over arrays in pairs."""
    return max(
        float(np.abs(a - b).max() / np.sqrt(np.square(b, dtype=np.float64).mean()))
        for a, b in zip(ours, theirs)
    )
