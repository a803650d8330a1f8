"""Plans: sizes, references, and every invalid cfg with its message."""

from __future__ import annotations

import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.models.darknet.cfg import read_cfg
from gluon_yolo.models.darknet.detection_spec import make_spec
from gluon_yolo.models.darknet.layers import Shape
from gluon_yolo.models.darknet.net_settings import net_settings
from gluon_yolo.models.darknet.plan import make_plan
from tests.models.darknet import small
from tests.models.darknet.small import BACKBONE, NET, SMALL, YOLO, parsed, planned

# Input of the network, and height, width, channels that darknet prints for some of its layers.
PRINTED = {
    "yolov3": {0: (416, 416, 32), 36: (52, 52, 256), 61: (26, 26, 512), 82: (13, 13, 255), 98: (52, 52, 384)},
    "yolov3-tiny": {10: (13, 13, 512), 11: (13, 13, 512), 20: (26, 26, 384), 23: (26, 26, 255)},
    "yolov3-spp": {83: (19, 19, 2048), 113: (76, 76, 255)},
}


@pytest.mark.parametrize("name", PRINTED)
def test_shapes(name, shared_data):
    plan = make_plan(read_cfg(shared_data / "darknet" / "cfg" / f"{name}.cfg"))
    for index, (height, width, channels) in PRINTED[name].items():
        assert plan.layers[index].output == Shape(channels, height, width)


def test_idle_keys_are_listed_once():
    plan = planned(SMALL.replace("channels=3", "channels=3\nburn_in=9").replace("num=3", "num=3\njitter=.1"))
    assert plan.idle == ("burn_in", "jitter")


def test_reading_settings_hides_no_key():
    cfg = parsed(SMALL.replace("channels=3", "channels=3\nburn_in=9"))
    net_settings(cfg)
    assert make_plan(cfg).idle == make_plan(cfg).idle == ("burn_in",)


def test_training_keys_are_kept():
    (head,) = planned(SMALL + "iou_loss=ciou\niou_normalizer=0.07\n").heads
    assert dict(head.training) == {"ignore_thresh": ".7", "iou_loss": "ciou", "iou_normalizer": "0.07"}


def test_spec():
    spec = make_spec(planned(SMALL), ["cat", "dog"])
    assert (spec.class_names, spec.strides, spec.ignore_iou) == (("cat", "dog"), (2,), 0.7)
    assert spec.anchors == (((10, 14), (23, 27)),)


def test_levels_come_by_ascending_stride(shared_data):
    plan = make_plan(read_cfg(shared_data / "darknet" / "cfg" / "yolov3.cfg"))
    spec = make_spec(plan)
    assert spec.strides == (8, 16, 32)
    assert spec.anchors[0][0] == (10, 13)
    assert spec.class_names[79] == "class 79"


CONV = "[convolutional]\nfilters=8\nsize=1\nstride=1\nactivation=linear\n"
WRONG = [
    # sections and keys
    ("[yolo]", "[region]", ":21: [region] is a section that is not supported"),
    ("pad=1\nbatch", "pad=1\npet=1\nbatch", ":11: [convolutional] pet: unknown here"),
    (
        "channels=3",
        "chanels=3",
        ":4: [net] chanels: unknown here (did you mean channels?), so it may change the result; remove it if",
    ),
    ("[yolo]", "[Yolo]", ":21: [Yolo] is a section that is not supported here (did you mean [yolo]?); "),
    (
        "[yolo]\nmask",
        "pet=1\n[crnn]\n[reorg]\n[crnn]\n[region]\n[yolo]\nmask",
        ":22: [crnn] is a section that is not supported here, as is [reorg] on line 23, [region] on line 25",
    ),
    (
        "pad=1\nbatch",
        "pad=1\nantialiasing=1\nbatch",
        ":11: [convolutional] antialiasing=1: changes the result",
    ),
    ("pad=1\nbatch", "pad=1\nxnor=1\nbatch", ":11: [convolutional] xnor=1: changes the result"),
    ("channels=3", "channels=1", ":4: [net] channels=1: only colour pictures (3) are supported here"),
    ("channels=3", "channels=4", ":4: [net] channels=4: only colour pictures (3) are supported here"),
    ("width=64", "width=63", ":2: [net] width=63: expected a multiple of 2, such as 62 or 64"),
    ("height=32", "height=1", ":3: [net] height=1: expected a multiple of 2, such as 2"),
    # values
    ("activation=leaky", "activation=lea", ":12: [convolutional] activation=lea: unknown; known are linear"),
    ("activation=leaky", "activation=laeky", "activation=laeky: unknown (did you mean leaky?); known are "),
    ("activation=leaky", "activation=silu", "activation=silu: unknown (did you mean swish?); known are "),
    ("activation=leaky", "activation=h_swish", "activation=h_swish: unknown; known are linear, "),
    ("width=64", "width=64\nwidth=32", ":3: [net] width=32: but line 2 says width=64; remove one"),
    ("num=3", "num=3\nclasses=9", ":26: [yolo] classes=9: but line 24 says classes=2"),
    ("filters=8", "filters=8\nxnor=0\nxnor=1", ":9: [convolutional] xnor=1: but line 8 says xnor=0"),
    ("filters=8", "filters=0", ":7: [convolutional] filters=0: expected 1 or more"),
    ("filters=8", "filters=eight", ":7: [convolutional] filters=eight: expected a whole number"),
    (
        "filters=8",
        "filters=99999999999999999999",
        ":7: [convolutional] filters=99999999999999999999: expected a whole number within 2147483647 and its",
    ),
    (
        "stride=2",
        "stride=99999999999999999999",
        ":9: [convolutional] stride=99999999999999999999: expected a",
    ),
    (
        "width=64",
        "width=99999999999999999999",
        ":2: [net] width=99999999999999999999: expected a whole number",
    ),
    (
        "mask=1,2",
        "mask=1,99999999999999999999",
        ":22: [yolo] mask=1,99999999999999999999: expected whole num",
    ),
    # sizes: 27 weights and four numbers of the batch normalisation for each filter
    (
        "filters=8",
        "filters=1000000000",
        ":7: [convolutional] takes 31,000,000,000 parameters; networks of at most 500,000,000 are built here",
    ),
    (
        "pad=1\nbatch",
        "padding=100000\nbatch",
        ":6: [convolutional] gives 80,036,803,720 values (8x100015x100031) for one picture; mxnet",
    ),
    ("filters=8", "filters=8\ngroups=2", ":8: [convolutional] groups=2: does not divide 3 channels"),
    ("size=3\nstride=2\npad=1", "size=99\nstride=1\npadding=1", "is larger than the padded map"),
    # the head
    ("mask=1,2", "mask=1,3", ":22: [yolo] mask=1,3: expected anchors from 0 to 2"),
    (
        "mask=1,2",
        "mask=-1,2",
        ":22: [yolo] mask=-1,2: expected anchors from 0 to 2, as num=3 on line 25 says",
    ),
    (
        "num=3",
        "num=4",
        ":23: [yolo] anchors: 6 numbers, where num=4 on line 25 wants 8; 6 numbers are num=3",
    ),
    (" 23,27", " 23", ":23: [yolo] anchors: 5 numbers, where num=3 on line 25 wants 6"),
    ("10,14", "10,0", ":23: [yolo] anchors: 10,0,23,27, which the mask chooses: expected sides above 0"),
    (
        "classes=2",
        "classes=3",
        ":15: [convolutional] filters=14: the [yolo] on line 21 has classes=3 and 2 of the anchors (mask), "
        "which want filters=(classes + 5) * 2 = 16; 14 is for classes=2",
    ),
    ("filters=14", "filters=16", "want filters=(classes + 5) * 2 = 14; 16 is for classes=3"),
    ("mask=1,2", "mask=0,1,2", "want filters=(classes + 5) * 3 = 21; 14 is for 2 anchors"),
    ("mask=1,2", "mask=1", "want filters=(classes + 5) * 1 = 7; 14 is for classes=9"),
    ("filters=14", "filters=15", "want filters=(classes + 5) * 2 = 14"),
    ("[yolo]\nmask=1,2", "[dropout]\n[yolo]\nmask=1", ":22: [yolo] reads 14 channels, where 1 anchor and 2"),
    # references
    (YOLO, f"[route]\nlayers=-2\n{YOLO}", "[route] layers=-2: this is layer 1"),
    (YOLO, f"[route]\nlayers=1\n{YOLO}", "[route] layers=1: this is layer 1"),
    (YOLO, f"[route]\nlayers=-1\ngroups=3\n{YOLO}", "groups=3, group_id=0: do not suit 8 channels"),
    (YOLO, f"[route]\nlayers=-1\ngroups=2\ngroup_id=2\n{YOLO}", "groups=2, group_id=2: do not suit"),
    (YOLO, f"{BACKBONE}[route]\nlayers=0,1\n{YOLO}", "joins maps of different sizes, 16x32x8, 8x16x8"),
    (YOLO, f"{BACKBONE}[shortcut]\nfrom=-2\nactivation=linear\n{YOLO}", "joins maps of different sizes"),
    (YOLO, f"{CONV}[scale_channels]\nfrom=0\n{YOLO}", "from=0: 16x32x8 does not scale 16x32x8"),
    (YOLO, f"[maxpool]\nsize=3\nstride=1\nmaxpool_depth=1\n{YOLO}", "maxpool_depth=1: changes the result"),
    (
        YOLO,
        f"{CONV}[shortcut]\nfrom=0\nactivation=linear\nweights_type=per_feature\n{YOLO}",
        "weights_type=per_feature: is not supported here",
    ),
    (YOLO, f"[maxpool]\nsize=2\nstride=1\npadding=3\n{YOLO}", "padding=3: leaves windows of 2 cells without"),
    (YOLO, f"{YOLO}{CONV}{YOLO}", ":27: [convolutional] reads the [yolo] on line 21, whose output is no map"),
    (YOLO, f"{YOLO}[route]\nlayers=-1\n{YOLO}", ":27: [route] reads the [yolo] on line 21"),
    (YOLO, f"[dropout]\nprobability=1\n{YOLO}", "[dropout] probability=1.0: expected from 0 to under 1"),
]


@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_wrong_cfgs_name_file_and_line(old, new, message):
    text = SMALL.replace(old, new, 1)
    assert text != SMALL
    with pytest.raises(UserError) as error:
        planned(text)
    assert str(error.value).startswith("small.cfg:")
    assert message in str(error.value)


def test_harmless_values_are_no_error():
    plan = planned(SMALL.replace("pad=1\nbatch", "pad=1\nantialiasing=0\nstopbackward=1\nbatch"))
    assert plan.idle == ("antialiasing", "stopbackward")


@pytest.mark.parametrize(
    ("keys", "size_hw"),
    [
        ("stride=2", (16, 32)),
        ("stride_x=2\nstride_y=2", (16, 32)),
        ("stride=2\nstride_x=1", (16, 64)),
        ("stride_y=2", (16, 64)),  # the other one is darknet's default, 1
        ("", (32, 64)),
    ],
)
def test_strides(keys, size_hw):
    plan = small.plan_of(SMALL.split("\n[convolutional]\nfilters=14")[0].replace("stride=2", keys))
    assert (plan.layers[0].output.height, plan.layers[0].output.width) == size_hw


@pytest.mark.parametrize(
    ("keys", "size_hw"),
    [
        ("pad=1", (32, 64)),
        ("padding=1", (32, 64)),
        ("pad=0\npadding=2", (34, 66)),
        ("pad=1\npadding=9", (32, 64)),  # pad has priority, and is half of the kernel
        ("", (30, 62)),
    ],
)
def test_padding(keys, size_hw):
    text = SMALL.split("\n[convolutional]\nfilters=14")[0].replace("stride=2", "stride=1")
    plan = small.plan_of(text.replace("pad=1", keys))
    assert (plan.layers[0].output.height, plan.layers[0].output.width) == size_hw


def test_a_head_without_a_mask_has_all_anchors():
    """As darknet reads it."""
    (head,) = planned(SMALL.replace("mask=1,2\n", "").replace("filters=14", "filters=21")).heads
    assert head.anchors == ((4, 6), (10, 14), (23, 27))


def test_a_size_is_told_from_all_layers_though_others_fit_by_chance():
    """390 / 32 is no integer, but maps of 13 cells divide 390."""
    text = "[net]\nwidth={0}\nheight={0}\n" + BACKBONE * 5 + YOLO
    assert make_spec(planned(text.format(416))).strides == (32,)
    with pytest.raises(
        UserError, match=r":2: \[net\] width=390: expected a multiple of 32, such as 384 or 416"
    ):
        planned(text.format(390))


def test_a_size_that_does_not_suit_is_said_before_what_is_wrong_behind_it():
    base = "[net]\nwidth={0}\nheight={0}\n" + BACKBONE * 5 + "[upsample]\n[route]\nlayers=-1,3\n"
    wrong = base + "[route]\nlayers=9\n" + YOLO
    with pytest.raises(
        UserError, match=r":2: \[net\] width=400: expected a multiple of 32, such as 384 or 416"
    ):
        planned(wrong.format(400))
    with pytest.raises(UserError, match=r"\[route\] layers=9: this is layer 7, and only earlier ones can be"):
        planned(wrong.format(416))


def test_a_network_ends_in_yolo():
    with pytest.raises(UserError, match=r"small.cfg:6: \[convolutional\] is the last section"):
        planned(NET + BACKBONE)


def test_a_head_cut_before_scale_x_y():
    first = YOLO + "scale_x_y=1.05\n"
    with pytest.raises(UserError, match="has no scale_x_y, as line 21 has"):
        planned(NET + BACKBONE + first + "[route]\nlayers=0\n" + BACKBONE + YOLO)


def test_heads_that_disagree():
    other = YOLO.replace("filters=14", "filters=16").replace("classes=2", "classes=3")
    place = r"small.cfg:48: \[yolo\] classes=3: but the \[yolo\] on line 21 has classes=2; all heads know"
    with pytest.raises(UserError, match=place):
        planned(NET + BACKBONE + YOLO + "[route]\nlayers=0\n" + BACKBONE + other)
    with pytest.raises(
        UserError, match=r":24: \[yolo\] classes=2: but the \[yolo\] on line 45 has classes=3"
    ):
        more = f"[route]\nlayers=0\n{BACKBONE}"
        planned(NET + BACKBONE + YOLO + more + other + more + BACKBONE + other)


@pytest.mark.parametrize(
    ("text", "names", "message"),
    [
        (SMALL, ["cat"], "small.cfg: its .yolo. sections have 2 classes, but 1 name is given"),
        (SMALL, ["cat", "cat"], "small.cfg: class_names: expected distinct names"),
        # Windows of 3 without padding: no size is divided by the strides.
        (
            SMALL.replace("pad=1\nb", "pad=0\nb"),
            None,
            "its map has 15x31 cells for an input of 32x64; .net. needs",
        ),
        (SMALL + "[route]\nlayers=0\n" + YOLO, None, "two heads of one stride"),
    ],
)
def test_no_spec(text, names, message):
    with pytest.raises(UserError, match=message):
        make_spec(planned(text), names)


def test_stretched_centres():
    assert make_spec(planned(SMALL + "scale_x_y=1.05\n")).xy_scales == (1.05,)


LOGISTIC = SMALL.replace("linear", "logistic")


def test_new_coords():
    spec = make_spec(planned(LOGISTIC + "new_coords=1\nscale_x_y=2.0\n"))
    assert (spec.box_coding, spec.xy_scales) == ("squared_sigmoid", (2.0,))
    assert make_spec(planned(SMALL + "new_coords=0\n")).box_coding == "yolo3"


OTHER_HEAD = "[route]\nlayers=0\n" + BACKBONE + YOLO.replace("linear", "logistic")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            SMALL + "new_coords=1\n",
            ":27: .yolo. new_coords=1: expected a .convolutional. with activation=log",
        ),
        (
            LOGISTIC.replace("[yolo]", "[dropout]\n[yolo]") + "new_coords=1\n",
            ":28: .yolo. new_coords=1: expected a .convolutional. with activation=logistic before it",
        ),
        (
            LOGISTIC + "new_coords=1\n[route]\nlayers=1\n" + OTHER_HEAD + "new_coords=1\n",
            ":27: .yolo. new_coords=1: .*, which nothing else reads",
        ),
        (
            LOGISTIC + "new_coords=1\n" + OTHER_HEAD + "new_coords=0\n",
            "new_coords: the .yolo. sections disag",
        ),
        (SMALL + "scale_x_y=0.9\n", ":27: .yolo. scale_x_y=0.9: expected 1 or more"),
    ],
)
def test_codings_that_are_not_read(text, message):
    with pytest.raises(UserError, match=f"small.cfg{message}" if message[0] == ":" else message):
        make_spec(planned(text))
