"""Caffe's text files (``.prototxt``), read and written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gluon_yolo.caffe.messages import message_class
from gluon_yolo.errors import UserError

OLD_LAYERS = (
    "has Caffe's first kind of layers (`layers`); Caffe's upgrade_net_proto_text writes the kind of today"
)
_LONGEST = 200  # letters of protobuf's reason in a message
_TOKEN = re.compile(r"""#[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[A-Za-z_]\w*|[{}<>\n]|[^\s{}<>]""")


class _Block(NamedTuple):
    """A message at the top of a text: its field, its lines counted from 1, its own name and type."""

    field: str
    first: int
    last: int
    name: str
    kind: str

    def __str__(self) -> str:
        return f'layer "{self.name}"' + (f" ({self.kind})" if self.kind else "")


def read(path: Path) -> Any:
    """Read a ``.prototxt``.

    Returns:
        A NetParameter.

    Raises:
        UserError: the file cannot be read, is not a network's text, has fields that BVLC's Caffe lacks or
            that no layer here has, or has layers of Caffe's first kind. The message has the line, and the
            layer's name.
        MissingDependency: protobuf is not installed.
    """
    net = message_class("NetParameter")()
    try:
        text = path.read_bytes().decode()
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a prototxt: it is not text. The caffemodel comes second") from error
    blocks = list(_blocks(text))
    for block in blocks:
        if block.field == "layers":
            raise UserError(f"{path}:{block.first}: {block} {OLD_LAYERS}")
    from google.protobuf import text_format

    try:
        text_format.Parse(text, net)
    except text_format.ParseError as error:
        line = error.GetLine() or 1
        around = next((block for block in blocks if block.first <= line <= block.last), None)
        place = f"{around}: " if around is not None and around.field == "layer" else ""
        raise UserError(f"{path}:{line}: {place}{_reason(str(error))}") from error
    return net


def write(net: Any) -> str:
    """Return a NetParameter as the text of a ``.prototxt``, without the layers' blobs."""
    from google.protobuf import text_format

    bare = message_class("NetParameter")()
    _copy(net, bare, "layer")
    for layer in net.layer:  # one by one: a copy of all blobs would take their memory twice
        _copy(layer, bare.layer.add(), "blobs")
    return text_format.MessageToString(bare)


def _copy(message: Any, other: Any, left_out: str) -> None:
    """Copy a message's fields to an empty one, but for one field."""
    for field, value in message.ListFields():
        if field.name == left_out:
            continue
        if hasattr(value, "MergeFrom"):  # a message, or a field of several values
            getattr(other, field.name).MergeFrom(value)
        else:
            setattr(other, field.name, value)


def _reason(error: str) -> str:
    """Return why protobuf does not read a text: without its own line and column, in Caffe's words."""
    reason = re.sub(r"^\d+:\d+ : ", "", error.strip())
    reason = re.sub(r"^'.*': (?=\S)", "", reason, flags=re.DOTALL)
    unknown = re.match(r'Message type "caffe\.(\w+)" has no field named "(\w+)"', reason)
    if unknown is None:
        return reason.splitlines()[0][:_LONGEST]
    message, field = unknown.groups()
    return f"{field[:_LONGEST]} is no field of {message} that is read here"


def _blocks(text: str) -> Iterator[_Block]:
    """Find the messages at the top of a text: also of one that protobuf refuses, to name the layer."""
    line, depth, field, first = 1, 0, "", 1
    before = ["", ""]  # the two last words
    found = {"name": "", "type": ""}
    for token in _TOKEN.findall(text):
        if token == "\n":
            line += 1
            continue
        if token.startswith("#") or token == ":":
            continue
        if token in "{<":
            depth += 1
            if depth == 1:
                field, first, found = before[-1], line, {"name": "", "type": ""}
        elif token in "}>":
            depth -= 1
            if depth == 0:
                yield _Block(field, first, line, found["name"], found["type"])
        elif depth == 1 and before[-1] in found and not found[before[-1]]:
            found[before[-1]] = token.strip("\"'")
        before = [before[-1], token]
    if depth > 0:
        yield _Block(field, first, line, found["name"], found["type"])
