"""Lines of tracks and of key points, which have as many numbers as outlines have."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.data.yolo.other_lines import MEANINGS, classify, refused

BOXES = (
    "0.5 0.5 0.2 0.1",
    "0.31 0.62 0.12 0.33",
    "0.71 0.44 0.5 0.4",
    "0.22 0.81 0.3 0.15",
    "0.62 0.3 0.7 0.5",
)
QUADS = (
    "0.2 0.2 0.4 0.25 0.38 0.45 0.19 0.4",
    "0.6 0.3 0.8 0.31 0.83 0.5 0.58 0.52",
    "0.1 0.62 0.33 0.6 0.3 0.9 0.12 0.84",
    "0.5 0.5 0.7 0.55 0.6 0.75 0.45 0.7",
)
RECTANGLES = (  # one of them rotated; each begins with numbers that can be a box
    "0.4 0.4 0.6 0.4 0.6 0.7 0.4 0.7",
    "0.45 0.35 0.55 0.35 0.55 0.6 0.45 0.6",
    "0.5 0.4 0.6 0.5 0.5 0.6 0.4 0.5",
)
POSES = (  # in the third, a point is outside its box, as a hand can be
    "0.5 0.5 0.4 0.4 0.35 0.4 0.6 0.6",
    "0.3 0.4 0.2 0.6 0.35 0.2 0.25 0.6",
    "0.7 0.6 0.3 0.5 0.5 0.4 0.8 0.8",
    "0.4 0.7 0.5 0.3 0.6 0.6 0.2 0.8",
)


def refuse(*files):
    """Return, for each refused file by its index, the line and the meaning in the message."""
    outlines = {
        str(place): [classify(n, list(map(float, line.split()))) for n, line in enumerate(lines, 1)]
        for place, lines in enumerate(files)
    }
    found = {}
    for bad in refused(outlines):
        line, words, meaning = bad.problem.split(": ", 2)
        assert bad.kind == "broken-label"
        given = files[int(bad.file)][int(line.split()[1]) - 1]
        assert words == f"{len(given.split()) + 1} words"
        kind = next(kind for kind, text in MEANINGS.items() if meaning.startswith(text))
        found[int(bad.file)] = (int(line.split()[1]), kind)
    return found


@pytest.mark.parametrize(
    ("tail", "meaning"),
    [
        ("0.87 {id}", "track"),
        ("0.87 1", "track"),
        ("0.87 0", "track"),
        ("1.0 0", "track"),
        ("1 1", "track"),
        ("0 1", "track"),
        ("0.9 -1", "track"),  # not tracked
        ("{id} 0.87", "track"),
        ("1 0.87", "track"),
        ("87 1", "track"),
        ("45 0.9", "track"),  # an angle
        ("0.3 0.9", "track"),
        ("0.87 7 3 4", "numbers"),
        ("0.1 0.2 0.3 0.4", "numbers"),
        ("0 0 0 0 0 0", "key points"),  # no point has a label
        ("0.5 0.5 2 0.1 0.9 1", "key points"),
    ],
)
def test_boxes_with_more_behind(tail, meaning):
    lines = [f"{box} {tail.format(id=number)}" for number, box in enumerate(BOXES, 1)]
    assert refuse(lines) == {0: (1, meaning)}
    assert [line for line, _ in refuse(*([line] for line in lines)).values()] == [1] * len(lines)
    assert refuse([*lines, *blobs(9, 0.3, 4)]) == {0: (1, meaning)}  # mixed with outlines


@pytest.mark.parametrize("marks", [("", ""), (" 2", " 1"), (" 1", " 0")])
def test_key_points(marks):
    lines = []
    for pose in POSES:
        words = pose.split()
        lines.append(f"{' '.join(words[:6])}{marks[0]} {' '.join(words[6:])}{marks[1]}")
    assert refuse(lines) == {0: (1, "key points")}
    unlabelled = [f"{box}{' 0' * (len(lines[0].split()) - 4)}" for box in BOXES]
    assert refuse(lines, unlabelled) == {0: (1, "key points"), 1: (1, "key points")}


def test_points_that_cross_are_no_outline():
    """Ten key points inside boxes; the second corner is near the others by chance."""
    rng = np.random.default_rng(1)
    lines = []
    for _ in range(12):
        width, height = rng.uniform(0.4, 0.6, 2)
        points = 0.5 + (rng.random((10, 2)) - 0.5) * (width, height)
        lines.append(" ".join(map(str, [0.5, 0.5, width, height, *points.ravel()])))
    assert refuse(lines) == {0: (1, "key points")}


def test_boxes_that_reach_out():
    """One of four boxes does, as a tracker's can: its file is refused like the others."""
    lines = [*(f"{box} 0.87 1" for box in BOXES[:3]), "0.95 0.5 0.3 0.2 0.9 1"]
    assert refuse(*([line] for line in lines)) == {place: (1, "track") for place in range(4)}


@pytest.mark.parametrize("tail", ["0.87 1", "0.9 0", "1 1", "1 0.8", "0.87 7", "3 0.8", "0.9 -1", "87 1"])
def test_outlines_with_a_track_behind(tail):
    lines = [f"{quad} {tail}" for quad in QUADS]
    assert refuse(lines) == {0: (1, "track")}
    assert refuse(blobs(9, 0.3, 4), lines, RECTANGLES) == {1: (1, "track")}


def test_one_line_that_cannot_be_an_outline_is_enough():
    assert refuse(QUADS, [QUADS[0], f"{BOXES[0]} 0.8 17"], QUADS) == {1: (2, "track")}
    assert refuse(QUADS, [f"{QUADS[0]} 0.8 17"], QUADS) == {1: (1, "track")}


def blobs(corners, radius, count=12):
    """Return outlines around the image's centre: each begins with numbers that can be a box."""
    rng = np.random.default_rng(0)
    lines = []
    for _ in range(count):
        angles = np.arange(corners) / corners * 2 * np.pi + rng.uniform(0, 6)
        points = 0.5 + np.stack([np.cos(angles), np.sin(angles)], 1) * radius * rng.uniform(0.8, 1.2)
        lines.append(" ".join(f"{number:.6f}" for number in points.ravel()))
    return lines


@pytest.mark.parametrize(
    "lines",
    [
        QUADS,
        QUADS[:1],
        RECTANGLES,
        RECTANGLES[:1],
        ["0.1 0.2 0.6 0.2 0.3 0.9", "0.5 0.5 0.2 0.1 0.87 1", *QUADS],  # one triangle has an unusual shape
        ["0 0 1 0 1 1 0 1"],
        ["0.1 1 0.4 0.52 0.6 0.5 0.9 0.8 0.91 1", "0.1 1 0.4 0.55 0.6 0.5 0.9 0.8 0.87 1"],  # roads
        ["0.5 0 0.9 0.1 0.8 0.7 0.23 0", "0.5 0 0.9 0.1 0.8 0.7 0.27 0"],
        ["0 0.3 0.5 0.4 0.6 0.8 0.2 0.9 0 0.9"],
        ["0.3 0.6 0.5 0.9 0.7 0.6 0.6 0.3 0.45 0", "0.3 0.6 0.5 0.9 0.7 0.6 0.6 0.3 0.55 0"],  # a tip
        ["0.9 0.5 0.4 0.4 0.9 0.5 0.9 0.6"],  # a box that reaches out of the image
        blobs(3, 0.04),
        blobs(4, 0.15),
        blobs(5, 0.2),
        blobs(12, 0.3),
        blobs(60, 0.1),
        [f"{line} {' '.join(line.split()[:2])}" for line in blobs(3, 0.15)],  # closed
        ["0.1 0.1 0.9 0.1 nan 0.7"],
        [],
    ],
)
def test_outlines(lines):
    assert refuse(lines) == {}


def test_the_way_out_of_what_fits_both():
    """Triangles around the centre can be boxes with key points; closed ones are outlines."""
    triangles = blobs(3, 0.15)
    outlines = {"a": [classify(1, list(map(float, line.split()))) for line in triangles]}
    assert [bad.problem.split("; ")[-1] for bad in refused(outlines)] == [
        "if it is an outline, repeat its first corner at its end"
    ]
