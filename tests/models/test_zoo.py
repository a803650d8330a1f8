"""The zoo: names, spellings, built networks, and messages about unknown names."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.class_names import COCO_CLASSES, VOC_CLASSES
from gluon_yolo.errors import UserError
from gluon_yolo.models import zoo
from gluon_yolo.models.layers import make_norm
from gluon_yolo.models.necks import SPP
from gluon_yolo.mxnet_compat import mx, nd
from gluon_yolo.spec import DEFAULT_ANCHORS

ARCHITECTURES = [
    *(f"yolo3_mobilenet{width}" for width in ("1.0", "0.75", "0.5", "0.25")),
    *(f"yolo3_mobilenetv2_{width}" for width in ("1.0", "0.75", "0.5", "0.25")),
    "yolo3_darknet53",
    "yolo_fastestv2",
]
CLASSES = {"voc": VOC_CLASSES, "coco": COCO_CLASSES, "custom": ("cat", "dog")}


def promised(architecture: str, classes: int) -> dict[int, int]:
    """Return the expected channels of each raw map by its stride, with three anchors per cell."""
    if architecture == "yolo_fastestv2":
        return dict.fromkeys((16, 32), 5 * 3 + classes)
    return dict.fromkeys((8, 16, 32), 3 * (5 + classes))


def test_names():
    assert set(zoo.names()) == {f"{name}_{ending}" for name in ARCHITECTURES for ending in CLASSES}


@pytest.mark.parametrize("ending", CLASSES)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_name_gives_the_maps_it_promises(architecture, ending):
    name = f"{architecture}_{ending}"
    net = zoo.build(name, CLASSES["custom"] if ending == "custom" else None)
    assert net.zoo_name == name and net.spec.class_names == CLASSES[ending]
    expected = promised(architecture, len(CLASSES[ending]))
    assert net.backbone.strides == net.spec.strides == tuple(expected)
    graph = mx.sym.Group(list(net(mx.sym.var("data"))))
    shapes = graph.infer_shape(data=(2, 64, 96, 3))[1]
    assert shapes == [(2, channels, 64 // stride, 96 // stride) for stride, channels in expected.items()]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_runs_hybridized(architecture):
    net = zoo.build(f"{architecture}_custom", ["cat"])
    net.initialize_weights(seed=0)
    net.hybridize()
    for size_hw in ((32, 64), (64, 32)):
        maps = net(nd.zeros((1, *size_hw, 3), dtype="uint8"))
        assert [raw.shape for raw in maps] == [
            (1, channels, size_hw[0] // stride, size_hw[1] // stride)
            for stride, channels in promised(architecture, 1).items()
        ]


# spelling, data set for its ending, full name
SPELLINGS = [
    ("yolo3_mobilenet1.0_custom", "custom", "yolo3_mobilenet1.0_custom"),
    ("yolo3_mobilenet1.0_voc", "coco", "yolo3_mobilenet1.0_voc"),  # an ending in the name has priority
    ("yolo3_mobilenet1.0", "voc", "yolo3_mobilenet1.0_voc"),
    ("mobilenet1.0", "coco", "yolo3_mobilenet1.0_coco"),
    ("mobilenet1_0", "voc", "yolo3_mobilenet1.0_voc"),  # as written on the command line
    ("mobilenet1_0_coco", "custom", "yolo3_mobilenet1.0_coco"),
    ("mobilenet0_25", "custom", "yolo3_mobilenet0.25_custom"),
    ("mobilenet0.75", "custom", "yolo3_mobilenet0.75_custom"),
    ("mobilenet0_5", "custom", "yolo3_mobilenet0.5_custom"),
    ("mobilenetv2_1.0", "voc", "yolo3_mobilenetv2_1.0_voc"),
    ("mobilenetv2_1_0", "voc", "yolo3_mobilenetv2_1.0_voc"),
    ("mobilenet-v2-0.5", "voc", "yolo3_mobilenetv2_0.5_voc"),
    ("YOLO3 MobileNetV2 0.25", "custom", "yolo3_mobilenetv2_0.25_custom"),
    ("darknet53", "coco", "yolo3_darknet53_coco"),
    ("YOLO3_DarkNet53_VOC", "custom", "yolo3_darknet53_voc"),
    ("mobilenet1_0_spp", "voc", "yolo3_mobilenet1.0_spp_voc"),
    ("yolo3_mobilenetv2_0.5_spp_custom", "voc", "yolo3_mobilenetv2_0.5_spp_custom"),
    ("fastestv2", "coco", "yolo_fastestv2_coco"),
    ("Yolo-FastestV2", "custom", "yolo_fastestv2_custom"),
]


@pytest.mark.parametrize(("spelling", "dataset", "full"), SPELLINGS)
def test_spellings(spelling, dataset, full):
    assert zoo.canonical(spelling, dataset) == full


def test_no_two_names_are_spelled_alike():
    assert len({zoo.canonical(name) for name in zoo.names()}) == len(zoo.names())


def test_an_spp():
    """The pooled maps go through one more convolution; all other layers keep their names and shapes."""
    plain, other = (zoo.build(f"mobilenetv2_0.25{ending}", ["cat"]) for ending in ("", "_spp"))
    assert (plain.zoo_name, other.zoo_name) == tuple(
        f"yolo3_mobilenetv2_0.25{e}_custom" for e in ("", "_spp")
    )
    shapes, others = (
        {name: p.shape for name, p in net._collect_params_with_prefix().items()} for net in (plain, other)
    )
    own = {name for name in others if name not in shapes}
    assert {name.rpartition(".")[0] for name in own} == {f"neck.blocks.0.spp.narrow.{n}" for n in (0, 1)}
    assert others["neck.blocks.0.spp.narrow.0.weight"] == (256, 1024, 1, 1)
    assert {name: others[name] for name in shapes} == shapes
    place = other.layer_names.index("neck.blocks.0.spp.narrow.0")
    assert other.layer_names[place - 1 : place + 2 : 2] == (
        "neck.blocks.0.body.2.0",
        "neck.blocks.0.body.3.0",
    )
    assert tuple(name for name in other.layer_names if ".spp." not in name) == plain.layer_names
    assert zoo.with_spp(other.zoo_name) == other.zoo_name and other.family == plain.family


def test_the_pools_of_an_spp():
    """Each output of the pyramid is the largest value within 0, 2, 4 or 6 cells."""
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (1, 16, 9, 15)).astype(np.float32)
    block = SPP(16, make_norm("bn"))
    block.initialize()
    joined = []
    block.narrow.register_forward_pre_hook(lambda _, inputs: joined.append(inputs[0].asnumpy()))
    block(nd.array(values))
    for radius, found in zip((6, 4, 2, 0), np.split(joined[0], 4, axis=1)):
        for row in range(9):
            for column in range(15):
                rows, columns = (slice(max(0, at - radius), at + radius + 1) for at in (row, column))
                np.testing.assert_array_equal(
                    found[0, :, row, column], values[0, :, rows, columns].max(axis=(1, 2))
                )


def test_no_spp_elsewhere():
    with pytest.raises(UserError, match="is for YOLOv3's neck; yolo_fastestv2_voc has another one"):
        zoo.with_spp("yolo_fastestv2_voc")
    with pytest.raises(UserError, match="unknown network 'fastestv2_spp'"):
        zoo.canonical("fastestv2_spp")


# an unknown name, the first suggestion
MISTAKES = [
    ("yolo3_mobilnet1.0_voc", "did you mean yolo3_mobilenet1.0_voc"),
    ("mobilenetv3_1.0", "did you mean yolo3_mobilenetv2_1.0"),
    ("yolo3_darknet35_coco", "did you mean yolo3_darknet53_coco"),
    ("mobilenet1", "did you mean yolo3_mobilenet1.0"),
]


@pytest.mark.parametrize(("name", "said"), MISTAKES)
def test_a_wrong_name_gets_the_nearest(name, said):
    with pytest.raises(UserError) as caught:
        zoo.canonical(name)
    assert f"unknown network {name!r}; {said}" in str(caught.value)


@pytest.mark.parametrize("name", ["", "resnet", "42"])
def test_a_name_like_none_gets_the_list(name):
    with pytest.raises(UserError) as caught:
        zoo.canonical(name)
    assert f"unknown network {name!r}; Architectures: yolo3_mobilenet1.0, " in str(caught.value)
    assert str(caught.value).endswith("endings: voc, coco, custom")


def test_custom_needs_class_names():
    with pytest.raises(UserError, match="yolo3_mobilenet1.0_custom: a custom network needs class names"):
        zoo.build("mobilenet1.0")


def test_own_classes_and_anchors():
    anchors = (((5, 6), (7, 8)), ((50, 60), (70, 80)), ((150, 160), (170, 180)))
    net = zoo.build("yolo3_mobilenet0.25_voc", ["cat"], anchors)
    assert net.spec.class_names == ("cat",) and net.spec.anchors == anchors
    assert zoo.build("yolo3_mobilenet0.25_voc").spec.anchors == DEFAULT_ANCHORS
    assert [level.weight.shape[0] for level in net.heads.levels] == [2 * 6] * 3
    with pytest.raises(UserError, match="anchors: expected 3 levels"):
        zoo.build("yolo3_mobilenet0.25_voc", anchors=())


def test_unknown_norm():
    with pytest.raises(ValueError, match="norm: expected one of"):
        zoo.build("yolo3_mobilenet0.25_voc", norm="group")


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="zoo: yolo3_darknet53 is registered twice"):
        zoo.register("yolo3_darknet53")(lambda *parts: None)
