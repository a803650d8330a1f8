"""The training keys of [net]."""

from __future__ import annotations

import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.models.darknet.cfg import read_cfg
from gluon_yolo.models.darknet.net_settings import NetSettings, net_settings
from tests.models.darknet.small import SMALL, only, parsed


def test_a_published_cfg(shared_data):
    cfg = read_cfg(only(shared_data / "darknet" / "yoloface-50k", "*.cfg"))
    assert net_settings(cfg) == NetSettings(
        batch=16,
        subdivisions=1,
        max_batches=500200,
        learning_rate=0.001,
        momentum=0.949,
        decay=4e-5,
        burn_in=4000,
        policy="steps",
        steps=(400000, 450000),
        scales=(0.1, 0.1),
        angle=0,
        saturation=1.5,
        exposure=1.5,
        hue=0.1,
    )


def test_what_is_not_said_is_none():
    assert net_settings(parsed(SMALL)) == NetSettings()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("batch=x", r"small.cfg:2: \[net\] batch=x: expected a whole number"),
        ("policy=cosine", r"small.cfg:2: \[net\] policy=cosine: expected one of constant, steps"),
        ("policy=steps\nsteps=1,2\nscales=.1", r"small.cfg:4: \[net\] scales: 1 numbers, where steps has 2"),
        ("policy=steps\nsteps=1,2", r"small.cfg:1: \[net\] has no scales"),
    ],
)
def test_wrong_values(lines, message):
    with pytest.raises(UserError, match=message):
        net_settings(parsed(SMALL.replace("[net]\n", f"[net]\n{lines}\n")))
