"""The flags of a cfg's ``[net]`` are valid on the command line and have the same meaning there."""

from __future__ import annotations

import json
import random

import pytest

from gluon_yolo.cli.flags.train import flag_words
from gluon_yolo.data.anchors import format_anchors, parse_anchors
from gluon_yolo.models.build import find_architecture
from gluon_yolo.models.darknet.training_flags import run_flags
from tests.cli.test_train_flags import fresh_flags, given, settings_of
from tests.models.darknet.small import planned
from tests.models.darknet.test_training_flags import cfg_with

IMAGES = (1, 2, 7, 9, 64, 292, 5011, 16551, 117266, 1_000_000, 10_000_000)


def pasted(flags: dict) -> dict:
    """Return flags after a round trip over the command line, as the log writes them."""
    return given(flag_words(flags))


def settings_for(flags: dict):
    """Return the config of flags after a round trip over the command line and args.json."""
    return settings_of(fresh_flags(json.loads(json.dumps(pasted(flags)))), "network", 1)


def drawn_net(rng: random.Random) -> tuple[str, dict]:
    """Return the lines of a random [net] in any spelling, and its numbers."""
    number = rng.choice((repr, "{:g}".format, "{:e}".format, "{:.12f}".format))
    batch, most = rng.choice((2, 10, 16, 64, 128)), int(10 ** rng.uniform(2, 7))
    steps = sorted(rng.sample(range(1, most), rng.randint(1, 4)))
    scales = [rng.choice((0.1, 0.5, 1e-05, 10.0, rng.uniform(1e-6, 2))) for _ in steps]
    keys = {
        "batch": batch,
        "max_batches": most,
        "burn_in": rng.randint(1, most),
        "learning_rate": 10 ** rng.uniform(-7, 0),
        "momentum": rng.uniform(0, 0.999),
        "decay": rng.choice((0.0005, 1e-05, 0.0, 10 ** rng.uniform(-9, -1))),
        "power": rng.uniform(0.5, 5),
        "saturation": rng.uniform(1, 3),
        "exposure": rng.uniform(1, 3),
        "hue": 10 ** rng.uniform(-6, -0.4),
        "angle": rng.uniform(0.001, 30),
    }
    text = [f"{key}={number(value) if isinstance(value, float) else value}" for key, value in keys.items()]
    text += ["policy=steps", f"steps={','.join(map(str, steps))}", f"scales={','.join(map(number, scales))}"]
    read = {line.partition("=")[0]: line.partition("=")[2] for line in text}
    numbers = {key: float(read[key]) for key in keys}
    return " ".join(text), {
        **numbers,
        "steps": steps,
        "scales": [float(x) for x in read["scales"].split(",")],
    }


@pytest.mark.parametrize("seed", range(60))
def test_any_cfg_on_any_number_of_images(seed):
    rng = random.Random(seed)
    lines, said = drawn_net(rng)
    images = rng.choice(IMAGES)
    flags, _ = run_flags(cfg_with(lines, f"jitter={rng.uniform(0.01, 0.5)!r}"), images, {})
    assert pasted(flags) == flags
    settings = settings_for(flags)
    assert (settings.lr, settings.momentum, settings.wd) == (
        said["learning_rate"],
        said["momentum"],
        said["decay"],
    )
    exact = said["max_batches"] * said["batch"] / images
    assert settings.epochs == max(1, -(-int(said["max_batches"] * said["batch"]) // images))
    assert exact <= settings.epochs < exact + 1
    share = settings.epochs / said["max_batches"]
    assert settings.warmup_epochs == pytest.approx(said["burn_in"] * share, rel=0.005, abs=0.0005)
    decays = settings.lr_decay_epoch
    for step, epoch in zip(said["steps"], decays):
        assert epoch == pytest.approx(step * share, rel=0.005, abs=0.5 if epoch >= 10 else 0.005)
        assert epoch > 0
    factors = settings.lr_decay if isinstance(settings.lr_decay, tuple) else (settings.lr_decay,)
    wanted = said["scales"]
    if len(set(wanted)) == 1 and wanted[0] <= 1:
        wanted = wanted[:1]
    elif len(wanted) == 1:  # a single factor above 1 is followed by one of 1
        wanted = [*wanted, 1]
    assert list(factors) == wanted


@pytest.mark.parametrize(
    ("lines", "images", "decided", "expected"),
    [
        # 9 images, 12.8 M images' worth of batches: %g would write 1.13778e+07
        (
            "batch=64 max_batches=2000000 policy=steps steps=1600000,1800000 scales=.1,.1",
            9,
            {},
            {"epochs": 14222223, "lr_decay_epoch": "11377778,12800001", "lr_decay": 0.1},
        ),
        # without max_batches: parts of an epoch of ten million images
        (
            "batch=10 burn_in=10 policy=steps steps=500,12500 scales=1e-05,0.123456789",
            10_000_000,
            {},
            {"warmup_epochs": 1e-05, "lr_decay_epoch": "0.0005,0.0125", "lr_decay": "0.00001,0.123456789"},
        ),
        ("batch=64 policy=step step=1000 scale=.5", 10_000_000, {}, {"lr_decay_period": 0.0064}),
        ("batch=64 policy=step step=100 scale=.5", 9, {}, {"lr_decay_period": 711}),
        ("batch=8 max_batches=100 policy=steps steps=10 scales=10", 80, {}, {"lr_decay": "10,1"}),
        ("batch=64 max_batches=6000 learning_rate=1e-05", 100, {"num_samples": 50}, {"epochs": 7680}),
        ("batch=64 max_batches=6000 learning_rate=1e-05", 100, {"num_samples": 500}, {"epochs": 3840}),
    ],
)
def test_numbers(lines, images, decided, expected):
    flags, _ = run_flags(cfg_with(lines), images, decided)
    assert {name: flags[name] for name in expected} == expected
    assert pasted(flags) == flags
    settings_for(flags)


def test_a_slow_start_by_one_factor():
    """A factor of 10 at batch 10 of 100 gives ten times the rate from epoch 1 on."""
    flags, _ = run_flags(cfg_with("batch=8 max_batches=100 policy=steps steps=10 scales=10"), 80, {})
    schedule = settings_for({**flags, "lr": 0.01}).schedule(10)
    assert [schedule(step) for step in (0, 9, 10, 99)] == pytest.approx([0.01, 0.01, 0.1, 0.1])


def test_a_step_before_the_first():
    """As in yolov2-tiny.cfg: a tenth of the rate at first, the whole rate from batch 10 on."""
    lines = "batch=8 max_batches=100 policy=steps steps=-1,10,50 scales=.1,10,.1"
    flags, _ = run_flags(cfg_with(lines), 80, {})
    assert flags["lr_decay_epoch"] == "0,1,5"
    schedule = settings_for({**flags, "lr": 0.01}).schedule(10)
    assert [schedule(step) for step in (0, 9, 10, 50)] == pytest.approx([0.001, 0.001, 0.01, 0.001])


def test_a_period_of_a_part_of_an_epoch():
    flags, _ = run_flags(cfg_with("batch=8 max_batches=100 policy=step step=25 scale=.5"), 400, {})
    assert (flags["epochs"], flags["lr_decay_period"]) == (2, 0.5)
    schedule = settings_for({**flags, "lr": 0.08}).schedule(50)
    assert [schedule(step) for step in (0, 24, 25, 50, 75, 99)] == [0.08, 0.08, 0.04, 0.02, 0.01, 0.01]


@pytest.mark.parametrize("epochs", [1, 3, 30, 123_457, 10_000_000])
def test_the_zoos_own_schedule_at_any_length(epochs):
    """Yolo-FastestV2's: decays at 150 and 250 of 300, a warm-up of 5."""
    flags = find_architecture("fastestv2").training_flags(100, {"epochs": epochs})
    settings = settings_for({**flags, "epochs": epochs})
    shares = [epoch / epochs for epoch in (*settings.lr_decay_epoch, settings.warmup_epochs)]
    assert shares == pytest.approx([0.5, 250 / 300, 5 / 300], rel=0.02)


def test_random_sizes_suit_the_network():
    """A network with stride 64 gets no size that is a multiple of 32 only."""
    halves = "".join(
        "[convolutional]\nfilters=8\nsize=3\nstride=2\npad=1\nactivation=leaky\n" for _ in range(5)
    )
    text = cfg_with(head="random=1").cfg.to_text().replace("width=64\nheight=32", "width=256\nheight=256")
    place = text.index("[convolutional]\nfilters=14")
    plan = planned(text[:place] + halves + text[place:])
    sizes = settings_for(run_flags(plan, 50, {})[0]).random_shapes
    assert plan.divisor == 64 and all(side % 64 == 0 for size in sizes for side in size)
    assert ((256, 256) in sizes, min(sizes), max(sizes)) == (True, (256, 256), (448, 448))


@pytest.mark.parametrize("sides", [((1e-05, 12800001.0), (0.1 + 0.2, 7)), ((12.64, 19.39),)])
def test_anchors_are_kept_exactly(sides):
    assert parse_anchors(format_anchors(sides)).tolist() == [list(pair) for pair in sides]
    assert pasted({"anchors": format_anchors(sides)}) == {"anchors": format_anchors(sides)}
