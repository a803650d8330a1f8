"""Darknet's YOLOv3 weights in ``yolo3_darknet53``: each value in its place, and the same maps as darknet."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.models import zoo
from gluon_yolo.models.darknet.cfg import read_cfg
from gluon_yolo.models.darknet.network import build
from gluon_yolo.models.darknet.plan import make_plan
from gluon_yolo.models.detector import MEAN, STD
from gluon_yolo.models.layers import Normalize
from gluon_yolo.mxnet_compat import nd
from gluon_yolo.weights import darknet53
from gluon_yolo.weights.darknet_file import get_weights
from gluon_yolo.weights.darknet_header import Header
from gluon_yolo.weights.load import structural_parameters
from tests.models.darknet import small
from tests.random_model import random_image

HEADER = Header().to_bytes()
BACKBONE, CLASSES_80 = (
    40_620_640,
    62_001_757,
)  # values in darknet53.conv.74 (162,482,580 bytes), in yolov3.weights
# Values of the first layers: 32 channels of 3x3 over 3 colours, 64 over 32.
FIRST, SECOND = 32 * 4 + 32 * 27, 64 * 4 + 64 * 32 * 9


@pytest.fixture(scope="module")
def net():
    """Return a network without weights; reading does not need them."""
    return zoo.build("yolo3_darknet53_custom", ["cat", "dog"])


def written(path, numbers):
    path.write_bytes(HEADER + np.asarray(numbers, "<f4").tobytes())
    return path


def of_zeros(path, count: int):
    with open(path, "wb") as file:
        file.write(HEADER)
        file.truncate(len(HEADER) + 4 * count)
    return path


def test_the_order_is_that_of_yolov3_cfg(net, shared_data):
    plan = make_plan(read_cfg(shared_data / "darknet" / "cfg" / "yolov3.cfg"))
    names = darknet53.layer_names(net)
    parameters = structural_parameters(net)
    assert len(names) == len(set(names)) == len(plan.convolutions) == 75
    assert {name for name in parameters if name.endswith(".weight")} == {f"{name}.weight" for name in names}
    for name, layer in zip(names, plan.convolutions):
        ours, theirs = parameters[f"{name}.weight"].shape, layer.weight_shape
        assert ours[1:] == theirs[1:]
        assert ours[0] == theirs[0] or (ours[0], theirs[0]) == (3 * 7, 3 * 85)
        assert (f"{name}.bias" in parameters) == (not layer.normalized)


# index in the file, layer
PLACES = [
    (0, "backbone.stages.0.0.0"),
    (2, "backbone.stages.0.2.body.0.0"),
    (4, "backbone.stages.0.3.0"),  # the second downsampling
    (26, "backbone.stages.1.0.0"),  # to stride 16
    (43, "backbone.stages.2.0.0"),  # to stride 32
    (51, "backbone.stages.2.4.body.1.0"),
    (52, "neck.blocks.0.body.0.0"),
    (57, "neck.blocks.0.tip.0"),
    (58, "heads.levels.2"),
    (59, "neck.transitions.0.0"),
    (60, "neck.blocks.1.body.0.0"),
    (66, "heads.levels.1"),
    (67, "neck.transitions.1.0"),
    (74, "heads.levels.0"),
]


@pytest.mark.parametrize(("place", "name"), PLACES)
def test_places(place, name, net):
    assert darknet53.layer_names(net)[place] == name


def test_numbers_of_the_second_layer(net, tmp_path):
    """Beta, gamma, mean, variance, kernel; gamma absorbs the difference of what is added to the variance."""
    numbers = np.concatenate([np.zeros(FIRST), np.arange(SECOND)])
    arrays = darknet53.read(written(tmp_path / "w", numbers), net).values
    assert len(arrays) == 10
    cell = "backbone.stages.0.1"
    np.testing.assert_array_equal(arrays[f"{cell}.1.beta"], np.arange(64))
    np.testing.assert_array_equal(arrays[f"{cell}.1.running_mean"], np.arange(128, 192))
    np.testing.assert_array_equal(arrays[f"{cell}.1.running_var"], np.arange(192, 256))
    np.testing.assert_array_equal(arrays[f"{cell}.0.weight"].ravel(), np.arange(256, SECOND))
    np.testing.assert_allclose(arrays[f"{cell}.1.gamma"], np.arange(64, 128), rtol=1e-6)
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.float32)}


def test_small_variances_give_the_same_slope(net, tmp_path):
    """Darknet has 1 / sqrt(variance + 1e-6), this package 1e-5. A negative variance counts as 0."""
    numbers = np.ones(FIRST)
    numbers[96:100] = 0, 1e-6, 1, -7e-44
    arrays = darknet53.read(written(tmp_path / "w", numbers), net).values
    gamma, variance = (arrays[f"backbone.stages.0.0.1.{kind}"][:4] for kind in ("gamma", "running_var"))
    np.testing.assert_allclose(variance, [0, 1e-6, 1, 0])
    np.testing.assert_allclose(gamma / np.sqrt(variance + 1e-5), [1e3, 2e-6**-0.5, 1, 1e3], rtol=1e-5)


def test_first_convolution_takes_over_the_colours_scale(net, tmp_path):
    """Inside the image the first cell gives the same as darknet's for pixels in 0..1."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=FIRST)
    numbers[96:128] = rng.uniform(0.5, 2, 32)
    arrays = darknet53.read(written(tmp_path / "w", numbers), net).values
    beta, gamma, mean, variance = numbers[:128].reshape(4, 32, 1, 1)
    kernel = numbers[128:].reshape(32, 3, 3, 3)
    pixels = random_image(12, 16) / 255
    theirs = _inside(pixels, kernel)
    theirs = (theirs - mean) / np.sqrt(variance + 1e-6) * gamma + beta
    weight, gamma, beta, mean, variance = (
        arrays[f"backbone.stages.0.0.{kind}"].astype(np.float64)
        for kind in ("0.weight", "1.gamma", "1.beta", "1.running_mean", "1.running_var")
    )
    ours = _inside((pixels - MEAN) / STD, weight)
    mean, variance, gamma, beta = (x.reshape(-1, 1, 1) for x in (mean, variance, gamma, beta))
    ours = (ours - mean) / np.sqrt(variance + 1e-5) * gamma + beta
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def _inside(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve an image (H, W, 3) with (O, 3, 3, 3) without padding: (O, H - 2, W - 2)."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3), axis=(0, 1))
    return np.einsum("hwcyx,ocyx->ohw", windows, kernel)


@pytest.mark.parametrize(
    ("count", "classes"), [(CLASSES_80, 80), (CLASSES_80 - 60 * 5385, 20), (CLASSES_80 - 79 * 5385, 1)]
)
def test_heads_have_the_files_classes(count, classes, net, tmp_path):
    """One class is 3 anchors x (256 + 512 + 1024 weights and one bias per level): 5385 values."""
    arrays = darknet53.read(of_zeros(tmp_path / "w", count), net).values
    assert arrays.keys() == structural_parameters(net).keys()
    shapes = [arrays[f"heads.levels.{level}.weight"].shape for level in range(3)]
    assert shapes == [(3 * (5 + classes), width, 1, 1) for width in (256, 512, 1024)]


def test_74_layers_are_the_backbone(net, tmp_path):
    arrays = darknet53.read(of_zeros(tmp_path / "w", BACKBONE), net).values
    assert arrays.keys() == {name for name in structural_parameters(net) if name.startswith("backbone.")}


def test_heads_of_other_anchors_are_left_out(net, tmp_path):
    """A file of five anchors per cell and 80 classes, in which only variances are not zero."""
    path, place = tmp_path / "w", len(HEADER)
    with open(path, "wb") as file:
        file.write(HEADER)
        for shape in darknet53._shapes(net, 80):
            if shape.normalized:
                file.seek(place + 4 * 3 * shape.kernel[0])
                file.write(np.ones(shape.kernel[0], "<f4").tobytes())
            else:
                shape = shape.resized(5 * 85)
            place += 4 * shape.count
        file.truncate(place)
    found = darknet53.read(path, net)
    assert found.left_out == ("the heads: 425 channels, which are not of 3 anchors a cell",)
    names = structural_parameters(net)
    assert found.values.keys() == {name for name in names if not name.startswith("heads.")}
    assert (found.values["neck.blocks.2.tip.1.running_var"] == 1).all()
    assert found.misfit == (
        f"{path}: has all layers of yolo3_darknet53_custom but the heads: 425 channels, which are not of 3 "
        "anchors a cell; name its own cfg with {network} FILE.cfg"
    )


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (FIRST + 5, "ends within layer 1, the convolution backbone.stages.0.1.0"),
        (BACKBONE + 5, "ends within layer 52, the convolution neck.blocks.0.body.0.0"),
        (CLASSES_80 + 1, "goes on for .* bytes after the last layer of YOLOv3 on DarkNet-53"),
        (0, "holds a header and no weights"),
    ],
)
def test_files_of_other_networks(count, message, net, tmp_path):
    with pytest.raises(UserError, match=message):
        darknet53.read(of_zeros(tmp_path / "w", count), net)


@pytest.mark.slow
def test_same_maps_as_the_cfgs_network(shared_data, tmp_path):
    """With colours in 0..1 the maps equal those of the network of yolov3.cfg."""
    plan = make_plan(read_cfg(shared_data / "darknet" / "cfg" / "yolov3.cfg"))
    pixels = nd.array(random_image(64, 96)[None], dtype="uint8")
    theirs = build(plan)
    small.fill(theirs, pixels)
    path = tmp_path / "yolov3.weights"
    get_weights(theirs).write(path)
    ours = zoo.build("yolo3_darknet53_coco")
    ours.normalize = Normalize((0, 0, 0), (1, 1, 1))
    ours.initialize_weights()
    parameters = structural_parameters(ours)
    for name, array in darknet53.read(path, ours).values.items():
        parameters[name].set_data(nd.array(array))
    path.unlink()  # 250 MB
    for got, wanted in zip(ours(pixels), theirs(pixels)):
        assert wanted.asnumpy().std() > 0.3
        np.testing.assert_allclose(got.asnumpy(), wanted.asnumpy(), atol=1e-4)
