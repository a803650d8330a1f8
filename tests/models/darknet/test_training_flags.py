"""Training keys of a cfg as flags of a run: a published cfg, epochs, and keys without an equivalent."""

from __future__ import annotations

import pytest

from gluon_yolo.assigners import overlap
from gluon_yolo.cli.flags.train import DEFAULTS
from gluon_yolo.errors import UserError
from gluon_yolo.models.darknet.cfg import read_cfg
from gluon_yolo.models.darknet.plan import Plan, make_plan
from gluon_yolo.models.darknet.training_flags import LEAST_IOU, run_flags
from tests.cli.test_train_flags import fresh_flags, settings_of
from tests.models.darknet.small import SMALL, only, planned

VOC_IMAGES = 16551  # of 2007 and 2012, trainval


def cfg_with(net: str = "", head: str = "") -> Plan:
    """Return the plan of a small cfg with more lines in ``[net]`` and ``[yolo]``."""
    text = SMALL.replace("[net]\n", "[net]\n" + "".join(f"{line}\n" for line in net.split()))
    return planned(text + "".join(f"{line}\n" for line in head.split()))


def test_the_published_voc_cfg_as_a_whole(shared_data):
    plan = make_plan(read_cfg(only(shared_data / "darknet" / "fastest-voc", "*.cfg")))
    flags, notes = run_flags(plan, VOC_IMAGES, {})
    assert flags == {
        "lr": 0.001,
        "momentum": 0.9,
        "wd": 0.0005,
        "no_wd": True,
        "batch_size": 128,
        "epochs": 389,  # 50200 batches of 128 images
        "warmup_epochs": 7.749,  # 1000 / 50200 of them
        "warmup_power": 4,
        "lr_mode": "step",
        "lr_decay_epoch": "310,349",
        "lr_decay": 0.1,
        "no_random_shape": True,
        "augment": "color(brightness=0,contrast=0.667:1.5,saturation=0.667:1.5,hue_degrees=36),"
        "affine(scale=0.833:1.25,translate=0.1),flip,resize",
        "box_loss": "ciou",
        "assigner": "overlap",
    }
    assert [note.split(":")[0] for note in notes] == ["iou_normalizer=0.07", "subdivisions=2"]


def test_a_cfg_asks_for_several_anchors_an_object():
    assert LEAST_IOU == overlap.LEAST_IOU
    for value, said in ((1, 0), (0.213, 0), (0.3, 1)):
        plan = cfg_with("batch=10 max_batches=100", f"iou_thresh={value}")
        flags, notes = run_flags(plan, 50, {})
        assert flags.get("assigner") == (None if value == 1 else "overlap")
        assert [note.split(":")[0] for note in notes] == ["iou_thresh=0.3"][:said]


@pytest.mark.parametrize(
    "epochs, warmup, decays",
    [(30, 0.598, "24,27"), (300, 5.976, "239,269"), (3, 0.06, "2.39,2.69"), (1, 0.02, "0.8,0.9")],
)
def test_steps_and_burn_in_keep_their_share_of_the_epochs_that_are_given(epochs, warmup, decays):
    plan = cfg_with("batch=128 max_batches=50200 burn_in=1000 policy=steps steps=40000,45000 scales=.1,.1")
    flags, _ = run_flags(plan, 292, {"epochs": epochs})
    assert (flags["warmup_epochs"], flags["lr_decay_epoch"]) == (warmup, decays)


NET = "learning_rate=.01 batch=10 max_batches=100"  # with 50 images: 20 epochs of 5 batches


@pytest.mark.parametrize(
    "lines, expected",
    [
        ("", {}),
        ("policy=constant", {"lr_mode": "constant"}),
        ("policy=steps steps=50 scales=.5", {"lr_mode": "step", "lr_decay_epoch": "10", "lr_decay": 0.5}),
        (
            "policy=steps steps=5,50,75 scales=10,.5,.1",
            {"lr_mode": "step", "lr_decay_epoch": "1,10,15", "lr_decay": "10,0.5,0.1"},
        ),
        ("policy=step step=25 scale=.5", {"lr_mode": "step", "lr_decay_period": 5, "lr_decay": 0.5}),
        ("policy=exp gamma=.99", {"lr_mode": "exponential", "lr_decay": 0.99**5}),
        ("policy=poly", {"lr_mode": "poly", "lr_power": 4}),
        ("policy=poly power=2", {"lr_mode": "poly", "lr_power": 2}),
        ("policy=sgdr", {"lr_mode": "constant"}),
        ("burn_in=10 power=2", {"warmup_epochs": 2, "warmup_power": 2}),
    ],
)
def test_policies(lines, expected):
    flags, notes = run_flags(cfg_with(f"{NET} {lines}"), 50, {})
    common = {"lr": 0.01, "batch_size": 10, "epochs": 20, "no_random_shape": True, "box_loss": "yolo3"}
    assert {**flags, "lr_decay": None} == {**common, **expected, "lr_decay": None}
    decay = flags.get("lr_decay")
    assert decay == (
        pytest.approx(expected["lr_decay"]) if isinstance(decay, float) else expected.get("lr_decay")
    )
    unknown = "policy=sgdr: not known here; the learning rate stays as it is after the warm-up"
    assert notes == ([unknown] if "sgdr" in lines else [])
    settings = settings_of(fresh_flags({}, None, flags), "network", 3)
    rates = [settings.schedule(5)(step) for step in range(100)]
    assert len(rates) == 100 and min(rates) >= 0


def test_without_max_batches_steps_are_counted_in_images():
    flags, _ = run_flags(cfg_with("batch=10 burn_in=4 policy=steps steps=500 scales=.1"), 50, {"epochs": 7})
    assert "epochs" not in flags
    assert (flags["warmup_epochs"], flags["lr_decay_epoch"]) == (0.8, "100")


def test_a_cfg_set_for_testing_trains_with_darknets_batch():
    flags, notes = run_flags(cfg_with("batch=1 subdivisions=1 max_batches=100"), 64, {})
    assert (flags["batch_size"], flags["epochs"]) == (64, 100)
    assert notes == ["batch=1: the cfg is set for testing; 64 is taken, as darknet's published ones train"]


def test_given_flags_of_the_learning_rate_are_not_contradicted():
    plan = cfg_with(f"{NET} policy=steps steps=50,75 scales=10,.1")
    for given, left in (
        ({"lr_mode": "cosine"}, {"lr_mode"}),
        ({"lr_decay_epoch": "5"}, {"lr_mode", "lr_decay_epoch"}),
    ):
        flags, _ = run_flags(plan, 50, given)
        assert {name for name in flags if name.startswith("lr_")} == left
        settings_of(fresh_flags(given, None, flags), "network", 3)


@pytest.mark.parametrize(
    "given, sizes",
    [
        # Factors from 1 / 1.4 to 1.4; each side divided by 32, rounded, plus one. 32 high and 64 wide itself
        # replaces larger sizes that a factor below 1 gives.
        ({}, "32x64,64x96,64x128"),
        ({"data_shape": "416"}, "320,352,384,416,448,480,512,544,576,608"),
        ({"data_shape": "nonsense"}, "32x64,64x96,64x128"),
    ],
)
def test_random_sizes(given, sizes):
    flags, _ = run_flags(cfg_with(head="random=1"), 50, given)
    assert flags["random_shapes"] == sizes
    assert "no_random_shape" not in flags


@pytest.mark.parametrize(
    "net, head, augment",
    [
        ("", "", None),
        ("saturation=1 exposure=1", "jitter=0", "flip,resize"),
        ("hue=.05", "", "color(brightness=0,contrast=1:1,saturation=1:1,hue_degrees=18),"
                        "affine(scale=0.714:1.67,translate=0.2),flip,resize"),
        ("flip=0 letter_box=1", "jitter=.3", "affine(scale=0.625:2.5,translate=0.3),letterbox"),
        ("mosaic=1 angle=7", "jitter=.5", "mosaic,affine(scale=0.5:4,translate=0.5,degrees=7),flip,resize"),
        # A factor below 1 is its inverse, the sign of a shift does not matter, half of the circle is all
        # hues.
        ("saturation=.5 exposure=0 hue=-.7 angle=-1.234567", "jitter=0",
         "color(brightness=0,contrast=1:1,saturation=0.5:2,hue_degrees=180),"
         "affine(scale=1:1,translate=0,degrees=1.234567),flip,resize"),
    ],
)  # fmt: skip
def test_augmentation(net, head, augment):
    flags, _ = run_flags(cfg_with(net, head), 50, {})
    assert flags.get("augment") == augment
    settings = settings_of(fresh_flags({}, None, flags), "network", 3)
    assert settings.fit == ("letterbox" if "letter_box" in net else "resize")


@pytest.mark.parametrize(
    "head, expected, said",
    [
        ("iou_loss=mse", {"box_loss": "yolo3"}, []),
        ("iou_loss=diou iou_normalizer=1 truth_thresh=1", {"box_loss": "diou"}, []),
        ("iou_loss=iou", {"box_loss": "giou"}, ["iou_loss=iou: not known here; giou, the nearest, is taken"]),
        # darknet: t (1 - eps) + eps / 2
        ("label_smooth_eps=.1", {"box_loss": "yolo3", "label_smooth": True, "label_smooth_factor": 0.05}, []),
        ("focal_loss=1", {"box_loss": "yolo3"}, ["focal_loss=1: no such change of the loss is built here"]),
    ],
)
def test_loss(head, expected, said):
    flags, notes = run_flags(cfg_with(head=head), 50, {})
    assert flags == {"no_random_shape": True, **expected}
    assert notes == said
    settings_of(fresh_flags({}, None, flags), "network", 3)


def test_boxes_of_new_coords_are_not_trained_as_yolov3s():
    text = SMALL.replace("linear", "logistic") + "new_coords=1\n"
    flags, notes = run_flags(planned(text), 50, {})
    assert flags["box_loss"] == "ciou"
    assert notes == ["iou_loss=mse: fits no boxes of new_coords=1 here; ciou is taken"]


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"lr_mode": "step"}, {"lr_mode", "lr_decay_epoch", "lr_decay"}),  # as the cfg has it
        ({"lr_decay_period": 3}, {"lr_mode"}),
        ({"lr_decay": 0.3}, {"lr_mode", "lr_decay_epoch", "lr_decay"}),
    ],
)
def test_what_a_given_flag_decides_alone(given, left):
    flags, _ = run_flags(cfg_with(f"{NET} policy=steps steps=50,75 scales=.1,.2"), 50, given)
    assert {name for name in flags if name.startswith("lr_")} == left
    flags, _ = run_flags(cfg_with(f"{NET} policy=step step=50 scale=.1"), 50, {"lr_decay_epoch": "5"})
    assert {name for name in flags if name.startswith("lr_")} == {"lr_mode"}


@pytest.mark.parametrize(
    ("lines", "mode", "said"),
    [
        ("policy=step step=5 scale=1", "constant", []),
        ("policy=step step=5 scale=2", "constant", ["scale=2: a learning rate that grows is not built here"]),
        ("policy=exp gamma=1.01", "constant", ["gamma=1.01: a learning rate that grows is not built here"]),
    ],
)
def test_rates_that_do_not_fall(lines, mode, said):
    flags, notes = run_flags(cfg_with(f"{NET} {lines}"), 50, {})
    assert (flags["lr_mode"], notes) == (mode, said)


def test_keys_of_darknets_training_without_an_equivalent_are_named():
    text = SMALL.replace("[net]\n", "[net]\nadam=1\ncutmix=0\naspect=1\nmixup=1\n")
    text = text.replace("activation=leaky", "activation=leaky\nlearning_rate=0.5\nclip=0")
    plan = planned(text.replace("num=3", "num=3\nresize=1.5\ncounters_per_class=3,4"))
    notes = run_flags(plan, 50, {})[1]
    named = "adam=1, mixup=1, counters_per_class=3,4, resize=1.5, learning_rate=0.5"
    assert notes == [f"{named}: of darknet's training, and nothing here is like it; left out"]


def test_where_darknet_stops_going_back_is_frozen():
    text = SMALL.replace("activation=leaky", "activation=leaky\nstopbackward=1")
    assert run_flags(planned(text), 50, {})[0]["freeze"] == "1"


def test_every_flag_is_one_of_a_run():
    everything = "batch=8 max_batches=9 burn_in=1 learning_rate=.1 decay=.1 momentum=.5 mosaic=1 policy=poly"
    flags, _ = run_flags(cfg_with(everything, "random=1 iou_loss=ciou label_smooth_eps=.1 jitter=.1"), 50, {})
    assert set(flags) <= set(DEFAULTS)


def test_nonsense_is_named():
    with pytest.raises(UserError, match=r"\[net\] policy=cosine: expected one of"):
        run_flags(cfg_with("policy=cosine"), 50, {})
