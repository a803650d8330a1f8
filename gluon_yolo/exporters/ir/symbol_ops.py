"""mxnet's operators: each operator of the supported networks as steps of an InferenceGraph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable, Union

import numpy as np

from gluon_yolo.exporters.ir.graph import INPUT, Builder
from gluon_yolo.exporters.ir.symbol_node import EdgePadded, Parted, Stacked, Step, Unreadable, Value


def _convolution(step: Step, build: Builder) -> Value:
    step.expect("layout", "NCHW", None)
    if len(step.get("kernel", ())) != 2:
        raise Unreadable("only two-dimensional convolutions are known")
    down, across = step.pair("pad", 0)
    weights = [build.store(step.input_names[1], step.known(1))]
    if not step.get("no_bias", False):
        weights.append(build.store(step.input_names[2], step.known(2)))
    return build.add(
        "convolution",
        step.array(),
        *weights,
        name=_place(step, build),
        stride=step.pair("stride", 1),
        padding=(down, across, down, across),
        dilation=step.pair("dilate", 1),
        groups=int(step.get("num_group", 1)),
    )


def _place(step: Step, build: Builder) -> str:
    """Return a convolution's name, from its weight; more convolutions with the same weight get a number."""
    place = step.input_names[1].rpartition("_weight")[0] or step.name
    uses = sum(step.input_names[1] in node.inputs for node in build.nodes)
    return f"{place}_{uses}" if uses else place


def _batch_norm(step: Step, build: Builder) -> Value:
    step.expect("axis", 1)
    gamma, beta, mean, variance = (step.known(place) for place in (1, 2, 3, 4))
    gamma = np.ones_like(gamma) if step.get("fix_gamma", True) else gamma
    scale = gamma / np.sqrt(variance + step.get("eps", 1e-3))
    return build.add("affine", step.array(), weights=(scale, beta - mean * scale))


def _pooling(step: Step, build: Builder) -> Value:
    step.expect("layout", "NCHW", None)
    kind = step.get("pool_type", "max")
    if kind == "avg" and step.get("global_pool", False):
        return build.add("global_average_pool", step.array())
    if kind == "avg":
        return _average_pool(step, build)
    if kind != "max" or step.get("global_pool", False):
        raise Unreadable(f"pool_type={kind}, global_pool={step.get('global_pool', False)}")
    step.expect("pooling_convention", "valid", "full")
    kernel, stride, before = step.pair("kernel", 1), step.pair("stride", 1), step.pair("pad", 0)
    value, more = step.inputs[0], (0, 0)
    if isinstance(value, EdgePadded):
        more, value = (value.down, value.across), value.array
        if any(side < pad + own + 1 for side, pad, own in zip(kernel, more, before)):
            raise Unreadable("a window may lie wholly in the padding")
    if step.get("pooling_convention", "valid") == "full":  # an incomplete last window counts too
        more = (more[0] + stride[0] - 1, more[1] + stride[1] - 1)
    if not isinstance(value, str):
        raise Unreadable(f"its input {step.input_names[0]} is no map")
    behind = (before[0] + more[0], before[1] + more[1])
    return build.add("max_pool", value, kernel=kernel, stride=stride, padding=(*before, *behind))


def _average_pool(step: Step, build: Builder) -> Value:
    if step.get("pooling_convention", "valid") != "valid" or step.get("count_include_pad", True) is False:
        raise Unreadable("pool_type=avg whose windows differ in the number of their cells")
    pad = step.pair("pad", 0)
    kernel, stride = step.pair("kernel", 1), step.pair("stride", 1)
    return build.add("average_pool", step.array(), kernel=kernel, stride=stride, padding=(*pad, *pad))


def _pad(step: Step, build: Builder) -> Value:
    *others, top, bottom, left, right = step.get("pad_width", ())
    if step.get("mode", None) != "edge" or any((*others, top, left)):
        raise Unreadable("only padding below and to the right with the edge's values is known")
    return EdgePadded(step.array(), bottom, right)


def _reshape(step: Step, build: Builder) -> Value:
    shape, value = tuple(step.get("shape", ())), step.inputs[0]
    if step.get("reverse", False) and shape[0] == -1 and shape[-2:] == (0, 0):
        if isinstance(value, Stacked) and len(shape) == 4:
            return build.add("concat", *value.arrays, axis=1)
        if isinstance(value, str) and len(shape) == 5:
            return Parted(value, shape[1], shape[2])
    raise Unreadable(f"shape={shape}")


def _flatten(step: Step, build: Builder) -> Value:
    return build.add("reshape", step.array(), shape=(0, -1))


def _slice_channel(step: Step, build: Builder) -> Value | list[Value]:
    axis, count, value = step.get("axis", 1), step.get("num_outputs", 1), step.inputs[0]
    if isinstance(value, Parted) and step.get("squeeze_axis", False) and (axis, count) == (2, value.width):
        end = value.rows * value.width
        return [
            build.add("slice", value.array, axis=1, begin=begin, end=end, step=count)
            for begin in range(count)
        ]
    raise Unreadable(f"axis={axis}, num_outputs={count}")


def _slice_axis(step: Step, build: Builder) -> Value:
    axis, begin, end = step.get("axis", None), step.get("begin", 0), step.get("end", None)
    if axis != 1 or end is None or begin < 0 or end <= begin:
        raise Unreadable(f"axis={axis}, begin={begin}, end={end}")
    return build.add("slice", step.array(), axis=1, begin=begin, end=end, step=1)


def _stack(step: Step, build: Builder) -> Value:
    step.expect("axis", 0, 1)
    if step.get("axis", 0) != 1:
        raise Unreadable("axis=0")
    return Stacked(tuple(step.array(place) for place in range(len(step.inputs))))


def _concat(step: Step, build: Builder) -> Value:
    step.expect("dim", 1)
    return build.add("concat", *(step.array(place) for place in range(len(step.inputs))), axis=1)


def _transpose(step: Step, build: Builder) -> Value:
    if step.inputs[0] != INPUT or tuple(step.get("axes", ())) != (0, 3, 1, 2):
        raise Unreadable("only the picture's axes are transposed")
    return build.add("planes", INPUT)


def _cast(step: Step, build: Builder) -> Value:
    step.expect("dtype", "float32")
    return step.inputs[0]


def _upsampling(step: Step, build: Builder) -> Value:
    step.expect("sample_type", None, "nearest")
    return build.add("upsample", step.array(), factor=int(step.get("scale", 1)))


def _activation(step: Step, build: Builder) -> Value:
    names = {"relu": "relu", "sigmoid": "sigmoid", "tanh": "tanh", "softrelu": "softplus"}
    kind = step.get("act_type", None)
    if kind not in names:
        raise Unreadable(f"act_type={kind}")
    return build.add(names[kind], step.array())


def _leaky_relu(step: Step, build: Builder) -> Value:
    kind, slope = step.get("act_type", "leaky"), float(step.get("slope", 0.25))
    if kind == "leaky":
        return build.add("leaky_relu", step.array(), slope=slope)
    if kind == "prelu":
        return build.add("prelu", step.array(), weights=(step.known(1).ravel(),))
    if kind == "elu":
        return build.add("elu", step.array(), alpha=slope)
    raise Unreadable(f"act_type={kind}")


def _clip(step: Step, build: Builder) -> Value:
    return build.add("clip", step.array(), min=float(step.get("a_min", 0)), max=float(step.get("a_max", 0)))


def _same(step: Step, build: Builder) -> Value:
    return step.inputs[0]


def _by_itself(op: str) -> Callable[[Step, Builder], Value]:
    return lambda step, build: build.add(op, step.array())


def _by_number(scale: Callable[[float], float], shift: Callable[[float], float]) -> Reader:
    """Return a reader of x with a number c: ``x * scale(c) + shift(c)``."""

    def read(step: Step, build: Builder) -> Value:
        number = float(step.get("scalar", 0))
        return build.add("affine", step.array(), weights=(_one(scale(number)), _one(shift(number))))

    return read


def _of_two(
    op: str, scale: Callable[[Any], Any], shift: Callable[[Any], Any]
) -> Callable[[Step, Builder], Value]:
    """Return a reader of x with another map, by ``op``, or with a constant c: ``x * scale(c) + shift(c)``."""

    def read(step: Step, build: Builder) -> Value:
        if not isinstance(step.inputs[1], np.ndarray):
            if not op:
                raise Unreadable("its second input is no parameter")
            return build.add(op, step.array(0), step.array(1))
        constant = step.known(1)
        if constant.size != 1 and constant.shape != (1, constant.size, 1, 1):
            raise Unreadable(f"a constant of shape {constant.shape}")
        weights = [np.broadcast_to(part(constant.ravel()), constant.size) for part in (scale, shift)]
        return build.add("affine", step.array(), weights=weights)

    return read


def _one(number: float) -> np.ndarray:
    return np.array([number])


def _maximum(step: Step, build: Builder) -> Value:
    """Return the larger of x and y: x + max(y - x, 0)."""
    x, y = step.array(0), step.array(1)
    return build.add("add", x, build.add("relu", build.add("subtract", y, x)))


_ADD = _of_two("add", np.ones_like, lambda c: c)
_SUBTRACT = _of_two("subtract", np.ones_like, lambda c: -c)
_MULTIPLY = _of_two("multiply", lambda c: c, np.zeros_like)
_DIVIDE = _of_two("", lambda c: 1 / c, np.zeros_like)

Reader = Callable[[Step, Builder], Union[Value, Sequence[Value]]]
READERS: Mapping[str, Reader] = {
    "Convolution": _convolution,
    "BatchNorm": _batch_norm,
    "Pooling": _pooling,
    "Pad": _pad,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "SliceChannel": _slice_channel,
    "slice_axis": _slice_axis,
    "stack": _stack,
    "Concat": _concat,
    "transpose": _transpose,
    "Cast": _cast,
    "UpSampling": _upsampling,
    "Activation": _activation,
    "LeakyReLU": _leaky_relu,
    "clip": _clip,
    **dict.fromkeys(("_copy", "BlockGrad", "Dropout"), _same),
    **{name: _by_itself(name) for name in ("relu", "sigmoid", "tanh")},
    **dict.fromkeys(("elemwise_add", "broadcast_add"), _ADD),
    **dict.fromkeys(("elemwise_sub", "broadcast_sub"), _SUBTRACT),
    **dict.fromkeys(("elemwise_mul", "broadcast_mul"), _MULTIPLY),
    "broadcast_div": _DIVIDE,
    "_maximum": _maximum,
    "_plus_scalar": _by_number(lambda c: 1, lambda c: c),
    "_minus_scalar": _by_number(lambda c: 1, lambda c: -c),
    "_mul_scalar": _by_number(lambda c: c, lambda c: 0),
    "_div_scalar": _by_number(lambda c: 1 / c, lambda c: 0),
}
