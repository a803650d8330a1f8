"""TensorFlow Lite's file: tensors and operators, and the FlatBuffers that hold them.

Source of the format: tensorflow/compiler/mlir/lite/schema/schema.fbs of github.com/tensorflow/tensorflow. Its
classes come from LiteRT's own package.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gluon_yolo._version import __version__
from gluon_yolo.errors import MissingDependency, explain

try:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema
except ImportError as error:
    raise MissingDependency(explain(error, "ai_edge_litert")) from error

SIGNATURE = "serving_default"  # the name that TensorFlow's own tools look for
_SCHEMA_VERSION, _IDENTIFIER = 3, b"TFL3"
_ALIGNMENT = 16  # bytes, of a constant: `force_align` in the schema
_ROOM = 1 << 20  # bytes beside the constants; it grows by itself where it is short
_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "float16": schema.TensorType.FLOAT16,
    "int32": schema.TensorType.INT32,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
}
# The operators whose options matter, with the options' name in the schema.
_OPTIONS = {
    "ADD": "AddOptions",
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "DIV": "DivOptions",
    "LEAKY_RELU": "LeakyReluOptions",
    "MAX_POOL_2D": "Pool2DOptions",
    "MEAN": "ReducerOptions",
    "MUL": "MulOptions",
    "RESHAPE": "ReshapeOptions",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighborOptions",
    "SOFTMAX": "SoftmaxOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
    "SUB": "SubOptions",
}
# The first version of an operator that takes int8 (for QUANTIZE: that gives it out of another scale); by the
# register of tensorflow/compiler/mlir/lite/tools/versioning/op_version.cc. All others are of version 1.
_INT8_VERSIONS = {
    "ADD": 2,
    "CONCATENATION": 2,
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "DEQUANTIZE": 2,
    "LEAKY_RELU": 2,
    "MAX_POOL_2D": 2,
    "PAD": 2,
    "PADV2": 2,
    "QUANTIZE": 2,
    "RELU": 2,
    "RELU6": 2,
    "RESIZE_NEAREST_NEIGHBOR": 2,
    "STRIDED_SLICE": 2,
    "TRANSPOSE": 2,
}


@dataclasses.dataclass(frozen=True)
class Scale:
    """How integers stand for real numbers: ``(integer - zero) * step``.

    Args:
        steps: one, or one for each place along ``axis``.
        zero: the integer that stands for 0.
        axis: of the tensor.
    """

    steps: tuple[float, ...]
    zero: int = 0
    axis: int = 0


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A tensor of the file.

    Args:
        name: of the tensor.
        shape: as it lies in memory.
        dtype: NumPy's name of its type.
        scale: of integers that stand for real numbers.
        content: of a constant.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    scale: Scale | None = None
    content: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Operator:
    """An operator: TFLite's name of it, tensors by their places in the file, and its options."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Any]


class TfliteFile:
    """Collect tensors and operators.

    Attributes:
        tensors: so far.
        operators: so far, in an order in which they can be computed.
    """

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.operators: list[Operator] = []
        self._constants: dict[str, int] = {}

    def tensor(
        self, name: str, shape: Sequence[int], dtype: str = "float32", scale: Scale | None = None
    ) -> int:
        """Append a tensor that is computed, and return its place."""
        self.tensors.append(Tensor(name, tuple(map(int, shape)), dtype, scale))
        return len(self.tensors) - 1

    def constant(self, name: str, array: np.ndarray, scale: Scale | None = None) -> int:
        """Add a constant under a unique name, and return its place."""
        if name not in self._constants:
            self._constants[name] = len(self.tensors)
            self.tensors.append(Tensor(name, array.shape, str(array.dtype), scale, array))
        return self._constants[name]

    def integers(self, *numbers: int) -> int:
        """Add an array of integers (int32) that several operators can read, and return its place."""
        return self.constant("_".join(["ints", *map(str, numbers)]), np.array(numbers, dtype=np.int32))

    def number(self, number: float) -> int:
        """Add a number (float32) that several operators can read, and return its place."""
        return self.constant(f"float_{number!r}", np.array([number], dtype=np.float32))

    def add(
        self,
        kind: str,
        inputs: Sequence[int],
        name: str,
        shape: Sequence[int],
        dtype: str = "float32",
        scale: Scale | None = None,
        **options: Any,
    ) -> int:
        """Append an operator with one output, and return the output's place.

        Args:
            kind: TFLite's name of the operator.
            inputs: places of its inputs.
            name: of its output.
            shape: of its output.
            dtype: of its output.
            scale: of its output.
            **options: as the schema names them.
        """
        output = self.tensor(name, shape, dtype, scale)
        self.operators.append(Operator(kind, tuple(inputs), (output,), options))
        return output

    def rename(self, place: int, name: str) -> None:
        """Give a tensor another name."""
        self.tensors[place] = dataclasses.replace(self.tensors[place], name=name)

    def to_bytes(self, inputs: Mapping[str, int], outputs: Mapping[str, int]) -> bytes:
        """Return the file.

        Args:
            inputs: places of the network's inputs by name.
            outputs: places of its outputs by name.
        """
        versions = [(step.kind, self._version(step)) for step in self.operators]
        kinds = list(dict.fromkeys(versions))
        # The first buffer is always empty: that of tensors which are computed.
        constants = [tensor.content for tensor in self.tensors if tensor.content is not None]
        buffers = iter(range(1, len(constants) + 1))
        graph = schema.SubGraphT(
            tensors=[
                _tensor(tensor, 0 if tensor.content is None else next(buffers)) for tensor in self.tensors
            ],
            inputs=list(inputs.values()),
            outputs=list(outputs.values()),
            operators=[
                _operator(step, kinds.index(version)) for step, version in zip(self.operators, versions)
            ],
            name="main",
        )
        signature = schema.SignatureDefT(
            inputs=[schema.TensorMapT(name, place) for name, place in inputs.items()],
            outputs=[schema.TensorMapT(name, place) for name, place in outputs.items()],
            signatureKey=SIGNATURE,
            subgraphIndex=0,
        )
        model = schema.ModelT(
            version=_SCHEMA_VERSION,
            operatorCodes=[_code(*kind) for kind in kinds],
            subgraphs=[graph],
            description=f"gluon_yolo {__version__}",
            buffers=[_Buffer(content) for content in (None, *constants)],
            signatureDefs=[signature],
        )
        builder = flatbuffers.Builder(sum(content.nbytes for content in constants) + _ROOM)
        builder.Finish(model.Pack(builder), file_identifier=_IDENTIFIER)
        return bytes(builder.Output())

    def _version(self, step: Operator) -> int:
        first = self.tensors[step.inputs[0]]
        if step.kind == "DEQUANTIZE" and first.dtype == "float16":
            return 3
        if step.kind == "QUANTIZE":
            return 2 if first.dtype != "float32" else 1
        if step.kind == "CONV_2D" and first.shape[3] != self.tensors[step.inputs[1]].shape[3]:
            return 6  # groups
        if first.dtype == "int8":
            return _INT8_VERSIONS.get(step.kind, 1)
        return 2 if step.kind == "DEPTHWISE_CONV_2D" and step.options["dilationHFactor"] > 1 else 1


class _Buffer:
    """The content of a constant, aligned: the schema's own class does not align it."""

    def __init__(self, content: np.ndarray | None) -> None:
        self._content = content

    def Pack(self, builder: Any) -> int:  # noqa: N802 - the name in the schema's classes
        """Write the content, and return its place in the file."""
        data = None
        if self._content is not None:
            content = (
                np.ascontiguousarray(self._content)
                .astype(self._content.dtype.newbyteorder("<"), copy=False)
                .tobytes()
            )
            builder.StartVector(1, len(content), _ALIGNMENT)
            builder.head = builder.head - len(content)
            builder.Bytes[builder.head : builder.head + len(content)] = content
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)


def _code(kind: str, version: int) -> Any:
    number = getattr(schema.BuiltinOperator, kind)
    # Readers before 2020 look at the first field, which has one byte.
    return schema.OperatorCodeT(deprecatedBuiltinCode=min(number, 127), version=version, builtinCode=number)


def _operator(step: Operator, code: int) -> Any:
    made = schema.OperatorT(opcodeIndex=code, inputs=list(step.inputs), outputs=list(step.outputs))
    if step.kind in _OPTIONS:
        name = _OPTIONS[step.kind]
        options = getattr(schema, f"{name}T")()
        for key, value in step.options.items():
            if not hasattr(options, key):
                raise AttributeError(f"{name} has no {key}")
            setattr(options, key, value)
        made.builtinOptions, made.builtinOptionsType = options, getattr(schema.BuiltinOptions, name)
    return made


def _tensor(tensor: Tensor, buffer: int) -> Any:
    scale = None
    if tensor.scale is not None:
        scale = schema.QuantizationParametersT(
            scale=np.array(tensor.scale.steps, dtype=np.float32),
            zeroPoint=np.full(len(tensor.scale.steps), tensor.scale.zero, dtype=np.int64),
            quantizedDimension=tensor.scale.axis,
        )
    shape, kind = list(tensor.shape), _TYPES[tensor.dtype]
    return schema.TensorT(shape=shape, type=kind, buffer=buffer, name=tensor.name, quantization=scale)
