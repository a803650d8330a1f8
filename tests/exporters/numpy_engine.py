"""Run an InferenceGraph in NumPy: slow and simple."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from gluon_yolo.exporters.ir.graph import INPUT, InferenceGraph


def run(graph: InferenceGraph, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Return the graph's outputs by name for pixels (B, H, W, 3)."""
    arrays = {INPUT: pixels, **graph.weights}
    for node in graph.nodes:
        inputs = [arrays[name] for name in node.inputs]
        arrays[node.name] = np.asarray(STEPS[node.op](*inputs, **node.attributes), dtype=np.float32)
    return {name: arrays[node] for name, node in graph.outputs.items()}


def windows(x, kernel, stride, padding, dilation, fill):
    """Return (B, C, rows, columns, kernel height, kernel width)."""
    top, left, bottom, right = padding
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill)
    reach = [(side - 1) * step + 1 for side, step in zip(kernel, dilation)]
    view = sliding_window_view(x, reach, axis=(2, 3))
    return view[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]


def convolution(x, weight, bias=None, *, stride, padding, dilation, groups):
    view = windows(x, weight.shape[2:], stride, padding, dilation, 0)
    parts = zip(np.split(view, groups, axis=1), np.split(weight, groups, axis=0))
    y = np.concatenate([np.einsum("bcijkl,ockl->boij", *part, optimize=True) for part in parts], axis=1)
    return y if bias is None else y + bias[:, None, None]


def affine(x, scale, shift):
    if scale.size > 1:
        scale, shift = scale[:, None, None], shift[:, None, None]
    return x * scale + shift


def max_pool(x, *, kernel, stride, padding):
    return windows(x, kernel, stride, padding, (1, 1), -np.inf).max(axis=(4, 5))


def take(x, *, axis, begin, end, step):
    return x[(slice(None),) * axis + (slice(begin, end, step),)]


def reshape(x, *, shape):
    return x.reshape([x.shape[place] if side == 0 else side for place, side in enumerate(shape)])


def softmax(x, *, axis):
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def cells(x):
    row, column = np.mgrid[: x.shape[2], : x.shape[3]]
    return np.stack([column.ravel(), row.ravel()])[None, None]


STEPS = {
    "planes": lambda x: x.astype(np.float32).transpose(0, 3, 1, 2),
    "convolution": convolution,
    "affine": affine,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x, *, slope: np.where(x < 0, slope * x, x),
    "prelu": lambda x, slope: np.where(x < 0, slope[:, None, None] * x, x),
    "average_pool": lambda x, **sides: windows(x, **sides, dilation=(1, 1), fill=0).mean(axis=(4, 5)),
    "elu": lambda x, *, alpha: np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x),
    "clip": lambda x, **limits: np.clip(x, limits["min"], limits["max"]),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "softplus": lambda x: np.logaddexp(0, x),
    "exp": np.exp,
    "softmax": softmax,
    "max_pool": max_pool,
    "global_average_pool": lambda x: x.mean(axis=(2, 3), keepdims=True),
    "upsample": lambda x, *, factor: x.repeat(factor, axis=2).repeat(factor, axis=3),
    "concat": lambda *arrays, axis: np.concatenate(arrays, axis=axis),
    "slice": take,
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "reshape": reshape,
    "transpose": lambda x, *, axes: x.transpose(axes),
    "cells": cells,
}
