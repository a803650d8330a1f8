"""OpenCV's darknet reader as the reference, with the same cfg, weights and images.

Boxes are fractions of the input's sides, as in OpenCV; objectness and scores are 0..1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from gluon_yolo.models.darknet.cfg import Cfg
from gluon_yolo.models.darknet.network import DarknetNetwork
from gluon_yolo.models.decode import Decode
from gluon_yolo.mxnet_compat import nd
from gluon_yolo.weights.darknet_file import get_weights
from gluon_yolo.weights.darknet_model import load
from tests.models.darknet import small
from tests.random_model import random_image

TOLERANCE = 1e-4
THRESHOLD = 1e-4  # OpenCV sets scores up to this value to zero; its default is 0.2
IMAGES = ("dog", "eagle", "faces", "giraffe", "horses", "person")
WITH_WEIGHTS = ("nano-coco", "nano-voc", "fastest-voc", "yoloface-500k", "yoloface-100k", "yoloface-50k")


def shared_images(shared_data: Path) -> list[np.ndarray]:
    """Return the shared images, and a random one, as RGB."""
    read = [cv2.imread(str(shared_data / "images" / f"{name}.jpg"))[..., ::-1] for name in IMAGES]
    return [*read, random_image(96, 128)]


def write_random_weights(net: DarknetNetwork, images: Sequence[np.ndarray], path: Path) -> None:
    """Draw a network's weights and write them.

    Args:
        net: gets the weights.
        images: of any size, for the statistics of batch normalisation.
        path: of the file.
    """
    shape = net.plan.image
    fitted = [cv2.resize(image, (shape.width, shape.height)) for image in images]
    small.fill(net, nd.array(np.stack(fitted), dtype="uint8"))
    get_weights(net).write(path)


def differences(cfg: Cfg, weights: Path, images: Sequence[np.ndarray], folder: Path) -> np.ndarray:
    """Run both implementations on RGB images of any size, and return the largest differences.

    Args:
        cfg: of the network.
        weights: a darknet file.
        images: RGB.
        folder: for the copy of the cfg that OpenCV reads.

    Returns:
        (3,): of boxes, objectness, scores.
    """
    cfg.write(folder / "ours.cfg")
    net, _ = load(folder / "ours.cfg", weights)
    decode = Decode(net.spec)
    decode.initialize()
    judge = _opencv_net(cfg, weights, folder)
    worst = np.zeros(3)
    for image in images:
        image = cv2.resize(image, (net.plan.image.width, net.plan.image.height))
        theirs, ours = _opencv_outputs(judge, net, image), _our_outputs(net, decode, image)
        assert np.ptp(theirs[1]) > 1e-3, "nothing is seen on this picture"
        worst = np.maximum(worst, [np.abs(a - b).max() for a, b in zip(theirs, ours)])
    return worst


def compare(cfg: Cfg, weights: Path, images: Sequence[np.ndarray], folder: Path) -> None:
    """Assert that both agree (arguments as for :func:`differences`)."""
    worst = differences(cfg, weights, images, folder)
    print(f"boxes {worst[0]:.1e}  objectness {worst[1]:.1e}  scores {worst[2]:.1e}")
    assert (worst < TOLERANCE).all(), worst


def _opencv_net(cfg: Cfg, weights: Path, folder: Path):
    changes = {"thresh": str(THRESHOLD), "nms_threshold": "0"}
    copy = folder / "opencv.cfg"
    cfg.replaced([(place, changes) for place in small.yolo_places(cfg)]).write(copy)
    return cv2.dnn.readNetFromDarknet(str(copy), str(weights))


def _opencv_outputs(judge, net: DarknetNetwork, image: np.ndarray):
    """Return boxes (N, 4) as fractions, objectness (N,), scores (N, C) in this package's order of anchors."""
    judge.setInput(np.ascontiguousarray(image.transpose(2, 0, 1)[None], dtype=np.float32) / 255)
    outputs = sorted(judge.forward(judge.getUnconnectedOutLayersNames()), key=lambda rows: -len(rows))
    parts = []
    for rows, head in zip(outputs, net.plan.heads):
        shape = (head.output.height, head.output.width, len(head.anchors), -1)
        parts.append(rows.reshape(shape).transpose(2, 0, 1, 3).reshape(len(rows), -1))
    rows = np.concatenate(parts)
    half = rows[:, 2:4] / 2
    boxes = np.concatenate([rows[:, :2] - half, rows[:, :2] + half], axis=1)
    return boxes, rows[:, 4], rows[:, 5:]


def _our_outputs(net: DarknetNetwork, decode: Decode, image: np.ndarray):
    """Return the same from this package."""
    maps = net(nd.array(image[None], dtype="uint8"))
    boxes, scores = (output.asnumpy()[0] for output in decode(*maps))
    height, width = image.shape[:2]
    objectness = []
    for raw, anchors in zip(maps, net.spec.anchors_per_level):
        logits = raw.asnumpy()[0].reshape(anchors, 5 + net.spec.num_classes, -1)[:, 4]
        objectness.append(1 / (1 + np.exp(-logits.reshape(-1))))
    boxes = boxes / np.array([width, height, width, height])
    return boxes, np.concatenate(objectness), np.where(scores > THRESHOLD, scores, 0)
