"""ncnn layers: the lines of NAME.param and the weights in NAME.bin.

Source of the format: docs/developer-guide/param-and-model-file-structure.md of github.com/Tencent/ncnn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Union

import numpy as np

MAGIC = 7767517
_FLOAT32, _FLOAT16 = 0, 0x01306B47  # the tag before weights, for their type
_LARGEST = float(np.finfo(np.float32).max)  # ncnn has no text for infinity
_ARRAY = -23300  # minus the index: the key of an array parameter
Numbers = Mapping[int, Union[int, float, "tuple[int, ...]", "tuple[float, ...]"]]


@dataclasses.dataclass(frozen=True)
class Layer:
    """A line of NAME.param, and its weights in NAME.bin.

    Args:
        kind: ncnn's layer type.
        name: of the layer.
        inputs: names of the input blobs.
        outputs: names of the output blobs.
        numbers: the parameters by ncnn's index; int and float are different types for ncnn.
        kernel: float32 weights that ncnn reads after a tag of their type, so that float16 is possible; or
            None.
        weights: further weights, always in float32.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    numbers: Numbers = dataclasses.field(default_factory=dict)
    kernel: np.ndarray | None = None
    weights: tuple[np.ndarray, ...] = ()


class NcnnBuilder:
    """Collect layers.

    Attributes:
        layers: so far, each with one output.
        channels: number of channels by name of the blob.
    """

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.channels: dict[str, int] = {}

    def add(
        self,
        kind: str,
        name: str,
        inputs: Sequence[str],
        numbers: Numbers | None = None,
        channels: int | None = None,
        kernel: np.ndarray | None = None,
        weights: Sequence[np.ndarray] = (),
    ) -> str:
        """Append a layer whose output has the layer's name, and return that name.

        Args:
            kind: ncnn's layer type.
            name: of the layer.
            inputs: names of the input blobs.
            numbers: as for :class:`Layer`.
            channels: of its output; None where they are those of the first input.
            kernel: as for :class:`Layer`.
            weights: as for :class:`Layer`.
        """
        self.layers.append(Layer(kind, name, tuple(inputs), (name,), numbers or {}, kernel, tuple(weights)))
        self.channels[name] = self.channels[inputs[0]] if channels is None else channels
        return name


def param_text(layers: Sequence[Layer]) -> str:
    """Return the text of NAME.param: one line per layer."""
    blobs = sum(len(layer.outputs) for layer in layers)
    lines = [str(MAGIC), f"{len(layers)} {blobs}"]
    for layer in layers:
        counts = f"{len(layer.inputs)} {len(layer.outputs)}"
        names = " ".join((*layer.inputs, *layer.outputs))
        lines.append(f"{layer.kind:<20} {layer.name:<24} {counts} {names} {_numbers(layer.numbers)}".rstrip())
    return "\n".join(lines) + "\n"


def weight_bytes(layer: Layer, half: bool) -> bytes:
    """Return a layer's part of NAME.bin; weights out of the range of float16 stay in float32."""
    parts = []
    if layer.kernel is not None:
        half = half and bool(np.abs(layer.kernel).max(initial=0) <= np.finfo(np.float16).max)
        stored = layer.kernel.astype("<f2" if half else "<f4").tobytes()
        parts += [np.array(_FLOAT16 if half else _FLOAT32, "<u4").tobytes(), stored, bytes(-len(stored) % 4)]
    return b"".join([*parts, *(array.astype("<f4").tobytes() for array in layer.weights)])


def _numbers(numbers: Numbers) -> str:
    """Return a layer's parameters as text; for ncnn a number with a decimal point is a float."""
    words = []
    for index, value in sorted(numbers.items()):
        if isinstance(value, tuple):
            words.append(f"{_ARRAY - index}={','.join([str(len(value)), *map(_number, value)])}")
        else:
            words.append(f"{index}={_number(value)}")
    return " ".join(words)


def _number(value: int | float) -> str:
    return f"{np.clip(value, -_LARGEST, _LARGEST):.8e}" if isinstance(value, float) else str(value)
