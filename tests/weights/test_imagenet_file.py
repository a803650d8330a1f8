"""ImageNet classifiers of torchvision and timm as backbones: their own code's maps, and misfits."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.models import zoo
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.spec import BackboneForm
from gluon_yolo.weights import tensor_file
from gluon_yolo.weights.form import form_for
from gluon_yolo.weights.imagenet import recognised
from gluon_yolo.weights.load import load_weights
from tests.weights import pth_writer
from tests.weights.classifier_arrays import made_up, pattern, write_safetensors

FEATURES = np.load(Path(__file__).with_name("imagenet_features.npz"))
HALF = (0.5, 0.5, 0.5)
TIMM_V1 = BackboneForm("relu6", mean=HALF, std=HALF)
NETWORKS = {
    "torchvision_mobilenetv2": ("yolo3_mobilenetv2_1.0", BackboneForm()),
    "timm_mobilenetv2": ("yolo3_mobilenetv2_1.0", BackboneForm()),
    "timm_mobilenetv2_050": ("yolo3_mobilenetv2_0.5", BackboneForm(divisor=8)),
    "timm_mobilenet": ("yolo3_mobilenet1.0", TIMM_V1),
    "timm_darknet53": ("yolo3_darknet53", BackboneForm("leaky0.01")),
}
V1, V2 = "timm_mobilenet", "torchvision_mobilenetv2"
FILES = {V1: "mobilenetv1_100.safetensors", V2: "mobilenet_v2-b0353104.pth"}


def arrays_of(source):
    return made_up(json.loads(str(FEATURES[f"{source}/shapes"])))


def loaded(source, path):
    """Return a network with the backbone in a file, built as the file needs it."""
    name = f"{NETWORKS[source][0]}_custom"
    net = zoo.build(name, ["object"], form=form_for(path, name))
    net.initialize_weights()
    return net, load_weights(net, path, partial=True, backbone_only=True)


def maps_of(net, pixels):
    return [
        found[0].asnumpy() for found in net.backbone(net.normalize(mx.nd.array(pixels[None], dtype="uint8")))
    ]


@pytest.mark.parametrize("source", NETWORKS)
def test_maps_are_those_of_the_sources_own_code(source, tmp_path):
    arrays = arrays_of(source)
    net, report = loaded(source, write_safetensors(tmp_path / "model.safetensors", arrays))
    assert net.spec.backbone == NETWORKS[source][1]
    assert not [name for name in report.fresh if name.startswith("backbone.")]
    for level, found in enumerate(maps_of(net, pattern())):
        np.testing.assert_allclose(found[::16], FEATURES[f"{source}/{level}"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("source", FILES)
@pytest.mark.parametrize("stem", ["dog", "eagle"])
def test_real_weights_on_real_images(source, stem, shared_data):
    import cv2

    pixels = cv2.imread(str(shared_data / "images" / f"{stem}.jpg"))[::4, ::4, ::-1][:96, :128]
    if zlib.crc32(pixels.tobytes()) != FEATURES[f"{stem}/crc"]:
        pytest.skip("this JPEG decoder gives other pixels than the one of the saved maps")
    net, _ = loaded(source, shared_data / "imagenet" / FILES[source])
    for level, found in enumerate(maps_of(net, pixels)):
        np.testing.assert_allclose(found[::16], FEATURES[f"{source}/{stem}/{level}"], rtol=0, atol=1e-4)


# Classes of ImageNet: 248..250 are husky and malamutes, 22 is the bald eagle, 345 the ox and 339 the sorrel.
@pytest.mark.parametrize("source", FILES)
@pytest.mark.parametrize("stem, classes", [("dog", {248, 249, 250}), ("eagle", {22}), ("horses", {339, 345})])
def test_imported_backbones_classify(source, stem, classes, shared_data):
    import cv2

    path = shared_data / "imagenet" / FILES[source]
    net, _ = loaded(source, path)
    _, own = recognised(tensor_file.read(path))
    place = "classifier.1" if source == V2 else "classifier"
    weight, bias = own[f"{place}.weight"], own[f"{place}.bias"]
    image = cv2.imread(str(shared_data / "images" / f"{stem}.jpg"))[:, :, ::-1]
    pixels = cv2.resize(image, (224, 224), interpolation=cv2.INTER_AREA)
    scores = weight @ maps_of(net, pixels)[-1].mean(axis=(1, 2)) + bias
    assert classes & set(np.argsort(-scores)[:2].tolist())


def narrow(arrays):
    return {name: array[: len(array) // 2] if array.ndim else array for name, array in arrays.items()}


V1_ARRAYS, V2_ARRAYS = arrays_of(V1), arrays_of(V2)
CASES = {
    "of another network": (
        V2_ARRAYS,
        "the weights of torchvision's MobileNetV2, which is not the backbone",
    ),
    "of cs3darknet": ({"stages.0.conv_down.conv.weight": np.zeros((64, 32, 3, 3))}, "that is not read here"),
    "of another width": (
        narrow(V1_ARRAYS),
        r"another width.*conv_stem.weight has the shape \(16, 3, 3, 3\)",
    ),
    "deeper": (
        {**V1_ARRAYS, "blocks.4.2.conv_dw.weight": np.zeros((1024, 1, 3, 3), np.float32)},
        "with more layers than yolo3_mobilenet1.0_custom .blocks.4.2.conv_dw.weight",
    ),
    "without a layer": (
        {name: array for name, array in V1_ARRAYS.items() if name != "bn1.bias"},
        "1 arrays are absent .bn1.bias",
    ),
    "of a ResNet": (
        {"conv1.weight": np.zeros((64, 3, 7, 7), np.float32), "bn1.weight": np.ones(64, np.float32)},
        "a network that is not read here .conv1.weight, bn1.weight",
    ),
}


@pytest.mark.parametrize("arrays, message", CASES.values(), ids=CASES)
def test_files_that_do_not_fit(arrays, message, tmp_path):
    path = write_safetensors(tmp_path / "model.safetensors", arrays)
    with pytest.raises(UserError, match=message) as error:
        loaded(V1, path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


def test_a_network_that_was_built_in_another_way_refuses_the_weights(tmp_path):
    net = zoo.build("yolo3_mobilenet1.0_custom", ["object"])
    net.initialize_weights()
    before = net.backbone.stages[0][0][0].weight.data().asnumpy()
    path = write_safetensors(tmp_path / "model.safetensors", V1_ARRAYS)
    with pytest.raises(UserError, match="is relu6, mean 0.5 0.5 0.5, std 0.5 0.5 0.5, and the network"):
        load_weights(net, path, partial=True, backbone_only=True)
    np.testing.assert_array_equal(net.backbone.stages[0][0][0].weight.data().asnumpy(), before)


@pytest.mark.parametrize("prefix", ["module.", "backbone.model."])
def test_a_common_prefix_of_all_names_is_left_out(prefix, tmp_path):
    arrays = {prefix + name: array for name, array in V1_ARRAYS.items()}
    _, report = loaded(V1, write_safetensors(tmp_path / "model.safetensors", arrays))
    assert len(report.taken) == 27 * 5


def test_halves_and_a_pth_give_the_same(tmp_path):
    halves = {name: array.astype(np.float16) if array.ndim else array for name, array in V1_ARRAYS.items()}
    tensors = {name: pth_writer.tensor(array) for name, array in V1_ARRAYS.items()}
    older = tmp_path / "older.pth"
    older.write_bytes(pth_writer.legacy(tensors))
    pth = pth_writer.save(tmp_path / "model.pth", {"epoch": 3, "state_dict": tensors})
    files = (write_safetensors(tmp_path / "half.safetensors", halves), pth, older)
    for each in files:
        net, _ = loaded(V1, each)
        np.testing.assert_allclose(maps_of(net, pattern())[2][::16], FEATURES[f"{V1}/2"], rtol=0, atol=1e-4)


def test_timms_record_beside_the_file_tells_mean_and_deviation(tmp_path):
    path = write_safetensors(tmp_path / "model.safetensors", V1_ARRAYS)
    record = {"pretrained_cfg": {"mean": [0.1, 0.2, 0.3], "std": [1, 2, 3]}}
    (tmp_path / "config.json").write_text(json.dumps(record))
    assert form_for(path, "yolo3_mobilenet1.0_custom") == BackboneForm("relu6", (0.1, 0.2, 0.3), (1, 2, 3))
