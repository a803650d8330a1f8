"""Keys of a cfg: those that compute, must be neutral, have no effect, or are unknown."""

from __future__ import annotations

import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.models.darknet import keys
from gluon_yolo.models.darknet.parse import MAKERS
from gluon_yolo.models.darknet.plan import make_plan
from tests.models.darknet.small import BACKBONE, NET, SMALL, YOLO, parsed, planned

CONV = "[convolutional]\nfilters=8\nsize=1\nstride=1\nactivation=linear\n"
# One section of every kind.
ALL = (
    NET
    + BACKBONE
    + "[maxpool]\nsize=2\nstride=1\n[upsample]\nstride=2\n[route]\nlayers=0\n[dropout]\nprobability=.5\n"
    + "[empty]\n"
    + CONV
    + "[shortcut]\nfrom=0\nactivation=linear\n[avgpool]\n[scale_channels]\nfrom=0\n"
    + f"{CONV}[sam]\nfrom=0\n"
    + YOLO
)


def with_key(kind: str, line: str) -> str:
    """Return the cfg with one more line in its first section of a kind."""
    bracket = f"[{kind}]\n"
    assert bracket in ALL
    return ALL.replace(bracket, f"{bracket}{line}\n", 1)


def test_every_kind_of_section_has_its_lists():
    assert set(keys.COMPUTES) == {"net", *MAKERS}
    assert set(keys.ONLY) | set(keys.TRAINS) <= set(keys.COMPUTES)
    for kind, computing in keys.COMPUTES.items():
        lists = [computing.split(), list(keys.ONLY.get(kind, {})), keys.TRAINS.get(kind, "").split()]
        together = [key for some in lists for key in some]
        assert len(together) == len(set(together)), kind


def test_the_plan_reads_what_the_list_says():
    plan = make_plan(parsed(ALL))
    for section in plan.cfg.sections:
        read = set(keys.COMPUTES[section.name].split())
        asked = {
            key for key in (*read, *section.entries, *keys.ONLY.get(section.name, {})) if key in section._used
        }
        assert asked - set(keys.TRAINS.get(section.name, "").split()) <= read
        assert set(section.entries) <= asked
    assert plan.idle == ()


@pytest.mark.parametrize(("kind", "key"), [(k, key) for k, some in keys.ONLY.items() for key in some])
def test_what_is_not_built_is_harmless_at_one_value_only(kind, key):
    neutral = keys.ONLY[kind][key]
    assert key in planned(with_key(kind, f"{key}={neutral}")).idle
    with pytest.raises(
        UserError, match=rf"^small.cfg:\d+: \[{kind}\] {key}=7: changes the result and is not"
    ):
        planned(with_key(kind, f"{key}=7"))


@pytest.mark.parametrize("key", keys.ONLY_LAYER)
def test_layers_that_a_weights_file_lacks(key):
    assert key in planned(with_key("convolutional", f"{key}=0")).idle
    with pytest.raises(UserError, match=rf"{key}=1: changes the result"):
        planned(with_key("convolutional", f"{key}=1"))


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        # from published cfgs: yolov3 in AlexeyAB's build folder, yolov4-sam-mish, csresnext50, yolo2_light
        ("net", "show_receptive_field=1"),
        ("yolo", "uc_normalizer=1.0"),
        ("yolo", "beta1=0.6"),
        ("net", "input_calibration=15.7,4.2"),
        ("net", "max_epochs=100"),
        ("network", "jitter=.3"),
        # used in other sections only
        ("upsample", "size=2"),
        ("maxpool", "activation=leaky"),
        ("route", "filters=8"),
        ("shortcut", "batch_normalize=1"),
        ("shortcut", "weights_normalization=softmax"),
        ("avgpool", "stride=2"),
        ("yolo", "nms_kind=greedynms"),
        ("yolo", "embedding_layer=-3"),
        ("net", "max_ratio=2"),
        ("convolutional", "reverse=1"),
        *[(kind, f"{key}=7") for kind, some in keys.TRAINS.items() for key in some.split()],
        *[("convolutional", f"{key}=7") for key in keys.TRAINS_LAYER.split()],
    ],
)
def test_keys_without_effect_are_listed(kind, line):
    text = with_key("net", line).replace("[net]", "[network]") if kind == "network" else with_key(kind, line)
    plan, plain = make_plan(parsed(text)), make_plan(parsed(ALL))
    key = line.partition("=")[0]
    assert key in plan.idle or key in plan.heads[0].training
    assert [layer.output for layer in plan.layers] == [layer.output for layer in plain.layers]


def test_a_key_that_comes_again_is_listed_with_the_value_that_counts():
    plan = planned(SMALL.replace("channels=3", "channels=3\nbatch=1\nbatch=64\nhue=.1"))
    assert plan.idle == ("batch", "hue", "batch=64 on line 6 (batch=1 on line 5 counts)")
    plan = planned(SMALL + "ignore_thresh=.5\n")
    assert plan.idle == ("ignore_thresh=.5 on line 27 (ignore_thresh=.7 on line 26 counts)",)
    assert plan.heads[0].training["ignore_thresh"] == ".7"


@pytest.mark.parametrize(
    ("kind", "line", "said"),
    [
        ("convolutional", "gropus=2", "gropus: unknown here (did you mean groups?), so it may change"),
        ("convolutional", "in_features=2", "in_features: unknown here, so it may change the result; "),
        ("net", "embedding_dim=512", "embedding_dim: unknown here, so it may change the result"),
        ("yolo", "scale_xy=1.05", "scale_xy: unknown here (did you mean scale_x_y?), so it may change"),
    ],
)  # fmt: skip
def test_words_of_no_darknet_are_refused(kind, line, said):
    with pytest.raises(UserError) as error:
        planned(with_key(kind, line))
    assert f": [{kind}] {said}" in str(error.value)


def test_an_unknown_section_comes_before_an_unknown_key():
    with pytest.raises(
        UserError, match=r"^small.cfg:2\d: \[Gaussian_yolo\] is a section that is not supported"
    ):
        planned(SMALL.replace("channels=3", "channels=3\npet=1").replace("[yolo]", "[Gaussian_yolo]"))
