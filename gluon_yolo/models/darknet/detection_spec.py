"""The DetectionSpec of a plan, made from its ``[yolo]`` sections."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gluon_yolo.errors import UserError
from gluon_yolo.models.darknet.layers import IMAGE, Convolution, MaxPool, Upsample, Yolo
from gluon_yolo.models.darknet.plan import Plan
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.text import counted

IGNORE_IOU = 0.5  # darknet's default of ignore_thresh


def make_spec(plan: Plan, class_names: Sequence[str] | None = None) -> DetectionSpec:
    """Return the spec of a darknet network.

    Args:
        plan: the network.
        class_names: in the order of the class channels; None gives ``class 0``, ``class 1``, ...

    Raises:
        UserError: the number of names is wrong or a name repeats, two heads have the same stride, the input
            size is no multiple of the strides, or a head's box coding is not supported.
    """
    heads = plan.heads
    count = heads[0].num_classes
    names = tuple(class_names) if class_names is not None else tuple(f"class {i}" for i in range(count))
    if len(names) != count:
        raise UserError(
            f"{plan.cfg.path}: its [yolo] sections have {counted(count, 'class')}, but {len(names)} "
            f"{'name is' if len(names) == 1 else 'names are'} given"
        )
    strides = tuple(_stride(plan, head) for head in heads)
    if len(set(strides)) != len(strides):
        raise heads[-1].section.error(f"two heads of one stride, {strides}, are not supported here")
    ignore_iou = heads[0].section.get_float("ignore_thresh", IGNORE_IOU)
    try:
        return DetectionSpec(
            names,
            tuple(head.anchors for head in heads),
            strides,
            box_coding=_box_coding(plan),
            ignore_iou=ignore_iou,
            xy_scales=tuple(head.scale_x_y for head in heads),
            size_divisor=_size_divisor(plan, strides),
        )
    except ValueError as error:
        raise UserError(f"{plan.cfg.path}: {error}") from error


def _box_coding(plan: Plan) -> str:
    """Return the name of the heads' box coding.

    Raises:
        UserError: the coding is not supported.
    """
    for head in plan.heads:
        section, source = head.section, head.inputs[0]
        if head.scale_x_y < 1:
            raise section.error(f"scale_x_y={head.scale_x_y:g}: expected 1 or more", "scale_x_y")
        if head.new_coords != plan.heads[0].new_coords:
            raise section.error("new_coords: the [yolo] sections disagree", "new_coords")
        if head.new_coords:
            readers = [layer.index for layer in plan.layers if source in layer.inputs]
            layer = plan.layers[source]
            if not (isinstance(layer, Convolution) and layer.activation == "logistic" and len(readers) == 1):
                raise section.error(
                    "new_coords=1: expected a [convolutional] with activation=logistic before it, which "
                    "nothing else reads",
                    "new_coords",
                )
    return "squared_sigmoid" if plan.heads[0].new_coords else "yolo3"


def _size_divisor(plan: Plan, strides: tuple[int, ...]) -> int:
    """Return what the input's sides must be multiples of, so that an upsampled map has its old size.

    Concatenated maps can need a larger multiple: ``plan.divisor``.
    """
    shrunk = {IMAGE: 1.0}
    divisor = 1.0
    for layer in plan.layers:
        shrunk[layer.index] = shrunk[layer.inputs[0]]
        if isinstance(layer, (Convolution, MaxPool)):
            shrunk[layer.index] *= max(layer.stride_hw)
        elif isinstance(layer, Upsample):
            divisor = max(divisor, shrunk[layer.index])
            shrunk[layer.index] /= layer.factor
    known = max(strides[-1], round(divisor))
    return round(divisor) if known % plan.divisor == 0 else math.lcm(known, plan.divisor)


def _stride(plan: Plan, head: Yolo) -> int:
    """Return the input pixels per cell of a head's map."""
    down, rest_down = divmod(plan.image.height, head.output.height)
    across, rest_across = divmod(plan.image.width, head.output.width)
    if rest_down or rest_across or down != across:
        raise head.section.error(
            f"its map has {head.output.height}x{head.output.width} cells for an input of "
            f"{plan.image.height}x{plan.image.width}; [net] needs a size that the stride divides"
        )
    return down
