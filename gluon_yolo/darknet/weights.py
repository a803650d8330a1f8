"""Weights: a darknet ``.weights`` file as arrays by layer, and back to the same bytes.

A file is a header and float32 numbers, least byte first. Each convolutional layer, in the cfg's order, has
its bias, with batch norm (where the bias is beta) gamma, mean and variance, and then the kernel. A partial
file (``*.conv.57``, ``darknet53.conv.74``) ends after some layer.
"""

from __future__ import annotations

import dataclasses
import math
import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gluon_yolo.darknet.layers import Convolution
from gluon_yolo.darknet.plan import Plan
from gluon_yolo.errors import UserError

ROUNDING = 1e-6
NEWEST = 9999  # far above every version's number, and far below what four letters of a text make
_FLOAT = np.dtype("<f4")


@dataclasses.dataclass(frozen=True)
class Header:
    """The head of the file.

    Args:
        major: of the format's version.
        minor: likewise; from version 0.2 on, ``seen`` takes 64 bits instead of 32.
        revision: likewise.
        seen: pictures that training has seen.
    """

    major: int = 0
    minor: int = 2
    revision: int = 5
    seen: int = 0

    @property
    def is_wide(self) -> bool:
        """Whether ``seen`` takes 64 bits."""
        return self.major * 10 + self.minor >= 2 and self.major < 1000 and self.minor < 1000

    def to_bytes(self) -> bytes:
        """Return the header as it stands in the file."""
        kind = "Q" if self.is_wide else "I"
        return struct.pack(f"<iii{kind}", self.major, self.minor, self.revision, self.seen)

    @classmethod
    def from_bytes(cls, data: bytes) -> Header:
        """Read a header from the beginning of a file.

        Raises:
            struct.error: there are too few bytes.
        """
        header = cls(*struct.unpack_from("<iii", data))
        (seen,) = struct.unpack_from("<Q" if header.is_wide else "<I", data, 12)
        return dataclasses.replace(header, seen=seen)


@dataclasses.dataclass(frozen=True)
class LayerWeights:
    """The numbers of one convolutional layer, float32.

    Args:
        bias: (O,), added behind the kernel or, as beta, behind batch norm.
        kernel: (O, I / groups, k, k).
        gamma: (O,) of batch norm, None without.
        mean: (O,) likewise.
        variance: (O,) likewise.
    """

    bias: np.ndarray
    kernel: np.ndarray
    gamma: np.ndarray | None = None
    mean: np.ndarray | None = None
    variance: np.ndarray | None = None

    def to_bytes(self) -> bytes:
        """Return the numbers as they stand in the file."""
        norm = (self.gamma, self.mean, self.variance)
        arrays = [self.bias, *(array for array in norm if array is not None), self.kernel]
        return b"".join(np.ascontiguousarray(array, _FLOAT).tobytes() for array in arrays)


@dataclasses.dataclass(frozen=True)
class Weights:
    """A file's content.

    Args:
        header: its head.
        layers: by darknet's index of the layer; of a partial file the first layers.
        whole: whether every layer of the cfg is there.
    """

    header: Header
    layers: Mapping[int, LayerWeights]
    whole: bool

    def __str__(self) -> str:
        """Say how far they go."""
        extent = "all" if self.whole else f"layers 0 to {max(self.layers)}, a partial file:"
        return f"{extent} {len(self.layers)} convolutional layers, {self.header.seen} pictures seen"

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the file.

        Raises:
            UserError: it cannot be written.
        """
        parts = [self.header.to_bytes(), *(self.layers[index].to_bytes() for index in sorted(self.layers))]
        try:
            Path(path).write_bytes(b"".join(parts))
        except OSError as error:
            raise UserError(f"{os.fspath(path)}: cannot be written ({error.strerror or error})") from error


@dataclasses.dataclass(frozen=True)
class LayerShape:
    """What a file holds of a layer, and what the layer is called in messages.

    Args:
        index: darknet's of the layer.
        kernel: output channels, input channels of a group, height and width.
        normalized: whether it has batch norm.
        name: where it stands.
    """

    index: int
    kernel: tuple[int, int, int, int]
    normalized: bool
    name: str

    @property
    def count(self) -> int:
        """How many numbers the file has of it."""
        return (4 if self.normalized else 1) * self.kernel[0] + math.prod(self.kernel)

    def cut(self, numbers: np.ndarray) -> LayerWeights:
        """Turn the layer's numbers into its arrays."""
        length = len(numbers) - math.prod(self.kernel)
        bias, *norm = numbers[:length].reshape(-1, self.kernel[0])
        return LayerWeights(bias, numbers[length:].reshape(self.kernel), *norm)


def read_weights(path: str | os.PathLike[str], plan: Plan) -> Weights:
    """Read a weights file, whole or partial.

    Raises:
        UserError: as :func:`read_numbers` and :func:`cut_layers` do.
    """
    header, numbers = read_numbers(path)
    shapes = [_shape(layer) for layer in plan.convolutions]
    layers = cut_layers(path, numbers, shapes, plan.cfg.path)
    return Weights(header, layers, whole=len(layers) == len(shapes))


def read_numbers(path: str | os.PathLike[str]) -> tuple[Header, bytes]:
    """Return a weights file's header, and the bytes of the numbers behind it.

    Raises:
        UserError: it cannot be read, or is shorter than a header.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{os.fspath(path)}: cannot be read ({error.strerror or error})") from error
    try:
        header = Header.from_bytes(data)
    except struct.error:
        raise UserError(
            f"{os.fspath(path)}: {len(data)} bytes are too few for a darknet weights file"
        ) from None
    if not all(0 <= part <= NEWEST for part in (header.major, header.minor, header.revision)):
        raise UserError(
            f"{os.fspath(path)}: is no darknet weights file: it does not begin with a version; "
            "its name usually ends in .weights"
        )
    return header, data[len(header.to_bytes()) :]


def cut_layers(
    path: str | os.PathLike[str], data: bytes, shapes: Sequence[LayerShape], network: str
) -> dict[int, LayerWeights]:
    """Cut a file's numbers into layers by their index, as far as they go.

    Args:
        path: of the file, for messages.
        data: its numbers.
        shapes: of the layers that it may hold, in its order.
        network: whose layers they are, for messages.

    Raises:
        UserError: the file ends within a layer, goes on behind the last one, holds none, or its numbers
            cannot be weights.
    """
    path, place = os.fspath(path), 0
    layers: dict[int, LayerWeights] = {}
    for shape in shapes:
        if place == len(data):
            break
        wanted = _FLOAT.itemsize * shape.count
        if len(data) - place < wanted:
            raise _too_short(path, shape, wanted, len(data) - place)
        numbers = np.frombuffer(data, _FLOAT, shape.count, place)
        layers[shape.index] = _checked(path, shape, shape.cut(numbers))
        place += wanted
    if place < len(data):
        raise UserError(
            f"{path}: goes on for {len(data) - place} bytes after the last layer of {network}: "
            "these are the weights of another cfg"
        )
    if not layers:
        raise UserError(f"{path}: holds a header and no weights")
    return layers


def _shape(layer: Convolution) -> LayerShape:
    name = f"[{layer.section.name}] on line {layer.section.line} of {layer.section.path}"
    return LayerShape(layer.index, layer.weight_shape, layer.normalized, name)


def _checked(path: str, shape: LayerShape, found: LayerWeights) -> LayerWeights:
    """Return weights that can be such, as those of another cfg seldom can.

    Raises:
        UserError: a number is not finite, or a variance negative by more than cuDNN's rounding.
    """
    arrays = (found.bias, found.kernel, found.gamma, found.mean, found.variance)
    finite = all(np.isfinite(array).all() for array in arrays if array is not None)
    if not finite or (found.variance is not None and (found.variance < -ROUNDING).any()):
        what = "a negative variance" if finite else "numbers that are not finite"
        raise UserError(
            f"{path}: layer {shape.index}, the {shape.name}, would have {what}: "
            "these are the weights of another cfg, or damaged"
        )
    return found


def _too_short(path: str, shape: LayerShape, wanted: int, there: int) -> UserError:
    return UserError(
        f"{path}: ends within layer {shape.index}, the {shape.name}: "
        f"it wants {wanted} bytes, {there} are there; the file is cut short, or of another cfg"
    )
