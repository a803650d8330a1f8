"""Each operator against mxnet's: values and gradients on small arrays, and what is refused by name."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.graph.node import Graph
from gluon_yolo.mxnet_compat import mx

torch = pytest.importorskip("torch", reason="the second engine needs PyTorch")

from gluon_yolo.pytorch.module import graph_module  # noqa: E402
from gluon_yolo.pytorch.operators import OPERATORS  # noqa: E402
from gluon_yolo.pytorch.operators.shape import target_shape  # noqa: E402
from tests.pytorch.both_engines import of_mxnet, of_torch  # noqa: E402

S = mx.sym
x, y, z = (S.var(name) for name in "xyz")


def whole(*shape, seed=0, low=-2, high=3):
    """Whole numbers, so that many are equal, and many are 0 or at another bound."""
    return np.random.default_rng(seed).integers(low, high, shape).astype(np.float32)


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


MAP, ROWS = whole(2, 4, 5, 7), whole(2, 6, 5, seed=1)


def convolved(name, channels=4, kernel=(3, 3), groups=1, **options):
    """A convolution of 4 or more channels to 8, with weights of its own."""
    weight = drawn(8, channels // groups, *kernel, seed=2)
    symbol = S.Convolution(
        x,
        y,
        *([] if options.get("no_bias") else [z]),
        kernel=kernel,
        num_filter=8,
        num_group=groups,
        name="convolution",
        **options,
    )
    arrays = {"x": drawn(2, channels, 6, 7), "y": weight, "z": drawn(8, seed=3)}
    if options.get("no_bias"):
        del arrays["z"]
    return f"Convolution {name}", symbol, arrays


def pooled(kernel, stride, pad, convention, size_hw=(9, 8), values=whole, **kind):
    kind = {"pool_type": "max", **kind}
    symbol = S.Pooling(x, kernel=kernel, stride=stride, pad=pad, pooling_convention=convention, **kind)
    words = " ".join(map(str, kind.values()))
    return f"Pooling {words} {kernel} {stride} {pad} {convention}", symbol, {"x": values(2, 3, *size_hw)}


# What a graph of this package holds: names, symbols and arrays. An operator's word comes first.
CASES = [
    convolved("3x3", layout="NCHW"),
    convolved("1x1 without bias", kernel=(1, 1), no_bias=True),
    convolved("5x5, stride 2, padding 2", kernel=(5, 5), stride=(2, 2), pad=(2, 2)),
    convolved("dilated", dilate=(2, 2), pad=(1, 1)),
    convolved("grouped", groups=2, pad=(1, 1), stride=(1, 1)),
    convolved("depthwise", channels=8, groups=8, pad=(1, 1), no_bias=True),
    pooled((2, 2), (2, 2), (0, 0), "valid"),
    pooled((2, 2), (2, 2), (0, 0), "full"),
    pooled((2, 2), (1, 1), (0, 0), "valid"),
    pooled((3, 3), (2, 2), (1, 1), "valid"),
    pooled((4, 4), (2, 2), (1, 1), "valid"),
    pooled((8, 8), (2, 2), (3, 3), "valid"),
    pooled((5, 5), (1, 1), (2, 2), "valid"),
    pooled((9, 9), (1, 1), (4, 4), "valid"),
    pooled((13, 13), (1, 1), (6, 6), "valid"),
    *(pooled((3, 3), (2, 2), pad, convention, size_hw, pool_type="avg", count_include_pad=padded)
      for pad in ((0, 0), (1, 1)) for convention in ("valid", "full") for size_hw in ((9, 8), (10, 7))
      for padded in (True, False) if not (padded and convention == "full")),
    ("Pooling of a map", S.Pooling(x, kernel=(1, 1), global_pool=True, pool_type="avg"), {"x": MAP}),
    ("Pad", S.Pad(x, mode="edge", pad_width=(0, 0, 0, 0, 0, 1, 0, 1)), {"x": MAP}),
    ("Pad on all sides", S.Pad(x, mode="edge", pad_width=(0, 0, 0, 0, 2, 1, 3, 4)), {"x": MAP}),
    *((f"UpSampling {n}", S.UpSampling(x, scale=n, sample_type="nearest"), {"x": MAP}) for n in (2, 3)),
    *((f"Activation {act}", S.Activation(x, act_type=act), {"x": MAP * 3})
      for act in ("relu", "sigmoid", "softrelu", "tanh")),
    *((f"LeakyReLU {act} {slope}", S.LeakyReLU(x, act_type=act, slope=slope), {"x": MAP})
      for act, slope in (("leaky", 0.1), ("leaky", 0.01), ("elu", 1.0), ("elu", 1.6732))),
    ("LeakyReLU", S.LeakyReLU(x), {"x": MAP}),
    *((f"LeakyReLU prelu {len(slopes)}", S.LeakyReLU(x, y, act_type="prelu"), {"x": MAP, "y": slopes})
      for slopes in (drawn(MAP.shape[1]), drawn(1))),
    *((f"clip {low} {high}", S.clip(x, low, high), {"x": MAP * 2})
      for low, high in ((0, 6), (-1, 1), (-4, 4))),
    ("clip, values at its bounds", S.clip(x, -1, 2), {"x": np.round(MAP * 2)}),
    ("Reshape to rows", S.reshape(x, (0, -4, 2, -1, -3)), {"x": MAP}),
    ("Reshape a side apart", S.reshape(x, (0, -4, -1, 2, 0, 0)), {"x": MAP}),
    ("Reshape two sides to one", S.reshape(x, (0, -3, 0)), {"x": MAP}),
    ("Flatten", S.Flatten(x), {"x": MAP}),
    ("Reshape flat", S.reshape(x, (0, -1)), {"x": MAP}),
    ("Reshape, the rest kept", S.reshape(x, (0, -2)), {"x": MAP}),
    ("Reshape from behind", S.reshape(x, (-1, 4, 0, 0), reverse=True), {"x": MAP}),
    ("Reshape from behind, divided", S.reshape(x, (-1, 2, 2, 0, 0), reverse=True), {"x": MAP}),
    ("Reshape a row", S.reshape(x, (1, 1, 1, -1)), {"x": whole(6)}),
    *((f"transpose {axes}", S.transpose(x, axes), {"x": array}) for axes, array in
      (((0, 3, 1, 2), MAP), ((0, 1, 3, 2), MAP), ((0, 2, 1), ROWS))),
    *((f"slice_axis {axis} {begin} {end}", S.slice_axis(x, axis=axis, begin=begin, end=end), {"x": ROWS})
      for axis, begin, end in ((2, 0, 2), (2, 4, 5), (1, 2, None), (0, 0, 1), (-1, -3, -1), (-2, 1, None))),
    ("SliceChannel", S.SliceChannel(x, num_outputs=5, axis=2, squeeze_axis=True), {"x": ROWS}),
    ("SliceChannel, the axis kept", S.SliceChannel(x, num_outputs=3, axis=-2), {"x": ROWS}),
    *((f"Concat {dim}", S.concat(x, y, x, dim=dim), {"x": ROWS, "y": ROWS * 2}) for dim in (0, 1, -1)),
    ("Concat one", S.concat(x, dim=1), {"x": ROWS}),
    *((f"stack {axis}", S.stack(x, y, axis=axis), {"x": ROWS, "y": ROWS * 2}) for axis in (0, 1, 2, -1)),
    *((f"expand_dims {axis}", S.expand_dims(x, axis=axis), {"x": ROWS}) for axis in (1, 2, 3, -1)),
    *((f"squeeze {axis}", S.squeeze(x, axis=axis), {"x": whole(2, 3, 1)}) for axis in (2, -1)),
    ("broadcast_axis", S.broadcast_axis(x, axis=1, size=3), {"x": whole(2, 1, 4)}),
    ("broadcast_like", S.broadcast_like(x, y), {"x": whole(2, 1, 4), "y": whole(2, 3, 4)}),
    ("add_n", S.add_n(x, y), {"x": ROWS, "y": ROWS * 2}),
    *((f"sum {axis}", S.sum(x, axis=axis), {"x": ROWS}) for axis in (1, 2, (1, 2), -1)),
    ("sum of all", S.sum(x), {"x": ROWS}),
    *((f"mean {axis}", S.mean(x, axis=axis), {"x": ROWS}) for axis in (1, -1)),
    *((f"max {axis}", S.max(x, axis=axis), {"x": ROWS}) for axis in (2, -2)),
    *((f"log_softmax {axis}", S.log_softmax(x, axis=axis), {"x": ROWS}) for axis in (2, -1)),
    *((f"softmax {axis}", S.softmax(x, axis=axis), {"x": ROWS}) for axis in (2, -1)),
    ("take", S.take(x, y), {"x": whole(5, 3), "y": np.array([[0, 4, 2], [2, 9, -3]], np.float32)}),
    ("gather_nd", S.gather_nd(x, S.stack(y, z, axis=0)),
     {"x": ROWS, "y": np.array([[0, 0, 0], [1, 1, 1]], np.float32),
      "z": np.array([[2, 2, 5], [0, 1, 0]], np.float32)}),
    ("one_hot", S.one_hot(x, 4), {"x": np.array([[0, 3], [-1, 4]], np.float32)}),
    ("one_hot, smoothed", S.one_hot(x, 3, 0.98, 0.02), {"x": np.array([[0, 2], [1, 1]], np.float32)}),
    *((f"_contrib_arange_like {axis}", S.broadcast_add(S.contrib.arange_like(x, axis=axis), y),
       {"x": MAP, "y": whole(1)}) for axis in (0, 2, 3, -1)),
    ("_full", S.broadcast_add(S.full((1,), 8.0), x), {"x": ROWS}),
    ("Cast", S.cast(x, "float32") * 2, {"x": ROWS}),
    ("Cast of pixels", S.cast(x, "float32") / 255, {"x": np.arange(250, 256, dtype=np.uint8)}),
    ("BlockGrad", S.BlockGrad(x) * y, {"x": ROWS, "y": ROWS * 2}),
    ("_copy", S.identity(x) * 2, {"x": ROWS}),
    ("ones_like", S.ones_like(x) + y, {"x": ROWS, "y": ROWS}),
    ("zeros_like", S.zeros_like(x) + y, {"x": ROWS, "y": ROWS}),
    ("Dropout of nothing", S.Dropout(x, p=0.0), {"x": ROWS}),
    *((f"{name}", getattr(S, name)(x), {"x": ROWS})
      for name in ("abs", "arctan", "exp", "floor", "relu", "sigmoid", "square", "tanh")),
    ("log", S.log(x * x + 0.1), {"x": MAP}),
    *((f"{form}_{name}", getattr(S, f"{form}_{name}")(x, y),
       {"x": ROWS, "y": (whole(2, 6, 5, seed=4) if form == "elemwise" else whole(2, 1, 5, seed=3)) + 0.5})
      for form, name in itertools.product(("elemwise", "broadcast"), ("add", "sub", "mul", "div"))),
    *((f"broadcast_{name}", getattr(S, f"broadcast_{name}")(x, y), {"x": ROWS, "y": whole(2, 1, 5, seed=3)})
      for name in ("maximum", "minimum")),
    ("_maximum", S._internal._maximum(x, y), {"x": whole(3, 4), "y": whole(3, 4, seed=1)}),
    ("broadcast_maximum of a number", S.broadcast_maximum(S.full((1,), 1.0), x), {"x": ROWS}),
    ("broadcast_minimum of a number", S.broadcast_minimum(x, S.full((1,), 1.0)), {"x": ROWS}),
    *((name, symbol, {"x": ROWS}) for name, symbol in (
        ("_plus_scalar", x + 1e-6), ("_minus_scalar", x - 0.5), ("_rminus_scalar", 1 - x),
        ("_mul_scalar", x * 0.4), ("_mul_scalar by 0", x * 0), ("_div_scalar", x / 4))),
    *((name, symbol * y, {"x": ROWS, "y": ROWS * 2}) for name, symbol in (
        ("_greater_scalar", x > 0), ("_lesser_equal_scalar", x <= 0), ("_equal_scalar", x == 1))),
]  # fmt: skip


def word(name: str) -> str:
    return name.replace(",", " ").split()[0]


@pytest.mark.parametrize(("symbol", "arrays"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_values_and_gradients_are_mxnets(symbol, arrays):
    expected, weights = of_mxnet(symbol, arrays)
    for dtype in (torch.float32, torch.float64):
        found = of_torch(symbol, arrays, weights, dtype)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert found[name].shape == value.shape, name
            assert np.abs(found[name] - value).max() <= 2e-6 * max(1, np.abs(value).max()), name
        floats = [value.dtype for name, value in found.items() if name.startswith("output")]
        assert set(floats) == {np.dtype(str(dtype).rpartition(".")[2])}


def test_every_operator_has_a_case():
    """Batch norms have a file of their own."""
    words = {node.op for _, symbol, _ in CASES for node in Graph.from_json(symbol.tojson()).nodes}
    assert set(OPERATORS) - words == {"BatchNorm", "_contrib_SyncBatchNorm"}
    assert {word(name) for name, *_ in CASES} <= words


@pytest.mark.parametrize(
    ("symbol", "problem"),
    [
        (S.sin(x, name="wave"), r"sin \(wave\) has no counterpart"),
        (
            S.Pooling(x, kernel=(2, 2), pool_type="avg", pooling_convention="full"),
            "with pool_type=avg, count",
        ),
        (S.Pooling(x, kernel=(2, 2), pool_type="lp", p_value=2, name="pool"), "Pooling .* with p_value=2"),
        (S.Pooling(x, kernel=(1, 1), global_pool=True, name="pool"), "pool_type=max, global_pool=True"),
        (S.Pooling(x, kernel=(2, 2), stride=(3, 3), pooling_convention="full"), "with kernel=.*full"),
        (S.Pooling(x, kernel=(2, 2), pad=(0, 2), pool_type="max"), r"with kernel=.* pad=\(0, 2\)"),
        (S.Pooling(x, kernel=(2, 2), pooling_convention="same"), "with pooling_convention=same"),
        (S.Convolution(x, kernel=(3,), num_filter=4, name="row"), r"Convolution \(row\) with kernel=\(3,\)"),
        (S.Convolution(x, kernel=(3, 3), num_filter=4, layout="NHWC"), "with layout=NHWC"),
        (S.UpSampling(x, y, scale=2, sample_type="nearest", num_args=2), "UpSampling .* cannot be read"),
        (S.UpSampling(x, scale=2, sample_type="bilinear"), "with sample_type=bilinear"),
        (S.Pad(x, mode="constant", pad_width=(0, 0, 0, 0, 1, 1, 1, 1)), "with mode=constant"),
        (S.Pad(x, mode="edge", pad_width=(0, 0, 1, 1, 0, 0, 0, 0)), "with pad_width="),
        (S.Activation(x, act_type="softsign", name="soft"), r"Activation \(soft\) with act_type=softsign"),
        (S.LeakyReLU(x, act_type="gelu"), "with act_type=gelu"),
        (S.reshape(x, (-1, -4, 2, 2), reverse=True), r"with shape=\(-1, -4, 2, 2\), reverse=True"),
        (S.max(x), "max .* cannot be read .*axis"),
        (S.max(x, axis=(1, 2)), r"with axis=\(1, 2\)"),
        (S.sum(x, axis=1, keepdims=True), "with keepdims=True"),
        (S.sum(x, axis=1, exclude=True), "with exclude=True"),
        (S.take(x, y, axis=1), "take .* with axis=1"),
        (S.take(x, y, mode="wrap"), "with mode=wrap"),
        (S.one_hot(x, 3, dtype="int32"), "with dtype=int32"),
        (S.cast(x, "float16"), "Cast .* with dtype=float16"),
        (S.Dropout(x, p=0.5, mode="always"), "Dropout .* with mode=always"),
        (S.Dropout(x, p=0.5, axes=(1,)), r"with axes=\(1,\)"),
        (S.BatchNorm(x, axis=-1, name="norm"), r"BatchNorm \(norm\) with axis=-1"),
        (S.log_softmax(x, temperature=2.0), "with temperature=2.0"),
        (S.contrib.arange_like(x), "cannot be read .*axis"),
        (S.contrib.arange_like(x, axis=1, start=1), "with start=1"),
        (S.dot(x, y), "dot .* has no counterpart"),
    ],
)
def test_what_is_refused_by_name(symbol, problem):
    """When the graph is read; no array is there yet."""
    with pytest.raises(
        UserError, match=f"^PyTorch cannot compute this network: operator .*{problem}.*; use mxnet"
    ):
        graph_module(Graph.from_json(symbol.tojson()), {}, lambda name: False)


@pytest.mark.parametrize(
    ("own", "codes", "reverse", "expected"),
    [
        ((2, 24, 3, 5), (0, -4, 3, -1, -3), False, (2, 3, 8, 15)),
        ((2, 24, 3, 5), (0, -4, -1, 8, 0, 0), False, (2, 3, 8, 3, 5)),
        ((2, 24, 3, 5), (0, 0, -1), False, (2, 24, -1)),
        ((2, 24, 3, 5), (-2,), False, (2, 24, 3, 5)),
        ((2, 24, 3, 5), (7, -2), False, (7, 24, 3, 5)),
        ((2, 24, 3, 5), (-3, -3), False, (48, 15)),
        ((4, 24, 3, 5), (-1, 48, 0, 0), True, (-1, 48, 3, 5)),
        ((4, 24, 3, 5), (-1, 0, -3), True, (-1, 24, 15)),
    ],
)  # fmt: skip
def test_codes_of_a_shape(own, codes, reverse, expected):
    assert target_shape(own, codes, reverse) == expected


@pytest.mark.parametrize("operator", [S.broadcast_maximum, S.broadcast_minimum])
@pytest.mark.parametrize("trained", [False, True])
def test_nan_goes_through_a_maximum(operator, trained):
    """Otherwise a loss that is not finite would look as if it were."""
    nan = float("nan")
    module = graph_module(Graph.from_json(operator(x, y).tojson()), {}, lambda name: False)
    given = [torch.tensor(values, requires_grad=trained) for values in ([nan, 1.0, nan], [1.0, nan, nan])]
    assert torch.isnan(module(*given)[0]).all()
