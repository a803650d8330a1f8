"""SGD on a CPU: the updates of mxnet's own class to the last bit, and its own class in a checkpoint."""

from __future__ import annotations

import pickletools
from unittest import mock

import numpy as np
import pytest

from gluon_yolo.mxnet_compat import autograd, gluon, mx, nd
from gluon_yolo.training.mxnet_engine import sgd
from gluon_yolo.training.mxnet_engine.sgd import use_fast_kernels

SHAPES = {"small": (7,), "large": (2, 2**14), "edge": (2**14,), "none": (1,)}
STEPS = 3


def trained(fast: bool, contexts: list, **settings) -> tuple[gluon.Trainer, dict[str, np.ndarray]]:
    """Return a trainer after some updates with drawn gradients, and the parameters."""
    rng = np.random.default_rng(0)
    parameters = {name: gluon.Parameter(name, shape=shape) for name, shape in SHAPES.items()}
    parameters["none"].wd_mult = 0.0
    for parameter in parameters.values():
        parameter.initialize(ctx=contexts)
        parameter.set_data(nd.array(rng.normal(size=parameter.shape)))
    options = {"learning_rate": 0.0, "momentum": 0.9, "wd": 0.01, **settings}
    trainer = gluon.Trainer(parameters, "sgd", options, kvstore="local")
    if fast:
        use_fast_kernels(trainer)
    for step in range(STEPS):
        losses = []
        with autograd.record():
            for context in contexts:
                losses += [
                    (p.data(context) * nd.array(rng.normal(size=p.shape), ctx=context)).sum()
                    for p in parameters.values()
                ]
        autograd.backward(losses)
        trainer.set_learning_rate(0.1 / (step + 1))
        trainer.step(4)
    return trainer, {name: p.data(contexts[0]).asnumpy() for name, p in parameters.items()}


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize(
    "settings", [{}, {"wd": 0.0}, {"momentum": 0.0}, {"clip_gradient": 0.1}], ids=lambda each: str(each)
)
def test_updates_are_mxnets(settings, devices):
    contexts = [mx.cpu(index) for index in range(devices)]
    plain, expected = trained(False, contexts, **settings)
    fast, found = trained(True, contexts, **settings)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    assert fast.optimizer._index_update_count == plain.optimizer._index_update_count
    assert fast.optimizer._index_update_count[0] == STEPS


def test_large_parameters_have_a_kernel_of_their_own():
    with mock.patch.object(sgd.nd, "sgd_mom_update", wraps=nd.sgd_mom_update) as kernel:
        trained(True, [mx.cpu()])
    assert sorted({call.args[0].shape for call in kernel.call_args_list}) == [(2, 2**14), (2**14,)]
    assert kernel.call_count == 2 * STEPS


def test_a_checkpoint_has_mxnets_class(tmp_path):
    trainer, _ = trained(True, [mx.cpu()])
    trainer.save_states(str(tmp_path / "states"))
    words = [word for _, word, _ in pickletools.genops((tmp_path / "states").read_bytes())]
    assert not [word for word in words if isinstance(word, str) and "gluon_yolo" in word]
    trainer.load_states(str(tmp_path / "states"))
    assert type(trainer.optimizer) is mx.optimizer.SGD
    assert (trainer.optimizer.momentum, trainer.optimizer.wd) == (0.9, 0.01)
    assert trainer.optimizer._index_update_count[0] == STEPS
