"""Setup: the network of a run, its anchors and its starting weights, with their messages."""

from __future__ import annotations

import re

import numpy as np
import pytest

from gluon_yolo.data.anchors import by_level
from gluon_yolo.errors import UserError
from gluon_yolo.models.build import find_architecture
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.setup import (
    anchor_lines,
    better_anchors,
    build_network,
    found_anchors,
    load_starting_weights,
)
from gluon_yolo.weights.load import structural_parameters
from tests.data.test_anchors import Boxes
from tests.printed import printed, refused

ARCHITECTURE = find_architecture("yolo3_mobilenet0.25_custom")
NETWORK, CLASSES = "yolo3_mobilenet0.25_custom", ("cat", "dog")


def settings(**values) -> TrainConfig:
    return TrainConfig(NETWORK, **values)


def values(net) -> dict[str, np.ndarray]:
    return {name: p.list_data()[0].asnumpy() for name, p in structural_parameters(net).items()}


def test_the_seed_decides_the_random_weights():
    one, same, other = (
        values(build_network(ARCHITECTURE, settings(seed=seed), CLASSES, contexts))
        for seed, contexts in ((1, [mx.cpu()]), (1, [mx.cpu(0), mx.cpu(1)]), (2, [mx.cpu()]))
    )
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["heads.levels.0.weight"], other["heads.levels.0.weight"])


def test_weights_of_other_classes_are_taken_as_far_as_they_fit(tmp_path):
    source = build_network(ARCHITECTURE, settings(seed=1), ("dog", "cow", "cat"), [mx.cpu()])
    source.save_parameters(str(tmp_path / "source.params"))
    chosen = settings(weights=str(tmp_path / "source.params"), seed=2)
    net = build_network(ARCHITECTURE, chosen, CLASSES, [mx.cpu()])
    origin = load_starting_weights(net, chosen)
    assert origin.line.startswith(f"weights: {tmp_path}/source.params: ") and origin.fresh == ()
    expected, found = values(source), values(net)
    body = [name for name in expected if not name.startswith("heads.")]
    assert all(np.array_equal(found[name], expected[name]) for name in body)


def test_without_weights_it_says_so():
    chosen = settings(pretrained_base="no")
    net = build_network(ARCHITECTURE, chosen, CLASSES, [mx.cpu()])
    assert load_starting_weights(net, chosen) == ("weights: random", tuple(values(net)))


def test_auto_goes_on_without_what_cannot_be_had(monkeypatch):
    def absent(net, backbone_only=False):
        assert backbone_only
        raise UserError("no network here")

    monkeypatch.setattr("gluon_yolo.training.setup.load_pretrained", absent)
    net = build_network(ARCHITECTURE, settings(), CLASSES, [mx.cpu()])
    said = "weights: random, which takes more epochs: no network here"
    assert load_starting_weights(net, settings(pretrained_base="auto")) == (said, tuple(values(net)))
    with refused("no network here"):
        load_starting_weights(net, settings(pretrained_base="yes"))


def test_a_backbone_alone_leaves_the_rest_fresh(tmp_path):
    source = build_network(ARCHITECTURE, settings(seed=1), CLASSES, [mx.cpu()])
    source.save_parameters(str(tmp_path / "source.params"))
    chosen = settings(pretrained_base=str(tmp_path / "source.params"), seed=2)
    net = build_network(ARCHITECTURE, chosen, CLASSES, [mx.cpu()])
    rest = tuple(name for name in values(net) if not name.startswith("backbone."))
    origin = load_starting_weights(net, chosen)
    assert origin.line.startswith(f"backbone: {tmp_path}/source.params: ") and origin.fresh == rest


def test_a_box_loss_that_does_not_fit_is_refused_with_the_network():
    fastest = find_architecture("yolo_fastestv2_custom")
    chosen = settings(box_loss="yolo3", data_shape=(352, 352))
    with refused("box loss 'yolo3': does not fit"):
        build_network(fastest, chosen, CLASSES, [mx.cpu()])


def squares(*sides, hw=(416, 416)):
    """Return a data set of one image with square boxes of these sides in pixels."""
    return Boxes((hw, [[0, 0, side, side] for side in sides]))


class TestAnchors:
    # Computed by hand: of YOLOv3's nine anchors, 10x13 fits a square of 10 best (100 / 130), 116x90 one of
    # 100 (9,000 / 11,440), 373x326 one of 350 (114,100 / 129,998).
    def test_good_ones_get_one_line(self):
        lines = anchor_lines(DetectionSpec(CLASSES), squares(10, 100, 350), settings())
        assert lines == ["anchors: 9, mean best IoU 0.811, recall 1.000 on the training boxes at 416x416"]

    def test_poor_ones_get_a_hint(self):
        data = squares(*[2, 3, 4] * 20, *range(5, 12))
        first, hint = map(printed, anchor_lines(DetectionSpec(CLASSES), data, settings()))
        assert first.startswith("anchors: 9, mean best IoU 0.1")
        assert hint.startswith("anchors: these suit the data poorly; found ones would have 0.9")
        assert "--anchors auto" in hint

    def test_fair_ones_get_a_hint_where_much_is_gained(self):
        # 62x45 fits best: 45 s / (s s + 2,790 - 45 s) up to a side s of 62, above that 2,790 / (s s).
        first, hint = map(printed, anchor_lines(DetectionSpec(CLASSES), squares(*range(56, 66)), settings()))
        assert first == "anchors: 9, mean best IoU 0.718, recall 1.000 on the training boxes at 416x416"
        assert re.fullmatch(
            r"anchors: found ones would have 0\.99\d and 1\.000: start a run with --anchors auto, or .*", hint
        )

    def test_no_hint_where_none_would_be_better(self):
        data = squares(*[2, 3, 4] * 20, *range(5, 12))
        found = found_anchors(ARCHITECTURE, data, settings())
        assert len(anchor_lines(DetectionSpec(CLASSES, found), data, settings())) == 1
        assert (
            len(anchor_lines(DetectionSpec(CLASSES), squares(3, 3, 4), settings())) == 1
        )  # too few boxes to find 9 anchors

    def test_data_without_boxes_has_nothing_to_say(self):
        assert anchor_lines(DetectionSpec(CLASSES), Boxes(((64, 64), np.zeros((0, 4)))), settings()) == []

    def test_they_are_found_at_the_runs_size_and_fit(self):
        data = squares(*range(10, 100, 10), hw=(100, 200))
        found = found_anchors(ARCHITECTURE, data, settings(data_shape=(32, 32)))
        assert found[0][0] == pytest.approx((1.6, 3.2)) and tuple(map(len, found)) == (3, 3, 3)
        found = found_anchors(ARCHITECTURE, data, settings(data_shape=(32, 32), augment="flip,letterbox"))
        assert found[0][0] == pytest.approx((1.6, 1.6))

    def test_better_ones_are_taken_where_they_gain_a_tenth(self):
        # As above, 0.718 with 62x45 of the middle level; three found anchors fit ten squares with nearly 1.
        found, line = better_anchors(ARCHITECTURE, squares(*range(56, 66)), settings())
        assert found[0] == ARCHITECTURE.spec.anchors[0] and found[2] == ARCHITECTURE.spec.anchors[2]
        assert all(width == height and 56 <= width <= 65 for width, height in found[1])
        assert re.fullmatch(
            r"anchors: found on the training pictures, level by level: mean best IoU 0\.9[5-9]\d in the "
            r"place of 0\.718; --anchors own keeps the network's",
            printed(line),
        )

    @pytest.mark.parametrize(
        "data",
        [
            squares(10, 100, 350),  # too few boxes
            Boxes(((64, 64), np.zeros((0, 4)))),
            Boxes(((416, 416), [[0, 0, 116 + k, 90 - k] for k in range(10)])),  # nearly an anchor
        ],
        ids=["few", "none", "fitting"],
    )
    def test_the_networks_own_stay_where_nothing_is_gained(self, data):
        assert better_anchors(ARCHITECTURE, data, settings()) is None

    @pytest.mark.parametrize("count, each", [(6, (2, 2, 2)), (12, (4, 4, 4)), (10, (4, 3, 3))])
    def test_the_network_is_built_with_them(self, count, each):
        anchors = by_level(np.array([[k, k + 1] for k in range(1, count + 1)], dtype=float), 3)
        net = build_network(ARCHITECTURE, settings(anchors=anchors), CLASSES, [mx.cpu()])
        assert net.spec.anchors == anchors and net.spec.anchors_per_level == each
        channels = [raw.shape[1] for raw in net(mx.nd.zeros((1, 32, 32, 3)))]
        assert channels == [number * (5 + 2) for number in each]

    def test_without_any_it_has_its_own(self):
        assert build_network(ARCHITECTURE, settings(), CLASSES, [mx.cpu()]).spec == DetectionSpec(CLASSES)
