"""Data hints: commands of ``data`` to type next, with the flags by which the data is found again."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.data.source import Source
from gluon_yolo.data.split.lists import FORMATS, is_divided

_COMMAND = "gluon-yolo data"
_SHOW = f"{_COMMAND} show "  # as the readers write it, with the path behind it
_TURNED = " --turned"
_CALL = re.compile(r"`(?:gluon-yolo )?data (show|split|dedupe)`")


def command(name: str, path: str | Path, args: argparse.Namespace, more: Sequence[str] = ()) -> str:
    """Return a command on the data that the arguments name.

    Args:
        name: of the command, such as ``"split"``.
        path: of the data.
        args: parsed with flags that name data; its format and class names are said again.
        more: what else to say.
    """
    return f"{_COMMAND} {name} {shlex.join([str(path), *_given(args), *more])}"


def split_command(source: Source, args: argparse.Namespace) -> str:
    """Return the command that divides a data set anew: with ``--force`` where it is divided already."""
    force = ["--force"] if source.format in FORMATS and is_divided(source) else []
    return command("split", source.path, args, force)


def division(source: Source, args: argparse.Namespace, what: str = "divide anew") -> str:
    """Return what to do for another division, beginning with ``what`` where the data can be divided."""
    if source.format not in FORMATS:
        return f"divide with `{_COMMAND} split` what it was packed from, and pack it anew"
    return f"{what} with `{split_command(source, args)}`"


def with_path(text: str, source: Source, args: argparse.Namespace) -> str:
    """Return an advice whose commands have the path of the data, and what else they need."""

    def whole(call: re.Match[str]) -> str:
        is_split = call.group(1) == "split" and source.format in FORMATS
        return f"`{split_command(source, args) if is_split else command(call.group(1), source.path, args)}`"

    return _CALL.sub(whole, text)


def complete(note: str, args: argparse.Namespace) -> str:
    """Return what a reader says to type with the flags that name the data: it does not know of them."""
    words = shlex.join(_given(args))
    return note.replace(_TURNED, f" {words}{_TURNED}") if words and _SHOW in note else note


def complete_notes(report: DatasetReport, args: argparse.Namespace) -> None:
    """Do what :func:`complete` does with all notes of a report."""
    report.notes = [complete(note, args) for note in report.notes]


def _given(args: argparse.Namespace) -> list[str]:
    """Return the flags that say what the data is, as they were given."""
    root, classes = getattr(args, "data_root", None), getattr(args, "classes", None)
    format = getattr(args, "format", None) or (root and (args.dataset or "voc"))
    return [*(["--format", format] if format else []), *(["--classes", classes] if classes else [])]
