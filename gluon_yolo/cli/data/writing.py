"""Writing: what the commands that write a data set have in common."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from gluon_yolo.cli.calling import typed
from gluon_yolo.cli.data_hints import division, split_command
from gluon_yolo.data.formats import SOURCES
from gluon_yolo.data.source import Source
from gluon_yolo.data.split.lists import is_divided
from gluon_yolo.errors import UserError

ADVICE = "make room, or name another folder"


def what_next(format: str, place: Path, source: Source, args: argparse.Namespace) -> str:
    """Return what to type next with data that was just written.

    Args:
        format: the format it was written in.
        place: what to give to ``--data``.
        source: what it was made from.
        args: that name the source.
    """
    written = SOURCES[format](place)
    try:
        parts = written.parts()
    except UserError:  # the names of the splits say nothing
        parts = {}
    if {"train", "val"} <= parts.keys():
        return typed(f"train on it: gluon-yolo train --data {shlex.quote(str(place))}")
    if format != "record":
        force = " --force" if is_divided(written) else ""
        return typed(f"to train, divide it: gluon-yolo data split {shlex.quote(str(place))}{force}")
    if source.format == "record":
        return typed(f"to train, {division(source, args)}")
    return typed(f"to train, divide it: {split_command(source, args)}, then pack it anew")


def refuse_inside(out: str, source: Path) -> None:
    """Raise a UserError where what is to be written would lie in the very folder that is read.

    Each picture would be in it twice then.
    """
    inner, outer = Path(out).resolve(), source.resolve()
    if outer.is_dir() and outer in inner.parents:
        raise UserError(f"{out}: lies in the data itself, {source}; name a folder outside of it")
