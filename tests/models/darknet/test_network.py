"""DarknetNetwork: the same interface as other detectors, training, export, other classes."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo import parameter_io
from gluon_yolo.exporters.api import export
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.models.darknet.cfg import read_cfg
from gluon_yolo.models.darknet.network import build
from gluon_yolo.models.darknet.plan import make_plan
from gluon_yolo.models.layers import NORMS
from gluon_yolo.models.summary import summarize
from gluon_yolo.mxnet_compat import autograd, gluon, mx, nd
from gluon_yolo.weights import darknet_file
from gluon_yolo.weights.load import load_weights, structural_parameters
from tests.models.darknet import small
from tests.models.darknet.small import BACKBONE, NET, SMALL, YOLO
from tests.random_model import random_image

RELU = BACKBONE.replace("leaky", "relu")
# Two heads, and one section of every kind before them.
MIXED = (
    NET
    + RELU
    + BACKBONE
    + "[maxpool]\nsize=2\nstride=1\n[dropout]\nprobability=.5\n"
    + RELU.replace("stride=2", "stride=1").replace("size=3", "size=3\ngroups=8")
    + "[shortcut]\nfrom=-3\nactivation=leaky\n"
    + YOLO
    + "[route]\nlayers=5\n[upsample]\nstride=2\n[route]\nlayers=-1,0\n"
    + YOLO.replace("mask=1,2", "mask=0,2")
)


def arrays(outputs) -> list[np.ndarray]:
    return [output.asnumpy() for output in outputs]


def batch(*sizes_hw, dtype="uint8"):
    return nd.array(np.stack([random_image(*size, seed=i) for i, size in enumerate(sizes_hw)]), dtype=dtype)


def test_maps_by_ascending_stride():
    net = small.built(MIXED, class_names=["cat", "dog"])
    assert net.spec.strides == (2, 4)
    assert net.zoo_name == "small"
    maps = arrays(net(batch((32, 64), (32, 64))))
    assert [raw.shape for raw in maps] == [(2, 14, 16, 32), (2, 14, 8, 16)]


def test_hybridized_is_the_same_at_every_size():
    plain, fast = small.built(MIXED), small.built(MIXED)
    fast.hybridize()
    for size_hw, number in (((32, 64), 1), ((48, 32), 2), ((32, 64), 3)):
        images = batch(*[size_hw] * number)
        for given, wanted in zip(arrays(fast(images)), arrays(plain(images))):
            assert given.shape == wanted.shape
            np.testing.assert_allclose(given, wanted, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_pixels_of_other_types_are_the_same_image(dtype):
    net = small.built(MIXED)
    for given, wanted in zip(arrays(net(batch((32, 64), dtype=dtype))), arrays(net(batch((32, 64))))):
        np.testing.assert_array_equal(given, wanted)


def test_the_maps_are_the_same_in_training_when_norms_are_frozen():
    """Only batch normalisation and dropout depend on autograd's mode."""
    frozen = small.built(MIXED.replace("probability=.5", "probability=0"), norm="frozen")
    images = batch((32, 64))
    wanted = arrays(frozen(images))
    with autograd.record():
        maps = frozen(images)
    for given, expected in zip(arrays(maps), wanted):
        np.testing.assert_allclose(given, expected, atol=1e-5)


@pytest.mark.parametrize("kind", NORMS)
def test_norms_hold_the_same_parameters(kind, tmp_path):
    source, net = small.built(MIXED), small.built(MIXED, norm=kind, num_devices=1)
    source.save_parameters(str(tmp_path / "net.params"))
    net.load_parameters(str(tmp_path / "net.params"))
    assert list(structural_parameters(net)) == list(structural_parameters(source))
    images = batch((32, 64))
    for given, wanted in zip(arrays(net(images)), arrays(source(images))):
        np.testing.assert_allclose(given, wanted, atol=1e-5)


def test_parameters_are_called_by_darknets_count():
    names = list(structural_parameters(small.built(SMALL)))
    norm = [f"layer0.norm.{name}" for name in ("gamma", "beta", "running_mean", "running_var")]
    head = ["layer1.convolution.weight", "layer1.convolution.bias"]
    assert names == ["layer0.convolution.weight", *norm, *head]


def test_an_unknown_norm():
    with pytest.raises(ValueError, match="norm: expected one of"):
        build(small.planned(SMALL), norm="group")


def test_it_trains():
    net = small.built(MIXED)
    parameters = structural_parameters(net)
    before = {name: parameter_io.array(p) for name, p in parameters.items()}
    trained = {name: p for name, p in parameters.items() if p.grad_req != "null"}
    trainer = gluon.Trainer(trained, "sgd", {"learning_rate": 0.1}, kvstore=None)
    with autograd.record():
        loss = sum((raw**2).mean() for raw in net(batch((32, 64), (32, 64))))
    loss.backward()
    trainer.step(1)
    assert all((parameter_io.array(p) != before[name]).any() for name, p in parameters.items())


def test_fresh_weights():
    """They depend on the seed only, and every anchor has the prior's objectness."""
    drawn = []
    for seed in (3, 3, 4):
        net = build(small.planned(SMALL))
        net.initialize_weights(seed=seed)
        drawn.append(structural_parameters(net)["layer1.convolution.weight"].data().asnumpy())
        bias = structural_parameters(net)["layer1.convolution.bias"].data().asnumpy().reshape(2, 7)
        np.testing.assert_allclose(1 / (1 + np.exp(-bias[:, 4])), 0.01, rtol=1e-4)
        assert (np.delete(bias, 4, axis=1) == 0).all()
    assert (drawn[0] == drawn[1]).all() and (drawn[0] != drawn[2]).any()


def test_several_devices(tmp_path):
    net = build(small.planned(SMALL))
    net.initialize_weights(ctx=[mx.cpu(0), mx.cpu(1)], seed=0)
    source = small.built(SMALL)
    darknet_file.get_weights(source).write(tmp_path / "small.weights")
    load_weights(net, tmp_path / "small.weights")
    expected = structural_parameters(source)
    for name, parameter in structural_parameters(net).items():
        for held in parameter.list_data():
            np.testing.assert_array_equal(held.asnumpy(), expected[name].data().asnumpy())


@pytest.mark.parametrize("cut", ["raw", "decoded", "nms"])
def test_export(cut, tmp_path):
    net = small.built(MIXED, class_names=["cat", "dog"])
    record = export(net, tmp_path, size_hw=(32, 64), cut=cut).record
    options = {"score_threshold": 0.1, "nms_threshold": 0.9}
    image = random_image(32, 64, seed=5)
    exported = Predictor.load(record, **options)(image)
    own = Predictor.from_block(net, (32, 64), **options)(image)
    assert len(own) > 0 and exported.class_ids.tolist() == own.class_ids.tolist()
    np.testing.assert_allclose(exported.boxes, own.boxes, atol=1e-3)


# Parameters with running statistics, GFLOPs; the second is published by darknet's authors for the first four.
COUNTS = {
    "cfg/yolov3-tiny": (8_858_734, 5.56),
    "cfg/MobileNetV2-YOLOv3-Lite-voc": (1_882_102, 1.81),
    "nano-voc/MobileNetV2-YOLOv3-Nano-voc": (769_750, 0.5),
    "fastest-voc/MobileNetV2-YOLO-Fastest-voc": (191_214, 0.13),
    "yoloface-100k/yoloface-100k": (27_320, 0.009),
    "yoloface-50k/yoloface-50k": (11_248, 0.002),
}


@pytest.mark.parametrize("name", COUNTS)
def test_size_and_cost(name, shared_data):
    cfg = read_cfg(shared_data / "darknet" / f"{name}.cfg")
    net = build(make_plan(cfg))
    counts = summarize(net, (net.plan.image.height, net.plan.image.width))
    parameters, gflops = COUNTS[name]
    assert counts.parameters == parameters
    assert counts.flops / 1e9 == pytest.approx(gflops, rel=0.05)
