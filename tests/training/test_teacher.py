"""Teacher: its predictions, the steps of both engines that learn from it, and what cannot be used."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.losses.distillation import PREFIX
from gluon_yolo.models import zoo
from gluon_yolo.models.decode import Decode
from gluon_yolo.mxnet_compat import mx, nd
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.mxnet_engine.step import TrainStep
from gluon_yolo.training.mxnet_engine.teacher import MXNetTeacher
from gluon_yolo.training.soft_targets import soft_targets
from gluon_yolo.training.teacher import Teacher, TeacherPredictions, open_teacher
from gluon_yolo.weights.darknet_model import save
from gluon_yolo.weights.load import structural_parameters
from tests.models.darknet import small
from tests.training.mxnet_engine.test_step import CLASSES, NETWORK, make_batch, values

FASTESTV2 = "yolo_fastestv2_custom"
SIZE_HW = (64, 96)


def make_teacher(name: str = NETWORK, class_ids=(0, 1, 2), weight: float = 1.0, seed: int = 8) -> Teacher:
    """Return a teacher of random weights that is sure of many objects."""
    net = zoo.build(name, CLASSES)
    net.initialize_weights(seed=seed)
    net.set_prior(0.3)
    block = TeacherPredictions(net, class_ids)
    block.decoders.initialize()
    return Teacher(block, weight, {}, "")


def make_net(name: str = NETWORK, devices: int = 1):
    """Return a network whose batch norms are frozen, so that no rounding grows."""
    net = zoo.build(name, CLASSES, norm="frozen")
    net.initialize_weights(ctx=[mx.cpu(index) for index in range(devices)], seed=3)
    return net


def random_pixels(batch: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (batch, *SIZE_HW, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", [NETWORK, FASTESTV2])
def test_predictions_give_the_scores_of_detection(name):
    block, pixels = make_teacher(name).block, nd.array(random_pixels(), dtype="uint8")
    decode = Decode(block.net.spec)
    decode.initialize()
    boxes, scores = (array.asnumpy() for array in decode(*block.net(pixels)))
    found = block(pixels).asnumpy()
    np.testing.assert_allclose(found[..., :4], boxes, rtol=1e-6)
    np.testing.assert_allclose(found[..., 4:5] * found[..., 5:], scores, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", [NETWORK, FASTESTV2])
def test_classes_are_in_the_order_of_the_network_that_learns(name):
    pixels = nd.array(random_pixels(), dtype="uint8")
    own = make_teacher(name).block(pixels).asnumpy()
    turned = make_teacher(name, (2, 0, 1)).block(pixels).asnumpy()
    np.testing.assert_array_equal(turned[..., :5], own[..., :5])
    np.testing.assert_array_equal(turned[..., 5:], own[..., 5:][..., [2, 0, 1]])


def test_soft_targets_of_mxnets_engine_are_those_of_the_predictions():
    """Its graph has fused kernels, which round otherwise."""
    teacher, pixels = make_teacher(), random_pixels()
    spec = zoo.build(FASTESTV2, CLASSES).spec
    expected = soft_targets(teacher.block(nd.array(pixels, dtype="uint8")).asnumpy(), spec, SIZE_HW)
    found = MXNetTeacher(teacher.block, spec, mx.cpu())(pixels)
    assert (expected[..., 6] > 0).sum() > 10
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_a_step_learns_from_the_teacher_and_not_the_other_way_round():
    teacher = make_teacher(weight=0.5)
    before = {name: p.data().asnumpy() for name, p in structural_parameters(teacher.block.net).items()}
    taught, alone = TrainStep(make_net(), [mx.cpu()], teacher=teacher), TrainStep(make_net(), [mx.cpu()])
    batch = make_batch(alone.net.spec)
    losses, own = taught(batch, 0.001), alone(batch, 0.001)
    assert taught.loss_names == (*alone.loss_names, *(PREFIX + name for name in alone.loss_names))
    np.testing.assert_allclose(losses[:4], own * (2 / 3), rtol=1e-6)
    assert (losses[4:] > 0).all()
    one, other = values(taught), values(alone)
    changed = [name for name in one if not np.array_equal(one[name], other[name])]
    assert any(name.startswith("backbone.") for name in changed)
    for name, parameter in structural_parameters(teacher.block.net).items():
        np.testing.assert_array_equal(parameter.data().asnumpy(), before[name], err_msg=name)


def test_a_network_learns_what_the_teacher_sees():
    """Its losses against the teacher fall on pictures on which the annotations say nothing."""
    step = TrainStep(make_net(FASTESTV2), [mx.cpu()], teacher=make_teacher())
    batch = make_batch(step.net.spec)
    batch = dataclasses.replace(batch, targets=np.zeros_like(batch.targets))
    losses = [step(batch, 0.002)[3:] for _ in range(30)]
    assert (losses[-1] < [0.7, 0.7, 1] * losses[0]).all(), (losses[0], losses[-1])


@pytest.mark.devices
def test_two_devices_learn_as_one():
    found = []
    for devices in (1, 2):
        contexts = [mx.cpu(index) for index in range(devices)]
        step = TrainStep(make_net(devices=devices), contexts, teacher=make_teacher())
        losses = [step(make_batch(step.net.spec, number), 0.0005) for number in range(2)]
        found.append((values(step), losses))
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-5)
    for name, value in found[0][0].items():
        np.testing.assert_allclose(found[1][0][name], value, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(("name", "teachers"), [(NETWORK, FASTESTV2), (FASTESTV2, NETWORK)])
def test_both_engines_learn_alike(name, teachers):
    pytest.importorskip("torch", reason="the second engine needs PyTorch")
    from gluon_yolo.training.torch_engine.step import TorchStep
    from tests.training.two_engines import apart, run

    teacher = make_teacher(teachers, (1, 2, 0), weight=0.7)
    one = run(TrainStep(make_net(name), [mx.cpu()], teacher=teacher))
    other = run(TorchStep(make_net(name), teacher=teacher))
    assert (one.losses[:, one.losses.shape[1] // 2 :] > 0).any(axis=0).all()
    np.testing.assert_allclose(other.losses, one.losses, rtol=2e-4)
    assert apart(other.parameters, one.parameters) < 1e-5


def config_of(teacher, **settings) -> TrainConfig:
    return TrainConfig(teacher=str(teacher), data_shape=(64, 64), random_shape=False, **settings)


@pytest.fixture
def darknet(tmp_path):
    """Return the files of a darknet network of two classes: cfg, weights, names."""
    save(small.built(small.SMALL, class_names=["cat", "dog"]), tmp_path / "net", "small")
    return [str(tmp_path / "net" / f"small.{ending}") for ending in ("cfg", "weights", "names")]


def spec_of(*class_names):
    return dataclasses.replace(zoo.entry(zoo.canonical(NETWORK)).spec, class_names=class_names)


def test_a_darknet_teacher_of_cfg_and_weights(darknet):
    cfg, weights, names = darknet
    teacher = open_teacher(
        config_of(cfg, teacher_weights=weights, teacher_classes=names), spec_of("dog", "cat")
    )
    assert teacher.block.class_ids == (1, 0) and teacher.weight == 1
    assert teacher.line == (
        f"teacher: small of {cfg}; losses against it count 1 times as much as those against the annotations"
    )
    pixels = random_pixels()
    soft = MXNetTeacher(teacher.block, spec_of("dog", "cat"), mx.cpu())(pixels)
    assert soft.shape[2] == 14 and (soft[..., 6] > 0).any()


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (
            ("cat", "bird"),
            "the data has 2 (cat, bird), of which the teacher does not know bird, and which does not have "
            "the teacher's dog. They must be the same by name, in any order",
        ),
        (("cat",), "the data has 1 (cat), which does not have the teacher's dog. They must be the same by"),
        (("cat", "dog", "ox"), "the data has 3 (cat, dog, ox), of which the teacher does not know ox. They"),
    ],
)
def test_a_teacher_of_other_classes(darknet, classes, message):
    cfg, weights, names = darknet
    with pytest.raises(UserError) as caught:
        open_teacher(config_of(cfg, teacher_weights=weights, teacher_classes=names), spec_of(*classes))
    assert str(caught.value).startswith(f"teacher {cfg}: knows 2 classes (cat, dog), ")
    assert message in str(caught.value)


def test_spellings_of_a_class_are_one_class(tmp_path):
    save(small.built(small.SMALL, class_names=["sofa", "motorbike"]), tmp_path, "small")
    files = dict(
        teacher_weights=str(tmp_path / "small.weights"), teacher_classes=str(tmp_path / "small.names")
    )
    teacher = open_teacher(config_of(tmp_path / "small.cfg", **files), spec_of("motorcycle", "couch"))
    assert teacher.block.class_ids == (1, 0)


def test_the_only_class_of_both_may_have_two_names(tmp_path, caplog):
    caplog.set_level("INFO", logger="gluon_yolo")
    cfg = small.SMALL.replace("classes=2", "classes=1").replace("filters=14", "filters=12")
    save(small.built(cfg, class_names=["Face"]), tmp_path, "small")
    files = dict(
        teacher_weights=str(tmp_path / "small.weights"), teacher_classes=str(tmp_path / "small.names")
    )
    teacher = open_teacher(config_of(tmp_path / "small.cfg", **files), spec_of("face"))
    assert teacher.block.class_ids == (0,)
    assert "classes by another name in the teacher: face is Face, the only class of both" in caplog.messages
    with pytest.raises(SettingError, match="which does not have the teacher's Face"):
        open_teacher(config_of(tmp_path / "small.cfg", **files), spec_of("face", "head"))


def test_sizes_that_the_teacher_cannot_take(darknet):
    cfg, weights, names = darknet
    files = dict(teacher_weights=weights, teacher_classes=names)
    stride = small.built(small.SMALL).spec.max_stride
    config = dataclasses.replace(config_of(cfg, **files), data_shape=(64, 64 + stride // 2))
    with pytest.raises(
        UserError, match=f"data_shape 64x{64 + stride // 2}: both sides must be multiples of {stride} for"
    ):
        open_teacher(config, spec_of("cat", "dog"))


def test_a_damaged_file(darknet):
    cfg, weights, names = darknet
    with open(weights, "r+b") as file:
        file.truncate(60)
    with pytest.raises(UserError, match=f"^the teacher of this training: {weights}: "):
        open_teacher(config_of(cfg, teacher_weights=weights, teacher_classes=names), spec_of("cat", "dog"))


def test_what_is_no_model(tmp_path):
    with pytest.raises(UserError, match=f"^the teacher of this training: {tmp_path}/nothing"):
        open_teacher(config_of(tmp_path / "nothing"), spec_of("cat", "dog"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(teacher_weights="a.weights"), "teacher_weights a.weights: needs teacher, which says whose"),
        (dict(distil_weight=0.5), "distil_weight 0.5: needs teacher"),
        (dict(teacher="run", distil_weight=0), "distil_weight 0: must be above 0"),
        (
            dict(teacher="run", teacher_classes="a"),
            "teacher_classes a: needs teacher_weights; a run and a model",
        ),
        (dict(teacher="a.cfg"), "teacher a.cfg: a cfg has no weights; name them: teacher_weights FILE"),
        (
            dict(teacher="a.cfg", teacher_weights="b"),
            "teacher a.cfg: a cfg names no classes; name them, in the",
        ),
    ],
)
def test_settings_that_miss_another(settings, message):
    with pytest.raises(UserError) as caught:
        TrainConfig(**settings)
    assert str(caught.value).startswith(message)
