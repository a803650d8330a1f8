"""Numbers as text: exact, without an exponent, and rounded ones that never become nothing."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest

from gluon_yolo.text import exact, rounded


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (160, "160"),
        (11377778, "11377778"),
        (12800000.0, "12800000"),
        (0.0125, "0.0125"),
        (1e-05, "0.00001"),
        (0.1 + 0.2, "0.30000000000000004"),
        (12.64, "12.64"),
        (np.float32(12.64), "12.640000343322754"),  # the number that it is, not the one that it came from
        (0.0, "0"),
        (1e22, "10000000000000000000000"),
    ],
)
def test_text(number, text):
    assert exact(number) == text and float(text) == number


def test_any_number_is_read_back():
    rng = random.Random(0)
    for _ in range(2000):
        number = rng.uniform(0, 1) * 10 ** rng.randint(-12, 12)
        assert float(exact(number)) == number
        assert re.fullmatch(r"\d+(\.\d+)?", exact(number))


@pytest.mark.parametrize(
    ("number", "decimals", "expected"),
    [(2.3904, 2, 2.39), (0.7968, 2, 0.8), (0.0125, 2, 0.0125), (1e-05, 2, 1e-05), (0.004567, 2, 0.00457)]
    + [(5.976, 3, 5.976), (0.01992, 3, 0.02), (0.00031, 3, 0.00031), (0, 3, 0), (7.0001, 2, 7)],
)
def test_rounding(number, decimals, expected):
    assert rounded(number, decimals) == expected
    assert isinstance(rounded(7.0, 2), int)
