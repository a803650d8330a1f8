"""SGD: the same updates as mxnet's from the same gradients; torch's own optimizer makes others."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.mxnet_compat import autograd, gluon, nd

torch = pytest.importorskip("torch", reason="the second engine needs PyTorch")

from gluon_yolo.training.torch_engine.sgd import SGD  # noqa: E402

STEPS, BATCH = 20, 6
RATES = [0.01 * (step + 1) / STEPS for step in range(STEPS)]  # a warm-up
_rng = np.random.default_rng(0)
WEIGHT = _rng.standard_normal(1000).astype(np.float32)
GRADIENTS = _rng.standard_normal((STEPS, 1000)).astype(np.float32) * 8


def by_mxnet(momentum: float, wd: float, wd_mult: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the weight and the velocity of gluon's trainer after all steps."""
    weight = gluon.Parameter("weight", shape=WEIGHT.shape, wd_mult=wd_mult)
    weight.initialize()
    weight.set_data(nd.array(WEIGHT))
    settings = {"learning_rate": 0.0, "momentum": momentum, "wd": wd}
    trainer = gluon.Trainer({"weight": weight}, "sgd", settings, kvstore="local")
    for rate, gradient in zip(RATES, GRADIENTS):
        with autograd.record():
            loss = (weight.data() * nd.array(gradient)).sum()
        loss.backward()
        trainer.set_learning_rate(rate)
        trainer.step(BATCH)
    velocity = trainer._updaters[0].states[0]
    return weight.data().asnumpy(), np.zeros(0) if velocity is None else velocity.asnumpy()


@pytest.mark.parametrize(
    "momentum, wd, decays",
    [
        (0.9, 0.5, True),
        (0.9, 0.0, True),
        (0.9, 0.5, False),  # a name without weight decay
        (0.0, 0.5, True),  # no velocity
    ],
)
def test_updates_are_mxnets(momentum, wd, decays):
    weight = torch.nn.Parameter(torch.tensor(WEIGHT))
    optimizer = SGD({"weight": weight}, momentum, wd, () if decays else ("weight",))
    for rate, gradient in zip(RATES, GRADIENTS):
        weight.grad = torch.tensor(gradient)
        optimizer.step(rate, 1 / BATCH)
        assert weight.grad is None
    expected, velocity = by_mxnet(momentum, wd, float(decays))
    np.testing.assert_allclose(weight.detach().numpy(), expected, rtol=0, atol=2e-6)
    assert np.abs(expected - WEIGHT).max() > 0.1
    if momentum:
        np.testing.assert_allclose(optimizer.velocities["weight"].numpy(), velocity, rtol=0, atol=2e-7)
    else:
        assert optimizer.velocities == {} and not velocity.size


def test_torchs_own_optimizer_goes_elsewhere_in_a_warm_up():
    """Its velocity takes the present rate for all earlier gradients."""
    weight = torch.nn.Parameter(torch.tensor(WEIGHT))
    optimizer = torch.optim.SGD([weight], momentum=0.9, weight_decay=0.5)
    for rate, gradient in zip(RATES, GRADIENTS):
        weight.grad = torch.tensor(gradient) / BATCH
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
    expected, _ = by_mxnet(0.9, 0.5, 1.0)
    apart = np.linalg.norm(weight.detach().numpy() - expected) / np.linalg.norm(expected - WEIGHT)
    assert apart > 0.3
