"""Parsers of the sections: each kind of section to its layer, with keys, sizes and references checked.

Every parser takes a function from a layer's index to the shape of its output, its own index, and its section.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable

from gluon_yolo.models.darknet.layers import (
    AvgPool,
    Convolution,
    Dropout,
    Layer,
    MaxPool,
    Route,
    Scale,
    Shape,
    Shortcut,
    Upsample,
    Yolo,
)
from gluon_yolo.models.darknet.section import Section

ShapeOf = Callable[[int], Shape]
ACTIVATIONS = tuple(
    "linear leaky revleaky relu relu6 logistic loggy mish hard_mish swish tanh elu selu gelu relie ramp plse "
    "hardtan lhtan".split()
)
# Names of other programs. Their h_swish is none of darknet's activations.
_OTHER_NAMES = {"silu": "swish", "none": "linear", "sigmoid": "logistic", "lrelu": "leaky"}
_TRAINING = tuple(
    "cls_normalizer delta_normalizer focal_loss ignore_thresh iou_loss iou_normalizer iou_thresh "
    "iou_thresh_kind label_smooth_eps max_delta obj_normalizer objectness_smooth truth_thresh".split()
)


def _convolution(shape_of: ShapeOf, index: int, section: Section) -> Layer:
    source = shape_of(index - 1)
    filters, kernel = section.get_int("filters", least=1), section.get_int("size", least=1)
    groups = section.get_int("groups", 1, least=1)
    padding = section.get_int("padding", 0, least=0)
    if section.get_int("pad", 0):
        padding = kernel // 2
    dilation = section.get_int("dilation", 1, least=1)
    dilation = dilation if kernel > 1 else 1
    for channels in (source.channels, filters):
        if channels % groups:
            raise section.error(f"groups={groups}: does not divide {channels} channels", "groups")
    stride_hw = _stride_hw(section, default=1)
    reach = (kernel - 1) * dilation + 1
    size = _size(section, source, reach, stride_hw, 2 * padding * dilation)
    normalized = bool(section.get_int("batch_normalize", 0)) | bool(section.get_int("cbn", 0))
    return Convolution(
        index,
        section,
        (index - 1,),
        Shape(filters, *size),
        source.channels,
        kernel,
        stride_hw,
        padding * dilation,
        dilation,
        groups,
        normalized,
        _activation(section),
    )


def _maxpool(shape_of: ShapeOf, index: int, section: Section) -> Layer:
    source, stride_hw = shape_of(index - 1), _stride_hw(section)
    kernel = section.get_int("size", max(stride_hw), least=1)
    padding = section.get_int("padding", kernel - 1, least=0)
    if (padding + 1) // 2 >= kernel and padding:
        raise section.error(f"padding={padding}: leaves windows of {kernel} cells without a value", "padding")
    size = _size(section, source, kernel, stride_hw, padding)
    return MaxPool(index, section, (index - 1,), Shape(source.channels, *size), kernel, stride_hw, padding)


def _avgpool(shape_of: ShapeOf, index: int, section: Section) -> Layer:
    return AvgPool(index, section, (index - 1,), Shape(shape_of(index - 1).channels, 1, 1))


def _upsample(shape_of: ShapeOf, index: int, section: Section) -> Layer:
    source, factor = shape_of(index - 1), section.get_int("stride", 2, least=1)
    output = Shape(source.channels, source.height * factor, source.width * factor)
    return Upsample(index, section, (index - 1,), output, factor)


def _route(shape_of: ShapeOf, index: int, section: Section) -> Layer:
    inputs = _references(section, "layers", index)
    groups, group_id = section.get_int("groups", 1, least=1), section.get_int("group_id", 0, least=0)
    shapes = [shape_of(source) for source in inputs]
    _check_same_size(section, "layers", shapes)
    if group_id >= groups or any(shape.channels % groups for shape in shapes):
        channels = ", ".join(str(shape.channels) for shape in shapes)
        raise section.error(
            f"groups={groups}, group_id={group_id}: do not suit {channels} channels", "groups"
        )
    total = sum(shape.channels for shape in shapes) // groups
    output = dataclasses.replace(shapes[0], channels=total)
    return Route(index, section, inputs, output, groups, group_id)


def _shortcut(shape_of: ShapeOf, index: int, section: Section) -> Layer:
    kind = section.get_text("weights_type", "none")
    if kind != "none":
        raise section.error(f"weights_type={kind}: is not supported here", "weights_type")
    inputs = (index - 1, *_references(section, "from", index))
    _check_same_size(section, "from", [shape_of(source) for source in inputs])
    return Shortcut(index, section, inputs, shape_of(index - 1), _activation(section))


def _scale_channels(shape_of: ShapeOf, index: int, section: Section) -> Layer:
    return _scale(shape_of, index, section, per_channel=True)


def _sam(shape_of: ShapeOf, index: int, section: Section) -> Layer:
    return _scale(shape_of, index, section, per_channel=False)


def _scale(shape_of: ShapeOf, index: int, section: Section, per_channel: bool) -> Layer:
    (source,) = _references(section, "from", index)
    factor, scaled = shape_of(index - 1), shape_of(source)
    if factor != (Shape(scaled.channels, 1, 1) if per_channel else scaled):
        raise section.error(f"from={section.get_text('from')}: {factor} does not scale {scaled}", "from")
    return Scale(index, section, (index - 1, source), scaled, _activation(section, "linear"))


def _dropout(shape_of: ShapeOf, index: int, section: Section) -> Layer:
    rate = section.get_float("probability", 0.2)
    if not 0 <= rate < 1:
        raise section.error(f"probability={rate}: expected from 0 to under 1", "probability")
    return Dropout(index, section, (index - 1,), shape_of(index - 1), rate)


def _empty(shape_of: ShapeOf, index: int, section: Section) -> Layer:
    return Route(index, section, (index - 1,), shape_of(index - 1), 1, 0)


def _yolo(shape_of: ShapeOf, index: int, section: Section) -> Layer:
    training = {key: section.get_text(key) for key in _TRAINING if key in section}
    return Yolo(
        index,
        section,
        (index - 1,),
        shape_of(index - 1),
        _anchors(section),
        section.get_int("classes", least=1),
        section.get_float("scale_x_y", 1.0),
        bool(section.get_int("new_coords", 0)),
        training,
    )


MAKERS: dict[str, Callable[[ShapeOf, int, Section], Layer]] = {
    "convolutional": _convolution,
    "maxpool": _maxpool,
    "avgpool": _avgpool,
    "upsample": _upsample,
    "route": _route,
    "shortcut": _shortcut,
    "scale_channels": _scale_channels,
    "sam": _sam,
    "dropout": _dropout,
    "empty": _empty,
    "yolo": _yolo,
}


def _anchors(section: Section) -> tuple[tuple[float, float], ...]:
    """Return the anchors that a head's mask selects; without a mask all of them, as darknet does."""
    num, numbers = section.get_int("num", least=1), section.get_floats("anchors")
    if len(numbers) != 2 * num:
        pairs = f"; {len(numbers)} numbers are num={len(numbers) // 2}" if len(numbers) % 2 == 0 else ""
        line = section.entries["num"].line
        raise section.error(
            f"anchors: {len(numbers)} numbers, where num={num} on line {line} wants {2 * num}{pairs}",
            "anchors",
        )
    mask = section.get_ints("mask") if "mask" in section else range(num)
    if not all(0 <= anchor < num for anchor in mask):
        line = section.entries["num"].line
        raise section.error(
            f"mask={section.get_text('mask')}: expected anchors from 0 to {num - 1}, as num={num} on line "
            f"{line} says",
            "mask",
        )
    chosen = tuple((numbers[2 * anchor], numbers[2 * anchor + 1]) for anchor in mask)
    if not all(width > 0 and height > 0 for width, height in chosen):
        text = ",".join(f"{side:g}" for pair in chosen for side in pair)
        raise section.error(f"anchors: {text}, which the mask chooses: expected sides above 0", "anchors")
    return chosen


def _stride_hw(section: Section, default: int | None = None) -> tuple[int, int]:
    """Return the strides. Without a default a key is required: darknet's and OpenCV's defaults differ."""
    across, down = section.get_int("stride_x", 0), section.get_int("stride_y", 0)
    both = section.get_int("stride", 1 if across > 0 and down > 0 else default, least=1)
    return (down if down > 0 else both, across if across > 0 else both)


def _activation(section: Section, default: str | None = None) -> str:
    """Return a section's activation. Without a default it is required: darknet's and OpenCV's differ."""
    name = section.get_text("activation", default)
    if name not in ACTIVATIONS:
        known = ", ".join(ACTIVATIONS)
        near = difflib.get_close_matches(name, ACTIVATIONS, n=1, cutoff=0.8) if "swish" not in name else []
        guess = _OTHER_NAMES.get(name) or next(iter(near), None)
        hint = f" (did you mean {guess}?)" if guess else ""
        raise section.error(f"activation={name}: unknown{hint}; known are {known}", "activation")
    return name


def _references(section: Section, key: str, index: int) -> tuple[int, ...]:
    """Return the layers that a key lists: from the first layer if 0 or more, else relative to this one."""
    found = tuple(number if number >= 0 else index + number for number in section.get_ints(key))
    if not all(0 <= layer < index for layer in found):
        value = section.get_text(key)
        raise section.error(f"{key}={value}: this is layer {index}, and only earlier ones can be named", key)
    return found


def _check_same_size(section: Section, key: str, shapes: list[Shape]) -> None:
    if len({(shape.height, shape.width) for shape in shapes}) > 1:
        sizes = ", ".join(str(shape) for shape in shapes)
        raise section.error(f"{key}={section.get_text(key)}: joins maps of different sizes, {sizes}", key)


def _size(
    section: Section, source: Shape, kernel: int, stride_hw: tuple[int, int], padding: int
) -> tuple[int, int]:
    """Return height and width of a convolution's or pool's output, with darknet's rounding."""
    sides = zip((source.height, source.width), stride_hw)
    height, width = ((side + padding - kernel) // stride + 1 for side, stride in sides)
    if min(height, width) < 1:
        raise section.error(f"size={kernel}: is larger than the padded map, {source}", "size")
    return height, width
