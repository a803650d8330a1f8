"""Plans: the sections of a cfg as layers, with every channel, size and reference checked."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Sequence

from gluon_yolo.errors import UserError
from gluon_yolo.models import size_limits
from gluon_yolo.models.darknet import head_keys, input_sizes, keys
from gluon_yolo.models.darknet.cfg import Cfg
from gluon_yolo.models.darknet.layers import IMAGE, Convolution, Layer, Shape, Yolo
from gluon_yolo.models.darknet.parse import MAKERS
from gluon_yolo.models.darknet.section import Section

_ALIASES = {"conv": "convolutional", "max": "maxpool", "avg": "avgpool", "silence": "empty"}


@dataclasses.dataclass(frozen=True)
class Plan:
    """The layers of a darknet network.

    Args:
        cfg: its source.
        image: shape of the input, from ``[net]``.
        layers: by darknet's index.
        idle: keys in the cfg that do not change the result, each once.
        letterbox: whether images are resized with their aspect ratio kept; else they are stretched.
        divisor: sides of the input must be multiples of it, so that all maps fit each other.
    """

    cfg: Cfg
    image: Shape
    layers: tuple[Layer, ...]
    idle: tuple[str, ...]
    letterbox: bool
    divisor: int = 1

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """The layers that have weights, in the order of a weights file."""
        return tuple(layer for layer in self.layers if isinstance(layer, Convolution))

    @property
    def heads(self) -> tuple[Yolo, ...]:
        """The ``[yolo]`` layers by ascending stride."""
        heads = [layer for layer in self.layers if isinstance(layer, Yolo)]
        return tuple(sorted(heads, key=lambda head: -head.output.height * head.output.width))

    def shape(self, index: int) -> Shape:
        """Return the shape of a layer's output, or of the image."""
        return self.image if index == IMAGE else self.layers[index].output


def make_plan(cfg: Cfg) -> Plan:
    """Turn a cfg into a plan.

    Raises:
        UserError: with file and line: a section or key is unknown, a value is invalid, the input size does
            not suit the network, a referenced layer does not exist, maps do not fit each other, or the
            network does not end in ``[yolo]``.
    """
    _check_kinds(cfg.sections[1:])
    plan, error = _planned(cfg.replaced(()))
    side = str(input_sizes.TRIAL)
    trial, _ = _planned(cfg.replaced([(0, {"width": side, "height": side})]), is_trial=True)
    divisor = input_sizes.divisor(trial.layers)
    # A plan that gets further at another size fails because of its size, whatever its own error says.
    if error is None or len(trial.layers) > len(plan.layers):
        input_sizes.check_sides(plan.cfg.sections[0], divisor)
    if error is not None:
        raise error
    return dataclasses.replace(plan, divisor=divisor)


def _check_kinds(sections: Sequence[Section]) -> None:
    """Raise a UserError with all sections whose kind is not supported."""
    unknown = {section.name: section for section in reversed(sections) if _kind(section) not in MAKERS}
    if unknown:
        first, *others = sorted(unknown.values(), key=lambda section: section.line)
        near = difflib.get_close_matches(first.name.lower(), [*MAKERS, *_ALIASES], n=1, cutoff=0.8)
        guess = f" (did you mean [{near[0]}]?)" if near else ""
        also = ", ".join(f"[{section.name}] on line {section.line}" for section in others)
        raise first.error(
            f"is a section that is not supported here{guess}{f', as is {also}' if also else ''}; supported "
            f"are {', '.join(MAKERS)}"
        )


def _kind(section: Section) -> str:
    """Return darknet's full name of a section."""
    return _ALIASES.get(section.name, section.name)


def _planned(cfg: Cfg, is_trial: bool = False) -> tuple[Plan, UserError | None]:
    """Return a cfg's plan; on an error the plan of the layers before it, and the error.

    Args:
        cfg: the network.
        is_trial: whether its input is of a size that nobody computes it at.
    """
    net, *sections = cfg.sections
    plan = Plan(cfg, _image(net), (), (), bool(net.get_int("letter_box", 0)))
    idle: dict[str, None] = {}
    parameters = 0
    try:
        idle.update(dict.fromkeys(keys.finish(net, "net")))
        for index, section in enumerate(sections):
            kind = _kind(section)
            layer = MAKERS[kind](plan.shape, index, section)
            _check_inputs(plan, layer)
            parameters += _parameters(layer, parameters)
            problem = size_limits.values_problem(dataclasses.astuple(layer.output))
            if problem and not is_trial:
                raise section.error(problem)
            if isinstance(layer, Yolo):
                head_keys.check_channels(plan.layers, layer)
            idle.update(dict.fromkeys(keys.finish(section, kind)))
            plan = dataclasses.replace(plan, layers=(*plan.layers, layer))
        _check_end(plan)
    except UserError as error:
        return plan, error
    return dataclasses.replace(plan, idle=tuple(idle)), None


def _image(net: Section) -> Shape:
    shape = Shape(net.get_int("channels", 3), net.get_int("height", least=1), net.get_int("width", least=1))
    if shape.channels != 3:
        raise net.error(f"channels={shape.channels}: only colour pictures (3) are supported here", "channels")
    return shape


def _parameters(layer: Layer, before: int) -> int:
    """Return the number of a layer's parameters.

    Raises:
        UserError: with those before it, there are more than a network may have.
    """
    weights: list[tuple[int, ...]] = []
    if isinstance(layer, Convolution):
        weights = [layer.weight_shape, (4 if layer.normalized else 1, layer.output.channels)]
    problem = size_limits.parameters_problem(weights, before)
    if problem:
        raise layer.section.error(problem, "filters")
    return sum(map(math.prod, weights))


def _check_inputs(plan: Plan, layer: Layer) -> None:
    """Raise a UserError when a layer reads a head, whose output is no map."""
    for source in layer.inputs:
        if source != IMAGE and isinstance(plan.layers[source], Yolo):
            line = plan.layers[source].section.line
            raise layer.section.error(f"reads the [yolo] on line {line}, whose output is no map")


def _check_end(plan: Plan) -> None:
    """Raise a UserError unless the last section is a head and all heads have the same box coding keys."""
    last = plan.cfg.sections[-1]
    if last.name != "yolo":
        raise last.error("is the last section, where a detector ends in [yolo]; is the file cut short?")
    for key in ("scale_x_y", "new_coords"):
        having = [head.section for head in plan.heads if key in head.section]
        if having and key not in last:
            raise last.error(f"has no {key}, as line {having[0].line} has; is the file cut short?")
    head_keys.check_classes([layer for layer in plan.layers if isinstance(layer, Yolo)])
