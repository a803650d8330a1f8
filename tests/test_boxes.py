"""Box arithmetic against numbers by hand, and suppression against the plainest way to write it."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo import boxes, nms


def array(*rows) -> np.ndarray:
    return np.array(rows, dtype=np.float32).reshape(-1, 4)


def random_boxes(rng: np.random.Generator, count: int, side: float = 100) -> np.ndarray:
    corners = rng.uniform(0, side, (count, 2))
    return np.concatenate([corners, corners + rng.uniform(1, side / 2, (count, 2))], axis=1).astype(
        np.float32
    )


def plain_iou(a, b) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    shared = width * height
    return shared / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared)


def plain_nms(candidates: np.ndarray, scores, class_ids, threshold: float) -> list[int]:
    kept: list[int] = []
    for i in sorted(range(len(scores)), key=lambda i: -scores[i]):
        better = (k for k in kept if class_ids[k] == class_ids[i])
        if all(plain_iou(candidates[k], candidates[i]) <= threshold for k in better):
            kept.append(i)
    return kept


def test_area():
    np.testing.assert_array_equal(boxes.area(array([0, 0, 4, 5], [1, 1, 1, 9], [-2, -3, 2, 3])), [20, 0, 24])


@pytest.mark.parametrize(
    ("a", "b", "iou"),
    [
        ([0, 0, 10, 10], [0, 0, 10, 10], 1),  # the same
        ([0, 0, 10, 10], [5, 0, 15, 10], 50 / 150),  # half beside
        ([0, 0, 10, 10], [2, 2, 7, 6], 20 / 100),  # one within the other
        ([0, 0, 10, 10], [10, 0, 20, 10], 0),  # an edge in common
        ([0, 0, 10, 10], [20, 20, 30, 30], 0),  # apart along both axes: no area of two negative sides
        ([5, 5, 5, 5], [5, 5, 5, 5], 0),  # nothing and nothing
        ([0, 0, 10, 10], [5, 5, 5, 5], 0),  # something and nothing
        ([-10, -10, 0, 0], [-5, -5, 5, 5], 25 / 175),  # outside the image it is the same
    ],
)
def test_iou_by_hand(a, b, iou):
    np.testing.assert_allclose(boxes.iou_matrix(array(a), array(b)), [[iou]], rtol=1e-6)
    np.testing.assert_allclose(boxes.iou_matrix(array(b), array(a)), [[iou]], rtol=1e-6)


def test_iou_of_every_pair():
    rng = np.random.default_rng(0)
    a, b = random_boxes(rng, 7), random_boxes(rng, 4)
    expected = [[plain_iou(x, y) for y in b.astype(float)] for x in a.astype(float)]
    np.testing.assert_allclose(boxes.iou_matrix(a, b), expected, rtol=1e-4)
    assert boxes.iou_matrix(a, array()).shape == (7, 0)
    assert boxes.iou_matrix(array(), b).shape == (0, 4)


def test_cover_of_every_pair():
    """The share of the first box; an empty box is covered by none."""
    a = np.array([[0, 0, 10, 10], [20, 0, 24, 5], [5, 5, 5, 9]], dtype=np.float64)
    b = np.array([[0, 0, 100, 100], [5, 0, 22, 2]], dtype=np.float64)
    assert boxes.cover_matrix(a, b) == pytest.approx(np.array([[1, 0.1], [1, 0.2], [0, 0]]))
    assert boxes.cover_matrix(a, b[:0]).shape == (3, 0) and boxes.cover_matrix(a[:0], b).shape == (0, 2)


def test_clip_takes_height_first():
    clipped = boxes.clip(array([-5, -5, 50, 50], [30, 10, 35, 15]), (20, 40))
    np.testing.assert_array_equal(clipped, array([0, 0, 40, 20], [30, 10, 35, 15]))
    assert clipped.dtype == np.float32


def test_corners_and_centres():
    corners, centres = array([0, 10, 4, 20], [-1, -1, 1, 3]), array([2, 15, 4, 10], [0, 1, 2, 4])
    np.testing.assert_array_equal(boxes.xyxy_to_cxcywh(corners), centres)
    np.testing.assert_array_equal(boxes.cxcywh_to_xyxy(centres), corners)


# boxes, scores, classes, threshold, kept
NMS_CASES = [
    ([[0, 0, 10, 10], [0, 0, 10, 9]], [0.8, 0.9], [0, 0], 0.5, [1]),  # the better one stays
    ([[0, 0, 10, 10], [0, 0, 10, 9]], [0.8, 0.9], [0, 1], 0.5, [1, 0]),  # another class is no rival
    ([[0, 0, 10, 10], [0, 0, 10, 5]], [0.8, 0.9], [0, 0], 0.5, [1, 0]),  # exactly the threshold: stays
    # a fallen box has no victims: the first beats the second, which would have beaten the third
    ([[0, 0, 10, 10], [0, 4, 10, 14], [0, 8, 10, 18]], [0.9, 0.8, 0.7], [0, 0, 0], 0.4, [0, 2]),
    (
        [[0, 0, 9, 9], [50, 0, 59, 9], [90, 0, 99, 9]],
        [0.5, 0.5, 0.5],
        [0, 0, 0],
        0.4,
        [0, 1, 2],
    ),  # equal: in order
    ([], [], [], 0.5, []),
]


@pytest.mark.parametrize(("rows", "scores", "class_ids", "threshold", "kept"), NMS_CASES)
def test_nms_by_hand(rows, scores, class_ids, threshold, kept):
    given = nms.nms(
        array(*rows), np.array(scores, dtype=np.float32), np.array(class_ids, dtype=int), threshold
    )
    assert given.tolist() == kept


@pytest.mark.parametrize("seed", range(3))
def test_nms_equals_the_plain_way(seed):
    rng = np.random.default_rng(seed)
    candidates, scores = random_boxes(rng, 60), rng.permutation(60) / 60
    class_ids = rng.integers(0, 3, 60)
    for threshold in (0.1, 0.45, 0.8):
        kept = nms.nms(candidates, scores, class_ids, threshold)
        assert kept.tolist() == plain_nms(candidates, scores, class_ids, threshold)


def plain_select(anchors, scores, score_threshold, nms_threshold, max_candidates, max_detections):
    pairs = [
        (-scores[n, c], n, c)
        for n in range(scores.shape[0])
        for c in range(scores.shape[1])
        if scores[n, c] > score_threshold
    ]
    pairs = sorted(pairs)[:max_candidates]
    best = np.array([-score for score, _, _ in pairs])
    rows, ids = [anchors[n] for _, n, _ in pairs], [c for _, _, c in pairs]
    kept = plain_nms(rows, best, ids, nms_threshold) if 0 < nms_threshold < 1 else range(len(rows))
    return [(ids[i], best[i], rows[i]) for i in kept][:max_detections]


@pytest.mark.parametrize(
    ("score_threshold", "nms_threshold", "max_candidates", "max_detections"),
    [
        (0.01, 0.45, 400, 100),  # the defaults: more room than pairs
        (0.5, 0.45, 400, 100),
        (0.01, 0.3, 25, 100),  # fewer candidates than pairs
        (0.01, 0.6, 50, 7),  # fewer detections than survive
        (0.01, -1, 30, 100),  # no suppression
        (0.01, 1, 30, 10),
        (0.999, 0.45, 400, 100),  # next to nothing
    ],
)
def test_select_equals_the_plain_way(score_threshold, nms_threshold, max_candidates, max_detections):
    rng = np.random.default_rng(5)
    anchors = random_boxes(rng, 30)
    scores = (rng.permutation(90).reshape(30, 3) / 90).astype(np.float32)
    limits = (score_threshold, nms_threshold, max_candidates, max_detections)
    found = nms.select(anchors, scores, *limits)
    expected = plain_select(anchors, scores, *limits)
    assert found.class_ids.tolist() == [c for c, _, _ in expected]
    np.testing.assert_array_equal(found.scores, np.array([s for _, s, _ in expected], dtype=np.float32))
    np.testing.assert_array_equal(found.boxes, array(*[row for _, _, row in expected]))


def test_select_gives_one_box_two_classes():
    """An anchor may be reported under each class that it scores for; a score at the threshold is out."""
    found = nms.select(
        array([0, 0, 9, 9]), np.array([[0.5, 0.25, 0.75]], dtype=np.float32), score_threshold=0.25
    )
    assert found.class_ids.tolist() == [2, 0]


@pytest.mark.parametrize("shape", [(0, 3), (4, 3)])
def test_select_of_nothing(shape):
    found = nms.select(np.zeros((shape[0], 4), np.float32), np.zeros(shape, np.float32))
    assert len(found) == 0 and found.boxes.shape == (0, 4) and found.scores is not None


def test_select_leaves_out_what_is_nowhere():
    """Before it counts candidates: boxes far off or without numbers displace none."""
    rows = array([0, 0, 9, 9], [0, 0, 1e30, 9], [0, np.nan, 9, 9], [20, 0, np.inf, 9], [20, 20, 30, 30])
    scores = np.array([[0.5], [0.9], [0.8], [0.7], [0.4]], dtype=np.float32)
    found = nms.select(rows, scores, max_candidates=2, farthest=1e6)
    assert found.boxes.tolist() == [[0, 0, 9, 9], [20, 20, 30, 30]]


@pytest.mark.parametrize("most", [None, 1, 7, 40, 1000])
@pytest.mark.parametrize("classes", [1, 5])
def test_nms_of_many_boxes(classes, most):
    """More than are compared at once, crowded so that most fall."""
    rng = np.random.default_rng(1)
    corner = rng.uniform(0, 60, (350, 2))
    rows = np.concatenate([corner, corner + rng.uniform(10, 30, (350, 2))], axis=1).astype(np.float32)
    scores = (rng.integers(0, 50, 350) / 50).astype(np.float32)  # many alike, which keep their order
    class_ids = rng.integers(0, classes, 350)
    expected = plain_nms(rows, scores, class_ids, 0.3)
    assert 20 < len(expected) < 250
    assert nms.nms(rows, scores, class_ids, 0.3, most).tolist() == expected[:most]


@pytest.mark.parametrize(
    ("detections", "candidates"), [(1, 400), (100, 400), (101, 808), (300, 2400), (1000, 8000)]
)
def test_candidates_follow_the_detections(detections, candidates):
    assert nms.candidates_for(detections) == candidates


def crowd(objects: int, each: int) -> tuple[np.ndarray, np.ndarray]:
    """Objects in a row, each seen by so many anchors that overlap; the best anchors of all come first."""
    left = np.tile(np.arange(objects) * 40.0, each) + np.repeat(np.arange(each) * 0.5, objects)
    rows = np.stack([left, np.zeros_like(left), left + 20, np.full_like(left, 20)], axis=1)
    return rows.astype(np.float32), np.linspace(0.99, 0.5, len(rows), dtype=np.float32)[:, None]


@pytest.mark.parametrize(
    ("objects", "each", "limits", "found", "left_out"),
    [
        (300, 4, {}, 100, 0.99 - 0.49 * 100 / 1199),  # the 101st object's best anchor
        (300, 4, {"max_detections": 300}, 300, 0),
        (300, 8, {"max_detections": 1000}, 300, 0),
        (100, 4, {}, 100, 0),  # just as many as may be
        (60, 7, {}, 60, 0.99 - 0.49 * 400 / 419),  # anchors were not compared, all objects are there
        (9, 1, {"max_detections": 4, "nms_threshold": 0}, 4, 0.99 - 0.49 * 4 / 8),
        (9, 3, {"max_candidates": 5}, 5, 0.99 - 0.49 * 5 / 26),
    ],
)
def test_choose_says_what_a_limit_left_out(objects, each, limits, found, left_out):
    chosen = nms.choose(*crowd(objects, each), **limits)
    assert len(chosen.found) == found and chosen.left_out == pytest.approx(left_out, abs=1e-6)


def test_agnostic_suppression_is_between_all_classes():
    """A cat and a dog in one place, and the dog's box again a little off; a bird elsewhere."""
    rows = array([0, 0, 10, 10], [0, 0, 10, 9], [50, 0, 60, 10])
    scores = np.array([[0.9, 0.8, 0], [0, 0.7, 0], [0, 0, 0.4]], dtype=np.float32)
    apart, together = (nms.select(rows, scores, agnostic=agnostic) for agnostic in (False, True))
    assert list(zip(apart.class_ids.tolist(), apart.boxes[:, 0])) == [(0, 0), (1, 0), (2, 50)]
    assert list(zip(together.class_ids.tolist(), together.boxes[:, 0])) == [(0, 0), (2, 50)]


def test_classes_that_are_not_wanted_take_no_part():
    """They take no other's place, neither by suppression nor by their number."""
    rows = array([0, 0, 10, 10], [0, 0, 10, 9], [50, 0, 60, 10])
    scores = np.array([[0.9, 0, 0.5], [0.8, 0, 0.3], [0.7, 0.2, 0.6]], dtype=np.float32)
    found = nms.select(rows, scores, max_detections=2, agnostic=True, wanted=np.array([1, 2]))
    assert found.class_ids.tolist() == [2, 2] and found.boxes[:, 0].tolist() == [50, 0]
    np.testing.assert_allclose(found.scores, [0.6, 0.5])


def test_shape_iou_by_hand():
    """Boxes with one centre: the smaller width times the smaller height, over the rest."""
    sizes, others = np.array([[10.0, 10], [20, 5], [0, 0]]), np.array([[10.0, 10], [20, 20]])
    overlaps = boxes.shape_iou(sizes, others)
    np.testing.assert_allclose(overlaps, [[1, 100 / 400], [50 / 150, 100 / 400], [0, 0]])
