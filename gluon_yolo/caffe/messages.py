"""Classes of Caffe's messages, made by protobuf's descriptor API: neither Caffe nor ``protoc`` is needed."""

from __future__ import annotations

import functools
from typing import Any

from gluon_yolo.caffe.fields import ENUMS, MESSAGES
from gluon_yolo.errors import MissingDependency, explain

PACKAGE = "caffe"


@functools.cache
def message_class(name: str) -> Any:
    """Return the class of one of Caffe's messages, such as ``NetParameter``.

    Args:
        name: one of :data:`gluon_yolo.caffe.fields.MESSAGES`.

    Raises:
        MissingDependency: protobuf is not installed.
    """
    try:
        from google.protobuf import message_factory
    except ImportError as error:
        raise MissingDependency(explain(error, "protobuf")) from error
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{PACKAGE}.{name}"))


@functools.cache
def _pool() -> Any:
    """Return a pool that has Caffe's messages alone.

    Protobuf's common pool refuses a second ``caffe.NetParameter``, which a program with Caffe has already.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool

    file = descriptor_pb2.FileDescriptorProto(name="caffe.proto", package=PACKAGE, syntax="proto2")
    for name, values in ENUMS.items():
        # Values have the scope of the message or file around them, and two enumerations have a MAX.
        enum = file.message_type.add(name=_holder(name)).enum_type.add(name=name)
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for line in filter(None, map(str.strip, fields.splitlines())):
            _add_field(message, line)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool


def _holder(enum: str) -> str:
    return f"{enum}Holder"


def _add_field(message: Any, line: str) -> None:
    """Add a field to a message's descriptor, by its line in :data:`MESSAGES`."""
    declared, _, default = line.partition("=")
    number, name, kind = declared.split()
    field = message.field.add(name=name, number=int(number))
    field.label = field.LABEL_REPEATED if kind[-1] in "*+" else field.LABEL_OPTIONAL
    if kind.endswith("+"):
        field.options.packed = True
    kind = kind.rstrip("*+")
    if kind in MESSAGES:
        field.type, field.type_name = field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
    elif kind in ENUMS:
        field.type, field.type_name = field.TYPE_ENUM, f".{PACKAGE}.{_holder(kind)}.{kind}"
    else:
        field.type = getattr(field, f"TYPE_{kind.upper()}")
    if default:
        field.default_value = default.strip()
