"""Drawing: what is asked for is on the image, nothing else is touched, and labels hide nothing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gluon_yolo.detections import Detections
from gluon_yolo.drawing.draw import colour_of, draw

NAMES = ("cat", "straßenbahn", "犬")


def blank(height: int = 120, width: int = 160) -> np.ndarray:
    return np.full((height, width, 3), 90, dtype=np.uint8)


def test_draws_boxes_on_a_copy() -> None:
    image = blank()
    drawn = draw(image, Detections([[30, 40, 100, 90]], [0]), NAMES, labels=False)
    assert (image == 90).all()
    changed = np.argwhere((drawn != 90).any(axis=2))
    assert np.abs([*changed.min(axis=0), *changed.max(axis=0)] - np.array([40, 30, 90, 100])).max() <= 1
    assert tuple(drawn[40, 60]) == colour_of(0) and tuple(drawn[65, 65]) == (90, 90, 90)


@pytest.mark.parametrize("box", [[0, 0, 9, 9], [150, 110, 160, 120], [-50, -50, 400, 400], [80, 60, 80, 60]])
@pytest.mark.parametrize("class_id", [0, 1, 2])
def test_labels_stay_in_the_image(box: list[float], class_id: int) -> None:
    bare = draw(blank(), Detections([box], [class_id], [0.87]), NAMES, labels=False)
    labelled = draw(blank(), Detections([box], [class_id], [0.87]), NAMES)
    assert labelled.shape == (120, 160, 3)
    assert (labelled != bare).any(axis=2).sum() > 300  # the whole plate, not a corner of it


def test_leaves_out_what_scores_low_and_draws_the_best_on_top() -> None:
    box = [30, 40, 100, 90]
    drawn = draw(blank(), Detections([box, box, box], [0, 1, 2], [0.9, 0.5, 0.1]), NAMES, 0.3, labels=False)
    assert tuple(drawn[40, 60]) == colour_of(0)
    nothing = draw(blank(), Detections([box], [0], [0.2]), NAMES, score_threshold=0.3)
    assert (nothing == 90).all()
    assert (draw(blank(), Detections.empty(scored=True), NAMES) == 90).all()


def test_lines_grow_with_the_image() -> None:
    box = np.array([[0.2, 0.2, 0.8, 0.8]])
    small = draw(blank(100, 100), Detections(box * 100, [0]), NAMES, labels=False)
    large = draw(blank(2000, 2000), Detections(box * 2000, [0]), NAMES, labels=False)
    assert (large[1000] != 90).any(axis=1).sum() > 3 * (small[50] != 90).any(axis=1).sum()


def test_colours_of_a_hundred_classes_differ() -> None:
    assert len({colour_of(i) for i in range(100)}) > 95
    near = [np.abs(np.subtract(colour_of(i), colour_of(j))).sum() for i in range(8) for j in range(i)]
    assert min(near) > 60


def test_a_line_width_of_ones_own() -> None:
    found = Detections([[40, 40, 120, 100]], [0])
    for width in (1, 3, 9):
        drawn = draw(blank(140, 160), found, NAMES, labels=False, line_width=width)
        assert (drawn[70, :80] != 90).any(axis=1).sum() == width


def test_a_small_box_is_not_all_line() -> None:
    drawn = draw(blank(2000, 2000), Detections([[500, 500, 515, 520]], [0]), NAMES, labels=False)
    assert (drawn[503:518, 503:513] == 90).all()


def texts(monkeypatch: pytest.MonkeyPatch, *words: object, **options: object) -> list[str]:
    """Return what a drawing writes, in order."""
    written: list[str] = []
    monkeypatch.setattr(cv2, "putText", lambda canvas, text, *rest: written.append(text))
    draw(*words, **options)
    return written


def test_what_labels_say(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Detections([[10, 60, 60, 110], [90, 60, 150, 110]], [0, 2], [0.5, 0.876])
    assert texts(monkeypatch, blank(200, 400), found, NAMES) == ["#2 0.88", "cat 0.50"]
    assert texts(monkeypatch, blank(200, 400), found, NAMES, scores=False) == ["#2", "cat"]
    assert texts(monkeypatch, blank(200, 400), found, NAMES, labels=False) == []
    assert texts(monkeypatch, blank(200, 400), found.replace(scores=None), NAMES) == ["cat", "#2"]


def crowd(columns: int = 9, rows: int = 6) -> Detections:
    """Faces in rows like those of a group photograph of 760x505: 28 by 38 pixels, close to each other."""
    corner = np.array(
        [[60 + 40 * x + 17 * (y % 2), 60 + 60 * y] for y in range(rows) for x in range(columns)]
    )
    return Detections(
        np.concatenate([corner, corner + [28, 38]], axis=1), np.zeros(54), np.linspace(1, 0.4, 54)
    )


def test_faces_of_a_crowd_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its score beside it, and what is within its box is as it was, but for the lines."""
    image, found = blank(505, 760), crowd()
    drawn = draw(image, found, ("face",))
    inside = np.zeros(image.shape[:2], bool)
    for x1, y1, x2, y2 in found.boxes.astype(int):
        inside[y1 + 3 : y2 - 2, x1 + 3 : x2 - 2] = True
    assert (drawn[inside] != 90).any(axis=1).mean() < 0.06
    written = texts(monkeypatch, image, found, ("face",))
    assert written == [f"{score:.2f}" for score in found.scores]
