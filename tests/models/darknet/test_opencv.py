"""Whole networks against OpenCV's darknet reader."""

from __future__ import annotations

import pytest

from gluon_yolo.models.darknet.cfg import read_cfg
from gluon_yolo.models.darknet.network import build
from gluon_yolo.models.darknet.plan import make_plan
from tests.models.darknet import small
from tests.models.darknet.judge import WITH_WEIGHTS, compare, shared_images, write_random_weights

# The cfg, and the side of a small square input, for speed.
WITHOUT_WEIGHTS = [
    ("MobileNetV2-YOLOv3-Lite-coco", 320),
    ("MobileNetV2-YOLOv3-Lite-voc", 320),
    ("MobileNetV2-YOLOv3-SPP", 416),
    ("yolov3-tiny", 416),
    pytest.param("yolov3", 160, marks=pytest.mark.slow),
    pytest.param("yolov3-spp", 160, marks=pytest.mark.slow),
    pytest.param("yolov3-voc", 160, marks=pytest.mark.slow),
]


@pytest.mark.parametrize("folder", WITH_WEIGHTS)
def test_trained_networks(folder, shared_data, tmp_path):
    folder = shared_data / "darknet" / folder
    cfg = read_cfg(small.only(folder, "*.cfg"))
    compare(cfg, small.only(folder, "*.weights"), shared_images(shared_data), tmp_path)


@pytest.mark.parametrize(("name", "side"), WITHOUT_WEIGHTS)
def test_untrained_networks(name, side, shared_data, tmp_path):
    cfg = small.resized(read_cfg(shared_data / "darknet" / "cfg" / f"{name}.cfg"), side)
    dog, *_, drawn = shared_images(shared_data)
    write_random_weights(build(make_plan(cfg)), [dog, drawn], tmp_path / "random.weights")
    compare(cfg, tmp_path / "random.weights", [dog, drawn], tmp_path)


# AlexeyAB's yolov4-csp: raw maps after their sigmoid, sizes (2 t)^2, centres with a range of two cells.
CSP = (
    small.NET
    + small.BACKBONE
    + small.BACKBONE
    + small.YOLO.replace("linear", "logistic")
    + "new_coords=1\nscale_x_y=2.0\n[route]\nlayers=0\n"
    + small.YOLO.replace("linear", "logistic").replace("mask=1,2", "mask=0,1")
    + "new_coords=1\nscale_x_y=1.1\n"
)


@pytest.mark.parametrize("normalized", [False, True])
def test_new_coords(normalized, tmp_path):
    """With both kinds of convolution before the head."""
    text = CSP.replace("size=1\n", "size=1\nbatch_normalize=1\n") if normalized else CSP
    net = build(small.planned(text))
    assert net.spec.box_coding == "squared_sigmoid" and net.spec.xy_scales == (1.1, 2.0)
    images = [small.pixels(net.plan, seed).asnumpy()[0] for seed in (1, 2)]
    write_random_weights(net, images, tmp_path / "random.weights")
    compare(small.parsed(text), tmp_path / "random.weights", images, tmp_path)
