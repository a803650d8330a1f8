"""TorchStep: mxnet's steps, computed by PyTorch; losses that are not finite; the state in gluon's form."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.assigners import DELTAS, WEIGHT
from gluon_yolo.models.darknet.network import build
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.training.engine import NotFinite
from gluon_yolo.weights.load import structural_parameters

torch = pytest.importorskip("torch", reason="the second engine needs PyTorch")

from gluon_yolo.training.torch_engine.step import TorchStep  # noqa: E402
from tests.models.darknet.small import planned  # noqa: E402
from tests.printed import refused  # noqa: E402
from tests.training.mxnet_engine.test_step import BATCH, CLASSES, LEARNING_RATE, make_batch  # noqa: E402
from tests.training.test_freeze import DARKNET  # noqa: E402
from tests.training.two_engines import (  # noqa: E402
    apart,
    by_float64,
    by_mxnet,
    make_net,
    parameters_of,
    run,
    velocities_of,
)

STATISTICS = (".running_mean", ".running_var")


@pytest.mark.parametrize(
    "net, options",
    [
        ({}, {}),
        ({}, {"wd": 0.5, "no_wd": True}),
        ({}, {"momentum": 0.0}),
        ({}, {"loss_scale": 3.0}),  # no power of two: its products are rounded
        ({}, {"label_smooth": 0.1}),
        ({}, {"box_loss": "giou"}),
        pytest.param({}, {"box_loss": "diou"}, marks=pytest.mark.slow),
        pytest.param({}, {"box_loss": "ciou"}, marks=pytest.mark.slow),
        pytest.param({"norm": "sync"}, {}, marks=pytest.mark.slow),
        ({"norm": "frozen"}, {}),
        ({"selectors": ["backbone", "heads.levels.0.bias"]}, {"wd": 0.5}),
        ({"assigner": "neighbours"}, {}),
        ({"assigner": "dynamic"}, {}),
        pytest.param({"assigner": "overlap"}, {"box_loss": "ciou"}, marks=pytest.mark.slow),
        ({"name": "yolo_fastestv2_custom"}, {}),  # another loss, box coder and score rule
        pytest.param({"name": "yolo3_mobilenetv2_0.25_custom"}, {}, marks=pytest.mark.slow),
    ],
    ids=lambda case: " ".join(f"{name}={value}" for name, value in case.items()) or "-",
)
def test_steps_are_mxnets(net, options):
    start = parameters_of(make_net(**net))
    expected = run(by_mxnet(make_net(**net), **options))
    found = run(TorchStep(make_net(**net), **options))
    np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-5)
    assert apart(found.parameters, expected.parameters, start) < 2e-5
    assert apart(expected.parameters, start) > 1e-4  # they have moved
    assert found.velocities.keys() == expected.velocities.keys()
    if found.velocities:
        assert apart(found.velocities, expected.velocities) < 2e-5


def test_gradients_go_through_the_pools_of_an_spp():
    """The judge is float64. Of two nearly equal cells of a window, rounding may choose the other one."""
    name = "yolo3_mobilenet0.25_spp_custom"
    start, judge = parameters_of(make_net(name=name)), run(by_float64(make_net(name=name)), (96, 128))
    for step in (by_mxnet, TorchStep):
        found = run(step(make_net(name=name)), (96, 128))
        np.testing.assert_allclose(found.losses, judge.losses, rtol=1e-5)
        assert apart(found.velocities, judge.velocities) < 2e-3
        assert apart(found.parameters, judge.parameters, start) < 2e-3


def test_what_is_frozen_stays_bit_for_bit():
    net = make_net(selectors=["backbone", "heads.levels.0.bias"])
    start = parameters_of(net)
    found = run(TorchStep(net, wd=0.5)).parameters
    moved = {name for name in start if not np.array_equal(found[name], start[name])}
    frozen = {name for name in start if name.startswith("backbone.") or name == "heads.levels.0.bias"}
    assert moved == start.keys() - frozen


@pytest.mark.parametrize("norm", ["bn", pytest.param("frozen", marks=pytest.mark.slow)])
def test_float64_is_the_judge_of_both(norm):
    """In float32 both engines are as far from it as rounding takes them."""
    start = parameters_of(make_net(norm))
    judge = run(by_float64(make_net(norm)))
    ours = apart(run(TorchStep(make_net(norm))).parameters, judge.parameters, start)
    theirs = apart(run(by_mxnet(make_net(norm))).parameters, judge.parameters, start)
    assert ours < 3 * theirs < 1e-3


@pytest.mark.slow
def test_sizes_change_from_batch_to_batch():
    sizes = (64, 96, 32, 64)
    expected, found = (run(step(make_net()), sizes) for step in (by_mxnet, TorchStep))
    np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-5)
    assert apart(found.parameters, expected.parameters, parameters_of(make_net())) < 2e-5


def state_of(step: TorchStep) -> dict[str, np.ndarray]:
    arrays = {**step.module.state_dict(), **{f"v {n}": v for n, v in step.optimizer.velocities.items()}}
    return {name: tensor.clone().numpy() for name, tensor in arrays.items()}


def assert_identical(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_not_finite_is_raised_before_anything_changed():
    step, untouched = TorchStep(make_net()), TorchStep(make_net())
    for each in (step, untouched):
        each(make_batch(each.net.spec, 0), LEARNING_RATE)
    before = state_of(step)
    bad = make_batch(step.net.spec, 1)
    bad.targets[BATCH - 1, 0, DELTAS] = np.nan
    with pytest.raises(NotFinite, match=r"centre nan, scale nan, class [\d.]+\) on the batch of:") as caught:
        step(bad, LEARNING_RATE)
    assert all(name in str(caught.value) for name in bad.names)
    assert_identical(state_of(step), before)
    assert step.is_finite() and not any(p.grad is not None for p in step.module.parameters())

    for each in (step, untouched):  # update counts are unchanged too
        each(make_batch(each.net.spec, 2), LEARNING_RATE)
        each.to_net()
    assert_identical(state_of(step), state_of(untouched))
    assert step.trainer.optimizer.num_update == 2


def test_not_finite_names_the_losses_own_names():
    step = TorchStep(make_net(), box_loss="ciou")
    bad = make_batch(step.net.spec)
    bad.targets[0, 0, WEIGHT] = np.nan
    with pytest.raises(NotFinite, match=r"\(objectness nan, box nan, class nan\)"):
        step(bad, LEARNING_RATE)


def test_a_loss_scale_that_cannot_be():
    net = make_net()
    for loss_scale in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="loss_scale: expected a number above 0"):
            TorchStep(net, loss_scale=loss_scale)


@pytest.mark.parametrize("ending", [".weight", ".running_var"])
def test_is_finite_looks_at_all(ending):
    step = TorchStep(make_net())
    assert step.is_finite()
    name = next(name for name in step.module.state_dict() if name.endswith(ending))
    spoilt = step.module.state_dict()[name]
    spoilt[(-1,) * spoilt.ndim] = np.inf
    assert not step.is_finite()


def test_the_state_goes_into_gluon_and_back_bit_for_bit():
    """A second engine that reads what the first one wrote goes on as the first one does."""
    first = TorchStep(make_net(), no_wd=True)
    for number in range(2):
        first(make_batch(first.net.spec, number), LEARNING_RATE)
    assert apart(parameters_of(first.net), parameters_of(make_net())) == 0  # nothing is brought unasked
    first.to_net()
    assert first.trainer.optimizer.num_update == 2
    assert set(first.trainer.optimizer._index_update_count.values()) == {2}
    assert first.trainer.learning_rate == LEARNING_RATE

    second = TorchStep(make_net(), no_wd=True)
    for name, parameter in structural_parameters(second.net).items():
        parameter.set_data(structural_parameters(first.net)[name].data())
    second.trainer._updaters[0].set_states(first.trainer._updaters[0].get_states(dump_optimizer=True))
    second.trainer._optimizer = second.trainer._updaters[0].optimizer
    second.from_net()
    assert_identical(state_of(second), state_of(first))
    for each in (first, second):
        each(make_batch(each.net.spec, 2), LEARNING_RATE / 2)
        each.to_net()
    assert_identical(state_of(second), state_of(first))
    assert_identical(velocities_of(second.net, second.trainer), velocities_of(first.net, first.trainer))
    assert second.trainer.optimizer.num_update == 3


def test_dropout_draws_by_seed_and_update():
    """So a resumed training draws what it would have drawn."""

    def make(seed: int) -> TorchStep:
        net = build(planned(DARKNET), CLASSES)
        net.initialize_weights(seed=1)
        return TorchStep(net, seed=seed)

    one, same, other = make(5), make(5), make(6)
    batch = make_batch(one.net.spec)
    losses = [[step(batch, 0.0) for _ in range(2)] for step in (one, same, other)]
    np.testing.assert_array_equal(losses[0], losses[1])
    assert not np.array_equal(losses[0][0], losses[0][1])
    assert not np.array_equal(losses[0][0], losses[2][0])


def test_a_predictor_computes_as_mxnets():
    """With the weights of the last step, and the running statistics; training goes on as without it."""
    step, without = TorchStep(make_net()), TorchStep(make_net())
    images = make_batch(step.net.spec, 9).images
    for number in range(2):
        for each in (step, without):
            each(make_batch(each.net.spec, number), LEARNING_RATE)
        predictor = step.predictor((64, 64), score_threshold=0.0, max_detections=5)
        found = predictor.detect_batch(images)
        step.to_net()
        expected = by_mxnet(step.net).predictor((64, 64), score_threshold=0.0, max_detections=5)
        for one, other in zip(found, expected.detect_batch(images)):
            np.testing.assert_allclose(one.boxes, other.boxes, rtol=1e-4, atol=1e-3)
            np.testing.assert_allclose(one.scores, other.scores, rtol=1e-4)
    assert predictor.runtime == "torch"
    assert_identical(state_of(step), state_of(without))


def test_bfloat16_computes_the_network_coarsely_and_the_losses_in_full():
    batch = make_batch(make_net().spec)
    narrow, plain = TorchStep(make_net(), precision="bfloat16"), TorchStep(make_net())
    losses = narrow(batch, LEARNING_RATE), plain(batch, LEARNING_RATE)
    assert losses[0].dtype == np.float32
    difference = np.abs(losses[0] / losses[1] - 1).max()
    assert 1e-5 < difference < 0.05
    assert {tensor.dtype for tensor in narrow.module.state_dict().values()} == {torch.float32}
    ways = [apart(state_of(step), state_of(TorchStep(make_net()))) for step in (narrow, plain)]
    assert ways[0] == pytest.approx(ways[1], rel=0.1)


def test_the_switches_are_those_of_the_last_training():
    TorchStep(make_net(), precision="tf32", deterministic=True)
    assert torch.backends.cudnn.allow_tf32 and torch.backends.cuda.matmul.allow_tf32
    assert torch.are_deterministic_algorithms_enabled() and not torch.backends.cudnn.benchmark
    TorchStep(make_net())
    assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.slow
def test_it_reads_a_network_that_mxnet_has_run():
    """A planned graph, and weights in a layout of mxnet's own."""
    net = make_net()
    net.hybridize(static_alloc=True)
    net(mx.nd.zeros((1, 64, 64, 3), dtype="uint8"))
    expected, found = run(TorchStep(make_net())), run(TorchStep(net))
    np.testing.assert_array_equal(found.losses, expected.losses)


@pytest.mark.slow
def test_compiled_steps_are_the_same():
    """At two sizes, with a step that is given up between."""

    def make(compiled: bool) -> TorchStep:
        made = build(planned(DARKNET.replace("[dropout]\nprobability=.1\n", "")), CLASSES)
        made.initialize_weights(seed=1)
        return TorchStep(made, compiled=compiled)

    plain, compiled = make(False), make(True)
    for number, size in enumerate((64, 32, 64)):
        batch = make_batch(plain.net.spec, number, size)
        losses = [step(batch, LEARNING_RATE) for step in (plain, compiled)]
        np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
        before = state_of(compiled)
        bad = make_batch(plain.net.spec, number, size)
        bad.targets[0, 0, DELTAS] = np.nan
        with pytest.raises(NotFinite):
            compiled(bad, LEARNING_RATE)
        assert_identical(state_of(compiled), before)
    assert apart(state_of(compiled), state_of(plain)) < 1e-6


def test_what_cannot_be_compiled_is_one_sentence(monkeypatch):
    def no_compiler(*arrays):
        from torch._inductor.exc import InvalidCxxCompiler

        raise InvalidCxxCompiler

    monkeypatch.setattr(torch, "compile", lambda module, **options: no_compiler)
    step = TorchStep(make_net(), compiled=True)
    with refused("^--compile: torch.compile cannot compile it here: No working C.* found .*; leave it out$"):
        step(make_batch(step.net.spec), LEARNING_RATE)
