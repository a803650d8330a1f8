"""Freeze: frozen parameters stay bitwise equal, others are trained, and a resumed run continues the same."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.models import zoo
from gluon_yolo.models.darknet.network import build
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.training.checkpoint import Checkpoint, Progress
from gluon_yolo.training.freeze import freeze, frozen_at_random
from gluon_yolo.training.mxnet_engine.step import TrainStep
from gluon_yolo.weights.load import structural_parameters
from tests.models.darknet.small import NET, YOLO, planned
from tests.printed import refused
from tests.training.mxnet_engine.test_step import CLASSES, LEARNING_RATE, NETWORK, make_batch, values

STATISTICS = (".running_mean", ".running_var")
CONVOLUTION = "[convolutional]\nfilters={}\nsize=3\nstride={}\npad=1\nbatch_normalize=1\nactivation={}\n\n"
# Six layers: 0 and 2 have weights, 1 and 3 have none, 4 is the head's convolution, 5 the head.
DARKNET = (
    NET
    + CONVOLUTION.format(8, 2, "relu")
    + "[maxpool]\nsize=2\nstride=2\n\n"
    + CONVOLUTION.format(8, 1, "leaky")
    + "[dropout]\nprobability=.1\n"
    + YOLO.replace("filters=14", "filters=16").replace("classes=2", "classes=3")
)


def make_net(devices: int = 1, norm: str = "bn"):
    net = zoo.build(NETWORK, CLASSES, norm=norm, num_devices=devices)
    net.initialize_weights(ctx=[mx.cpu(index) for index in range(devices)], seed=3)
    return net


def make_step(net, devices: int = 1, **options) -> TrainStep:
    return TrainStep(net, [mx.cpu(index) for index in range(devices)], **options)


def changed(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> set[str]:
    return {name for name in before if not np.array_equal(before[name], after[name])}


@pytest.mark.parametrize(
    "devices, norm",
    [(1, "bn"), (2, "bn"), pytest.param(2, "sync", marks=pytest.mark.devices), (1, "frozen")],
    ids=["one", "two", "sync", "freeze-bn"],
)
def test_what_is_frozen_stays_and_the_rest_is_trained(devices, norm):
    net = make_net(devices, norm)
    lines = freeze(net, ["backbone"])
    step = make_step(net, devices, wd=0.1)  # weight decay would change parameters that only lack a gradient
    before = [values(step, device) for device in range(devices)]
    names = set(before[0])
    frozen = {name for name in names if name.startswith("backbone.")}
    assert frozen and any(name.endswith(STATISTICS) for name in frozen)
    for number in range(3):
        step(make_batch(net.spec, number), LEARNING_RATE)
    kept = {name for name in names if norm == "frozen" and name.endswith((".gamma", ".beta", *STATISTICS))}
    for device in range(devices):
        assert changed(before[device], values(step, device)) == names - frozen - kept
    step.share_statistics()
    assert not changed(before[0], values(step)) & frozen
    norms = sum(name.endswith(".running_var") for name in frozen)
    assert (
        lines[0] == f"frozen: backbone: {len(frozen)} parameters, {norms} batch norms keep their statistics"
    )


def test_frozen_batch_norms_use_the_statistics_they_keep():
    """A frozen network gives an image the same maps in any batch."""
    net = make_net()
    freeze(net, ["backbone"])
    make_step(net)
    images = mx.nd.array(np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3)), dtype="uint8")
    inference = [raw[:1].asnumpy() for raw in net.backbone(net.normalize(images))]
    with mx.autograd.record():
        training = [raw[:1].asnumpy() for raw in net.backbone(net.normalize(images))]
    for used, trained in zip(inference, training):
        np.testing.assert_allclose(trained, used, rtol=1e-4, atol=1e-5)


def test_a_number_counts_layers_with_the_norms_behind_them():
    net = make_net()
    freeze(net, ["2"])
    parameters = structural_parameters(net)
    first, second, third = net.layer_names[:3]
    frozen = [
        name for name, p in parameters.items() if p.grad_req == "null" and not name.endswith(STATISTICS)
    ]
    assert [name for name in frozen if name.endswith(".weight")] == [f"{first}.weight", f"{second}.weight"]
    kinds = [name.rpartition(".")[2] for name in frozen]
    assert kinds == ["weight", "gamma", "beta"] * 2
    assert parameters[f"{third}.weight"].grad_req == "write"


def test_a_number_counts_the_neck_as_it_is_computed():
    """A level's transition counts after its block and before the block of the next finer level."""
    net = make_net()
    neck = [name for name in net.layer_names if name.startswith("neck.")]
    assert neck[5:8] == ["neck.blocks.0.tip.0", "neck.transitions.0.0", "neck.blocks.1.body.0.0"]
    assert neck[13:15] == ["neck.transitions.1.0", "neck.blocks.2.body.0.0"]
    freeze(net, [str(net.layer_names.index("neck.blocks.1.body.0.0") + 1)])
    parameters = structural_parameters(net)
    frozen = ("neck.transitions.0.0", "neck.transitions.0.1.gamma", "neck.blocks.1.body.0.1.beta")
    assert {parameters.get(name, parameters.get(f"{name}.weight")).grad_req for name in frozen} == {"null"}
    assert parameters["neck.blocks.1.body.1.0.weight"].grad_req == "write"
    assert parameters["neck.transitions.1.0.weight"].grad_req == "write"


@pytest.mark.parametrize("norm", ["bn", "frozen"])
def test_weights_that_are_frozen_as_they_were_drawn_are_named(norm):
    net = make_net(norm=norm)
    freeze(net, ["1", "heads.levels.0"])
    names = list(structural_parameters(net))
    first = f"{net.layer_names[0]}.weight"
    assert frozen_at_random(net, names) == [first, "heads.levels.0.weight"]
    assert frozen_at_random(net, [name for name in names if name != first]) == ["heads.levels.0.weight"]
    assert frozen_at_random(net, ()) == []


@pytest.mark.parametrize("count, layers", [("1", {"layer0"}), ("2", {"layer0"}), ("3", {"layer0", "layer2"})])
def test_a_number_counts_as_darknet_does(count, layers):
    net = build(planned(DARKNET), CLASSES)
    net.initialize_weights(seed=1)
    freeze(net, [count])
    step = TrainStep(net, [mx.cpu()])
    before = values(step)
    step(make_batch(net.spec, size=64), LEARNING_RATE)
    moved = changed(before, values(step))
    assert moved == {name for name in before if name.split(".")[0] not in layers}


def test_several_selectors_and_what_is_left():
    net = make_net()
    first, *_, last = freeze(net, ["1", "neck.", "heads.levels.0.bias"])
    parameters = structural_parameters(net)
    assert parameters["heads.levels.0.bias"].grad_req == "null"
    assert parameters["heads.levels.0.weight"].grad_req == "write"
    left = sum(p.grad_req != "null" for p in parameters.values())
    assert first.startswith("frozen: the first 1 layers: 5 parameters, 1 batch norms")
    assert last == f"frozen: {left} parameters are left to train"
    assert freeze(make_net(), []) == []


@pytest.mark.parametrize(
    "selectors, said",
    [
        (
            ["backbon"],
            r"--freeze backbon: nothing in yolo3_mobilenet0.25_custom is called so; there are backbone",
        ),
        (["backbone.fea"], "--freeze backbone.fea: nothing in"),
        (["zzz"], "is called so; there are backbone, neck, heads, ..."),
        (["0"], r"--freeze 0: yolo3_mobilenet0.25_custom has \d+ layers: give from 1 to \d+"),
        (["9999"], r"--freeze 9999: .* has \d+ layers"),
        (
            ["backbone", "neck", "heads"],
            "--freeze backbone,neck,heads: nothing is left to train; freeze less",
        ),
    ],
)
def test_what_cannot_be_frozen(selectors, said):
    with refused(said):
        freeze(make_net(), selectors)


@pytest.mark.parametrize("devices", [1, 2])
def test_a_resumed_run_goes_on_the_same(tmp_path, devices):
    def begin() -> TrainStep:
        net = make_net(devices)
        freeze(net, ["backbone", "heads.levels.1"])
        return make_step(net, devices)

    whole, resumed = begin(), begin()
    for number in range(2):
        whole(make_batch(whole.net.spec, number), LEARNING_RATE)
    progress = Progress(
        NETWORK, CLASSES, seed=3, step=2, schedule={"total_epochs": 9, "batches_per_epoch": 5}
    )
    Checkpoint(tmp_path).save(whole.net, whole.trainer, progress)
    whole(make_batch(whole.net.spec, 2), LEARNING_RATE)
    Checkpoint(tmp_path).load(resumed.net, resumed.trainer, NETWORK, CLASSES)
    resumed(make_batch(resumed.net.spec, 2), LEARNING_RATE)
    for device in range(devices):
        assert not changed(values(whole, device), values(resumed, device))


def test_a_checkpoint_of_another_selection_is_refused(tmp_path):
    net = make_net()
    step = make_step(net)
    step(make_batch(net.spec, 0), LEARNING_RATE)
    Checkpoint(tmp_path).save(
        net,
        step.trainer,
        Progress(NETWORK, CLASSES, seed=3, step=1, schedule={"total_epochs": 9, "batches_per_epoch": 5}),
    )
    other = make_net()
    freeze(other, ["backbone"])
    with pytest.raises(UserError, match="its optimizer trained other parameters"):
        Checkpoint(tmp_path).load(other, make_step(other).trainer, NETWORK, CLASSES)
