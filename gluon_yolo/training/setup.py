"""Setup: build the network of a run on its devices, and load its starting weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gluon_yolo.data import anchors
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.errors import SettingError, SettingText, UserError
from gluon_yolo.losses.terms import choose_box_loss
from gluon_yolo.models.build import Architecture
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.spec import Anchors, BackboneForm, DetectionSpec
from gluon_yolo.training.assigner_choice import assigned
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.start import Start, find_start
from gluon_yolo.weights.load import Loaded, load_pretrained, load_weights, structural_parameters

_POOR_IOU, _POOR_RECALL = 0.6, 0.9
_GAIN = 0.03  # smallest gain of other anchors that is worth a message, where the present ones are poor,
_LARGE_GAIN = 0.1  # and where they are not


def build_network(
    architecture: Architecture,
    config: TrainConfig,
    class_names: Sequence[str],
    contexts: Sequence[mx.Context],
    form: BackboneForm | None = None,
) -> DetectionNetwork:
    """Build the network of a run, with random weights from the run's seed.

    Args:
        architecture: of the network.
        config: anchors, assigner, batch norm and seed. Its sizes and its box loss are checked against the
            network.
        class_names: of the data.
        contexts: the devices to initialize on.
        form: of the backbone; None is that of the starting weights.

    Raises:
        UserError: the starting weights cannot be read, or anchors, a size, the box loss or the assigner
            do not suit the network.
    """
    norm = "sync" if config.syncbn else "frozen" if config.freeze_bn else "bn"
    assert not isinstance(config.anchors, str)  # ``for_network`` has resolved the words
    if form is None:
        form = find_start(architecture.name, config).form
    spec = assigned(architecture.spec, config.assigner, architecture.name)
    net = architecture.build(class_names, config.anchors, norm, len(contexts), form, spec.xy_scales)
    net.spec = dataclasses.replace(net.spec, assigner=spec.assigner)
    _check_sizes(net, "data_shape", [config.data_shape])
    _check_sizes(net, "random_shapes", config.random_shapes if config.random_shape else [])
    choose_box_loss(net.spec, config.box_loss)
    net.initialize_weights(ctx=list(contexts), seed=config.seed)
    return net


def _check_sizes(net: DetectionNetwork, setting: str, sizes_hw: Sequence[tuple[int, int]]) -> None:
    stride = net.spec.max_stride
    for size_hw in sizes_hw:
        if any(side % stride for side in size_hw):
            size = "x".join(map(str, size_hw))
            raise SettingError(
                f"{{{setting}}} {size}: both sides must be multiples of {stride} for {net.zoo_name}"
            )


class Origin(NamedTuple):
    """The origin of the weights that a training starts from.

    Args:
        line: for the log: which weights were loaded, and from where.
        fresh: the parameters that have their initial values, by structural name.
    """

    line: str
    fresh: tuple[str, ...] = ()


def load_starting_weights(net: DetectionNetwork, config: TrainConfig, start: Start | None = None) -> Origin:
    """Load the weights that a run starts from.

    Args:
        net: the network, with random weights.
        config: of the run.
        start: the file; None finds it.

    Raises:
        UserError: the weights are missing, or belong to another network.
    """
    start = find_start(net.zoo_name, config) if start is None else start
    if config.weights:
        assert start.path is not None
        loaded = _same_network(net, load_weights(net, start.path, partial=True))
        return Origin(f"weights: {loaded}", loaded.fresh)
    if config.pretrained:
        loaded = load_pretrained(net)
        return Origin(f"weights: {loaded}", loaded.fresh)
    everything = tuple(structural_parameters(net))
    if config.pretrained_base == "no":
        return Origin("weights: random", everything)
    if start.path is not None:
        loaded = load_weights(net, start.path, partial=True, backbone_only=True)
        form = str(net.spec.backbone)
        built = f"; built with {form}, as these weights need" if form else ""
        return Origin(f"backbone: {_same_network(net, loaded)}{built}", loaded.fresh)
    try:
        loaded = load_pretrained(net, backbone_only=True)
    except UserError as error:
        reason = "; ".join((*start.reasons, str(error)))
        if config.pretrained_base == "yes":
            raise UserError(reason) from error
        return Origin(f"weights: random, which takes more epochs: {reason}", everything)
    return Origin(f"backbone: {loaded}", loaded.fresh)


def _same_network(net: DetectionNetwork, loaded: Loaded) -> Loaded:
    """Return the report of weights of which all or some were loaded.

    Raises:
        UserError: most of the file does not fit the network, so the rest fits by accident.
    """
    used, unused = len(loaded.taken) + len(loaded.adapted), len(loaded.left_out)
    if used < unused:
        raise SettingError(
            f"{loaded.source}: weights of another network than {net.zoo_name}: {used} of its {used + unused} "
            "parameters fit; ask for that network with {network}, or start without {weights}"
        )
    return loaded


def found_anchors(architecture: Architecture, data: Dataset, config: TrainConfig) -> Anchors:
    """Return as many anchors as the network has, from k-means on the training images at the input size.

    Raises:
        UserError: the images have too few different boxes.
    """
    sizes = anchors.box_sizes(data, config.data_shape, config.fit)
    spec = architecture.spec
    return anchors.by_level(anchors.find_anchors(sizes, sum(spec.anchors_per_level)), spec.num_levels)


def better_anchors(
    architecture: Architecture, data: Dataset, config: TrainConfig
) -> tuple[Anchors, SettingText] | None:
    """Return anchors that fit the training images better than the network's own, and a line for the log.

    The search runs level by level (:func:`gluon_yolo.data.anchors.refine_anchors`). Return None if the gain
    is less than 0.1 of the mean best IoU, or if the numbers of anchors of the levels differ too much.
    """
    sizes = anchors.box_sizes(data, config.data_shape, config.fit)
    if not len(sizes):
        return None
    own = architecture.spec
    found = anchors.refine_anchors(sizes, own.anchors)
    before = anchors.mean_best_iou(sizes, own.flat_anchors)
    after = anchors.mean_best_iou(sizes, np.array([anchor for level in found for anchor in level]))
    counts = tuple(map(len, found))
    if after < before + _LARGE_GAIN or counts != tuple(own.anchors_per_level):
        return None
    return found, SettingText(
        f"anchors: found on the training pictures, level by level: mean best IoU {after:.3f} in the place of "
        f"{before:.3f}; {{anchors}} own keeps the network's"
    )


def anchor_lines(spec: DetectionSpec, data: Dataset, config: TrainConfig) -> list[str | SettingText]:
    """Return log lines on how well a network's anchors fit the data, and on how to get better ones.

    Anchors are poor if the mean best IoU is below 0.6, about the value of hand-picked anchors in Redmon &
    Farhadi (2017, table 1: 60.9 for nine; 67.2 for nine found by k-means), or if the recall is below 0.9.
    Better anchors are also mentioned where k-means gains 0.1 of the mean best IoU.

    Args:
        spec: of the network.
        data: the training images.
        config: the input size, and how images are fitted to it.
    """
    sizes = anchors.box_sizes(data, config.data_shape, config.fit)
    if not len(sizes):
        return []
    iou, recall = _quality(sizes, spec.flat_anchors)
    shape = "x".join(map(str, config.data_shape))
    count = len(spec.flat_anchors)
    lines: list[str | SettingText] = [
        f"anchors: {count}, mean best IoU {iou:.3f}, recall {recall:.3f} on the training boxes at {shape}"
    ]
    poor = iou < _POOR_IOU or recall < _POOR_RECALL
    if not poor and iou + _LARGE_GAIN > 1:
        return lines
    try:
        better_iou, better_recall = _quality(sizes, anchors.find_anchors(sizes, count))
    except UserError:  # there are fewer different boxes than anchors
        return lines
    found = f"found ones would have {better_iou:.3f} and {better_recall:.3f}"
    how = "start a run with {anchors} auto, or see `gluon-yolo data anchors`"
    if poor and (better_iou > iou + _GAIN or better_recall > recall + _GAIN):
        lines.append(SettingText(f"anchors: these suit the data poorly; {found}: {how}"))
    elif better_iou >= iou + _LARGE_GAIN:
        lines.append(SettingText(f"anchors: {found}: {how}"))
    return lines


def _quality(sizes: np.ndarray, flat_anchors: np.ndarray) -> tuple[float, float]:
    """Return the mean best IoU, and the best possible recall."""
    return anchors.mean_best_iou(sizes, flat_anchors), anchors.recall(sizes, flat_anchors)
