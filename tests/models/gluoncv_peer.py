"""GluonCV's YOLOv3 and this package's with the same weights: the reference for its numbers."""

from __future__ import annotations

import numpy as np

from gluon_yolo import mxnet_compat
from gluon_yolo.models import zoo
from gluon_yolo.models.detector import MEAN, STD
from gluon_yolo.mxnet_compat import autograd, mx, nd
from gluon_yolo.weights.gluoncv import translate
from gluon_yolo.weights.load import load_weights, structural_parameters


def make_pair(name: str, folder, seed: int, class_names=None, gradients: bool = True):
    """Return GluonCV's network with random weights and statistics, and this package's with the same file.

    Without ``gradients`` they take less memory in the end.
    """
    mx.random.seed(seed)
    options = {"classes": list(class_names)} if class_names else {}
    theirs = mxnet_compat.gluoncv().model_zoo.get_model(
        name, pretrained=False, pretrained_base=False, **options
    )
    if not gradients:
        theirs.collect_params().setattr("grad_req", "null")
    theirs.initialize(mx.init.MSRAPrelu(factor_type="in", slope=0.1))
    rng = np.random.default_rng(seed)
    sample = nd.array(rng.normal(size=(4, 3, 160, 160)))
    theirs(sample)
    for parameter in theirs.collect_params().values():
        # beta 0 before a depthwise convolution gives gamma a true gradient of 0, and only noise remains
        if parameter.name.endswith("beta"):
            parameter.set_data(nd.array(rng.normal(0, 0.2, parameter.shape)))
        elif parameter.name.endswith("gamma"):
            parameter.set_data(nd.array(rng.uniform(0.5, 1.5, parameter.shape)))
        elif "yolooutput" in parameter.name and parameter.name.endswith("weight"):
            parameter.set_data(
                0.03 * parameter.data()
            )  # logits of order 1, so that tolerances are meaningful
    path = str(folder / f"{name}-{seed}.params")
    theirs.save_parameters(path)
    ours = zoo.build(name, class_names)
    ours.initialize_weights(seed=seed + 1)
    load_weights(ours, path)
    _copy_statistics(_with_statistics_of(ours, sample), theirs)
    if not gradients:
        ours.collect_params().setattr("grad_req", "null")
    theirs.save_parameters(path)
    ours.initialize_weights(seed=seed + 2)
    load_weights(ours, path)
    return theirs, ours


def batch_norms(block):
    """Yield every batch normalisation in a block."""
    for child in block._children.values():
        if hasattr(child, "running_mean"):
            yield child
        yield from batch_norms(child)


def _with_statistics_of(net, sample):
    """Set the running statistics to those of a batch, as in a trained network."""
    norms = list(batch_norms(net))
    for norm in norms:
        norm._kwargs["momentum"] = 0
    with autograd.record():  # mxnet updates them in the backward pass
        loss = sum(raw.sum() for raw in net.heads(*net.neck(*net.backbone(sample))))
    loss.backward()
    for norm in norms:
        norm._kwargs["momentum"] = 0.9
    return net


def _copy_statistics(ours, theirs):
    their_parameters = theirs._collect_params_with_prefix()
    our_parameters = structural_parameters(ours)
    for their_name, our_name in translate(their_parameters).items():
        if "running_" in their_name:
            their_parameters[their_name].set_data(our_parameters[our_name].data())


def random_images(batch: int, size_hw, seed: int):
    """Return pixels (B, H, W, 3) uint8 and the same images in GluonCV's format (B, 3, H, W)."""
    pixels = np.random.default_rng(seed).integers(0, 256, (batch, *size_hw, 3), dtype=np.uint8)
    tensors = mx.nd.image.normalize(
        mx.nd.image.to_tensor(nd.array(pixels, dtype="uint8")), mean=MEAN, std=STD
    )
    return nd.array(pixels, dtype="uint8"), tensors


def in_our_order(array: np.ndarray, size_hw, strides=(8, 16, 32), anchors=3) -> np.ndarray:
    """Reorder GluonCV's anchors (B, N, ...) (coarse level first; row, column, anchor) as they are here."""
    counts = [anchors * (size_hw[0] // s) * (size_hw[1] // s) for s in reversed(strides)]
    levels = np.split(array, np.cumsum(counts)[:-1], axis=1)
    moved = []
    for level in levels[::-1]:
        split = level.reshape(level.shape[0], -1, anchors, *level.shape[2:])
        moved.append(np.moveaxis(split, 2, 1).reshape(level.shape))
    return np.concatenate(moved, axis=1)


def their_targets(theirs, boxes, ids, size_hw, mix=None, label_smooth=False):
    """Return the targets of GluonCV's training for boxes (B, M, 4) and ids (B, M, 1) padded with -1."""
    from gluoncv.model_zoo.yolo.yolo_target import YOLOV3PrefetchTargetGenerator

    theirs._target_generator._label_smooth = label_smooth
    generator = YOLOV3PrefetchTargetGenerator(len(theirs.classes))
    blank = nd.zeros((1, 3, *size_hw))
    with autograd.train_mode():
        _, anchors, offsets, maps, *_ = theirs(blank)
    targets = [
        generator(
            blank,
            maps,
            anchors,
            offsets,
            nd.array(boxes[b : b + 1]),
            nd.array(ids[b : b + 1]),
            None if mix is None else nd.array(mix[b : b + 1]),
        )
        for b in range(len(boxes))
    ]
    return [nd.array(boxes)] + [nd.concat(*parts, dim=0) for parts in zip(*targets)]
