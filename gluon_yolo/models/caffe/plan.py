"""Plan: the layers of a prototxt in order, with their shapes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gluon_yolo.caffe import text
from gluon_yolo.errors import UserError
from gluon_yolo.models import size_limits
from gluon_yolo.models.caffe.layers import READERS, Layer, Shape, Unreadable

_TEST = 1  # Caffe's phase of a network in use
_CHANNELS = 3
IGNORED = ("Split",)  # Caffe's own copies of a blob with several readers
INPUTS = ("Input",)


@dataclasses.dataclass(frozen=True)
class Plan:
    """A network of one image and one output.

    Args:
        path: of the prototxt.
        source: its text.
        size_hw: height and width of the input in pixels.
        input: name of the input blob.
        layers: in the order of computation.
    """

    path: Path
    source: str
    size_hw: tuple[int, int]
    input: str
    layers: tuple[Layer, ...]

    @property
    def output(self) -> Layer:
        """The last layer, whose output nothing reads."""
        return self.layers[-1]

    @property
    def first(self) -> tuple[Layer, ...]:
        """The layers that read the input."""
        return tuple(layer for layer in self.layers if self.input in layer.inputs)


def make_plan(path: Path) -> Plan:
    """Read a prototxt and check that its layers are known and fit each other.

    Raises:
        UserError: the file cannot be read, or a layer, a parameter or a shape is not read here. The message
            names the layer.
        MissingDependency: protobuf is not installed.
    """
    return _Reading(path).plan()


class _Reading:
    """A prototxt while it is read: by blob, the layer that wrote it last, for layers in place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.net = text.read(path)
        self.shapes: dict[str, Shape] = {}  # by layer
        self.writer: dict[str, str] = {}  # by blob
        self.unread: dict[str, str] = {}  # the last writer's blob, by layer, until it is read
        self.layers: list[Layer] = []
        self.parameters = 0

    def plan(self) -> Plan:
        """Read the inputs, then layer by layer."""
        entry = self._entry()
        for layer in self.net.layer:
            if layer.type in INPUTS or not _in_use(layer):
                continue
            if layer.type in IGNORED:
                (source,) = self._sources(layer)
                self.writer.update(dict.fromkeys(layer.top, source))
                continue
            self._add(layer)
        if len(self.unread) != 1 or not self.layers or self.layers[-1].name not in self.unread:
            raise UserError(
                f"{self.path}: expected one output, by the last layer; what no layer reads is "
                f"{', '.join(self.unread.values()) or 'nothing'}"
            )
        height, width = self.shapes[entry][1:]
        source = self.path.read_text(encoding="utf-8")
        return Plan(self.path, source, (height, width), entry, tuple(self.layers))

    def _add(self, layer: Any) -> None:
        if layer.type not in READERS:
            known = ", ".join((*INPUTS, *READERS, *IGNORED))
            raise self._wrong(layer, f"layers of this type are not read here; {known} are")
        read, parameters, most = READERS[layer.type]
        for field, _ in layer.ListFields():
            if field.name.endswith("_param") and field.name != parameters:
                raise self._wrong(layer, f"{field.name} is no parameter of this type")
        if any(spec.name for spec in layer.param):
            raise self._wrong(layer, "weights that layers share by a name are not read here")
        if layer.name in self.shapes:
            raise self._wrong(layer, "the name is taken; weights are found by it")
        if not 1 <= len(layer.bottom) <= most or len(layer.top) != 1:
            raise self._wrong(layer, f"has {len(layer.bottom)} bottoms and {len(layer.top)} tops")
        inputs = self._sources(layer)
        try:
            values, shape, weights = read(layer, [self.shapes[name] for name in inputs])
        except Unreadable as error:
            raise self._wrong(layer, str(error)) from None
        if min(shape) < 1:
            raise self._wrong(layer, f"its output has the shape {'x'.join(map(str, shape))}")
        problem = size_limits.parameters_problem(weights, self.parameters) or size_limits.values_problem(
            shape
        )
        if problem:
            raise self._wrong(layer, problem)
        self.parameters += sum(map(math.prod, weights))
        self.layers.append(Layer(layer.name, layer.type, inputs, values, shape, weights))
        self.shapes[layer.name] = shape
        self.writer[layer.top[0]] = layer.name
        for name in inputs:
            self.unread.pop(name, None)
        self.unread[layer.name] = layer.top[0]

    def _sources(self, layer: Any) -> tuple[str, ...]:
        lost = [blob for blob in layer.bottom if blob not in self.writer]
        if lost:
            raise self._wrong(layer, f"reads {lost[0]}, which no layer before it gives")
        return tuple(self.writer[blob] for blob in layer.bottom)

    def _entry(self) -> str:
        """Enter the network's input, and return the name of its blob."""
        found = list(self._inputs())
        if len(found) != 1:
            raise UserError(
                f"{self.path}: expected one input, an Input layer with its shape, and found {len(found)}"
            )
        name, dims = found[0]
        if len(dims) != 4 or dims[1] != _CHANNELS or min(dims) < 1:
            raise UserError(
                f"{self.path}: input {name} has the shape {'x'.join(map(str, dims)) or 'of nothing'}, "
                f"expected 1x{_CHANNELS}xHxW"
            )
        self.writer[name] = name
        self.shapes[name] = (int(dims[1]), int(dims[2]), int(dims[3]))
        return name

    def _inputs(self) -> Iterator[tuple[str, list[int]]]:
        """Yield name and shape of each input: of Input layers, and of a text's head as Caffe once had it."""
        for number, name in enumerate(self.net.input):
            if self.net.input_shape:
                yield (
                    name,
                    list(self.net.input_shape[number].dim) if number < len(self.net.input_shape) else [],
                )
            else:
                yield name, list(self.net.input_dim[4 * number : 4 * number + 4])
        for layer in self.net.layer:
            if layer.type in INPUTS and _in_use(layer):
                shapes = layer.input_param.shape
                for number, name in enumerate(layer.top):
                    yield name, list(shapes[min(number, len(shapes) - 1)].dim) if shapes else []

    def _wrong(self, layer: Any, problem: str) -> UserError:
        return UserError(f'{self.path}: layer "{layer.name}" ({layer.type or "without a type"}): {problem}')


def _in_use(layer: Any) -> bool:
    """Return whether a layer is part of the network in use, and not of its training alone."""
    included = [rule.phase == _TEST or not rule.HasField("phase") for rule in layer.include]
    excluded = [rule.phase == _TEST for rule in layer.exclude if rule.HasField("phase")]
    return (any(included) or not included) and not any(excluded)
