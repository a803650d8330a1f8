"""Pooling in Caffe, which pads opposite sides alike and rounds the number of windows up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gluon_yolo.exporters.caffe.layers import CaffeBuilder, sides_of
from gluon_yolo.exporters.ir.graph import Node
from gluon_yolo.exporters.ir.unwritable import Unwritable


class _Windows(NamedTuple):
    """The windows that a layer of Caffe computes along one axis, and those that are asked for.

    Args:
        pad: before and after the map.
        stride: of Caffe's windows.
        places: of Caffe's windows.
        first: index of the first that is asked for.
        step: from one that is asked for to the next.
        wanted: number of those that are asked for.
    """

    pad: int
    stride: int
    places: int
    first: int
    step: int
    wanted: int

    @property
    def kernel(self) -> int:
        """Side of a convolution that picks the windows: then as many of its places fit as are wanted."""
        return self.places - (self.wanted - 1) * self.step


def same_padding(node: Node) -> tuple[int, int]:
    """Return a step's padding above and to the left, which that below and to the right must equal.

    Raises:
        Unwritable: it does not.
    """
    top, left, bottom, right = node.attributes["padding"]
    if (top, left) != (bottom, right):
        raise Unwritable(f"padding {top}, {left}, {bottom}, {right}: Caffe pads opposite sides alike")
    return top, left


def add_max_pool(build: CaffeBuilder, node: Node, array: str) -> str:
    """Append a Pooling, and what leaves out the windows that Caffe computes beyond those of the step."""
    channels, *lengths = build.shapes[array]
    top, left, bottom, right = node.attributes["padding"]
    sides, strides = node.attributes["kernel"], node.attributes["stride"]
    edges = ((top, bottom), (left, right))
    axes = [_windows(*given) for given in zip(lengths, sides, strides, edges)]
    exact = all(windows.places == windows.wanted for windows in axes)
    counts = [windows.places for windows in axes]
    pooled = build.add(
        "Pooling",
        node.name if exact else f"{node.name}_all",
        (array,),
        (channels, *counts),
        pool=0,
        **sides_of(sides, [windows.stride for windows in axes], [windows.pad for windows in axes]),
    )
    return pooled if exact else _pick(build, node.name, pooled, array, axes)


def add_average_pool(build: CaffeBuilder, node: Node, array: str) -> str:
    """Append a convolution of equal weights: a Pooling rounds up, and readers differ in its padding."""
    channels, *lengths = build.shapes[array]
    sides, strides, pad = node.attributes["kernel"], node.attributes["stride"], same_padding(node)
    counts = [
        (length + 2 * more - side) // stride + 1
        for length, more, side, stride in zip(lengths, pad, sides, strides)
    ]
    kernel = np.full((channels, 1, *sides), 1 / (sides[0] * sides[1]))
    return build.add_convolution(node.name, array, kernel, counts, groups=channels, stride=strides, pad=pad)


def _windows(length: int, side: int, stride: int, edges: tuple[int, int]) -> _Windows:
    """Return Caffe's windows along one axis that contain those of a step.

    Args:
        length: of the map.
        side: of the window.
        stride: of the step.
        edges: padding before and after the map.
    """
    before, after = edges
    wanted = (length + before + after - side) // stride + 1
    for own in (stride, 1):
        for pad in range(before, side, own):
            reach = length + 2 * pad - side
            count = -(-reach // own) + 1
            first, step = (pad - before) // own, stride // own
            # Beyond this, Caffe leaves out the last window, and other readers compute it from nothing.
            inside = (count - 1) * own - pad < length
            if inside and first + (wanted - 1) * step < count:
                return _Windows(pad, own, count, first, step, wanted)
    raise Unwritable(f"windows of {side} with padding {before} and {after}; Caffe's is less than the window")


def _pick(build: CaffeBuilder, name: str, pooled: str, source: str, axes: Sequence[_Windows]) -> str:
    """Append a Crop to the size of the pooling's own input, or else a convolution that picks windows."""
    channels, *lengths = build.shapes[source]
    counts = [windows.wanted for windows in axes]
    if counts == lengths and all(windows.step == 1 for windows in axes):
        offsets = [windows.first for windows in axes]
        return build.add("Crop", name, (pooled, source), (channels, *counts), axis=2, offset=offsets)
    kernel = np.zeros((channels, 1, *(windows.kernel for windows in axes)))
    kernel[:, :, axes[0].first, axes[1].first] = 1
    strides = [windows.step for windows in axes]
    return build.add_convolution(name, pooled, kernel, counts, groups=channels, stride=strides)
