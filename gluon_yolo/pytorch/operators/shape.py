"""Operators that move, select and repeat values, and that make constants."""

from __future__ import annotations

from collections.abc import Sequence

from gluon_yolo.pytorch.operators.registry import (
    BOOL,
    FLOAT,
    is_axes,
    is_number,
    is_whole,
    operator,
)
from gluon_yolo.torch_compat import Tensor, torch


def _reshape_problem(shape: tuple[int, ...], reverse: bool = False) -> str:
    """Return what is wrong with a shape: -4 stands before its two sides, which ``reverse`` turns round."""
    unknown = [code for code in shape if code < -4]
    return f"shape={shape}, reverse={reverse}" if unknown or (reverse and -4 in shape) else ""


@operator(
    "Reshape",
    together=_reshape_problem,
    shape=lambda value: isinstance(value, tuple) and bool(value),
    reverse=BOOL,
)
def reshape(x: Tensor, *, shape: tuple[int, ...], reverse: bool = False) -> Tensor:
    """Give an array another shape."""
    return x.reshape(target_shape(x.shape, shape, reverse))


@operator("Flatten")
def flatten(x: Tensor) -> Tensor:
    """Return all values of an image in a row."""
    return x.flatten(1)


def target_shape(own: Sequence[int], codes: Sequence[int], reverse: bool = False) -> tuple[int, ...]:
    """Return the shape that an array gets by mxnet's codes.

    Args:
        own: shape of the array.
        codes: 0 keeps the side; -1 takes what is left, and is returned as it is; -2 keeps all further sides;
            -3 multiplies two sides; -4 divides a side into the two that follow, of which one may be -1.
        reverse: whether sides and codes belong together from the right.
    """
    if reverse:
        return target_shape(own[::-1], codes[::-1])[::-1]
    shape: list[int] = []
    place, rest = 0, list(codes)
    while rest:
        code = rest.pop(0)
        if code == 0:
            shape.append(own[place])
        elif code == -2:
            shape += own[place:]
            place = len(own)
        elif code == -3:
            shape.append(own[place] * own[place + 1])
            place += 1
        elif code == -4:
            first, second = rest.pop(0), rest.pop(0)
            shape.append(own[place] // second if first == -1 else first)
            shape.append(own[place] // first if second == -1 else second)
        else:
            shape.append(code)
        place += 1
    return tuple(shape)


@operator("transpose", axes=is_axes)
def transpose(x: Tensor, *, axes: tuple[int, ...]) -> Tensor:
    """Put the axes in another order."""
    return x.permute(axes)


@operator("slice_axis", axis=is_whole, begin=is_whole, end=lambda value: value is None or is_whole(value))
def slice_axis(x: Tensor, *, axis: int, begin: int, end: int | None) -> Tensor:
    """Return the part of an array from ``begin`` to before ``end`` along an axis."""
    size = x.shape[axis]
    first = begin if begin >= 0 else size + begin
    last = size if end is None else end if end >= 0 else size + end
    return x.narrow(axis, first, last - first)


@operator("SliceChannel", num_outputs=is_whole, axis=is_whole, squeeze_axis=BOOL)
def slice_channel(
    x: Tensor, *, num_outputs: int, axis: int = 1, squeeze_axis: bool = False
) -> tuple[Tensor, ...]:
    """Divide an array into equal parts along an axis, which is removed with ``squeeze_axis``."""
    return x.unbind(axis) if squeeze_axis else x.split(x.shape[axis] // num_outputs, axis)


@operator("Concat", dim=is_whole)
def concat(*arrays: Tensor, dim: int = 1) -> Tensor:
    """Put arrays side by side along an axis."""
    return torch.cat(arrays, dim)


@operator("stack", axis=is_whole)
def stack(*arrays: Tensor, axis: int = 0) -> Tensor:
    """Put arrays side by side along a new axis."""
    return torch.stack(arrays, axis)


@operator("expand_dims", axis=is_whole)
def expand_dims(x: Tensor, *, axis: int) -> Tensor:
    """Insert an axis of size 1."""
    return x.unsqueeze(axis)


@operator("squeeze", axis=is_axes)
def squeeze(x: Tensor, *, axis: int | tuple[int, ...]) -> Tensor:
    """Remove axes of size 1."""
    return x.squeeze(axis)


@operator("broadcast_axis", axis=is_whole, size=is_whole)
def broadcast_axis(x: Tensor, *, axis: int, size: int) -> Tensor:
    """Repeat the values along an axis of size 1."""
    sides = [-1] * x.ndim
    sides[axis] = size
    return x.expand(sides)


@operator("broadcast_like")
def broadcast_like(x: Tensor, like: Tensor) -> Tensor:
    """Repeat the values along axes of size 1, to the shape of another array."""
    return x.expand(like.shape)


@operator("take", axis=(0,), mode=("clip",))
def take(table: Tensor, index: Tensor, *, axis: int = 0, mode: str = "clip") -> Tensor:
    """Return rows of a table; an index outside of it takes the nearest row."""
    return table[index.long().clamp(0, table.shape[0] - 1)]


@operator("gather_nd")
def gather_nd(table: Tensor, index: Tensor) -> Tensor:
    """Return rows of a table; ``index`` (n, ...) holds their place along the first n axes."""
    return table[index.long().unbind(0)]


@operator("one_hot", depth=is_whole, on_value=is_number, off_value=is_number, dtype=(FLOAT,))
def one_hot(
    index: Tensor, *, depth: int, on_value: float = 1.0, off_value: float = 0.0, dtype: torch.dtype
) -> Tensor:
    """Return ``on_value`` at the place of each index along a new last axis, else ``off_value``."""
    there = index.long().unsqueeze(-1) == torch.arange(depth, device=index.device)
    return torch.full_like(there, off_value, dtype=dtype).masked_fill(there, on_value)


@operator("_contrib_arange_like", axis=is_whole)
def arange_like(x: Tensor, *, axis: int) -> Tensor:
    """Return 0, 1, 2, ... up to the size of an axis."""
    return torch.arange(x.shape[axis], device=x.device, dtype=x.dtype)


@operator("_full", shape=is_axes, value=is_number, dtype=(FLOAT,))
def full(like: Tensor, *, shape: tuple[int, ...], value: float, dtype: torch.dtype) -> Tensor:
    """Return a constant array; ``like`` is any array of the graph and says on which device."""
    return torch.full(shape, value, device=like.device, dtype=dtype)


@operator("Cast", dtype=(FLOAT,))
def cast(x: Tensor, *, dtype: torch.dtype) -> Tensor:
    """Convert an array to the type of the computation."""
    return x.to(dtype)


@operator("BlockGrad")
def block_grad(x: Tensor) -> Tensor:
    """Return the values; no gradient goes through."""
    return x.detach()


@operator("_copy")
def copy(x: Tensor) -> Tensor:
    """Return the array as it is."""
    return x


@operator("ones_like")
def ones_like(x: Tensor) -> Tensor:
    """Return ones in the shape of an array."""
    return torch.ones_like(x)


@operator("zeros_like")
def zeros_like(x: Tensor) -> Tensor:
    """Return zeros in the shape of an array."""
    return torch.zeros_like(x)
