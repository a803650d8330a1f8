"""Sensitivity: the disagreement of two networks, the ranking of layers, and the fewest layers in float."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.exporters.quantize.sensitivity import disagreement, rank, search

BOXES = np.array([[[0, 0, 10, 10], [20, 20, 30, 40], [5, 5, 6, 6]]], dtype=np.float32)
SCORES = np.array([[[0.9, 0.1], [0.2, 0.8], [0.01, 0.0]]], dtype=np.float32)


def moved(boxes=None, scores=None):
    """Return boxes and scores with some values changed, by index."""
    given = BOXES.copy(), SCORES.copy()
    for array, changes in zip(given, (boxes or {}, scores or {})):
        for place, value in changes.items():
            array[place] = value
    return given


@pytest.mark.parametrize(
    "given, looked_at, expected",
    [
        (moved(), 2, 0.0),
        # one of two boxes has an IoU of a half: 1 - 50 / 100
        (moved(boxes={(0, 0): [0, 0, 5, 10]}), 2, 0.25),
        # a score that differs by 0.3, the other class's by 0.05
        (moved(scores={(0, 1): [0.25, 0.5]}), 2, 0.15),
        # an anchor with a low score in both networks does not count
        (moved(boxes={(0, 2): [50, 50, 60, 60]}), 2, 0.0),
        # one with a high score in the other network does: three boxes then, and 0.84
        (moved(scores={(0, 2): [0.85, 0.0]}), 2, 0.28),
        (moved(scores={(0, 2): [np.nan, 0.0]}), 2, np.inf),
        (moved(boxes={(0, 2): [np.nan, 0, 1, 1]}), 2, np.inf),
        # all positions far outside the image are equal
        (moved(boxes={(0, 0): [0, 0, np.inf, np.inf]}), 1, 1.0),
    ],
)
def test_disagreement(given, looked_at, expected):
    assert disagreement((BOXES, SCORES), given, looked_at) == pytest.approx(expected, abs=1e-6)


def test_rank_puts_the_worst_first():
    images = np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1).repeat(3, axis=3)
    errors = {"a": 0.1, "b": 0.4, "c": 0.0}
    seen, steps = [], []

    def alone(layer):
        def network(pixels):
            seen.append((layer, int(pixels[0, 0, 0, 0])))
            return moved(scores={(0, 0): [0.9 - errors[layer], 0.1]})

        return network

    found = rank("abc", alone, lambda pixels: (BOXES, SCORES), images, lambda: steps.append(1))
    assert list(found) == ["b", "a", "c"] and len(steps) == 3
    assert [found[layer] for layer in "bac"] == pytest.approx([0.4 / 3, 0.1 / 3, 0.0], abs=1e-6)
    assert seen == [(layer, image) for layer in "abc" for image in range(3)]


@pytest.mark.parametrize(
    "needed, layers, tried",
    [
        # number of layers that must stay in float, number of layers, trials
        (1, 10, [1]),
        (2, 10, [1, 2]),
        (3, 10, [1, 2, 4, 3]),
        (5, 10, [1, 2, 4, 8, 6, 5]),
        (8, 10, [1, 2, 4, 8, 6, 7]),
        (1, 2, [1]),
        (9, 10, [1, 2, 4, 8, 9]),  # all but one
    ],
)
def test_search_finds_the_fewest(needed, layers, tried):
    names = [f"layer{number}" for number in range(layers)]
    asked = []

    def lost_with(excluded):
        asked.append(excluded)
        return 1.0 if len(excluded) >= needed else 11.0

    found = search(names, lost_with, 2.0)
    assert found.holds and found.excluded == tuple(names[:needed]) and found.lost == 1.0
    assert list(found.tried) == tried and [len(excluded) for excluded in asked] == tried


def test_search_says_when_nothing_is_enough():
    lost = {1: 30.0, 2: 10.0, 4: 20.0}
    found = search(list("abcde"), lambda excluded: lost[len(excluded)], 5.0)
    assert not found.holds and found.excluded == ("a", "b") and found.lost == 10.0
    assert found.tried == lost


def test_search_among_one_layer_has_nothing_to_try():
    found = search(["only"], lambda excluded: pytest.fail("all in float is no int8"), 50.0)
    assert not found.holds and found.excluded == () and not found.tried
