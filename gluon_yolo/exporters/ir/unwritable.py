"""Steps of an InferenceGraph that a format has no operator for, and the error that names them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from gluon_yolo.errors import SettingError
from gluon_yolo.exporters.ir.graph import Node


class Unwritable(Exception):
    """A format has no operator for a step; the message tells why."""


@contextlib.contextmanager
def naming(node: Node, target: str) -> Iterator[None]:
    """Turn Unwritable into an error that names the step.

    Args:
        node: the step that is written.
        target: name of what the format is for.

    Raises:
        SettingError: the block raised Unwritable.
    """
    try:
        yield
    except Unwritable as problem:
        raise SettingError(
            f"operator {node.op} ({node.name}) cannot be written for {target}: {problem}; "
            "export the network with {format} onnx or symbol"
        ) from None
