"""WIDER FACE's average precision: against the protocol in plain loops, and against values found by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gluon_yolo.evaluation.wider.average_precision import average_precisions, match
from gluon_yolo.evaluation.wider.ground_truth import ImageFaces

Image = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # boxes and scores; faces, in_set


def faces_of(*rows: tuple[list[float], str]) -> tuple[np.ndarray, np.ndarray]:
    """Return faces x y width height, and which sets have them; the letters are of e, m and h."""
    boxes = np.array([box for box, _ in rows], dtype=np.float64).reshape(-1, 4)
    return boxes, np.array([[letter in letters for _, letters in rows] for letter in "emh"], bool)


def computed(images: list[Image]) -> list[float]:
    matched = [match(boxes, scores, ImageFaces(faces, in_set)) for boxes, scores, faces, in_set in images]
    return average_precisions(matched, np.sum([in_set.sum(axis=1) for *_, in_set in images], axis=0))


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Return the IoU of a prediction by corners and a face x y width height, a pixel larger at the end."""
    width = min(a[2], b[0] + b[2]) - max(a[0], b[0]) + 1
    height = min(a[3], b[1] + b[3]) - max(a[1], b[1]) + 1
    if width <= 0 or height <= 0:
        return 0.0
    common = width * height
    return common / ((a[2] - a[0] + 1) * (a[3] - a[1] + 1) + (b[2] + 1) * (b[3] + 1) - common)


def by_the_protocol(images: list[Image], which: int) -> float:
    """Return the average precision of a set, in loops over images, thresholds and predictions."""
    every = [float(score) for _, scores, *_ in images for score in scores]
    least, largest = min(every), max(every)
    shown, right, total = [0] * 1000, [0] * 1000, 0
    for boxes, scores, faces, in_set in images:
        total += int(in_set[which].sum())
        order = sorted(range(len(boxes)), key=lambda i: -scores[i])
        states = [0] * len(faces)  # 1: found; -1: met, and not in the set
        denominator, hits = [], []
        for i in order:
            overlaps = [overlap(boxes[i].astype(float), face) for face in faces]
            counts = True
            if overlaps and max(overlaps) >= 0.5:
                best = overlaps.index(max(overlaps))
                if not in_set[which][best]:
                    states[best], counts = -1, False
                elif states[best] == 0:
                    states[best] = 1
            denominator.append(counts)
            hits.append(sum(state == 1 for state in states))
        for t in range(1, 1001):
            above = [
                k
                for k, i in enumerate(order)
                if (float(scores[i]) - least) / (largest - least) >= 1 - t / 1000
            ]
            if above:
                shown[t - 1] += sum(denominator[: above[-1] + 1])
                right[t - 1] += hits[above[-1]]
    recall = [0.0] + [count / total for count in right] + [1.0]
    precision = [0.0] + [r / s if s else 0.0 for r, s in zip(right, shown)] + [0.0]
    for t in range(len(precision) - 1, 0, -1):
        precision[t - 1] = max(precision[t - 1], precision[t])
    return sum((recall[t] - recall[t - 1]) * precision[t] for t in range(1, len(recall)))


def random_image(rng: np.random.Generator) -> Image:
    """Return faces, some of no set, several predictions near some, and others elsewhere; scores have ties."""
    count = int(rng.integers(0, 9))
    faces = np.concatenate([rng.integers(0, 90, (count, 2)), rng.integers(2, 40, (count, 2))], axis=1)
    hard = rng.random(count) < 0.8
    medium = hard & (rng.random(count) < 0.6)
    in_set = np.stack([medium & (rng.random(count) < 0.6), medium, hard])
    near = np.repeat(np.arange(count), rng.integers(0, 4, count))
    boxes = faces[near].astype(np.float32) + rng.normal(0, 3, (len(near), 4)).astype(np.float32)
    stray = np.concatenate([rng.integers(0, 90, (3, 2)), rng.integers(2, 40, (3, 2))], axis=1)
    boxes = np.concatenate([boxes, stray.astype(np.float32)])
    boxes[:, 2:] = boxes[:, :2] + np.maximum(boxes[:, 2:], 1)
    scores = (rng.integers(11, 960, len(boxes)) / 1000).astype(np.float32)
    return boxes, scores, faces.astype(np.float64), in_set


@pytest.mark.parametrize("seed", range(4))
def test_as_the_protocol_in_plain_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    images = [random_image(rng) for _ in range(12)]
    found = computed(images)
    assert found == pytest.approx([by_the_protocol(images, which) for which in range(3)], abs=1e-12)
    assert len({round(value, 6) for value in found}) == 3 and all(0.02 < value < 0.9 for value in found)


A, B, FAR = [10, 10, 20, 20], [50, 50, 30, 30], [200, 200, 9, 9]


@pytest.mark.parametrize(
    ("predictions", "expected"),
    [
        # Of the two faces of Hard one is found first: 1/2. Easy and Medium have A only.
        ([(A, 0.9)], [1, 1, 0.5]),
        # B is not in Easy nor Medium: found first, it counts neither way there.
        ([(B, 0.9), (A, 0.5)], [1, 1, 1]),
        # A second hit on A stays in the denominator: B comes with a precision of 2/3.
        ([(A, 0.9), (A, 0.8), (B, 0.5)], [1, 1, 0.5 + 0.5 * 2 / 3]),
        # A wrong box comes first.
        ([(FAR, 0.9), (A, 0.5)], [0.5, 0.5, 0.25]),
        ([], [0, 0, 0]),
    ],
)
def test_by_hand(predictions: list[tuple[list[int], float]], expected: list[float]) -> None:
    boxes = np.array([[x, y, x + w, y + h] for (x, y, w, h), _ in predictions], np.float32).reshape(-1, 4)
    scores = np.array([score for _, score in predictions], np.float32)
    faces, in_set = faces_of((A, "emh"), (B, "h"))
    assert computed([(boxes, scores, faces, in_set)]) == pytest.approx(expected)


def test_one_pixel_is_added() -> None:
    """Of 9x9 and 6x6 pixels the IoU is 36/81; with the last pixel 49/100, and of 7x6 it is 56/100."""
    faces, in_set = faces_of(([0, 0, 9, 9], "emh"))
    for box, expected in (([0, 0, 6, 6], 0.0), ([0, 0, 7, 6], 1.0)):
        assert computed([(np.array([box], np.float32), np.array([0.5]), faces, in_set)])[0] == expected


def test_scores_are_scaled_over_all_images() -> None:
    """Scores of 0.5 and 0.50001 are a thousandth apart or less unless they are the least and the largest."""
    faces, in_set = faces_of((A, "emh"))
    right, wrong = np.array([[10, 10, 30, 30]], np.float32), np.array([[200, 200, 209, 209]], np.float32)
    near = [(right, np.array([0.50001]), faces, in_set), (wrong, np.array([0.5]), faces[:0], in_set[:, :0])]
    assert computed(near)[0] == 1
    other = (wrong, np.array([0.9]), faces[:0], in_set[:, :0])
    other_least = (wrong, np.array([0.1]), faces[:0], in_set[:, :0])
    assert computed([*near, other, other_least])[0] == pytest.approx(1 / 3)  # both come at one threshold


def test_no_faces_and_equal_scores() -> None:
    faces, in_set = faces_of((A, "h"), (B, "h"))
    boxes = np.array([[10, 10, 30, 30], [200, 200, 209, 209]], np.float32)
    easy, medium, hard = computed([(boxes, np.array([0.4, 0.4]), faces, in_set)])
    assert math.isnan(easy) and math.isnan(medium) and hard == pytest.approx(0.25)
