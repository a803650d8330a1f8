"""ncnn layers: the lines of NAME.param and what NAME.bin holds for each.

Of the format, see docs/developer-guide/param-and-model-file-structure.md of github.com/Tencent/ncnn.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Union

import numpy as np

MAGIC = 7767517
_FLOAT32, _FLOAT16 = 0, 0x01306B47  # what stands before weights and says how they are stored
_LARGEST = float(np.finfo(np.float32).max)  # ncnn knows no word for what is infinite
_ARRAY = -23300  # less the index: the index of a number that is an array
Numbers = Mapping[int, Union[int, float, "tuple[int, ...]", "tuple[float, ...]"]]


@dataclasses.dataclass(frozen=True)
class Layer:
    """A line of NAME.param, and what NAME.bin holds for it.

    Args:
        kind: ncnn's type of layer.
        name: its own.
        inputs: names of the blobs that it reads.
        outputs: names of the blobs that it gives.
        numbers: its parameters, by ncnn's index; whole numbers and others are told apart by their type.
        kernel: float32 weights that ncnn reads behind a tag of their storage, which may be float16; or none.
        weights: further weights, which ncnn wants in float32.
    """

    kind: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    numbers: Numbers = dataclasses.field(default_factory=dict)
    kernel: np.ndarray | None = None
    weights: tuple[np.ndarray, ...] = ()


class NcnnBuilder:
    """Collects layers.

    Attributes:
        layers: so far, each with one output.
        channels: by name of a blob, how many it has.
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
        """Append a layer whose output is called as it is, and return that name.

        Args:
            kind: ncnn's type.
            name: its own.
            inputs: blobs.
            numbers: as :class:`Layer` has them.
            channels: of its output; None where those are its first input's.
            kernel: as :class:`Layer` has it.
            weights: likewise.
        """
        self.layers.append(Layer(kind, name, tuple(inputs), (name,), numbers or {}, kernel, tuple(weights)))
        self.channels[name] = self.channels[inputs[0]] if channels is None else channels
        return name


def param_text(layers: Sequence[Layer]) -> str:
    """Return what NAME.param says: the layers, a line each."""
    blobs = sum(len(layer.outputs) for layer in layers)
    lines = [str(MAGIC), f"{len(layers)} {blobs}"]
    for layer in layers:
        counts = f"{len(layer.inputs)} {len(layer.outputs)}"
        names = " ".join((*layer.inputs, *layer.outputs))
        lines.append(f"{layer.kind:<20} {layer.name:<24} {counts} {names} {_numbers(layer.numbers)}".rstrip())
    return "\n".join(lines) + "\n"


def weight_bytes(layer: Layer, half: bool) -> bytes:
    """Return a layer's part of NAME.bin; weights that float16 cannot hold stay in float32."""
    parts = []
    if layer.kernel is not None:
        half = half and bool(np.abs(layer.kernel).max(initial=0) <= np.finfo(np.float16).max)
        stored = layer.kernel.astype("<f2" if half else "<f4").tobytes()
        parts += [np.array(_FLOAT16 if half else _FLOAT32, "<u4").tobytes(), stored, bytes(-len(stored) % 4)]
    return b"".join([*parts, *(array.astype("<f4").tobytes() for array in layer.weights)])


def _numbers(numbers: Numbers) -> str:
    """Write a layer's numbers; ncnn knows one that is not whole by its point."""
    words = []
    for index, value in sorted(numbers.items()):
        if isinstance(value, tuple):
            words.append(f"{_ARRAY - index}={','.join([str(len(value)), *map(_number, value)])}")
        else:
            words.append(f"{index}={_number(value)}")
    return " ".join(words)


def _number(value: int | float) -> str:
    return f"{np.clip(value, -_LARGEST, _LARGEST):.8e}" if isinstance(value, float) else str(value)
