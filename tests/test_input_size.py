"""Input size: what means which height and width, and what means none."""

from __future__ import annotations

import pytest

from gluon_yolo.errors import SettingError
from gluon_yolo.input_size import parse_size


@pytest.mark.parametrize("size", ["320x416", "320X416", (320, 416), [320, 416]])
def test_height_first(size):
    assert parse_size(size) == (320, 416)


def test_a_square():
    assert parse_size(416) == parse_size("416") == parse_size([416]) == (416, 416)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ("", "data_shape '': expected pixels as 416 or, height first, 320x416"),
        (0, "data_shape '0': expected pixels as 416 or, height first, 320x416"),
        ((320, 416, 3), "data_shape '320x416x3': expected pixels as 416 or, height first, 320x416"),
        (-32, "data_shape '-32': expected pixels as 416 or, height first, 320x416"),
        ("9000", "data_shape 9000: expected 8192 pixels a side at most"),
    ],
)
def test_refused(size, message):
    with pytest.raises(SettingError) as caught:
        parse_size(size, "data_shape")
    assert str(caught.value) == message
