"""Caffe's layers: each kind's parameters read from its message, and the shape of what it gives.

Shapes are (C, H, W): a network here has one image in a batch's place, and an InnerProduct gives (O, 1, 1).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Callable

Shape = tuple[int, int, int]
_LARGEST = 2**31 - 1  # Caffe counts in 32 bits without a sign, and mxnet with one


class Unreadable(Exception):
    """A layer is used in a way that is not read here; the message tells how."""


@dataclasses.dataclass(frozen=True)
class Layer:
    """One layer.

    Args:
        name: of the layer, by which its weights are found.
        kind: Caffe's type.
        inputs: names of the layers that it reads; the network's input has its blob's name.
        values: its parameters, by the reader of its kind.
        shape: of its output, (C, H, W).
        weights: shapes of its blobs in the caffemodel, in order.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    values: Mapping[str, Any]
    shape: Shape
    weights: tuple[tuple[int, ...], ...] = ()


Read = tuple[Mapping[str, Any], Shape, tuple[tuple[int, ...], ...]]
Reader = Callable[[Any, Sequence[Shape]], Read]


def _convolution(layer: Any, inputs: Sequence[Shape]) -> Read:
    given, (channels, *sides) = layer.convolution_param, inputs[0]
    _expect(given, axis=1)
    kernel, stride = _pair(given, "kernel", "kernel_size", 0), _pair(given, "stride", "stride", 1)
    pad, dilation = _pair(given, "pad", "pad", 0), _pair(given, "", "dilation", 1)
    outputs, groups = given.num_output, given.group
    if min(*kernel, *stride, *dilation, outputs, groups) < 1:
        raise Unreadable("kernel, stride, dilation, group and num_output must be 1 or more")
    if channels % groups or outputs % groups:
        raise Unreadable(f"group {groups} does not divide its {channels} channels in and {outputs} out")
    reach = [step * (side - 1) + 1 for side, step in zip(kernel, dilation)]
    places = [(side + 2 * more - own) // step + 1 for side, more, own, step in zip(sides, pad, reach, stride)]
    values = {"stride": stride, "pad": pad, "dilation": dilation, "groups": groups}
    weights = ((outputs, channels // groups, *kernel), *(((outputs,),) if given.bias_term else ()))
    return values, (outputs, places[0], places[1]), weights


def _inner_product(layer: Any, inputs: Sequence[Shape]) -> Read:
    given, shape = layer.inner_product_param, inputs[0]
    _expect(given, axis=1)
    outputs, count = given.num_output, math.prod(shape)
    if outputs < 1:
        raise Unreadable("num_output must be 1 or more")
    sides = (count, outputs) if given.transpose else (outputs, count)
    return (
        {"transpose": given.transpose, "shape": shape},
        (outputs, 1, 1),
        (sides, *([(outputs,)] if given.bias_term else [])),
    )


def _batch_norm(layer: Any, inputs: Sequence[Shape]) -> Read:
    given, shape = layer.batch_norm_param, inputs[0]
    if given.HasField("use_global_stats") and not given.use_global_stats:
        raise Unreadable("use_global_stats: false normalises by the batch, which a network in use does not")
    return {"eps": given.eps}, shape, ((shape[0],), (shape[0],), (1,))


def _scale(layer: Any, inputs: Sequence[Shape]) -> Read:
    given, shape = layer.scale_param, inputs[0]
    if len(inputs) > 1:
        raise Unreadable("a factor that is another layer's output is not read here")
    _expect(given, axis=1, num_axes=1)
    return {}, shape, ((shape[0],),) * (1 + given.bias_term)


def _relu(layer: Any, inputs: Sequence[Shape]) -> Read:
    return {"slope": layer.relu_param.negative_slope}, inputs[0], ()


def _prelu(layer: Any, inputs: Sequence[Shape]) -> Read:
    return {}, inputs[0], ((1 if layer.prelu_param.channel_shared else inputs[0][0],),)


def _eltwise(layer: Any, inputs: Sequence[Shape]) -> Read:
    given = layer.eltwise_param
    operation = ("prod", "sum", "max")[given.operation]
    if len(inputs) < 2 or len(set(inputs)) > 1:
        raise Unreadable(f"expected two inputs or more of one shape, got {_shapes(inputs)}")
    if given.coeff and (operation != "sum" or len(given.coeff) != len(inputs)):
        raise Unreadable(f"has {len(given.coeff)} coeff for {len(inputs)} inputs of {operation.upper()}")
    return {"operation": operation, "coefficients": tuple(given.coeff)}, inputs[0], ()


def _concat(layer: Any, inputs: Sequence[Shape]) -> Read:
    given = layer.concat_param
    _expect(given, axis=1, concat_dim=1)
    if len({shape[1:] for shape in inputs}) > 1:
        raise Unreadable(f"expected inputs of one height and width, got {_shapes(inputs)}")
    return {}, (sum(shape[0] for shape in inputs), *inputs[0][1:]), ()


def _pooling(layer: Any, inputs: Sequence[Shape]) -> Read:
    given, (channels, *sides) = layer.pooling_param, inputs[0]
    if given.pool > 1:
        raise Unreadable("pool: STOCHASTIC is of a training")
    kind = ("max", "avg")[given.pool]
    if given.global_pooling:
        return {"kind": kind, "whole": True}, (channels, 1, 1), ()
    kernel, stride = _pair(given, "kernel", "kernel_size", 0), _pair(given, "stride", "stride", 1)
    pad = _pair(given, "pad", "pad", 0)
    if min(*kernel, *stride) < 1 or any(more >= side for more, side in zip(pad, kernel)):
        raise Unreadable("kernel and stride must be 1 or more, and pad less than the kernel")
    free = [side + 2 * more - own for side, more, own in zip(sides, pad, kernel)]
    ceils = given.round_mode == 0
    places = [(-(-left // step) if ceils else left // step) + 1 for left, step in zip(free, stride)]
    # Caffe leaves out a last window that begins behind the image and its upper padding.
    places = [
        count - (any(pad) and (count - 1) * step >= side + more)
        for count, step, side, more in zip(places, stride, sides, pad)
    ]
    whole = [left // step + 1 for left, step in zip(free, stride)]
    values = {"kind": kind, "whole": False, "kernel": kernel, "stride": stride, "pad": pad}
    convention = "valid" if places == whole else "full"
    full = [-(-left // step) + 1 for left, step in zip(free, stride)]
    if convention == "full" and places != full:
        raise Unreadable(f"its last windows are left out on one side alone, at {sides[0]}x{sides[1]}")
    return {**values, "convention": convention}, (channels, places[0], places[1]), ()


# By type: its reader, the message of its parameters, and how many inputs it takes at most.
READERS: Mapping[str, tuple[Reader, str, int]] = {
    "Convolution": (_convolution, "convolution_param", 1),
    "InnerProduct": (_inner_product, "inner_product_param", 1),
    "BatchNorm": (_batch_norm, "batch_norm_param", 1),
    "Scale": (_scale, "scale_param", 2),
    "ReLU": (_relu, "relu_param", 1),
    "PReLU": (_prelu, "prelu_param", 1),
    "Eltwise": (_eltwise, "eltwise_param", 1000),
    "Concat": (_concat, "concat_param", 1000),
    "Pooling": (_pooling, "pooling_param", 1),
}


def _expect(given: Any, **wanted: int) -> None:
    """Raise Unreadable unless the fields have these values."""
    for name, value in wanted.items():
        if getattr(given, name) != value:
            raise Unreadable(f"{name}: {getattr(given, name)} is not read here, {name}: {value} is")


def _pair(given: Any, sides: str, both: str, default: int) -> tuple[int, int]:
    """Return the vertical and the horizontal value of a parameter.

    Args:
        given: the layer's parameters.
        sides: begin of the names of the two fields, before ``_h`` and ``_w``; empty where there are none.
        both: the field that has one value for both, or, where it is repeated, one or two.
        default: where none is given.
    """
    if sides and (given.HasField(f"{sides}_h") or given.HasField(f"{sides}_w")):
        values = [getattr(given, f"{sides}_h"), getattr(given, f"{sides}_w")]
    else:
        field = getattr(given, both)
        values = ([field] if given.HasField(both) else []) if isinstance(field, int) else list(field)
    if len(values) > 2:
        raise Unreadable(f"{both} {values}: two axes are read here")
    if max(values, default=0) > _LARGEST:
        raise Unreadable(f"{both} {max(values)}: at most {_LARGEST} is read here")
    return (values[0], values[-1]) if values else (default, default)


def _shapes(shapes: Sequence[Shape]) -> str:
    return ", ".join("x".join(map(str, shape)) for shape in shapes)
