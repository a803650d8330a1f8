"""Batch norms: mxnet's values, gradients and running statistics; and many processes as one."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.models.layers import hold_statistics, make_norm
from gluon_yolo.mxnet_compat import autograd, gluon, nd

torch = pytest.importorskip("torch", reason="the second engine needs PyTorch")

from gluon_yolo.pytorch.batch_norm import (  # noqa: E402
    BatchNorm,
    batch_norms,
    forget_statistics,
    update_statistics,
)
from gluon_yolo.pytorch.module import block_module  # noqa: E402
from gluon_yolo.pytorch.process_group import ProcessGroup  # noqa: E402
from tests.pytorch.shares import in_processes, norm_values  # noqa: E402

CHANNELS = 3
ROLES = ("gamma", "beta", "running_mean", "running_var")


def block(kind: str = "bn", held: bool = False) -> gluon.nn.BatchNorm:
    """Return a norm with drawn arrays."""
    rng = np.random.default_rng(0)
    norm = make_norm(kind)(CHANNELS)
    norm.initialize()
    for name in ROLES:
        getattr(norm, name).set_data(nd.array(rng.uniform(0.5, 2, CHANNELS)))
    if held:
        hold_statistics(norm)
    return norm


def maps(count: int, batch_size: int = 4, size_hw: tuple[int, int] = (3, 5)) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.normal(5, 2, (batch_size, CHANNELS, *size_hw)).astype(np.float32) for _ in range(count)]


def values_of(arrays: dict, output, gradient, trained) -> dict[str, np.ndarray]:
    return {**arrays, "output": output, "gradient": gradient, **trained}


def train_mxnet(norm: gluon.nn.BatchNorm, xs: list[np.ndarray]) -> list[dict[str, np.ndarray]]:
    """Return what each step gives; the loss is the mean of the squares, nothing is learned."""
    found = []
    for x in map(nd.array, xs):
        x.attach_grad()
        with autograd.record():
            output = norm(x)
            loss = output.square().mean()
        loss.backward()
        trained = {p: getattr(norm, p) for p in ("gamma", "beta")}
        values = {f"gradient of {p}": v.grad().asnumpy() for p, v in trained.items() if v.grad_req != "null"}
        values.update({name: getattr(norm, name).data().asnumpy() for name in ROLES})
        found.append({**values, "output": output.asnumpy(), "gradient": x.grad.asnumpy()})
    return found


def train_torch(module: torch.fx.GraphModule, xs: list[np.ndarray]) -> list[dict[str, np.ndarray]]:
    found = []
    for x in xs:
        given = torch.tensor(x, requires_grad=True)
        (output,) = module(given)
        module.zero_grad()
        output.square().mean().backward()
        update_statistics(module)
        values = {f"gradient of {name}": p.grad.numpy().copy() for name, p in module.named_parameters()}
        (norm,) = batch_norms(module)
        values.update({name: getattr(norm, name).detach().numpy().copy() for name in ROLES})
        found.append({**values, "output": output.detach().numpy(), "gradient": given.grad.numpy()})
    return found


@pytest.mark.parametrize(
    ("kind", "held", "trained"),
    [("bn", False, 2), ("bn", True, 2), ("frozen", False, 0), ("sync", False, 2)],
    ids=["of the batch", "stored statistics", "frozen", "one of many devices"],
)
def test_three_steps_are_mxnets(kind, held, trained):
    norm, xs = Wrapped(block(kind, held)), maps(3)
    module = block_module(norm, ["x"])
    expected, found = train_mxnet(norm.norm, xs), train_torch(module, xs)
    assert len(list(module.parameters())) == trained
    before, after = (step["running_var"] for step in (expected[0], expected[-1]))
    assert (before == after).all() == (kind == "frozen" or held)
    for ours, theirs in zip(found, expected):
        theirs = {name.replace("gradient of ", "gradient of norm."): array for name, array in theirs.items()}
        assert ours.keys() == theirs.keys()
        for name, array in theirs.items():
            assert np.allclose(ours[name], array, rtol=2e-6, atol=2e-6), name


class Wrapped(gluon.HybridBlock):
    """A block with one layer, called ``norm``."""

    def __init__(self, norm: gluon.nn.BatchNorm):
        super().__init__()
        self.norm = norm

    def hybrid_forward(self, F, x):
        return self.norm(x)


class Twice(Wrapped):
    """One layer at two places, as in heads that levels share."""

    def hybrid_forward(self, F, x):
        return self.norm(self.norm(x) * 2 + 1)


def test_a_layer_at_two_places_adds_both_statistics_from_the_last():
    norm, xs = Twice(block()), maps(1)
    module = block_module(norm, ["x"])
    with autograd.record():
        output = norm(nd.array(xs[0]))
    output.backward()
    (layer,) = batch_norms(module)
    module(torch.tensor(xs[0]))
    update_statistics(module)
    for name in ("running_mean", "running_var"):
        expected = getattr(norm.norm, name).data().asnumpy()
        assert np.allclose(getattr(layer, name).numpy(), expected, rtol=2e-6), name


def test_inference_uses_the_running_statistics():
    norm, (x,) = Wrapped(block()), maps(1)
    module = block_module(norm, ["x"]).eval()
    expected = norm(nd.array(x)).asnumpy()
    assert np.allclose(module(torch.tensor(x))[0].detach().numpy(), expected, rtol=1e-6, atol=1e-6)
    update_statistics(module)
    assert (next(batch_norms(module)).running_mean.numpy() == norm.norm.running_mean.data().asnumpy()).all()


def test_a_step_that_is_given_up_leaves_nothing():
    """The backward pass may come after the statistics were added, or never."""
    module, (first, second) = block_module(Wrapped(block()), ["x"]), maps(2)
    (norm,) = batch_norms(module)
    before = norm.running_mean.clone(), norm.running_var.clone()
    module(torch.full((2, CHANNELS, 2, 2), float("nan")))
    assert torch.equal(norm.running_mean, before[0]) and torch.equal(norm.running_var, before[1])
    forget_statistics(module)
    update_statistics(module)
    assert torch.equal(norm.running_mean, before[0]) and torch.equal(norm.running_var, before[1])
    module(torch.tensor(first))
    (output,) = module(torch.tensor(second))
    update_statistics(module)
    output.sum().backward()  # torch would raise an error if what it keeps had changed
    mean = torch.tensor(second).mean((0, 2, 3))
    assert torch.allclose(norm.running_mean, before[0].lerp(mean, 0.1))


def test_training_mode_without_gradients_adds_nothing():
    norm, (x,) = Wrapped(block()), maps(1)
    module = block_module(norm, ["x"])
    with torch.no_grad():
        module(torch.tensor(x))
    with autograd.train_mode():
        norm(nd.array(x)).wait_to_read()
    update_statistics(module)
    (layer,) = batch_norms(module)
    assert (layer.running_mean.numpy() == norm.norm.running_mean.data().asnumpy()).all()


def test_one_value_per_channel_has_no_variance():
    """As in mxnet; PyTorch's own layer refuses it, and its variance would be 0 / 0."""
    norm, (x,) = Wrapped(block()), maps(1, 1, (1, 1))
    (expected,) = train_mxnet(norm.norm, [x])
    (found,) = train_torch(block_module(Wrapped(block()), ["x"]), [x])
    assert np.allclose(found["running_var"], expected["running_var"])
    # The deviation from the mean is its rounding, times 316.
    assert np.allclose(found["output"], expected["output"], atol=1e-3)


def test_scale_is_one_where_mxnet_fixes_it():
    layer = gluon.nn.BatchNorm(in_channels=CHANNELS, scale=False)
    layer.initialize()
    layer.gamma.set_data(nd.full((CHANNELS,), 3.0))
    norm, (x,) = Wrapped(layer), maps(1)
    module = block_module(norm, ["x"])
    with autograd.record():
        expected = norm(nd.array(x)).asnumpy()
    assert np.allclose(module(torch.tensor(x))[0].detach().numpy(), expected, rtol=1e-5, atol=1e-5)
    assert [name for name, _ in module.named_parameters()] == ["norm.beta"]


def shared_batch(shares: tuple[int, ...], dtype: type) -> dict[str, np.ndarray]:
    """Return a case whose values are far from 0, where a variance of mean squares would lose its digits."""
    rng = np.random.default_rng(3)
    case = {name: rng.uniform(0.5, 2, CHANNELS).astype(dtype) for name in ROLES}
    x = rng.normal(100, 0.5, (sum(shares), CHANNELS, 4, 3))
    x += np.arange(sum(shares))[:, None, None, None]  # processes differ
    return {
        **case,
        "shares": np.array(shares),
        "x": x.astype(dtype),
        "heads": rng.normal(size=x.shape).astype(dtype),
    }


@pytest.mark.parametrize(
    "cases",
    [
        [((3, 3), np.float64, 1e-12), ((5, 1), np.float64, 1e-12), ((3, 3), np.float32, 1e-5)],
        [((2, 1, 1, 2), np.float64, 1e-12), ((3, 0, 1, 2), np.float64, 1e-12)],
    ],
    ids=["two", "four"],
)
def test_processes_are_as_one(cases, tmp_path):
    """Equal and unequal shares of a batch, one without any image too."""
    given = [shared_batch(shares, dtype) for shares, dtype, _ in cases]
    for (shares, _, tolerance), case, found in zip(cases, given, in_processes(tmp_path, given)):
        expected = norm_values(BatchNorm(1e-5, fix_gamma=False), case["x"], case["heads"], case)
        joined = {name: np.concatenate([own[name] for own in found]) for name in ("output", "gradient")}
        joined.update({name: sum(own[name] for own in found) for name in ("gamma", "beta")})
        for name, array in joined.items():
            assert np.abs(array - expected[name]).max() <= tolerance * np.abs(expected[name]).max(), name
        for values in found:
            for name in ("running_mean", "running_var"):
                assert (values[name] == found[0][name]).all()
                assert np.abs(values[name] / expected[name] - 1).max() <= tolerance, name
            assert values["gathered"].tolist() == [[rank, rank] for rank in range(len(shares))]
            assert (values["broadcast"] == 5).all() and (values["sum"] == sum(range(len(shares)))).all()


def test_a_process_alone_needs_no_messages():
    alone = ProcessGroup.join(environment={})
    assert (alone.rank, alone.world, alone.is_first) == (0, 1, True)
    tensor = torch.arange(3.0)
    assert alone.sum_(tensor) is tensor and torch.equal(alone.gather(tensor), tensor[None])
    alone.broadcast_([tensor])
    alone.leave()
    assert not torch.distributed.is_initialized()
