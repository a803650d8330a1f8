"""Plan: the sections of a cfg as layers, with every channel, size and reference checked."""

from __future__ import annotations

import dataclasses

from gluon_yolo.darknet import keys
from gluon_yolo.darknet.cfg import Cfg, Section
from gluon_yolo.darknet.layers import PICTURE, Convolution, Layer, Shape, Yolo
from gluon_yolo.darknet.sections import MAKERS

_ALIASES = {"conv": "convolutional", "max": "maxpool", "avg": "avgpool"}


@dataclasses.dataclass(frozen=True)
class Plan:
    """A darknet network, ready to be built.

    Args:
        cfg: where it comes from.
        picture: shape of the input as ``[net]`` says it.
        layers: by darknet's index.
        idle: keys in the cfg that do not change the result, without repetition.
        letterbox: whether pictures keep their proportions within the input; else they are stretched to it.
    """

    cfg: Cfg
    picture: Shape
    layers: tuple[Layer, ...]
    idle: tuple[str, ...]
    letterbox: bool

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """The layers that hold weights, in the order of a weights file."""
        return tuple(layer for layer in self.layers if isinstance(layer, Convolution))

    @property
    def heads(self) -> tuple[Yolo, ...]:
        """The ``[yolo]`` layers by ascending stride."""
        heads = [layer for layer in self.layers if isinstance(layer, Yolo)]
        return tuple(sorted(heads, key=lambda head: -head.output.height * head.output.width))

    def shape(self, index: int) -> Shape:
        """Return the shape of a layer's output, or of the picture."""
        return self.picture if index == PICTURE else self.layers[index].output


def make_plan(cfg: Cfg) -> Plan:
    """Turn a cfg into layers.

    Raises:
        UserError: with file and line, for an unknown section or key, a value that makes no sense, a reference
            to a layer that is not there, maps that do not fit each other, or a network that does not end in
            ``[yolo]``.
    """
    cfg = cfg.replaced(())  # sections that nobody has read from yet
    net, *sections = cfg.sections
    plan = Plan(cfg, _picture(net), (), (), bool(net.get_int("letter_box", 0)))
    idle = dict.fromkeys(keys.finish(net, "net"))
    for index, section in enumerate(sections):
        kind = _ALIASES.get(section.name, section.name)
        if kind not in MAKERS:
            known = ", ".join(MAKERS)
            raise section.error(f"is a section that is not supported here; supported are {known}")
        layer = MAKERS[kind](plan.shape, index, section)
        _check_inputs(plan, layer)
        idle.update(dict.fromkeys(keys.finish(section, kind)))
        plan = dataclasses.replace(plan, layers=(*plan.layers, layer))
    _check_end(plan)
    return dataclasses.replace(plan, idle=tuple(idle))


def _picture(net: Section) -> Shape:
    shape = Shape(net.get_int("channels", 3), net.get_int("height", least=1), net.get_int("width", least=1))
    if shape.channels != 3:
        raise net.error(f"channels={shape.channels}: only colour pictures (3) are supported here", "channels")
    return shape


def _check_inputs(plan: Plan, layer: Layer) -> None:
    """Raise UserError when a layer reads a head, which gives detections and no map."""
    for source in layer.inputs:
        if source != PICTURE and isinstance(plan.layers[source], Yolo):
            line = plan.layers[source].section.line
            raise layer.section.error(f"reads the [yolo] on line {line}, whose output is no map")


def _check_end(plan: Plan) -> None:
    """Raise UserError unless the last section is a head, and all heads know the same keys of weight."""
    last = plan.cfg.sections[-1]
    if last.name != "yolo":
        raise last.error("is the last section, where a detector ends in [yolo]; is the file cut short?")
    for key in ("scale_x_y", "new_coords"):
        having = [head.section for head in plan.heads if key in head.section]
        if having and key not in last:
            raise last.error(f"has no {key}, as line {having[0].line} has; is the file cut short?")
    counts = {head.num_classes for head in plan.heads}
    if len(counts) > 1:
        raise last.error(f"classes: the [yolo] sections disagree, {sorted(counts)}", "classes")
