"""Caffe's binary files (``.caffemodel``), read and written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gluon_yolo.caffe.messages import message_class
from gluon_yolo.caffe.text import OLD_LAYERS
from gluon_yolo.errors import UserError


def read(path: Path) -> Any:
    """Read a ``.caffemodel``.

    Returns:
        A NetParameter whose layers have blobs. Fields that are not known here are passed over.

    Raises:
        UserError: the file cannot be read, is not a network, or has layers of Caffe's first kind.
        MissingDependency: protobuf is not installed.
    """
    net = message_class("NetParameter")()
    from google.protobuf.message import DecodeError

    try:
        net.ParseFromString(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    except DecodeError as error:
        raise UserError(f"{path}: not a caffemodel, or damaged: {error}; copy it again") from error
    if net.layers:
        raise UserError(f'{path}: layer "{net.layers[0].name}" {OLD_LAYERS.replace("_text", "_binary")}')
    if not net.layer:
        raise UserError(f"{path}: not a caffemodel, or damaged: it has no layers; copy it again")
    return net


def write(net: Any) -> bytes:
    """Return a NetParameter, with the layers' blobs, as the bytes of a ``.caffemodel``."""
    return net.SerializeToString(deterministic=True)
