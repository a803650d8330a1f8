"""The detector block: input types, sizes, normalisation, initial weights, attributes."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo import parameter_io
from gluon_yolo.models import zoo
from gluon_yolo.models.layers import NORMS
from gluon_yolo.mxnet_compat import autograd, gluon, mx, nd
from gluon_yolo.weights.load import structural_parameters
from tests.random_model import random_detector, random_image

NAME = "yolo3_mobilenet0.25_custom"


@pytest.fixture(scope="module")
def net():
    return random_detector()


def images(*sizes_hw, dtype="uint8"):
    return nd.array(
        np.stack([random_image(*size_hw, seed=i) for i, size_hw in enumerate(sizes_hw)]), dtype=dtype
    )


def arrays(outputs) -> list[np.ndarray]:
    return [output.asnumpy() for output in outputs]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_pixels_of_other_types_are_the_same_image(net, dtype):
    expected = arrays(net(images((64, 96))))
    for given, wanted in zip(arrays(net(images((64, 96), dtype=dtype))), expected):
        np.testing.assert_array_equal(given, wanted)


def test_hybridized_is_the_same_at_every_size():
    plain, fast = random_detector(seed=1), random_detector(seed=1)
    fast.hybridize()
    for size_hw, batch in (((64, 96), 1), ((96, 32), 2), ((64, 96), 3), ((32, 32), 1)):
        pixels = images(*[size_hw] * batch)
        for given, wanted in zip(arrays(fast(pixels)), arrays(plain(pixels))):
            assert given.shape == (batch, 24, *wanted.shape[2:])
            np.testing.assert_allclose(given, wanted, atol=1e-4)


def test_images_of_a_batch_do_not_touch(net):
    pixels = images((64, 64), (64, 64))
    for together, alone in zip(arrays(net(pixels)), arrays(net(pixels[1:]))):
        np.testing.assert_allclose(together[1:], alone, atol=1e-4)


def test_the_maps_are_the_same_in_training_when_norms_are_frozen():
    """Only batch normalisation depends on autograd's mode."""
    frozen = random_detector(norm="frozen")
    pixels = images((64, 64))
    expected = arrays(frozen(pixels))
    with autograd.record():
        maps = frozen(pixels)
    for given, wanted in zip(arrays(maps), expected):
        np.testing.assert_allclose(given, wanted, atol=1e-5)


def test_weights_move_between_norms(tmp_path):
    nets = {kind: random_detector(norm=kind, seed=number) for number, kind in enumerate(NORMS)}
    names = [list(structural_parameters(net)) for net in nets.values()]
    assert names[0] == names[1] == names[2]
    pixels = images((64, 64))
    nets["bn"].save_parameters(str(tmp_path / "net.params"))
    for kind in ("sync", "frozen"):
        nets[kind].load_parameters(str(tmp_path / "net.params"))
        for given, wanted in zip(arrays(nets[kind](pixels)), arrays(nets["bn"](pixels))):
            np.testing.assert_allclose(given, wanted, atol=1e-4)


@pytest.mark.parametrize(("kind", "moving"), [("bn", True), ("frozen", False)])
def test_frozen_norms_train_nothing(kind, moving):
    net = random_detector(norm=kind)
    parameters = structural_parameters(net)
    before = {name: parameter_io.array(p) for name, p in parameters.items()}
    trained = {name: p for name, p in parameters.items() if p.grad_req != "null"}
    trainer = gluon.Trainer(trained, "sgd", {"learning_rate": 0.1, "wd": 0.1}, kvstore=None)
    with autograd.record():
        loss = sum((raw**2).mean() for raw in net(images((64, 64))))
    loss.backward()
    trainer.step(1)
    changed = {name for name, p in parameters.items() if (parameter_io.array(p) != before[name]).any()}
    norms = {
        name for name in parameters if name.endswith((".gamma", ".beta", ".running_mean", ".running_var"))
    }
    assert changed == set(parameters) - (set() if moving else norms)


def test_fresh_weights_come_from_the_seed():
    def drawn(seed):
        net = zoo.build(NAME, ["cat", "dog"])
        net.initialize_weights(seed=seed)
        return {name: parameter_io.array(p) for name, p in structural_parameters(net).items()}

    first, same, other = drawn(3), drawn(3), drawn(4)
    assert all((first[name] == same[name]).all() for name in first)
    assert all((first[name] != other[name]).any() for name in first if "weight" in name)


def test_fresh_weights_are_sane():
    """No map grows or vanishes, and every anchor's objectness is near the prior."""
    net = zoo.build(NAME, ["cat", "dog"])
    net.initialize_weights(seed=0)
    pixels = images((96, 96), (96, 96))
    with autograd.train_mode():  # with the batch's own statistics, as at the beginning of training
        maps = arrays(net(pixels))
    for raw in maps:
        objectness = 1 / (1 + np.exp(-raw.reshape(2, 3, 7, -1)[:, :, 4]))
        assert 0.002 < objectness.min() and objectness.max() < 0.05
        assert 0.001 < raw.reshape(2, 3, 7, -1)[:, :, :4].std() < 1


def test_initializing_again_draws_again():
    net = zoo.build(NAME, ["cat"])
    net.initialize_weights(seed=0)
    before = parameter_io.array(net.heads.levels[0].weight)
    net.initialize_weights(seed=1)
    assert (parameter_io.array(net.heads.levels[0].weight) != before).any()


def test_several_devices_start_alike():
    net = zoo.build(NAME, ["cat"])
    contexts = [mx.cpu(0), mx.cpu(1)]
    net.initialize_weights(ctx=contexts, seed=0)
    for parameter in net.collect_params().values():
        assert parameter.list_ctx() == contexts
        first, second = parameter.list_data()
        np.testing.assert_array_equal(first.asnumpy(), second.asnumpy())
