"""Arrays of an InferenceGraph as tensors of a TFLite file: their layout, and in which type they are there."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gluon_yolo.exporters.tflite.file import Scale, TfliteFile

_LARGEST_BIAS = 2.0**30  # integers, so that a sum with it stays within int32
_HALF_MAX = float(np.finfo(np.float16).max)


@dataclasses.dataclass(frozen=True)
class Array:
    """An array of the graph in the file.

    Args:
        name: of the step that returns it.
        place: of its tensor.
        shape: as the graph has it: (B, C, H, W) for a map.
        is_map: whether its tensor lies as (B, H, W, C).
        scale: of int8; None for float32.
    """

    name: str
    place: int
    shape: tuple[int, ...]
    is_map: bool = True
    scale: Scale | None = None


@dataclasses.dataclass(frozen=True)
class Int8:
    """What of a graph is in int8.

    Args:
        steps: names of the steps that compute in it.
        scales: of the arrays that these steps read or return, by name.
    """

    steps: frozenset[str] = frozenset()
    scales: Mapping[str, Scale] = dataclasses.field(default_factory=dict)


class Arrays:
    """Append operators to a file by the arrays of the graph.

    Args:
        int8: what is in int8; None for nothing.
        half: whether weights of convolutions are stored in float16.

    Attributes:
        file: the tensors and operators so far.
        int8: as given.
    """

    def __init__(self, int8: Int8 | None = None, half: bool = False) -> None:
        self.file = TfliteFile()
        self.int8 = int8 or Int8()
        self._half = half
        self._forms: dict[tuple[int, Scale | None], Array] = {}
        self._kernels: dict[str, int] = {}  # in float32, by name

    def add(
        self,
        kind: str,
        arrays: Sequence[Array],
        name: str,
        shape: Sequence[int],
        more: Sequence[int] = (),
        native: bool = False,
        **options: Any,
    ) -> Array:
        """Append an operator, and return its result, which lies as the first array does.

        Args:
            kind: TFLite's name of the operator.
            arrays: that it reads.
            name: of the result.
            shape: of the result, as the graph has it.
            more: places of further tensors that it reads, after the arrays.
            native: whether the result is in int8, with the scale of that name.
            **options: as the schema names them.
        """
        scale = self.int8.scales[name] if native else None
        return self._append(kind, arrays, name, shape, more, scale, options)

    def like(
        self,
        kind: str,
        array: Array,
        name: str,
        shape: Sequence[int],
        others: Sequence[Array] = (),
        more: Sequence[int] = (),
        **options: Any,
    ) -> Array:
        """Append an operator whose result has the type and the scale of the array that it reads."""
        return self._append(kind, [array, *others], name, shape, more, array.scale, options)

    def _append(
        self,
        kind: str,
        arrays: Sequence[Array],
        name: str,
        shape: Sequence[int],
        more: Sequence[int],
        scale: Scale | None,
        options: Mapping[str, Any],
    ) -> Array:
        made = Array(name, 0, tuple(map(int, shape)), arrays[0].is_map, scale)
        dtype = "float32" if scale is None else "int8"
        places = [*(array.place for array in arrays), *more]
        place = self.file.add(kind, places, name, self.lying(made), dtype, scale, **options)
        return dataclasses.replace(made, place=place)

    @staticmethod
    def lying(array: Array) -> tuple[int, ...]:
        """Return the shape of an array's tensor."""
        if not array.is_map:
            return array.shape
        batch, channels, height, width = array.shape
        return batch, height, width, channels

    def in_float(self, array: Array) -> Array:
        """Return an array in float32."""
        return array if array.scale is None else self._converted(array, None)

    def in_int8(self, array: Array) -> Array:
        """Return an array in int8; one that is there already keeps its scale."""
        if array.scale == PIXELS:
            return self.rescaled(array, PIXELS_INT8)
        return self.rescaled(array, array.scale or self.int8.scales[array.name])

    def rescaled(self, array: Array, scale: Scale) -> Array:
        """Return an array in int8 with a scale."""
        return array if array.scale == scale else self._converted(array, scale)

    def _converted(self, array: Array, scale: Scale | None) -> Array:
        key = (array.place, scale)
        if key not in self._forms:
            kind = "DEQUANTIZE" if scale is None else "QUANTIZE"
            name = f"{array.name}_{'float' if scale is None else 'int8'}{len(self._forms)}"
            made = self._append(kind, [array], name, array.shape, (), scale, {})
            self._forms[key] = dataclasses.replace(made, name=array.name)
        return self._forms[key]

    def input(self, name: str, shape: Sequence[int]) -> Array:
        """Add the network's input, uint8 pixels (B, 3, H, W) that lie as (B, H, W, 3), and return it."""
        made = Array(name, 0, tuple(shape), True, PIXELS)
        return dataclasses.replace(made, place=self.file.tensor(name, self.lying(made), "uint8", PIXELS))

    def as_graph(self, array: Array) -> Array:
        """Return an array that lies as the graph has it."""
        if not array.is_map:
            return array
        lying = dataclasses.replace(array, shape=self.lying(array), is_map=False)
        return self.turned(lying, (0, 3, 1, 2), f"{array.name}_planes")

    def turned(self, array: Array, axes: Sequence[int], name: str) -> Array:
        """Append a transposition of an array that lies as the graph has it."""
        shape = [array.shape[axis] for axis in axes]
        return self.like("TRANSPOSE", array, name, shape, more=[self.file.integers(*axes)])

    def reshaped(self, array: Array, shape: Sequence[int], name: str) -> Array:
        """Append a reshape of an array that lies as the graph has it."""
        more = [self.file.integers(*shape)]
        return self.like("RESHAPE", array, name, shape, more=more, newShape=list(shape))

    def weights(
        self,
        name: str,
        kernel: np.ndarray,
        axes: Sequence[int],
        step: str,
        bias: np.ndarray,
        array: Array,
    ) -> tuple[int, int]:
        """Add the weights of a convolution in the type that fits the array it reads; return their places.

        Args:
            name: of the kernel, which several convolutions may have.
            kernel: (O, C / groups, height, width).
            axes: in which it lies in the file.
            step: name of the convolution.
            bias: (O,).
            array: that the convolution reads.
        """
        lying = np.ascontiguousarray(kernel.transpose(axes))
        if array.scale is not None:
            # Without a bias the integers are the same for every input.
            own = f"{step}_kernel_int8" if bias.any() else f"{name}_int8"
            return self._int8_weights(own, kernel, lying, list(axes).index(0), step, bias, array.scale)
        if name not in self._kernels:
            if self._half and np.abs(kernel).max(initial=0) <= _HALF_MAX:
                stored = self.file.constant(f"{name}_half", lying.astype(np.float16))
                self._kernels[name] = self.file.add("DEQUANTIZE", [stored], name, lying.shape)
            else:
                self._kernels[name] = self.file.constant(name, lying)
        return self._kernels[name], self.file.constant(f"{step}_bias", bias)

    def _int8_weights(
        self,
        name: str,
        kernel: np.ndarray,
        lying: np.ndarray,
        axis: int,
        step: str,
        bias: np.ndarray,
        given: Scale,
    ) -> tuple[int, int]:
        largest = np.abs(kernel.reshape(len(kernel), -1)).max(axis=1).astype(np.float64)
        # A channel whose weights are next to nothing would have a bias beyond int32.
        steps = np.maximum(largest / 127, np.abs(bias) / given.steps[0] / _LARGEST_BIAS)
        steps = np.where(steps > 0, steps, 1.0).astype(np.float32).astype(np.float64)
        sides = [1] * lying.ndim
        sides[axis] = -1
        integers = np.clip(np.rint(lying / steps.reshape(sides)), -127, 127).astype(np.int8)
        sums = steps * given.steps[0]
        return (
            self.file.constant(name, integers, Scale(tuple(steps.tolist()), 0, axis)),
            self.file.constant(
                f"{step}_bias", np.rint(bias / sums).astype(np.int32), Scale(tuple(sums.tolist()))
            ),
        )


PIXELS, PIXELS_INT8 = Scale((1.0,)), Scale((1.0,), -128)  # of the input, 0..255, in uint8 and in int8
