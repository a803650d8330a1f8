"""Plan: the shapes of Caffe's layers, and what is said of those that are not read."""

from __future__ import annotations

import pytest

from gluon_yolo.errors import UserError
from tests import caffe_network
from tests.caffe_network import CONV, INPUT, LAYERS, layer

pytest.importorskip("google.protobuf", reason="protobuf is not installed")

from gluon_yolo.models.caffe.plan import make_plan  # noqa: E402

PAIR = "inner_product_param { num_output: 2 }"


def plan_of(tmp_path, *layers):
    path = tmp_path / "net.prototxt"
    path.write_text("\n".join(layers))
    return make_plan(path)


def test_shapes_of_every_kind(tmp_path):
    plan = plan_of(tmp_path, *LAYERS)
    assert plan.size_hw == (17, 17)
    shapes = {one.name: one.shape for one in plan.layers}
    assert shapes == {
        **dict.fromkeys(("c1", "b1", "s1", "p1", "c2", "r2", "c4", "p4", "sum", "prod", "max"), (6, 9, 9)),
        **{"c3": (6, 9, 11), "cat": (12, 9, 9), "pool": (12, 5, 5), "mean": (12, 3, 3)},
        **dict.fromkeys(("ip1", "r5"), (10, 1, 1)),
        **dict.fromkeys(("ip2", "b6", "s6"), (8, 1, 1)),
    }
    reads = {one.name: one.inputs for one in plan.layers}
    assert reads["c2"] == reads["c3"] == ("p1",)  # the last of the layers in place
    assert reads["sum"] == ("r2", "p4") and reads["cat"] == ("max", "p4")  # what Split copied
    weights = {one.name: one.weights for one in plan.layers}
    assert weights["c2"] == ((6, 2, 3, 3), (6,)) and weights["ip1"] == ((10, 108), (10,))
    assert weights["b1"] == ((6,), (6,), (1,)) and weights["p4"] == ((1,),)


@pytest.mark.parametrize(
    ("side", "parameters", "expected"),
    (  # side of the map, the pooling, side of its output: Caffe rounds up
        (5, "kernel_size: 2 stride: 2", 3),
        (5, "kernel_size: 2 stride: 2 round_mode: FLOOR", 2),
        (6, "kernel_size: 3 stride: 2", 3),
        (6, "kernel_size: 2 stride: 2 pad: 1", 4),  # (6 + 2 - 2) / 2 + 1
        (5, "kernel_size: 2 stride: 2 pad: 1", 3),  # a fourth would begin at 5, behind the map
        (7, "global_pooling: true", 1),
    ),
)
def test_sides_of_a_pooling(tmp_path, side, parameters, expected):
    shaped = INPUT.replace("dim: 17", f"dim: {side}")
    plan = plan_of(tmp_path, shaped, layer("p", "Pooling", "data", "", f"pooling_param {{ {parameters} }}"))
    assert plan.output.shape == (3, expected, expected)


def test_inputs_as_caffe_once_had_them(tmp_path):
    head = 'input: "data" input_dim: 1 input_dim: 3 input_dim: 4 input_dim: 6'
    assert plan_of(tmp_path, head, layer("p", "PReLU", "data")).size_hw == (4, 6)
    head = 'input: "data" input_shape { dim: 1 dim: 3 dim: 4 dim: 6 }'
    assert plan_of(tmp_path, head, layer("p", "PReLU", "data")).size_hw == (4, 6)


def test_layers_of_a_training_are_left_out(tmp_path):
    train = layer("noise", "PReLU", "data", "data", "include { phase: TRAIN }")
    test = layer("p", "PReLU", "data", "", "include { phase: TEST }")
    assert [one.name for one in plan_of(tmp_path, INPUT, train, test).layers] == ["p"]


BAD = {
    "unknown layer": (
        layer("up1", "Upsample", "data"),
        'layer "up1" (Upsample): layers of this type are not read here; Input, Convolution, InnerProduct, ',
    ),
    "no type": ('layer { name: "x" bottom: "data" top: "x" }', 'layer "x" (without a type): layers of this'),
    "another kind's parameter": (
        layer("r", "ReLU", "data", "", "pooling_param { kernel_size: 2 }"),
        'layer "r" (ReLU): pooling_param is no parameter of this type',
    ),
    "axis": (
        layer("fc", "InnerProduct", "data", "", "inner_product_param { num_output: 2 axis: 2 }"),
        'layer "fc" (InnerProduct): axis: 2 is not read here, axis: 1 is',
    ),
    "concat along rows": (
        layer("cat", "Concat", "data data", "", "concat_param { axis: 2 }"),
        'layer "cat" (Concat): axis: 2 is not read here',
    ),
    "statistics of the batch": (
        layer("b", "BatchNorm", "data", "", "batch_norm_param { use_global_stats: false }"),
        'layer "b" (BatchNorm): use_global_stats: false normalises by the batch',
    ),
    "groups": (
        layer("c", "Convolution", "data", "", CONV % "group: 2"),
        'layer "c" (Convolution): group 2 does not',
    ),
    "no kernel": (
        layer("c", "Convolution", "data", "", "convolution_param { num_output: 2 }"),
        'layer "c" (Convolution): kernel, stride, dilation, group and num_output must be 1 or more',
    ),
    "a kernel larger than its map": (
        layer("c", "Convolution", "data", "", "convolution_param { num_output: 2 kernel_size: 19 }"),
        'layer "c" (Convolution): its output has the shape 2x-1x-1',
    ),
    "a stride beyond 31 bits": (
        layer("c", "Convolution", "data", "", CONV % "stride: 4294967295"),
        'layer "c" (Convolution): stride 4294967295: at most 2147483647 is read here',
    ),
    "more weights than memory": (
        layer("fc", "InnerProduct", "data", "", "inner_product_param { num_output: 4000000000 }"),
        'layer "fc" (InnerProduct): takes 3,472,000,000,000 parameters; networks of at most 500,000,000 are ',
    ),
    "a map that mxnet cannot count": (
        layer("c", "Convolution", "data", "", CONV % "pad_h: 100000 pad_w: 100000"),
        'layer "c" (Convolution): gives 240,036,001,350 values (6x200015x200015) for one picture; mxnet',
    ),
    "stochastic pooling": (
        layer("p", "Pooling", "data", "", "pooling_param { pool: STOCHASTIC kernel_size: 2 }"),
        'layer "p" (Pooling): pool: STOCHASTIC is of a training',
    ),
    "a scale of two bottoms": (
        layer("s", "Scale", "data data"),
        'layer "s" (Scale): a factor that is another',
    ),
    "sums of two shapes": (
        layer("c", "Convolution", "data", "", CONV % "") + layer("e", "Eltwise", "c data"),
        'layer "e" (Eltwise): expected two inputs or more of one shape, got 6x17x17, 3x17x17',
    ),
    "coefficients of a product": (
        layer("e", "Eltwise", "data data", "", "eltwise_param { operation: PROD coeff: 1 coeff: 2 }"),
        'layer "e" (Eltwise): has 2 coeff for 2 inputs of PROD',
    ),
    "reads what is not there": (
        layer("r", "ReLU", "lost"),
        'layer "r" (ReLU): reads lost, which no layer before',
    ),
    "a name twice": (
        layer("r", "ReLU", "data") + layer("r", "ReLU", "r", "q"),
        'layer "r" (ReLU): the name is taken',
    ),
    "shared weights": (
        layer("fc", "InnerProduct", "data", "", 'param { name: "w" } ' + PAIR),
        'layer "fc" (InnerProduct): weights that layers share by a name are not read here',
    ),
    "two outputs": (
        layer("r", "ReLU", "data") + layer("q", "ReLU", "data"),
        "expected one output, by the last layer; what no layer reads is r, q",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_not_read_is_named(tmp_path, case):
    text, message = BAD[case]
    with pytest.raises(UserError) as error:
        plan_of(tmp_path, INPUT, text)
    assert f"net.prototxt: {message}" in str(error.value)


@pytest.mark.parametrize(
    ("head", "message"),
    (
        ("", "expected one input, an Input layer with its shape, and found 0"),
        (INPUT.replace("dim: 3", "dim: 1"), "input data has the shape 1x1x17x17, expected 1x3xHxW"),
        (INPUT + INPUT.replace('top: "data"', 'top: "more"'), "expected one input, an Input layer with"),
    ),
)
def test_inputs_are_checked(tmp_path, head, message):
    with pytest.raises(UserError, match=message):
        plan_of(tmp_path, head, layer("r", "ReLU", "data"))


def test_the_small_network_has_every_kind():
    kinds = {part.split('type: "')[1].split('"')[0] for part in caffe_network.LAYERS}
    assert kinds == {
        *("Input", "Convolution", "InnerProduct", "BatchNorm", "Scale", "ReLU", "PReLU", "Eltwise"),
        *("Concat", "Pooling", "Split"),
    }
