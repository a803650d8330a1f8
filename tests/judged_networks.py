"""The networks whose gradients are compared with float64, with suitable weights and batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gluon_yolo import parameter_io
from gluon_yolo.assigners import assign
from gluon_yolo.data.images.read import read_image
from gluon_yolo.data.loading.collate import pad_targets
from gluon_yolo.data.registry import open_source
from gluon_yolo.data.transforms import resize
from gluon_yolo.detections import Detections
from gluon_yolo.losses import make_loss
from gluon_yolo.models.build import Architecture, find_architecture
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.models.layers import hold_statistics
from gluon_yolo.mxnet_compat import autograd, gluon, mx, nd
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.training.mxnet_engine.step import TrainStep
from gluon_yolo.weights.load import load_weights
from tests.float64 import Difference, difference, in_float64, network_gradients

BATCH_SIZE = 2
OBJECTS = 8  # largest number per image
IMAGES = ("dog", "person", "horses", "eagle", "giraffe")
# By name: a name of the zoo or a cfg in the shared data, and its trained weights, if there are any.
CFGS = {
    name: (f"darknet/{folder}/{stem}.cfg", f"darknet/{folder}/{stem}.weights")
    for name, folder, stem in (
        ("fastest", "fastest-voc", "MobileNetV2-YOLO-Fastest-voc"),
        ("fastest v2", "fastest-voc-v2", "MobileNetV2-YOLO-Fastest-voc-v2"),
        ("fastest 1.1", "yolo-fastest-1.1", "yolo-fastest-1.1"),
        ("fastest 1.1-xl", "yolo-fastest-1.1-xl", "yolo-fastest-1.1-xl"),
        ("nano voc", "nano-voc", "MobileNetV2-YOLOv3-Nano-voc"),
        ("nano coco", "nano-coco", "MobileNetV2-YOLOv3-Nano-coco"),
        ("yoloface-500k", "yoloface-500k", "yoloface-500k"),
        ("yoloface-500k v2", "yoloface-500k-v2", "yoloface-500k-v2"),
        ("yoloface-100k", "yoloface-100k", "yoloface-100k"),
        ("yoloface-50k", "yoloface-50k", "yoloface-50k"),
    )
}
CFGS_ALONE = {
    name: (f"darknet/cfg/{stem}.cfg", None)
    for name, stem in (
        ("yolov3-tiny", "yolov3-tiny"),
        ("lite voc", "MobileNetV2-YOLOv3-Lite-voc"),
        ("lite coco", "MobileNetV2-YOLOv3-Lite-coco"),
        ("spp", "MobileNetV2-YOLOv3-SPP"),
        ("yolov3-spp", "yolov3-spp"),
        ("yolov3", "yolov3"),
        ("yolov3-voc", "yolov3-voc"),
    )
}
ZOO = {
    **{
        f"{backbone}{width}": (f"yolo3_{backbone}{width}_voc", None)
        for backbone in ("mobilenet", "mobilenetv2_")
        for width in ("0.25", "0.5", "0.75", "1.0")
    },
    "darknet53": ("yolo3_darknet53_voc", None),
    "fastestv2": ("yolo_fastestv2_coco", "fastestv2/coco2017-0.241078ap-model.pth"),
}
NETWORKS: dict[str, tuple[str, str | None]] = {**ZOO, **CFGS, **CFGS_ALONE}
# The networks that take only seconds.
FAST = ("mobilenet0.25", "mobilenetv2_0.25", "fastestv2", "fastest", "fastest v2", "fastest 1.1", "nano voc",
        "yoloface-500k", "yoloface-500k v2", "yoloface-50k", "yolov3-tiny")  # fmt: skip


def find(name: str, data: Path) -> tuple[Architecture, Path | None]:
    """Return a network of the table, and the path of its trained weights."""
    network, own = NETWORKS[name]
    if network.endswith(".cfg"):
        network = str(data / network)
    return find_architecture(network), data / own if own else None


def make_batch(
    spec: DetectionSpec, size_hw: tuple[int, int], data: Path | None, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return real images (B, H, W, 3), or drawn ones without shared data, and targets (B, M, 12)."""
    rng = np.random.default_rng(seed)
    if data is None:
        patches = rng.integers(0, 256, (BATCH_SIZE, size_hw[0] // 16, size_hw[1] // 16, 3), dtype=np.uint8)
        images = patches.repeat(16, 1).repeat(16, 2)
    else:
        named = (IMAGES[(seed + place) % len(IMAGES)] for place in range(BATCH_SIZE))
        images = np.stack([resize(read_image(data / "images" / f"{n}.jpg"), size_hw) for n in named])
    rows = []
    size_wh = np.array([size_hw[1], size_hw[0]])
    for _ in range(BATCH_SIZE):
        count = int(rng.integers(2, OBJECTS + 1))
        sides = rng.uniform(0.06, 0.6, (count, 2)) * size_wh
        corners = rng.uniform(0, 1, (count, 2)) * (size_wh - sides)
        boxes = np.concatenate([corners, corners + sides], axis=1).astype(np.float32)
        truth = Detections(boxes, rng.integers(0, spec.num_classes, count))
        rows.append(assign(truth, None, spec, size_hw))
    return images, pad_targets(rows)


def annotated_batch(
    spec: DetectionSpec, size_hw: tuple[int, int], data: Path, batch_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first images of BCCD (B, H, W, 3), and targets (B, M, 12) of its boxes."""
    dataset = open_source(data / "bccd" / "BCCD").open("train")
    images, rows = [], []
    for index in range(batch_size):
        image, truth = dataset.image(index), dataset.annotations(index)
        scale = np.divide(size_hw, image.shape[:2])[[1, 0, 1, 0]].astype(np.float32)
        ids = np.minimum(truth.class_ids, spec.num_classes - 1)
        images.append(resize(image, size_hw))
        rows.append(assign(truth.replace(boxes=truth.boxes * scale, class_ids=ids), None, spec, size_hw))
    return np.stack(images), pad_targets(rows)


def trained(net: DetectionNetwork, path: Path) -> None:
    """Load a weights file into a network."""
    net.initialize_weights(seed=0)
    load_weights(net, path)


def drawn(net: DetectionNetwork, images: np.ndarray) -> None:
    """Draw weights with which rounding errors stay small.

    Every other channel is shifted up by three of its standard deviations, the others down. So hardly any
    value is at the kink of a ReLU, where rounding would switch a whole gradient on or off.
    """
    net.initialize_weights(seed=0)
    rng = np.random.default_rng(1)
    norms = list(batch_norms(net))
    for norm in norms:
        norm.gamma.set_data(nd.array(rng.uniform(0.8, 1.2, norm.gamma.shape)))
        norm.beta.set_data(nd.array(np.where(np.arange(norm.beta.shape[0]) % 2, -3.0, 3.0)))
        norm._kwargs["momentum"] = 0  # the statistics of these images only
    with autograd.record():
        total = sum(raw.mean() for raw in net(nd.array(images, dtype="uint8")))
    total.backward()
    nd.waitall()
    for norm in norms:
        norm._kwargs["momentum"] = 0.9
        variance = norm.running_var.data()
        norm.running_var.set_data(nd.maximum(variance, variance.mean()))


def batch_norms(block: gluon.Block) -> Iterator[gluon.nn.BatchNorm]:
    """Yield every batch normalisation in a block."""
    for child in block._children.values():
        if isinstance(child, gluon.nn.BatchNorm):
            yield child
        yield from batch_norms(child)


def keep_everything(block: gluon.Block) -> None:
    """Set the rate of dropout to 0: otherwise every pass would drop other values."""
    for child in block._children.values():
        if isinstance(child, gluon.nn.Dropout):
            child._rate = 1e-12
        keep_everything(child)


def held_to_float64(
    name: str, data: Path, kind: str = "drawn", sizes_hw: tuple[tuple[int, int], ...] = ((64, 96), (96, 64))
) -> list[tuple[Difference, Difference]]:
    """Return the distance of a network's gradients from float64, for a planned graph and by operators.

    Args:
        name: of the table.
        data: the shared data.
        kind: ``drawn``: weights of :func:`drawn`, normalisation by running statistics; ``batch``: the
            network's own weights, normalisation by the batch's statistics, which increases rounding errors.
        sizes_hw: of the batches that one graph gets, in order.

    Returns:
        For each batch the planned graph as in a training step of mxnet, and plain float32.
        The distance that both have in common is rounding.
    """
    found, own = find(name, data)
    spec = found.build().spec
    batches = [make_batch(spec, size_hw, data, seed) for seed, size_hw in enumerate(sizes_hw)]
    results = {}
    for way in ("trained", "plain", "float64"):
        net = found.build()
        if kind == "drawn":
            drawn(net, batches[0][0])
        else:
            assert own is not None, f"{name}: has no trained weights"
            trained(net, own)
        keep_everything(net)
        for norm in batch_norms(net) if kind != "batch" else ():
            hold_statistics(norm)
        results[way] = _gradients(net, way, batches)
    return [
        (difference(as_trained, right), difference(plain, right))
        for as_trained, plain, right in zip(results["trained"], results["plain"], results["float64"])
    ]


def _gradients(net: DetectionNetwork, way: str, batches: list) -> list[dict[str, np.ndarray]]:
    """Return the gradients of one network for each batch in turn."""
    loss = make_loss(net.spec)
    loss.initialize()
    if way == "trained":
        loss = TrainStep(net, [mx.cpu()]).loss
    if way != "float64":
        found = []
        for images, targets in batches:
            # A validation between two epochs does the same: it changes the memory layout of the weights.
            parameter_io.wait()
            for raw in net(nd.array(images[:1], dtype="uint8")):
                raw.wait_to_read()
            found.append(network_gradients(net, loss, images, targets))
        return found
    net.cast("float64")
    loss.cast("float64")
    with in_float64():
        return [network_gradients(net, loss, *batch, dtype="float64") for batch in batches]
