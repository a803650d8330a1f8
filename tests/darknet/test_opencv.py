"""The judge: OpenCV's own darknet reader, on the same cfg, weights and pictures.

Boxes are compared in parts of the input's sides, as OpenCV gives them, objectness and scores in 0..1.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gluon_yolo.compat import nd
from gluon_yolo.darknet import transfer
from gluon_yolo.darknet.cfg import Cfg, read_cfg
from gluon_yolo.darknet.network import DarknetNetwork, build
from gluon_yolo.darknet.plan import make_plan
from gluon_yolo.darknet.weights import read_weights
from gluon_yolo.nn.decode import Decode
from tests.darknet import small
from tests.random_model import random_picture

TOLERANCE = 1e-4
THRESHOLD = 1e-4  # OpenCV sets scores at or below it to zero; 0.2 unless told
PICTURES = ("dog", "eagle", "faces", "giraffe", "horses", "person")
WITH_WEIGHTS = ("nano-coco", "nano-voc", "fastest-voc", "yoloface-500k", "yoloface-100k", "yoloface-50k")
# The cfg, and the side of a square input that keeps the time short.
WITHOUT_WEIGHTS = [
    ("MobileNetV2-YOLOv3-Lite-coco", 320),
    ("MobileNetV2-YOLOv3-Lite-voc", 320),
    ("MobileNetV2-YOLOv3-SPP", 416),
    ("yolov3-tiny", 416),
    pytest.param("yolov3", 160, marks=pytest.mark.slow),
    pytest.param("yolov3-spp", 160, marks=pytest.mark.slow),
    pytest.param("yolov3-voc", 160, marks=pytest.mark.slow),
]


def opencv_net(cfg: Cfg, weights, tmp_path):
    changes = {"thresh": str(THRESHOLD), "nms_threshold": "0"}
    copy = tmp_path / "opencv.cfg"
    cfg.replaced([(place, changes) for place in small.yolo_places(cfg)]).write(copy)
    return cv2.dnn.readNetFromDarknet(str(copy), str(weights))


def opencv_outputs(judge, net: DarknetNetwork, picture: np.ndarray):
    """Return boxes (N, 4) in parts of the input, objectness (N,), scores (N, C) in our order of anchors."""
    judge.setInput(np.ascontiguousarray(picture.transpose(2, 0, 1)[None], dtype=np.float32) / 255)
    outputs = sorted(judge.forward(judge.getUnconnectedOutLayersNames()), key=lambda rows: -len(rows))
    parts = []
    for rows, head in zip(outputs, net.plan.heads):
        shape = (head.output.height, head.output.width, len(head.anchors), -1)
        parts.append(rows.reshape(shape).transpose(2, 0, 1, 3).reshape(len(rows), -1))
    rows = np.concatenate(parts)
    half = rows[:, 2:4] / 2
    boxes = np.concatenate([rows[:, :2] - half, rows[:, :2] + half], axis=1)
    return boxes, rows[:, 4], rows[:, 5:]


def our_outputs(net: DarknetNetwork, decode: Decode, picture: np.ndarray):
    """Return the same of ours."""
    maps = net(nd.array(picture[None], dtype="uint8"))
    boxes, scores = (output.asnumpy()[0] for output in decode(*maps))
    height, width = picture.shape[:2]
    objectness = []
    for raw, anchors in zip(maps, net.spec.anchors_per_level):
        logits = raw.asnumpy()[0].reshape(anchors, 5 + net.spec.num_classes, -1)[:, 4]
        objectness.append(1 / (1 + np.exp(-logits.reshape(-1))))
    boxes = boxes / np.array([width, height, width, height])
    return boxes, np.concatenate(objectness), np.where(scores > THRESHOLD, scores, 0)


def compare(cfg: Cfg, weights, pictures, tmp_path):
    """Build both, run both on RGB pictures of any size, and demand that they agree."""
    plan = make_plan(cfg)
    net = build(plan)
    net.initialize_weights()
    transfer.set_weights(net, read_weights(weights, plan))
    decode = Decode(net.spec)
    decode.initialize()
    judge = opencv_net(cfg, weights, tmp_path)
    worst = np.zeros(3)
    for picture in pictures:
        picture = cv2.resize(picture, (plan.picture.width, plan.picture.height))
        theirs, ours = opencv_outputs(judge, net, picture), our_outputs(net, decode, picture)
        assert np.ptp(theirs[1]) > 1e-3, "nothing is seen on this picture"
        worst = np.maximum(worst, [np.abs(a - b).max() for a, b in zip(theirs, ours)])
    print(f"boxes {worst[0]:.1e}  objectness {worst[1]:.1e}  scores {worst[2]:.1e}")
    assert (worst < TOLERANCE).all(), worst


@pytest.mark.parametrize("folder", WITH_WEIGHTS)
def test_trained_networks(folder, shared_data, tmp_path):
    folder = shared_data / "darknet" / folder
    pictures = [cv2.imread(str(shared_data / "images" / f"{name}.jpg"))[..., ::-1] for name in PICTURES]
    cfg = read_cfg(small.only(folder, "*.cfg"))
    compare(cfg, small.only(folder, "*.weights"), [*pictures, random_picture(96, 128)], tmp_path)


@pytest.mark.parametrize(("name", "side"), WITHOUT_WEIGHTS)
def test_untrained_networks(name, side, shared_data, tmp_path):
    cfg = small.resized(read_cfg(shared_data / "darknet" / "cfg" / f"{name}.cfg"), side)
    net = build(make_plan(cfg))
    dog = cv2.imread(str(shared_data / "images" / "dog.jpg"))[..., ::-1]
    pictures = [cv2.resize(picture, (side, side)) for picture in (dog, random_picture(96, 128))]
    small.fill(net, nd.array(np.stack(pictures), dtype="uint8"))
    transfer.get_weights(net).write(tmp_path / "random.weights")
    compare(cfg, tmp_path / "random.weights", pictures, tmp_path)
