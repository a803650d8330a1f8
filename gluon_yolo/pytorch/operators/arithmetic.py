"""Operators that compute with values: of one array, of two, of an array and a number, and sums along axes.

Where two values are equal, mxnet's gradient of a maximum or minimum of two arrays goes to the first one, and
PyTorch's is divided between both. mxnet's gradient of the maximum along an axis goes to every largest value.
"""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from gluon_yolo.pytorch.operators.registry import is_axes, is_number, is_whole, operator
from gluon_yolo.torch_compat import Tensor, torch

INF = np.float32(np.inf)


@operator("clip", a_min=is_number, a_max=is_number)
def clip(x: Tensor, *, a_min: float, a_max: float) -> Tensor:
    """Return the nearest values within two bounds, which have the gradient of the values between them."""
    return _Clip.apply(x, a_min, a_max)


class _Clip(torch.autograd.Function):
    """The nearest values within two bounds.

    The backward pass is that of ``hardtanh``, whose bounds have no gradient: so it is given the next numbers
    outside. That of ``clamp`` is many times slower on processors.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, low: float, high: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.beyond = float(np.nextafter(np.float32(low), -INF)), float(np.nextafter(np.float32(high), INF))
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(gradient, x, *ctx.beyond), None, None


@operator("sum", axis=is_axes, keepdims=(False,))
def sum_along(x: Tensor, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
    """Return sums along axes; without any, (1,), the sum of all."""
    return x.sum().reshape(1) if axis is None else x.sum(axis)


@operator("mean", axis=is_axes, keepdims=(False,))
def mean_along(x: Tensor, *, axis: int | tuple[int, ...], keepdims: bool = False) -> Tensor:
    """Return means along axes."""
    return x.mean(axis)


@operator("max", axis=is_whole, keepdims=(False,))
def max_along(x: Tensor, *, axis: int, keepdims: bool = False) -> Tensor:
    """Return the largest values along an axis."""
    return _Max.apply(x, axis).squeeze(axis)


class _Max(torch.autograd.Function):
    """The largest values along an axis, which stays with size 1."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, axis: int) -> Tensor:
        largest = x.amax(axis, keepdim=True)
        ctx.save_for_backward(x, largest)
        return largest

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        x, largest = ctx.saved_tensors
        return torch.where(x == largest, gradient, 0), None


@operator("log_softmax", axis=is_whole)
def log_softmax(x: Tensor, *, axis: int = -1) -> Tensor:
    """Return the logarithm of the softmax along an axis."""
    return torch.log_softmax(x, axis)


@operator("softmax", axis=is_whole)
def softmax(x: Tensor, *, axis: int = -1) -> Tensor:
    """Return exponentials over their sum along an axis."""
    return torch.softmax(x, axis)


@operator("broadcast_maximum", "_maximum")
def maximum(x: Tensor, y: Tensor) -> Tensor:
    """Return the larger of two values; NaN if either is."""
    if not (x.requires_grad or y.requires_grad):
        return torch.maximum(x, y)
    return torch.where((x >= y) | x.isnan(), x, y)


@operator("broadcast_minimum")
def minimum(x: Tensor, y: Tensor) -> Tensor:
    """Return the smaller of two values; NaN if either is."""
    if not (x.requires_grad or y.requires_grad):
        return torch.minimum(x, y)
    return torch.where((x <= y) | x.isnan(), x, y)


@operator("add_n")
def add_n(*arrays: Tensor) -> Tensor:
    """Return the sum of arrays."""
    return sum(arrays[1:], arrays[0])


def _of_one(name: str, function: Callable[[Tensor], Tensor]) -> None:
    """Enter an operator of one array."""

    def compute(x: Tensor) -> Tensor:
        return function(x)

    operator(name)(_called(name, compute))


def _of_two(name: str, function: Callable[[Tensor, Tensor], Tensor]) -> None:
    """Enter an operator of two arrays of one shape, and the same where sides of 1 are stretched."""

    def compute(x: Tensor, y: Tensor) -> Tensor:
        return function(x, y)

    operator(f"elemwise_{name}", f"broadcast_{name}")(_called(name, compute))


def _by_number(name: str, function: Callable[[Tensor, float], Tensor]) -> None:
    """Enter an operator of an array and a number."""

    def compute(x: Tensor, *, scalar: float) -> Tensor:
        return function(x, scalar)

    operator(name, scalar=is_number)(_called(name.strip("_"), compute))


def _called(name: str, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Give a function a name, by which a printed graph calls it."""
    function.__name__ = function.__qualname__ = name
    return function


for _name in ("abs", "arctan", "exp", "floor", "log", "relu", "sigmoid", "square", "tanh"):
    _of_one(_name, getattr(torch, _name))
for _name in ("add", "sub", "mul", "div"):
    _of_two(_name, getattr(torch, _name))
_BY_NUMBER: dict[str, Callable[[Tensor, float], Tensor]] = {
    "_plus_scalar": lambda x, number: x + number,
    "_minus_scalar": lambda x, number: x - number,
    "_rminus_scalar": lambda x, number: number - x,
    "_mul_scalar": lambda x, number: x * number,
    "_div_scalar": lambda x, number: x / number,
    "_greater_scalar": lambda x, number: (x > number).to(x.dtype),
    "_lesser_equal_scalar": lambda x, number: (x <= number).to(x.dtype),
    "_equal_scalar": lambda x, number: (x == number).to(x.dtype),
}
for _name, _function in _BY_NUMBER.items():
    _by_number(_name, _function)
