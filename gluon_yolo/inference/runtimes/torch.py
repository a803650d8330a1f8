"""The PyTorch runtime: runs a network in memory or an exported symbol, on the CPU or a GPU."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.graph.node import Graph
from gluon_yolo.graph.symbol_text import text_of
from gluon_yolo.inference.decode import RawMaps
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes import exported_symbol
from gluon_yolo.inference.runtimes.base import STOPPED, check_size, spec_of_maps
from gluon_yolo.inference.runtimes.exported_symbol import INPUT
from gluon_yolo.pytorch import device
from gluon_yolo.pytorch.fold import fold_norms
from gluon_yolo.pytorch.module import block_module, graph_module
from gluon_yolo.pytorch.operators import Unsupported
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.text import first_line
from gluon_yolo.torch_compat import fx, torch

_OPERATORS_RAISE = (RuntimeError, ValueError, TypeError, IndexError)


class TorchRuntime:
    """Run a module from pixels to boxes and scores, in float32.

    Several threads may call it: on the CPU their calls run in parallel, on a GPU one after the other.

    Args:
        module: of :mod:`gluon_yolo.pytorch.module`, with raw maps, boxes and scores, or points as outputs. It
            becomes the runtime's own: batch norms are folded, and arrays moved to the device.
        spec: of the network, for raw maps; None for boxes and scores, and for points.
        gpu: index of a GPU; None is the CPU.
        file: of the graph, for messages; None for a network in memory.

    Raises:
        UserError: torch cannot use the GPU.
    """

    def __init__(
        self,
        module: fx.GraphModule,
        spec: DetectionSpec | None,
        gpu: int | None = None,
        file: Path | None = None,
    ) -> None:
        if gpu is not None:
            device.check_gpu(gpu)
        self._device = torch.device("cpu" if gpu is None else f"cuda:{gpu}")
        module.eval().requires_grad_(False)
        fold_norms(module)
        self._module = module.to(self._device)
        for array in (*module.parameters(), *module.buffers()):
            if array.ndim == 4:  # as the pixels are stored
                array.data = array.data.contiguous(memory_format=torch.channels_last)
        self._spec, self._file = spec, file
        self._lock = threading.Lock()

    def __call__(self, pixels: np.ndarray) -> Sequence[np.ndarray]:
        """Run the network.

        Args:
            pixels: (B, h, w, 3) uint8 RGB; h and w are multiples of the largest stride. Calls may differ in
                size.

        Returns:
            Boxes (B, N, 4) float32, corners in input pixels, and scores (B, N, C) float32; for a module that
            ends at raw maps, the :class:`gluon_yolo.inference.decode.RawMaps`.

        Raises:
            UserError: the graph of a file cannot be computed: some damage shows only now.
        """
        if self._spec is not None:
            check_size(pixels.shape[1:3], self._spec)
        if self._device.type == "cpu":
            outputs = self._run(pixels)
        else:
            # By default a GPU rounds the factors of float32's products in convolutions to ten bits. The
            # switch is the process's own, and a training may have set it.
            cudnn = torch.backends.cudnn
            kept = {name: getattr(cudnn, name) for name in ("enabled", "benchmark", "deterministic")}
            with self._lock, cudnn.flags(**kept, allow_tf32=False):
                outputs = self._run(pixels)
        return outputs if self._spec is None else RawMaps(outputs, self._spec)

    @torch.inference_mode()
    def _run(self, pixels: np.ndarray) -> list[np.ndarray]:
        given = torch.tensor(pixels).to(self._device)
        try:
            outputs = self._module(given)
        except _OPERATORS_RAISE as error:
            if self._file is None:
                raise
            raise UserError(f"{self._file}: {STOPPED} ({first_line(error)})") from error
        return [output.contiguous().cpu().numpy() for output in outputs]


def load(record: ModelRecord, folder: Path, gpu: int | None = None) -> TorchRuntime:
    """Load an exported model's symbol; one in bfloat16 is computed in float32 with the same rounded weights.

    Args:
        record: of the model.
        folder: of its files.
        gpu: index of a GPU; None is the CPU.

    Raises:
        UserError: a file is absent or damaged, or the model is in int8 or has an operator that torch lacks.
    """
    file = folder / record.exported("symbol", folder).files[0]
    symbol, parameters, spec = exported_symbol.read_exported(record, folder)
    if exported_symbol.is_int8(symbol):
        raise SettingError(
            f"{folder}: is mxnet's own int8, which torch cannot compute; give {{runtime}} mxnet"
        )
    if exported_symbol.is_bfloat16(parameters):
        symbol, parameters = exported_symbol.as_float32(symbol, parameters)
    arrays = {name: array.asnumpy() for name, array in parameters.items()}
    graph = Graph.from_json(text_of(symbol))
    try:
        return TorchRuntime(graph_module(graph, arrays, lambda name: False, [INPUT]), spec, gpu, file)
    except Unsupported as error:
        raise UserError(f"{file}: {error}") from error
    except (AttributeError, KeyError, *_OPERATORS_RAISE) as error:
        said = f"torch cannot load it ({first_line(error)}); if it is damaged, export the model again"
        raise UserError(f"{file}: {said}") from error


def from_block(net: Any, gpu: int | None = None) -> TorchRuntime:
    """Return a runtime with a copy of the weights of a network in memory.

    Raises:
        UserError: torch cannot use the GPU, or has no counterpart of an operator.
    """
    return TorchRuntime(block_module(net, [INPUT]), spec_of_maps(net.spec), gpu)
