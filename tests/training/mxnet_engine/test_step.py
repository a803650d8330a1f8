"""TrainStep: several devices against one, weight decay, and losses that are not finite."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator

import numpy as np
import pytest

from gluon_yolo import parameter_io
from gluon_yolo.assigners import DELTAS, WEIGHT, assign, rows_per_object
from gluon_yolo.data.loading.collate import Batch, pad_targets
from gluon_yolo.detections import Detections
from gluon_yolo.models import zoo
from gluon_yolo.mxnet_compat import mx, nd
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.training.mxnet_engine.step import NotFinite, TrainStep
from gluon_yolo.weights.load import structural_parameters

NETWORK, CLASSES, SIZE, BATCH = "yolo3_mobilenet0.25_custom", ("cat", "dog", "cow"), 64, 4
LEARNING_RATE = 0.001
STATISTICS = (".running_mean", ".running_var")


@pytest.fixture(autouse=True)
def _no_endless_wait() -> Iterator[None]:
    """End the process with a traceback if the devices are in a deadlock."""
    faulthandler.dump_traceback_later(900, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def make_step(devices: int = 1, norm: str = "bn", **options) -> TrainStep:
    """Return a step over a network with fixed weights."""
    contexts = [mx.cpu(index) for index in range(devices)]
    net = zoo.build(NETWORK, CLASSES, norm=norm, num_devices=devices)
    net.initialize_weights(ctx=contexts, seed=3)
    return TrainStep(net, contexts, **options)


def make_batch(spec: DetectionSpec, number: int = 0, size: int = SIZE) -> Batch:
    """Return a batch of noise with 1 to 4 objects an image; equal numbers give equal batches."""
    rng = np.random.default_rng(number)
    targets = []
    for _ in range(BATCH):
        corners = rng.uniform(0, size / 2, (rng.integers(1, 5), 2))
        boxes = np.concatenate([corners, corners + rng.uniform(8, size / 2, corners.shape)], axis=1)
        truth = Detections(boxes.astype(np.float32), rng.integers(0, len(CLASSES), len(boxes)))
        targets.append(assign(truth, None, spec, (size, size)))
    images = rng.integers(0, 256, (BATCH, size, size, 3), dtype=np.uint8)
    names = [f"picture-{number}-{place}.jpg" for place in range(BATCH)]
    targets_array = pad_targets(targets, 8 * rows_per_object(spec))
    return Batch(images, targets_array, names, list(range(BATCH)), (size, size))


def values(step: TrainStep, device: int = 0) -> dict[str, np.ndarray]:
    parameter_io.wait()
    parameters = structural_parameters(step.net)
    return {name: parameter.list_data()[device].asnumpy() for name, parameter in parameters.items()}


def trained(devices: int, norm: str, steps: int = 4) -> tuple[TrainStep, list[np.ndarray]]:
    """Return a step after some batches, and their losses.

    The activations are kept away from the kink of their ReLUs. Near it, a rounding difference switches some
    of them, each with a whole gradient, and even one device would differ from itself by some percent.
    """
    step = make_step(devices, norm)
    for name, parameter in structural_parameters(step.net).items():
        if name.endswith(".beta"):
            parameter.set_data(nd.full(parameter.shape, 3.0))
    losses = [step(make_batch(step.net.spec, number), LEARNING_RATE) for number in range(steps)]
    return step, losses


def largest_difference(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
    assert one.keys() == other.keys()
    return max(float(np.abs(one[name] - other[name]).max()) for name in one)


def assert_identical(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.devices
def test_two_devices_with_syncbn_train_as_one():
    (one, one_losses), (two, two_losses) = trained(1, "bn"), trained(2, "sync")
    expected, found = values(one), values(two)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-5, err_msg=name)
    assert_identical(found, values(two, 1))
    np.testing.assert_allclose(one_losses, two_losses, rtol=1e-5)
    assert largest_difference(expected, values(make_step())) > 0.1  # the weights have changed


def test_two_devices_without_syncbn_do_not():
    (one, _), (two, _) = trained(1, "bn"), trained(2, "bn")
    assert largest_difference(values(one), values(two)) > 1e-4
    learned, other = values(two, 0), values(two, 1)
    statistics = [name for name in learned if name.endswith(STATISTICS)]
    assert any(not np.array_equal(learned[name], other[name]) for name in statistics)
    assert_identical(*({k: v for k, v in all_.items() if k not in statistics} for all_ in (learned, other)))

    two.share_statistics()
    assert_identical(values(two, 0), values(two, 1))
    for name in statistics:
        np.testing.assert_allclose(values(two)[name], (learned[name] + other[name]) / 2, rtol=1e-6)


def test_frozen_batch_norm_does_not_change():
    step = make_step(norm="frozen")
    before = values(step)
    step(make_batch(step.net.spec), LEARNING_RATE)
    after = values(step)
    norms = [name for name in before if name.endswith((".gamma", ".beta", *STATISTICS))]
    assert norms
    assert_identical({name: before[name] for name in norms}, {name: after[name] for name in norms})
    assert largest_difference(before, after) > 0


def test_no_wd_spares_biases_and_batch_norm():
    """After one step from equal weights, parameters without weight decay are as with ``wd`` 0."""
    results = {}
    for key, options in {
        "none": dict(wd=0.0),
        "all": dict(wd=0.5),
        "spared": dict(wd=0.5, no_wd=True),
    }.items():
        step = make_step(**options)
        for name, parameter in structural_parameters(step.net).items():
            if name.endswith((".beta", ".bias")):
                parameter.set_data(nd.full(parameter.shape, 0.1))  # decay does not change zeros
        step(make_batch(step.net.spec), LEARNING_RATE)
        results[key] = values(step)
    endings = {".gamma": 0, ".beta": 0, ".bias": 0, ".weight": 0}
    for name, undecayed in results["none"].items():
        if name.endswith(STATISTICS):
            continue
        endings[name[name.rindex(".") :]] += 1
        assert not np.array_equal(results["all"][name], undecayed), name
        spared = np.array_equal(results["spared"][name], undecayed)
        assert spared != name.endswith(".weight"), name
        as_all = np.array_equal(results["spared"][name], results["all"][name])
        assert as_all == name.endswith(".weight"), name
    assert all(endings.values())


@pytest.mark.parametrize("devices, norm", [(1, "bn"), pytest.param(2, "sync", marks=pytest.mark.devices)])
def test_not_finite_is_raised_before_anything_changed(devices, norm):
    step, untouched = (make_step(devices, norm) for _ in range(2))
    for each in (step, untouched):
        each(make_batch(each.net.spec, 0), LEARNING_RATE)
    before = [values(step, device) for device in range(devices)]
    bad = make_batch(step.net.spec, 1)
    bad.targets[BATCH - 1, 0, DELTAS] = np.nan
    with pytest.raises(NotFinite, match=r"centre nan, scale nan, class [\d.]+\) on the batch of:") as caught:
        step(bad, LEARNING_RATE)
    assert all(name in str(caught.value) for name in bad.names)
    for device in range(devices):
        assert_identical(values(step, device), before[device])
    assert step.is_finite()

    for each in (step, untouched):  # momenta, gradients and update counts are unchanged too
        each(make_batch(each.net.spec, 2), LEARNING_RATE)
    assert_identical(values(step), values(untouched))


def test_not_finite_names_the_losses_own_names():
    step = make_step(box_loss="ciou")
    bad = make_batch(step.net.spec)
    bad.targets[0, 0, WEIGHT] = np.nan
    with pytest.raises(NotFinite, match=r"\(objectness nan, box nan, class nan\)"):
        step(bad, LEARNING_RATE)


def test_a_loss_scale_changes_nothing():
    """A power of two is exact in every float type, so the scaled steps are exact too."""
    plain, scaled = make_step(), make_step(loss_scale=1024.0)
    for number in range(2):
        batch = make_batch(plain.net.spec, number)
        np.testing.assert_array_equal(plain(batch, LEARNING_RATE), scaled(batch, LEARNING_RATE))
    gradients = [structural_parameters(step.net)["heads.levels.0.bias"].grad() for step in (plain, scaled)]
    np.testing.assert_array_equal(1024 * gradients[0].asnumpy(), gradients[1].asnumpy())
    assert_identical(values(plain), values(scaled))


@pytest.mark.parametrize("loss_scale", [0, -1, float("inf"), float("nan")])
def test_a_loss_scale_that_cannot_be(loss_scale):
    with pytest.raises(ValueError, match="loss_scale: expected a number above 0"):
        make_step(loss_scale=loss_scale)


@pytest.mark.parametrize("box_loss", ["giou", "diou", "ciou"])
def test_a_network_learns_from_overlaps(box_loss):
    """With frozen batch norms: the statistics of four small images turn rounding errors into noise."""
    step = make_step(norm="frozen", box_loss=box_loss)
    batch = make_batch(step.net.spec)
    first, *_, last = [step(batch, LEARNING_RATE) for _ in range(10)]
    assert step.loss.names == ("objectness", "box", "class")
    assert last[1] < 0.9 * first[1] and last.sum() < first.sum()


@pytest.mark.parametrize("ending", [".weight", ".running_var"])
def test_is_finite_looks_at_all(ending):
    step = make_step()
    assert step.is_finite()
    name = next(name for name in structural_parameters(step.net) if name.endswith(ending))
    parameter = structural_parameters(step.net)[name]
    spoilt = parameter.data().asnumpy()
    spoilt.flat[-1] = np.inf
    parameter.set_data(nd.array(spoilt))
    assert not step.is_finite()


def test_sizes_may_change_from_batch_to_batch():
    step = make_step()
    for size in (64, 96, 32, 64):
        assert np.isfinite(step(make_batch(step.net.spec, size, size), LEARNING_RATE)).all()
