"""Detections as text: the format by hand, reading it back, and errors in a file."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError
from gluon_yolo.inference.detections_text import format_predictions, read_predictions


def test_lines_by_hand(tmp_path):
    found = Detections([[20, 10, 60, 40], [0, 0, 200, 50]], [7, 0], [0.5, 0.25])
    text = format_predictions(found, (50, 200))
    assert text.splitlines() == [
        "7 0.20000000 0.50000000 0.20000000 0.60000000 0.500000",
        "0 0.50000000 0.50000000 1.00000000 1.00000000 0.250000",
    ]
    (tmp_path / "a.txt").write_text(text)
    again = read_predictions(tmp_path / "a.txt", (50, 200))
    assert again.boxes.tolist() == found.boxes.tolist() and again.class_ids.tolist() == [7, 0]
    assert again.scores.tolist() == [0.5, 0.25]


def test_any_boxes_come_back(tmp_path):
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 3000, (50, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0, 900, (50, 2))], axis=1)
    found = Detections(boxes, rng.integers(0, 80, 50), rng.random(50))
    (tmp_path / "a.txt").write_text(format_predictions(found, (4000, 4000)))
    again = read_predictions(tmp_path / "a.txt", (4000, 4000))
    np.testing.assert_allclose(again.boxes, found.boxes, atol=1e-3)
    np.testing.assert_allclose(again.scores, found.scores, atol=1e-6)
    assert again.class_ids.tolist() == found.class_ids.tolist()


def test_nothing_found(tmp_path):
    (tmp_path / "a.txt").write_text(format_predictions(Detections.empty(scored=True), (50, 200)))
    assert (tmp_path / "a.txt").read_text() == "" and len(
        read_predictions(tmp_path / "a.txt", (50, 200))
    ) == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("0 0.5 0.5 0.1 0.1", "line 2: expected 'class cx cy w h score', got '0 0.5 0.5 0.1 0.1'"),
        ("0 0.5 0.5 0.1 0.1 0.9 7", "line 2: expected 'class cx cy w h score'"),
        ("cat 0.5 0.5 0.1 0.1 0.9", "line 2: expected"),
        ("0 0.5 nan 0.1 0.1 0.9", "line 2: expected"),
        ("-1 0.5 0.5 0.1 0.1 0.9", "line 2: expected"),
        ("0 0.5 0.5 0.1 0.1 1.5", "line 2: a size below 0, or a score outside 0..1"),
        ("0 0.5 0.5 -0.1 0.1 0.5", "line 2: a size below 0"),
    ],
)
def test_what_is_wrong(tmp_path, line, message):
    (tmp_path / "a.txt").write_text(f"0 0.5 0.5 0.1 0.1 0.9\n{line}\n")
    with pytest.raises(UserError, match="a.txt: " + message.replace("(", r"\(")):
        read_predictions(tmp_path / "a.txt", (50, 200))


def test_no_file(tmp_path):
    with pytest.raises(UserError, match="a.txt: cannot read the predictions: No such file"):
        read_predictions(tmp_path / "a.txt", (50, 200))
