"""Start: which weights a run begins from, and what it says of them."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.compat import mx
from gluon_yolo.engine.settings import TrainSettings
from gluon_yolo.engine.start import build_network, load_starting_weights
from gluon_yolo.errors import UserError
from gluon_yolo.nn import weights

NETWORK, CLASSES = "yolo3_mobilenet0.25_custom", ("cat", "dog")


def settings(**values) -> TrainSettings:
    return TrainSettings(NETWORK, **values)


def values(net) -> dict[str, np.ndarray]:
    return {name: p.list_data()[0].asnumpy() for name, p in weights.structural_parameters(net).items()}


def test_the_seed_decides_the_random_weights():
    one, same, other = (
        values(build_network(settings(seed=seed), CLASSES, contexts))
        for seed, contexts in ((1, [mx.cpu()]), (1, [mx.cpu(0), mx.cpu(1)]), (2, [mx.cpu()]))
    )
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["heads.levels.0.weight"], other["heads.levels.0.weight"])


def test_weights_of_other_classes_are_taken_as_far_as_they_fit(tmp_path):
    source = build_network(settings(seed=1), ("dog", "cow", "cat"), [mx.cpu()])
    source.save_parameters(str(tmp_path / "source.params"))
    chosen = settings(weights=str(tmp_path / "source.params"), seed=2)
    net = build_network(chosen, CLASSES, [mx.cpu()])
    assert load_starting_weights(net, chosen).startswith(f"weights: {tmp_path}/source.params: ")
    expected, found = values(source), values(net)
    body = [name for name in expected if not name.startswith("heads.")]
    assert all(np.array_equal(found[name], expected[name]) for name in body)


def test_without_weights_it_says_so():
    chosen = settings(pretrained_base="no")
    assert load_starting_weights(build_network(chosen, CLASSES, [mx.cpu()]), chosen) == "weights: random"


def test_auto_goes_on_without_what_cannot_be_had(monkeypatch):
    def absent(net, backbone_only=False):
        assert backbone_only
        raise UserError("no network here")

    monkeypatch.setattr(weights, "load_pretrained", absent)
    net = build_network(settings(), CLASSES, [mx.cpu()])
    said = "weights: random, which takes more epochs: no network here"
    assert load_starting_weights(net, settings(pretrained_base="auto")) == said
    with pytest.raises(UserError, match="no network here"):
        load_starting_weights(net, settings(pretrained_base="yes"))
