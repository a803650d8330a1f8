"""GIoU, DIoU and CIoU against NumPy, values and gradients, also for degenerate boxes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gluon_yolo.losses.iou import OVERLAPS
from gluon_yolo.mxnet_compat import autograd, mx, nd

KINDS = pytest.mark.parametrize("kind", OVERLAPS)


def plain(kind: str, box, truth, alpha: float | None = None) -> float:
    """Return the overlap of two boxes by the papers' definitions.

    ``alpha`` is CIoU's weight, which is constant in a gradient; None computes it.
    """
    inter = 1.0
    for low, high in ((0, 2), (1, 3)):
        inter *= max(0.0, min(box[high], truth[high]) - max(box[low], truth[low]))
    w, h = box[2] - box[0], box[3] - box[1]
    tw, th = truth[2] - truth[0], truth[3] - truth[1]
    union = w * h + tw * th - inter
    hull_w = max(box[2], truth[2]) - min(box[0], truth[0])
    hull_h = max(box[3], truth[3]) - min(box[1], truth[1])
    if kind == "giou":
        return inter / union - (hull_w * hull_h - union) / (hull_w * hull_h)
    apart = [(box[i] + box[i + 2]) / 2 - (truth[i] + truth[i + 2]) / 2 for i in (0, 1)]
    diou = inter / union - (apart[0] ** 2 + apart[1] ** 2) / (hull_w**2 + hull_h**2)
    if kind == "diou":
        return diou
    return diou - aspect(box, truth) * (weight(box, truth) if alpha is None else alpha)


def aspect(box, truth) -> float:
    """Return CIoU's v."""
    angles = [math.atan2(b[2] - b[0], b[3] - b[1]) for b in (box, truth)]
    return 4 / math.pi**2 * (angles[0] - angles[1]) ** 2


def weight(box, truth) -> float:
    """Return CIoU's alpha."""
    v = aspect(box, truth)
    inter = max(0.0, min(box[2], truth[2]) - max(box[0], truth[0]))
    inter *= max(0.0, min(box[3], truth[3]) - max(box[1], truth[1]))
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, truth)]
    iou = inter / (sum(areas) - inter)
    return v / (1 - iou + v) if v else 0.0


def overlaps(kind: str, boxes, truths):
    """Return values (N,) and gradients (N, 4) with respect to the predicted boxes."""
    box, truth = (nd.array(np.asarray(array, dtype=np.float32).T) for array in (boxes, truths))
    sides = [box[i] for i in range(4)]
    for side in sides:
        side.attach_grad()
    with autograd.record():
        value = OVERLAPS[kind](nd, sides, [truth[i] for i in range(4)])
    value.backward()
    return value.asnumpy(), np.stack([side.grad.asnumpy() for side in sides], axis=1)


def random_pairs(count: int = 300):
    """Return boxes (N, 4) of every arrangement: disjoint, overlapping, one inside the other."""
    rng = np.random.default_rng(0)
    truths = random_boxes(rng, count)
    boxes = random_boxes(rng, count)
    third = count // 3
    middle = (truths[:third, :2] + truths[:third, 2:]) / 2
    half = (truths[:third, 2:] - truths[:third, :2]) / 2
    grown = half * rng.uniform(0.2, 0.9, (third, 1)) ** rng.choice([-1, 1], (third, 1))
    boxes[:third] = np.concatenate([middle - grown, middle + grown], axis=1)  # inside or around
    boxes[third : 2 * third] = truths[third : 2 * third] + rng.uniform(-8, 8, (third, 4))  # nearly the same
    return boxes, truths


def random_boxes(rng, count: int) -> np.ndarray:
    centres, sides = rng.uniform(0, 200, (count, 2)), rng.uniform(20, 150, (count, 2))
    return np.concatenate([centres - sides / 2, centres + sides / 2], axis=1)


@KINDS
def test_values_and_slopes_of_random_boxes(kind):
    boxes, truths = random_pairs()
    values, slopes = overlaps(kind, boxes, truths)
    np.testing.assert_allclose(values, [plain(kind, b, t) for b, t in zip(boxes, truths)], atol=2e-6)
    step = 1e-5
    for box, truth, found in zip(boxes, truths, slopes):
        alpha = weight(box, truth)
        for side in range(4):
            up, down = box.copy(), box.copy()
            up[side] += step
            down[side] -= step
            slope = (plain(kind, up, truth, alpha) - plain(kind, down, truth, alpha)) / (2 * step)
            assert found[side] == pytest.approx(slope, abs=2e-6)


# predicted box, truth, GIoU, DIoU, and DIoU minus CIoU
PAIRS = [
    ((0, 0, 10, 10), (0, 0, 10, 10), 1, 1, 0),  # the same
    ((0, 0, 10, 10), (10, 0, 20, 10), 0, -100 / 500, 0),  # side by side: their union is the enclosing box
    ((0, 0, 10, 10), (10, 10, 20, 20), -1 / 2, -1 / 4, 0),  # corner to corner
    ((0, 0, 10, 10), (30, 0, 40, 10), -1 / 2, -900 / 1700, 0),  # apart
    ((5, 5, 15, 15), (0, 0, 20, 20), 1 / 4, 1 / 4, 0),  # inside, the same centre
    ((0, 0, 10, 20), (0, 0, 20, 20), 1 / 2, 1 / 2 - 25 / 800, None),
]


@pytest.mark.parametrize(("box", "truth", "giou", "diou", "shape"), PAIRS)
def test_values_by_hand(box, truth, giou, diou, shape):
    if shape is None:
        v = 4 / math.pi**2 * (math.atan(1 / 2) - math.pi / 4) ** 2
        shape = v * v / (1 / 2 + v)
    expected = {"giou": giou, "diou": diou, "ciou": diou - shape}
    for kind, value in expected.items():
        values, slopes = overlaps(kind, [box], [truth])
        assert values[0] == pytest.approx(value, abs=1e-5), kind
        assert np.isfinite(slopes).all()


BIG = 1e9
# boxes without area, or extremely large
DEGENERATE = [
    ((5, 5, 5, 5), (5, 5, 5, 5)),  # two points at the same position
    ((5, 5, 5, 5), (0, 0, 10, 10)),  # a point inside a box
    ((0, 0, 10, 10), (5, 5, 5, 5)),
    ((5, 0, 5, 10), (5, 0, 5, 10)),  # two equal lines
    ((0, 5, 10, 5), (5, 0, 5, 10)),  # two crossing lines
    ((5, 5, 5, 5), (50, 50, 50, 50)),  # two distant points
    ((0, 0, 0, 0), (0, 0, 0, 0)),  # a padding row and a prediction without size
    ((-BIG, -BIG, BIG, BIG), (0, 0, 10, 10)),  # an exponential that is extremely large
    ((-BIG, 4, BIG, 4), (0, 0, 10, 10)),  # the same, along one axis
    ((BIG, BIG, BIG + 100, BIG + 100), (0, 0, 10, 10)),
    ((5, 5, 5 + 1e-6, 5 + 1e-6), (5, 5, 5 + 1e-6, 5 + 1e-6)),
]


@KINDS
@pytest.mark.parametrize(("box", "truth"), DEGENERATE)
def test_degenerate_boxes_stay_finite(kind, box, truth):
    values, slopes = overlaps(kind, [box], [truth])
    assert np.isfinite(values).all() and np.isfinite(slopes).all()
    assert -2 <= values[0] <= 1 + 1e-6


@KINDS
def test_following_the_slope_finds_the_truth(kind):
    """Gradient descent moves disjoint boxes together, where IoU alone has no gradient."""
    box, truth = np.array([0, 0, 30.0, 30]), np.array([60, 40, 110.0, 70])
    before = plain(kind, box, truth)
    for stride in np.linspace(200, 1, 400):  # smaller and smaller steps, since the gradient jumps at the goal
        _, slopes = overlaps(kind, [box], [truth])
        box = box + stride * slopes[0]
    assert plain(kind, box, truth) > 0.95 > 0 > before


@KINDS
def test_a_symbol_gives_the_same(kind):
    boxes, truths = random_pairs(30)
    names = [f"{who}{side}" for who in "pt" for side in range(4)]
    symbol = OVERLAPS[kind](mx.sym, *(list(map(mx.sym.var, part)) for part in (names[:4], names[4:])))
    arrays = np.concatenate([boxes, truths], axis=1).astype(np.float32).T
    bound = symbol.bind(mx.cpu(), {name: nd.array(array) for name, array in zip(names, arrays)})
    np.testing.assert_array_equal(bound.forward()[0].asnumpy(), overlaps(kind, boxes, truths)[0])
