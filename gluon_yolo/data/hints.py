"""Data hints: commands of ``data`` to type next, with the words by which the data is found again."""

from __future__ import annotations

import os
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


class DataHints:
    """Writes commands that work when they are pasted into a shell.

    Args:
        format: of the data, where the user said it.
        classes: the file of class names, where the user named one.
    """

    def __init__(self, format: str | None = None, classes: str | os.PathLike[str] | None = None) -> None:
        self._given = [
            *(["--format", format] if format else []),
            *(["--classes", os.fspath(classes)] if classes else []),
        ]

    def command(self, name: str, path: str | Path, more: Sequence[str] = ()) -> str:
        """Return a command on the data; its format and class names are said again.

        Args:
            name: of the command, such as ``"split"``.
            path: of the data.
            more: what else to say.
        """
        return f"{_COMMAND} {name} {shlex.join([str(path), *self._given, *more])}"

    def split_command(self, source: Source) -> str:
        """Return the command that divides a data set anew: by force where it is divided already."""
        force = ["--force"] if source.format in FORMATS and is_divided(source) else []
        return self.command("split", source.path, force)

    def division(self, source: Source, what: str = "divide anew") -> str:
        """Return what to do for another division, beginning with ``what`` where the data can be divided."""
        if source.format not in FORMATS:
            return f"divide with `{_COMMAND} split` what it was packed from, and pack it anew"
        return f"{what} with `{self.split_command(source)}`"

    def with_path(self, text: str, source: Source) -> str:
        """Return an advice whose commands have the path of the data, and what else they need."""

        def whole(call: re.Match[str]) -> str:
            is_split = call.group(1) == "split" and source.format in FORMATS
            return f"`{self.split_command(source) if is_split else self.command(call.group(1), source.path)}`"

        return _CALL.sub(whole, text)

    def complete(self, note: str) -> str:
        """Return what a reader says to type with the words that name the data: it does not know of them."""
        words = shlex.join(self._given)
        return note.replace(_TURNED, f" {words}{_TURNED}") if words and _SHOW in note else note

    def complete_notes(self, report: DatasetReport) -> None:
        """Do what :meth:`complete` does with all notes of a report."""
        report.notes = [self.complete(note) for note in report.notes]
