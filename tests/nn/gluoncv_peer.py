"""GluonCV's YOLOv3 beside ours, with one set of weights: the judge of our numbers."""

from __future__ import annotations

import numpy as np

from gluon_yolo import compat
from gluon_yolo.compat import autograd, mx, nd
from gluon_yolo.nn import weights, zoo
from gluon_yolo.nn.detector import MEAN, STD


def make_pair(name: str, folder, seed: int, class_names=None):
    """Return GluonCV's network with random weights and statistics, and ours reading the file it wrote."""
    mx.random.seed(seed)
    options = {"classes": list(class_names)} if class_names else {}
    theirs = compat.gluoncv().model_zoo.get_model(name, pretrained=False, pretrained_base=False, **options)
    theirs.initialize(mx.init.MSRAPrelu(factor_type="in", slope=0.1))
    theirs(nd.zeros((1, 3, 64, 64)))
    rng = np.random.default_rng(seed)
    for parameter in theirs.collect_params().values():
        # beta 0 before a depthwise convolution would make gamma's true gradient 0, and noise the rest of it
        if parameter.name.endswith(("running_mean", "beta")):
            parameter.set_data(nd.array(rng.normal(0, 0.2, parameter.shape)))
        elif parameter.name.endswith(("running_var", "gamma")):
            parameter.set_data(nd.array(rng.uniform(0.5, 1.5, parameter.shape)))
        elif parameter.name.endswith(("conv0_weight",)) and "yolooutput" in parameter.name:
            parameter.set_data(0.1 * parameter.data())  # logits of a trained network's size
    path = str(folder / f"{name}-{seed}.params")
    theirs.save_parameters(path)
    ours = zoo.build(name, class_names)
    ours.initialize_weights(seed=seed + 1)
    weights.load(ours, path)
    return theirs, ours


def random_pictures(batch: int, size_hw, seed: int):
    """Return pixels (B, H, W, 3) uint8 and the same pictures as GluonCV wants them (B, 3, H, W)."""
    pixels = np.random.default_rng(seed).integers(0, 256, (batch, *size_hw, 3), dtype=np.uint8)
    tensors = mx.nd.image.normalize(mx.nd.image.to_tensor(nd.array(pixels, dtype="uint8")), mean=MEAN, std=STD)
    return nd.array(pixels, dtype="uint8"), tensors


def in_our_order(array: np.ndarray, size_hw, strides=(8, 16, 32), anchors=3) -> np.ndarray:
    """Reorder GluonCV's anchors (B, N, ...) (coarse level first; row, column, anchor) into ours."""
    counts = [anchors * (size_hw[0] // s) * (size_hw[1] // s) for s in reversed(strides)]
    levels = np.split(array, np.cumsum(counts)[:-1], axis=1)
    moved = []
    for level in levels[::-1]:
        split = level.reshape(level.shape[0], -1, anchors, *level.shape[2:])
        moved.append(np.moveaxis(split, 2, 1).reshape(level.shape))
    return np.concatenate(moved, axis=1)


def their_targets(theirs, boxes, ids, size_hw, mix=None, label_smooth=False):
    """Return the inputs of GluonCV's training forward for ground truth (B, M, 4), (B, M, 1) padded with -1."""
    from gluoncv.model_zoo.yolo.yolo_target import YOLOV3PrefetchTargetGenerator

    theirs._target_generator._label_smooth = label_smooth
    generator = YOLOV3PrefetchTargetGenerator(len(theirs.classes))
    blank = nd.zeros((1, 3, *size_hw))
    with autograd.train_mode():
        _, anchors, offsets, maps, *_ = theirs(blank)
    targets = [
        generator(blank, maps, anchors, offsets, nd.array(boxes[b : b + 1]), nd.array(ids[b : b + 1]),
                  None if mix is None else nd.array(mix[b : b + 1]))
        for b in range(len(boxes))
    ]
    return [nd.array(boxes)] + [nd.concat(*parts, dim=0) for parts in zip(*targets)]
