"""The forms of a model: each of its exported files, in each installed runtime that reads it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Callable

from gluon_yolo.errors import MissingDependency, SettingText, UserError, message_of
from gluon_yolo.exporters.source_model import SourceModel
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes import trial
from gluon_yolo.inference.runtimes.registry import RUNTIMES, Network

Say = Callable[[Any], None]
"""Called with each line for the user: a text, or a SettingText."""


@dataclasses.dataclass(frozen=True)
class Form:
    """One file of a model in one runtime.

    Args:
        path: of the model's record, in the folder of its files.
        record: of the model.
        kind: the format of the file.
        runtime: that runs it.
    """

    path: Path
    record: ModelRecord
    kind: str
    runtime: str

    @property
    def size(self) -> int:
        """The size of its files in bytes."""
        return sum(os.path.getsize(self.path.parent / file) for file in self.record.formats[self.kind].files)

    def load(self) -> Network:
        """Load it into this process.

        Raises:
            UserError: a file is missing or damaged.
        """
        return trial.load(self.runtime, self.record, self.path.parent)

    def __str__(self) -> str:
        return f"{self.kind} {self.record.precision} in {self.runtime}"


def forms_of(path: Path, record: ModelRecord, runtimes: Sequence[str]) -> list[Form]:
    """Return the forms of an exported model, in the order of the runtimes.

    Args:
        path: of its record.
        record: of it.
        runtimes: their names.
    """
    forms = []
    for runtime in runtimes:
        kind = next((kind for kind in RUNTIMES[runtime].formats if kind in record.formats), None)
        if kind is not None:
            forms.append(Form(path, record, kind, runtime))
    return forms


def formats_in(precision: str) -> list[str]:
    """Return the formats that can be written in a precision."""
    from gluon_yolo.exporters.api import FORMATS
    from gluon_yolo.exporters.quantize.backends import INT8

    if precision == "int8":
        return list(INT8)
    return [kind for kind, known in FORMATS.items() if precision in known.precisions]


def readers_of(formats: Iterable[str]) -> list[str]:
    """Return the runtimes that read one of some formats."""
    return [name for name, runtime in RUNTIMES.items() if set(runtime.formats) & set(formats)]


def cut_of(kind: str) -> str | None:
    """Return the cut at which a format is measured; None for the format's own.

    It is ``decoded`` for graphs that would return no more than the boxes of their NMS: the boxes and scores
    of all anchors can be compared, and no form's time has an NMS.
    """
    from gluon_yolo.exporters.api import FORMATS

    return "decoded" if "nms" in FORMATS[kind].cuts and kind != "symbol" else None


def line_of(text: str) -> str | SettingText:
    """Return a line for the user: as a SettingText if it names settings."""
    line = SettingText(text)
    return text if str(line) == text else line


def write(
    source: SourceModel, precision: str, runtimes: Sequence[str], folder: Path, say: Say
) -> Path | None:
    """Export a network in every format that one of the runtimes reads and that has this precision.

    A format that cannot be written is left out, with a line that says why.

    Args:
        source: the network.
        precision: of the weights.
        runtimes: names of installed runtimes.
        folder: to write to.
        say: called with each line for the user.

    Returns:
        The path of the record; None where nothing was written.
    """
    from gluon_yolo.exporters.api import export
    from gluon_yolo.exporters.request import NMSOptions
    from gluon_yolo.exporters.verify import WrongResults

    read = {RUNTIMES[name].formats[0] for name in runtimes}
    path = None
    for kind in formats_in(precision):
        if kind not in read:
            continue
        try:
            path = export(
                source.net,
                folder,
                (kind,),
                source.name,
                source.size_hw,
                cut=cut_of(kind),
                precision=precision,
                suppression=NMSOptions(max_detections=source.max_detections),
                fit=source.fit,
                best_threshold=source.best_threshold,
            ).record
        except (MissingDependency, UserError, WrongResults) as error:
            say(line_of(f"{kind} {precision} is left out: {message_of(error)}"))
    return path
