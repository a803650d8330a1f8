"""The mxnet runtime: an exported graph or a network in memory, as a function from pixels to boxes."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo.compat import check_gpu, gluon, mx
from gluon_yolo.errors import UserError
from gluon_yolo.inference.model_file import ModelFile
from gluon_yolo.nn import architecture, weights
from gluon_yolo.nn.decode import Decode

FUSION = "MKLDNN"  # mxnet's subgraph pass that joins convolution, batch norm and activation
KEPT_SHAPES = 4


class MXNetRuntime:
    """Runs a graph from pixels to decoded boxes and scores. Not for several threads at once.

    Args:
        decoded: symbol with two outputs, boxes (B, N, 4) and scores (B, N, C), and one input, ``data``.
        parameters: values of everything else that the symbol reads, by name.
        gpu: index of a GPU; None runs on the processor.
    """

    def __init__(self, decoded: mx.sym.Symbol, parameters: dict[str, mx.nd.NDArray], gpu: int | None = None):
        """Fuse the graph for the processor and place the parameters."""
        if gpu is not None:
            check_gpu(gpu)
        self._context = mx.cpu() if gpu is None else mx.gpu(gpu)
        fuse = gpu is None and mx.runtime.Features().is_enabled(FUSION)
        self._symbol = decoded.get_backend_symbol(FUSION) if fuse else decoded
        self._parameters = self._place(parameters)
        self._blocks: OrderedDict[tuple[int, ...], gluon.SymbolBlock] = OrderedDict()

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Run the network.

        Args:
            pixels: (B, h, w, 3) uint8 RGB; h and w multiples of the largest stride. Calls may differ in size.

        Returns:
            Boxes (B, N, 4) float32, corners in input pixels, and scores (B, N, C) float32.
        """
        boxes, scores = self._block(pixels.shape)(mx.nd.array(pixels, ctx=self._context, dtype="uint8"))
        return boxes.asnumpy(), scores.asnumpy()

    def _block(self, shape: tuple[int, ...]) -> gluon.SymbolBlock:
        """Return the block planned for this input shape: planning anew for each call costs half a call."""
        if shape not in self._blocks:
            block = gluon.SymbolBlock(self._symbol, _data(), params=self._parameters)
            block.hybridize(static_alloc=True, static_shape=True)
            self._blocks[shape] = block
            if len(self._blocks) > KEPT_SHAPES:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(shape)
        return self._blocks[shape]

    def _place(self, parameters: dict[str, mx.nd.NDArray]) -> gluon.ParameterDict:
        """Return the graph's parameters, filled, on this runtime's device."""
        placed = gluon.SymbolBlock(self._symbol, _data()).collect_params()
        for name, parameter in placed.items():
            parameter.shape = parameters[name].shape
            parameter.grad_req = "null"
            parameter.initialize(ctx=self._context)
            parameter.set_data(parameters[name])
        return placed


def load(record: ModelFile, folder: Path, gpu: int | None = None) -> MXNetRuntime:
    """Load an exported model.

    Args:
        record: the model's record.
        folder: where its files lie.
        gpu: index of a GPU; None runs on the processor.

    Raises:
        UserError: when a file is absent or damaged, or the two do not fit each other.
    """
    graph = record.graph("symbol", folder)
    symbol_file, params_file = (folder / file for file in graph.files)
    symbol = _read(symbol_file, mx.sym.load)
    parameters = {name.split(":", 1)[1]: value for name, value in _read(params_file, mx.nd.load).items()}
    missing = set(symbol.list_inputs()) - set(parameters) - {"data"}
    if missing:
        raise UserError(
            f"{params_file}: lacks {len(missing)} of the arrays that {symbol_file.name} reads "
            f"({sorted(missing)[0]}, ...): the two files are of different models"
        )
    if graph.decoded:
        internals = symbol.get_internals()
        return MXNetRuntime(mx.sym.Group([internals[name] for name in graph.decoded]), parameters, gpu)
    decode, constants = _decode(record.spec)
    return MXNetRuntime(mx.sym.Group(decode(*symbol)), {**parameters, **constants}, gpu)


def from_block(net: Any, gpu: int | None = None) -> MXNetRuntime:
    """Take a :class:`gluon_yolo.nn.detector.DetectionNetwork` with its weights as they are now (copied)."""
    decode, constants = _decode(net.spec)
    parameters = {p.name: p.data(p.list_ctx()[0]).copyto(mx.cpu()) for p in net.collect_params().values()}
    return MXNetRuntime(mx.sym.Group(decode(*net(_data()))), {**parameters, **constants}, gpu)


def from_record(record: ModelFile, folder: Path, path: Any) -> Any:
    """Build the network of a run or an imported model.

    Args:
        record: of the model.
        folder: where it lies.
        path: the weights.

    Raises:
        UserError: the network is unknown, or the weights do not fit it.
    """
    known = architecture.find(record.network, folder)
    net = known.build(record.spec.class_names, record.spec.anchors)
    net.initialize_weights()
    weights.load(net, path)
    return net


def from_weights(
    network: str, path: Any, class_names: Any = None, anchors: Any = None
) -> tuple[Any, architecture.Architecture]:
    """Build a network and give it the weights of a file.

    Args:
        network: as :func:`gluon_yolo.nn.architecture.find` takes it.
        path: the weights, of any kind that the network reads.
        class_names: the classes; None takes those that the network's name stands for.
        anchors: per level (width, height) in input pixels; None takes the network's own.

    Returns:
        The network, and what built it, which knows its usual input.

    Raises:
        UserError: for an unknown network, or weights that do not fit it.
    """
    known = architecture.find(network)
    net = known.build(class_names, anchors)
    net.initialize_weights()
    weights.load(net, path)
    return net, known


def _data() -> mx.sym.Symbol:
    return mx.sym.var("data", dtype="uint8")


def _decode(spec: Any) -> tuple[Decode, dict[str, mx.nd.NDArray]]:
    """Return a decoding tail and the values of its constants."""
    decode = Decode(spec)
    decode.initialize()
    return decode, {p.name: p.data() for p in decode.collect_params().values()}


def _read(path: Path, reader: Any) -> Any:
    """Read a file with one of mxnet's loaders.

    Raises:
        UserError: when mxnet cannot read it.
    """
    try:
        return reader(str(path))
    except mx.MXNetError as error:
        raise UserError(f"{path}: is damaged or no mxnet file; export the model again") from error
