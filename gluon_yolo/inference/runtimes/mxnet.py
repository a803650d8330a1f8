"""The mxnet runtime: runs an exported graph or a network in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.inference.decode import RawMaps
from gluon_yolo.inference.model_files import weights_file
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes.base import spec_of_maps
from gluon_yolo.inference.runtimes.exported_symbol import (
    INPUT,
    as_float32,
    is_bfloat16,
    is_int8,
    read_exported,
)
from gluon_yolo.landmarks import TASK as LANDMARKS
from gluon_yolo.models.build import Architecture, find_architecture
from gluon_yolo.mxnet_compat import check_gpu, mx
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.system.instructions import CPUINFO, processor_has
from gluon_yolo.text import first_line
from gluon_yolo.weights import caffe_model
from gluon_yolo.weights.form import form_for
from gluon_yolo.weights.load import load_weights

FUSION = "MKLDNN"  # mxnet's subgraph pass that fuses convolution, batch normalisation, activation and sum
KEPT_SHAPES = 4


def has_bfloat16(cpuinfo: Path = CPUINFO) -> bool:
    """Return whether this CPU computes in bfloat16 faster than in float32; False where unknown.

    On a CPU with AVX-512 only, oneDNN emulates it at half of float32's speed; on others it fails.
    """
    return processor_has({"avx512_bf16"}, cpuinfo)


class MXNetRuntime:
    """Run a graph of any precision from pixels to boxes and scores.

    Several threads may call it; calls run one after the other. A bfloat16 graph computes in float32 where
    that is faster, or where bfloat16 is not supported: on a GPU, and on a CPU without AVX-512 BF16.

    Args:
        symbol: with the input ``data``, and raw maps, or boxes (B, N, 4) and scores (B, N, C), as outputs.
        parameters: the values of all other inputs, by name.
        spec: of the network, for raw maps; None for boxes and scores.
        gpu: index of a GPU; None is the CPU.
        kept_shapes: number of input shapes whose plans stay in memory.
        file: of the graph, for messages; None for a network in memory.

    Raises:
        UserError: the GPU cannot be used, or not for this graph.
    """

    def __init__(
        self,
        symbol: mx.sym.Symbol,
        parameters: Mapping[str, mx.nd.NDArray],
        spec: DetectionSpec | None,
        gpu: int | None = None,
        kept_shapes: int = KEPT_SHAPES,
        file: Path | None = None,
    ) -> None:
        if gpu is not None:
            check_gpu(gpu)
        self._kept_shapes, self._file = kept_shapes, file
        self._context = mx.cpu() if gpu is None else mx.gpu(gpu)
        self._spec = spec
        self._symbol, values = _prepared(symbol, parameters, gpu)
        names = self._symbol.list_inputs()
        self._input = names.index(INPUT)
        self._arrays = [
            None if name == INPUT else values[name].as_in_context(self._context) for name in names
        ]
        self._plans: OrderedDict[tuple[int, ...], Any] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, pixels: np.ndarray) -> Sequence[np.ndarray]:
        """Run the network.

        Args:
            pixels: (B, h, w, 3) uint8 RGB; h and w are multiples of the largest stride. Calls may differ in
                size.

        Returns:
            Boxes (B, N, 4) float32, corners in input pixels, and scores (B, N, C) float32; for a graph that
            ends at its raw maps, the :class:`gluon_yolo.inference.decode.RawMaps`.

        Raises:
            UserError: mxnet cannot run the graph of a file: some damage shows only now.
        """
        try:
            maps = self._run(pixels)
        except mx.MXNetError as error:
            if self._file is None:
                raise
            raise UserError(
                f"{self._file}: mxnet cannot run it ({first_line(error)}); if it is damaged, export it again"
            ) from error
        return maps if self._spec is None else RawMaps(maps, self._spec)

    def _run(self, pixels: np.ndarray) -> list[np.ndarray]:
        with self._lock:
            arrays = list(self._arrays)
            arrays[self._input] = mx.nd.array(pixels, ctx=self._context, dtype="uint8")
            outputs = self._plan(pixels.shape)(*arrays)
            return [output.asnumpy() for output in (outputs if isinstance(outputs, list) else [outputs])]

    def _plan(self, shape: tuple[int, ...]) -> Any:
        """Return the graph planned for an input shape: planning takes half of the time of a call."""
        if shape not in self._plans:
            others = [place for place in range(len(self._arrays)) if place != self._input]
            flags = [("data_indices", [self._input]), ("param_indices", others)]
            planned = [("static_alloc", True), ("static_shape", True)]
            self._plans[shape] = mx.nd.CachedOp(self._symbol, [*flags, *planned])
            if len(self._plans) > self._kept_shapes:
                self._plans.popitem(last=False)
        self._plans.move_to_end(shape)
        return self._plans[shape]


def load(record: ModelRecord, folder: Path, gpu: int | None = None) -> MXNetRuntime:
    """Load an exported model.

    Args:
        record: of the model.
        folder: of its files.
        gpu: index of a GPU; None is the CPU.

    Raises:
        UserError: as for :func:`read_exported`.
    """
    file = folder / record.exported("symbol", folder).files[0]
    return MXNetRuntime(*read_exported(record, folder), gpu, file=file)


def from_block(net: Any, gpu: int | None = None) -> MXNetRuntime:
    """Return a runtime with a copy of the weights of a network in memory."""
    parameters = {p.name: p.data(p.list_ctx()[0]).copyto(mx.cpu()) for p in net.collect_params().values()}
    return MXNetRuntime(mx.sym.Group(list(net(mx.sym.var(INPUT)))), parameters, spec_of_maps(net.spec), gpu)


def from_record(record: ModelRecord, folder: Path, path: Any) -> Any:
    """Build the network of a run or an imported model.

    Args:
        record: of the model.
        folder: of the record.
        path: of the weights.

    Raises:
        UserError: the network is unknown, or the weights do not fit it.
    """
    if record.task == LANDMARKS:
        return caffe_model.load_written(record, folder, Path(path))
    known = find_architecture(record.network, folder)
    net = known.rebuild(record.spec)
    net.initialize_weights()
    load_weights(net, path)
    return net


def from_weights(
    network: str, path: Any, class_names: Any = None, anchors: Any = None
) -> tuple[Any, Architecture]:
    """Build a network and load a weights file into it.

    Args:
        network: as for :func:`gluon_yolo.models.build.find_architecture`.
        path: of the weights, of any kind that the network can read, or of a run.
        class_names: of the weights; None takes those of the data set in the network's name.
        anchors: per level (width, height) in input pixels; None takes the network's own.

    Returns:
        The network, and its architecture, which has the default input.

    Raises:
        UserError: the network is unknown, or the weights do not fit it.
    """
    known = find_architecture(network)
    file = weights_file(Path(path))
    net = known.build(class_names, anchors, form=form_for(file, known.name))
    net.initialize_weights()
    load_weights(net, file)
    return net, known


def _prepared(
    symbol: mx.sym.Symbol, parameters: Mapping[str, mx.nd.NDArray], gpu: int | None
) -> tuple[mx.sym.Symbol, Mapping[str, mx.nd.NDArray]]:
    """Return a graph in its fastest form for this device, with float32 outputs."""
    if is_int8(symbol):
        if gpu is not None:
            raise SettingError(
                f"GPU {gpu}: an int8 model of mxnet's runs on the processor; leave {{gpu}} away"
            )
        return symbol, parameters
    if is_bfloat16(parameters):
        if gpu is not None or not has_bfloat16():
            symbol, parameters = as_float32(symbol, parameters)
        else:
            symbol = mx.sym.Group([mx.sym.amp_cast(output, dtype="float32") for output in symbol])
    if gpu is None and mx.runtime.Features().is_enabled(FUSION):
        symbol = symbol.get_backend_symbol(FUSION)
    return symbol, parameters
