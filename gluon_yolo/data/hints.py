"""Hints: commands of ``data`` to type next, with the flags that name the data."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.data.request import DataRequest
from gluon_yolo.data.source import Source
from gluon_yolo.data.split.lists import FORMATS, is_divided

_COMMAND = "gluon-yolo data"
_SHOW = f"{_COMMAND} show "  # as the readers write it; the path follows
_TURNED = " --turned"
_CALL = re.compile(r"`(?:gluon-yolo )?data (show|split|dedupe)`")


def command(name: str, path: str | Path, request: DataRequest, more: Sequence[str] = ()) -> str:
    """Return a command for the data of a request.

    Args:
        name: of the command, such as ``"split"``.
        path: of the data.
        request: names the data; the command repeats its format and class names.
        more: further arguments.
    """
    return f"{_COMMAND} {name} {shlex.join([str(path), *_given(request), *more])}"


def split_command(source: Source, request: DataRequest) -> str:
    """Return the command that divides a data set again, with ``--force`` where it is divided already."""
    force = ["--force"] if source.format in FORMATS and is_divided(source) else []
    return command("split", source.path, request, force)


def division(source: Source, request: DataRequest, what: str = "divide anew") -> str:
    """Return advice on how to divide a data set again; it begins with ``what`` where ``split`` can do it."""
    if source.format not in FORMATS:
        return f"divide with `{_COMMAND} split` what it was packed from, and pack it anew"
    return f"{what} with `{split_command(source, request)}`"


def with_path(text: str, source: Source, request: DataRequest) -> str:
    """Return advice whose commands have the path and the flags of the data."""

    def whole(call: re.Match[str]) -> str:
        if call.group(1) == "split" and source.format in FORMATS:
            return f"`{split_command(source, request)}`"
        return f"`{command(call.group(1), source.path, request)}`"

    return _CALL.sub(whole, text)


def complete(note: str, request: DataRequest) -> str:
    """Return a reader's note whose command has the flags of the data, which the reader does not know."""
    words = shlex.join(_given(request))
    return note.replace(_TURNED, f" {words}{_TURNED}") if words and _SHOW in note else note


def complete_notes(report: DatasetReport, request: DataRequest) -> None:
    """Apply :func:`complete` to all notes of a report."""
    report.notes = [complete(note, request) for note in report.notes]


def _given(request: DataRequest) -> list[str]:
    """Return the flags that describe the data, as the user gave them."""
    root, classes = request.data_root, request.classes
    format = request.format or (root and (request.dataset or "voc"))
    return [*(["--format", format] if format else []), *(["--classes", classes] if classes else [])]
