"""Lines of trackers and of key points, which have as many numbers as outlines have."""

from __future__ import annotations

import pytest

from gluon_yolo.data.yolo.other_lines import MEANINGS, Outline, look_at, refused


@pytest.mark.parametrize(
    ("line", "kind", "certain"),
    [
        ("0.5 0.5 0.2 0.1 0.87 1", "track", False),  # could be a triangle that ends at the lower edge
        ("0.5 0.5 0.2 0.1 0.87 0", "track", False),
        ("0.5 0.5 0.2 0.1 0.87 17", "track", True),
        ("0.5 0.5 0.2 0.1 0.87 17.0", "track", True),
        ("0.5 0.5 0.2 0.1 1 17", "track", True),
        ("0.5 0.5 0.2 0.1 1 1", "", False),
        ("0.5 0.5 0.2 0.1 1.5 17", "", False),
        ("0.1 0.1 0.9 0.1 0.9 0.9 0.1 0.9 0.5 3", "track", True),  # an outline before it
        ("0.1 0.2 0.6 0.2 0.3 0.9", "", False),
        ("0 0 1 0 1 1 0 1", "", False),
        ("0.5 0.5 1 0.5 1 1", "", False),
        ("0.1 0.1 0.9 0.1 nan 7", "", False),
        ("0.5 0.5 0.4 0.4 0.4 0.4 2 0.6 0.6 1", "key points", False),
        ("0.5 0.5 0.4 0.4 0.4 0.4 2 0 0 0", "key points", False),
        ("0.5 0.5 0.4 0.4 0.4 0.4 0.6 0.6", "key points", False),
        ("0.5 0.5 0.4 0.4 0.4 0.4 0 0", "key points", False),
        ("0.5 0.5 0.4 0.4 0.9 0.9 0.6 0.6", "", False),  # a point that is out of the box
        ("0.9 0.5 0.4 0.4 0.9 0.5 0.9 0.6", "", False),  # a box that is out of the picture
    ],
)
def test_resembles(line, kind, certain):
    numbers = [float(word) for word in line.split()]
    assert look_at(5, numbers) == Outline(5, len(line.split()) + 1, kind, certain)


OUTLINE, TRIANGLE, TRACK = (
    Outline(1, 9, "", False),
    Outline(2, 7, "track", False),
    Outline(3, 7, "track", True),
)
POSE = Outline(4, 11, "key points", False)


@pytest.mark.parametrize(
    ("outlines", "wrong"),
    [
        ({"a": [OUTLINE, TRIANGLE], "b": [OUTLINE]}, {}),  # outlines, one of which looks odd
        ({"a": [TRIANGLE], "b": [TRIANGLE, TRIANGLE], "c": []}, {"a": TRIANGLE, "b": TRIANGLE}),
        ({"a": [OUTLINE, TRACK], "b": [OUTLINE]}, {"a": TRACK}),
        ({"a": [POSE], "b": [POSE]}, {"a": POSE, "b": POSE}),
        ({"a": [POSE], "b": [TRIANGLE]}, {}),
        ({"a": [TRIANGLE] * 9, "b": [OUTLINE]}, {"a": TRIANGLE}),
        ({"a": [TRIANGLE] * 4, "b": [OUTLINE]}, {}),
        ({}, {}),
    ],
)
def test_refused(outlines, wrong):
    found = {bad.file: bad for bad in refused(outlines)}
    assert found.keys() == wrong.keys()
    for file, bad in found.items():
        begin = f"line {wrong[file].line}: {wrong[file].words} words: {MEANINGS[wrong[file].resembles]}; if"
        assert bad.problem.startswith(begin)
        assert bad.kind == "broken-label"
