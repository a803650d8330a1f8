"""Int8 backends: calibrate, quantize and write a network as mxnet's symbol, an ONNX or a TFLite file."""

from __future__ import annotations

import abc
import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo import parameter_io
from gluon_yolo.exporters.mxnet import int8, trace
from gluon_yolo.exporters.mxnet.write import save
from gluon_yolo.exporters.onnx import int8_layers
from gluon_yolo.exporters.quantize.calibrate import Progress, Ranges
from gluon_yolo.exporters.request import Request
from gluon_yolo.inference.exported_format import ENDINGS, ExportedFormat
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes.mxnet import MXNetRuntime
from gluon_yolo.inference.runtimes.registry import Network
from gluon_yolo.models.decode import Detect
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.system.scratch import temporary_folder


class Int8(abc.ABC):
    """A float network in one format, which can be quantized.

    Attributes:
        layers: names of the layers that can stay in float, in the order of computation.
    """

    kind: str
    """The format, a key of :data:`gluon_yolo.inference.exported_format.ENDINGS`."""
    runtime: str
    """Name of the runtime that runs it here."""
    layers: tuple[str, ...]

    @abc.abstractmethod
    def __init__(self, request: Request) -> None:
        """Store the network, its name and its thresholds."""

    @abc.abstractmethod
    def calibrate(self, batches: Iterable[np.ndarray], method: str, progress: Progress) -> Ranges:
        """Run images (B, h, w, 3) uint8 RGB through the network and return the ranges of its arrays."""

    @abc.abstractmethod
    def network(self, ranges: Ranges, excluded: Sequence[str]) -> Network:
        """Return the int8 network, with ``excluded`` in float: a function from pixels to boxes and scores."""

    @abc.abstractmethod
    def write(self, ranges: Ranges, excluded: Sequence[str], folder: Path) -> ExportedFormat:
        """Write the int8 network, with NMS at its end if the format has it; return the record's entry."""

    def hold(self, record: ModelRecord, folder: Path) -> None:
        """Add the record to the file that was written, if the format has a place for it."""
        return

    def forget(self) -> None:
        """Free what :meth:`network` needs and :meth:`write` does not; it is made again where it is needed."""
        return


class SymbolInt8(Int8):
    """Quantization by mxnet.

    Args:
        request: the network, its name and thresholds.
    """

    kind, runtime = "symbol", "mxnet"

    def __init__(self, request: Request) -> None:
        tail = Detect(request.net.spec, **vars(request.suppression))
        tail.initialize(ctx=next(iter(request.net.collect_params().values())).list_ctx()[0])
        self._request = request
        self._symbol = trace.trace(request.net, tail)
        self._parameters = parameter_io.on_cpu(trace.parameters(request.net, tail))
        self._outputs = tuple(f"{node}_output" for node in trace.DECODED)
        self.layers = int8.layers(self._symbol)

    def calibrate(self, batches: Iterable[np.ndarray], method: str, progress: Progress) -> Ranges:
        """Run images through the network and return the ranges of its arrays."""
        return int8.calibrate(self._symbol, self._parameters, batches, method, progress)

    def network(self, ranges: Ranges, excluded: Sequence[str]) -> Network:
        """Return the int8 network as a function from pixels to boxes and scores."""
        symbol, parameters = self._lowered(ranges, excluded)
        internals = symbol.get_internals()
        return MXNetRuntime(mx.sym.Group([internals[name] for name in self._outputs]), parameters, None)

    def write(self, ranges: Ranges, excluded: Sequence[str], folder: Path) -> ExportedFormat:
        """Write ``NAME-symbol.json`` and ``NAME-0000.params``."""
        symbol, parameters = self._lowered(ranges, excluded)
        files = tuple(f"{self._request.name}{ending}" for ending in ENDINGS["symbol"])
        save(symbol, parameters, *(folder / file for file in files))
        outputs = tuple(symbol.list_outputs())
        return ExportedFormat(files, "nms", outputs, self._outputs, dict(vars(self._request.suppression)))

    def _lowered(
        self, ranges: Ranges, excluded: Sequence[str]
    ) -> tuple[mx.sym.Symbol, dict[str, mx.nd.NDArray]]:
        return int8.lower(self._symbol, self._parameters, ranges, excluded)


class OnnxInt8(Int8):
    """Static quantization by ONNX Runtime.

    Args:
        request: the network, its name and thresholds.

    Raises:
        MissingDependency: onnx or onnxruntime is not installed.
        UserError: an operator of the network is not supported in ONNX.
    """

    kind, runtime = "onnx", "onnxruntime"

    def __init__(self, request: Request) -> None:
        from gluon_yolo.exporters.onnx import int8

        self._request, self._int8 = request, int8
        self.layers = int8_layers.layers(request.graph)

    @functools.cached_property
    def _decoded(self) -> Any:
        """The float model with its shapes, up to boxes and scores."""
        from gluon_yolo.exporters.onnx.ops import onnx
        from gluon_yolo.exporters.onnx.write import make_model

        request = self._request
        return onnx.shape_inference.infer_shapes(
            make_model(request.graph, request.net.spec, request.name, "decoded")
        )

    def forget(self) -> None:
        """Free the float model."""
        self.__dict__.pop("_decoded", None)

    def calibrate(self, batches: Iterable[np.ndarray], method: str, progress: Progress) -> Ranges:
        """Run images through the network and return the ranges of its arrays."""
        return self._int8.calibrate(self._request.graph, self._request.net.spec, batches, method, progress)

    def network(self, ranges: Ranges, excluded: Sequence[str]) -> Network:
        """Return the int8 network as a function from pixels to boxes and scores."""
        from gluon_yolo.exporters.onnx.write import write_model
        from gluon_yolo.inference.runtimes.onnxruntime import OnnxRuntime

        model = self._int8.quantize(self._decoded, self._request.graph, ranges, excluded)
        with temporary_folder() as folder:
            write_model(model, folder / "tried.onnx")
            return OnnxRuntime(folder / "tried.onnx", self._request.net.spec, portable=True)

    def write(self, ranges: Ranges, excluded: Sequence[str], folder: Path) -> ExportedFormat:
        """Write ``NAME.onnx``."""
        from gluon_yolo.exporters.onnx.ops import onnx
        from gluon_yolo.exporters.onnx.write import make_model, write_model

        request = self._request
        model = make_model(
            request.graph,
            request.net.spec,
            request.name,
            "nms",
            request.suppression,
            metadata={"fit": request.fit},
        )
        outputs = tuple(output.name for output in model.graph.output)
        quantized = self._int8.quantize(model, request.graph, ranges, excluded)
        onnx.checker.check_model(quantized, full_check=True)
        file = f"{request.name}{ENDINGS['onnx'][0]}"
        write_model(quantized, folder / file)
        numbers = dict(vars(request.suppression))
        return ExportedFormat((file,), "nms", outputs, (), numbers, portable=True)

    def hold(self, record: ModelRecord, folder: Path) -> None:
        """Add the record to ``NAME.onnx``."""
        from gluon_yolo.exporters.onnx.ops import onnx
        from gluon_yolo.exporters.onnx.write import add_record, write_model

        path = folder / record.formats[self.kind].files[0]
        model = onnx.load(str(path))
        add_record(model, record)
        write_model(model, path)


class TfliteInt8(Int8):
    """Static quantization into a TFLite file.

    Args:
        request: the network, its name and size.

    Raises:
        MissingDependency: ai-edge-litert is not installed.
        UserError: an operator of the network is not supported in TFLite.
    """

    kind, runtime = "tflite", "tflite"

    def __init__(self, request: Request) -> None:
        from gluon_yolo.exporters.tflite import int8, write

        self._request, self._int8, self._write = request, int8, write
        self.layers = int8_layers.layers(request.graph)

    def calibrate(self, batches: Iterable[np.ndarray], method: str, progress: Progress) -> Ranges:
        """Run images through the network and return the ranges of its arrays."""
        return self._int8.calibrate(self._request.graph, self._request.size_hw, batches, method, progress)

    def network(self, ranges: Ranges, excluded: Sequence[str]) -> Network:
        """Return the int8 network as a function from pixels to boxes and scores."""
        from gluon_yolo.inference.runtimes.tflite import TFLiteRuntime

        with temporary_folder() as folder:
            made = self.write(ranges, excluded, folder)
            return TFLiteRuntime(folder / made.files[0], self._request.net.spec, made.shape)

    def write(self, ranges: Ranges, excluded: Sequence[str], folder: Path) -> ExportedFormat:
        """Write ``NAME.tflite``, which ends at the decoded boxes: TFLite has no NMS by class."""
        path = folder / f"{self._request.name}{ENDINGS['tflite'][0]}"
        int8 = self._int8.quantization(self._request.graph, ranges, excluded)
        return dataclasses.replace(self._write.write_cut(self._request, path, "decoded", int8), portable=True)


INT8: Mapping[str, type[Int8]] = {"symbol": SymbolInt8, "onnx": OnnxInt8, "tflite": TfliteInt8}
