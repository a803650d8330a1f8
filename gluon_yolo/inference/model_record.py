"""Model records: the JSON file beside a model's files with everything that its user needs to know."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gluon_yolo import json_text
from gluon_yolo._version import __version__
from gluon_yolo.errors import UserError
from gluon_yolo.file_names import is_plain
from gluon_yolo.inference import file_digest
from gluon_yolo.inference.advice import export_command
from gluon_yolo.inference.exported_format import ExportedFormat, read_formats, read_threshold
from gluon_yolo.inference.file_digest import FileDigest
from gluon_yolo.inference.preprocess import Preprocess
from gluon_yolo.inference.record_fields import check_texts, limit_of
from gluon_yolo.input_size import LONGEST
from gluon_yolo.landmarks import TASK as LANDMARKS
from gluon_yolo.landmarks import LandmarkSpec
from gluon_yolo.nms import USUAL_DETECTIONS
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.text import size_word

FORMAT = 2  # format 1 describes one graph and names no files; it can still be read
RUN_RECORD = "model.json"
EXPORT = "gluon-yolo export RUN --out FOLDER"
DETECTION = "detection"
_WRONG_TASK = {
    DETECTION: "is a detector, where a network of face landmarks is expected: the folder that `gluon-yolo "
    "import caffe` wrote, or its export",
    LANDMARKS: "is a network of face landmarks, and no detector; give it to demo with --landmarks, or in "
    "Python to gluon_yolo.FaceLandmarks.load",
}
INPUT = {"name": "data", "layout": "NHWC", "colour": "RGB", "range": [0, 255]}


@dataclasses.dataclass(frozen=True)
class ModelRecord:
    """The description of a model on disk: ``NAME.json`` of an export, ``model.json`` of a run.

    A folder has one model at one precision, in one or more formats.

    Args:
        name: stem of the file names; ``ENDINGS`` has the endings.
        network: its name. The cfg of a network that is not in the zoo lies beside the record.
        spec: a DetectionSpec: class names, anchors, strides, box coding, score rule; of a landmark network
            its LandmarkSpec.
        size_hw: height and width of the input in pixels; other multiples of the largest stride work as well.
        formats: the exported formats by name; empty for a run.
        precision: of the exported weights: ``float32``, ``bfloat16``, ``float16`` or ``int8``.
        weights: SHA-256 of the exported weights, to check that formats are of one model; None for a run.
        fit: how images are resized to the input, a mode of
            :class:`gluon_yolo.inference.preprocess.Preprocess`.
        origin: source files of an imported model, and what is needed to write them again.
        package: name and version of the package that wrote the record.
        max_detections: default for the largest number of detections per image.
        best_threshold: the score threshold with the best F1 in the best weights' validation; None: unknown.
        max_candidates: default for the pairs that enter NMS; None takes
            :func:`gluon_yolo.nms.candidates_for` the detections.
        files: size and SHA-256 of the exported files, by name; without those that an older package wrote.
    """

    name: str
    network: str
    spec: Any
    size_hw: tuple[int, int]
    formats: Mapping[str, ExportedFormat] = dataclasses.field(default_factory=dict)
    precision: str = "float32"
    weights: str | None = None
    fit: str = "resize"
    origin: dict[str, Any] | None = None
    package: str = f"gluon_yolo {__version__}"
    max_detections: int = USUAL_DETECTIONS
    best_threshold: float | None = None
    max_candidates: int | None = None
    files: Mapping[str, FileDigest] = dataclasses.field(default_factory=dict)

    @property
    def task(self) -> str:
        """What the model is for: ``detection`` or ``landmarks``."""
        return LANDMARKS if isinstance(self.spec, LandmarkSpec) else DETECTION

    def expect(self, task: str, path: object) -> None:
        """Raise a UserError unless the model is for a task; the message names ``path``."""
        if self.task != task:
            raise UserError(f"{path}: {_WRONG_TASK[self.task]}")

    @property
    def is_run(self) -> bool:
        """Whether this is the record of a run or an imported model, which has weights and no graph."""
        return not self.formats

    def exported(self, kind: str, folder: Path) -> ExportedFormat:
        """Return one exported format, whose files all exist.

        Args:
            kind: the format, a key of ``ENDINGS``.
            folder: of the record.

        Raises:
            UserError: the model was not exported in this format, or a file is missing.
        """
        if kind not in self.formats:
            held = f"is there as {', '.join(self.formats)}" if self.formats else "is a run"
            raise UserError(
                f"{folder}: model {self.name} {held}, and not as {kind}; {self._remedy(kind, folder)}"
            )
        for file in self.formats[kind].files:
            if not (folder / file).is_file():
                raise UserError(
                    f"{folder / file}: no such file; write it again with `{self._command(kind, folder)}`"
                )
        return self.formats[kind]

    def _command(self, kind: str, folder: Path) -> str:
        """Return a command that writes a format of this model; RUN and DATA are placeholders."""
        return export_command(kind, folder, "" if self.name == self.network else self.name, self.precision)

    def _remedy(self, kind: str, folder: Path) -> str:
        """Return advice on how to get a format that is missing."""
        if self.is_run or self.precision != "float32":  # a float32 model would replace it there
            run = shlex.quote(str(folder)) if self.is_run else "RUN"
            return f"write that with `gluon-yolo export {run} --format {kind} --out ANOTHER_FOLDER`"
        return f"add that with `{self._command(kind, folder)}`"

    def of_one(self, kind: str, exported: ExportedFormat) -> ModelRecord:
        """Return the record of the model in one format only."""
        return dataclasses.replace(self, formats={kind: exported})

    def to_dict(self) -> dict[str, Any]:
        """Return the record as a dict for JSON."""
        return {
            "format": FORMAT,
            **({} if self.task == DETECTION else {"task": self.task}),
            "name": self.name,
            "network": self.network,
            "spec": self.spec.to_dict(),
            "input": {**INPUT, "size_hw": list(self.size_hw), "fit": self.fit},
            **({"max_detections": self.max_detections} if self.task == DETECTION else {}),
            **({} if self.max_candidates is None else {"max_candidates": self.max_candidates}),
            **({} if self.best_threshold is None else {"best_threshold": self.best_threshold}),
            "precision": self.precision,
            "weights": self.weights,
            "graphs": {kind: exported.to_dict() for kind, exported in self.formats.items()},
            **({"files": file_digest.to_dict(self.files)} if self.files else {}),
            "origin": self.origin,
            "package": self.package,
        }

    def write(self, path: Path) -> None:
        """Write the record to a file, atomically."""
        partial = path.with_name(f"{path.name}.partial")
        partial.unlink(missing_ok=True)  # a link would be written through
        partial.write_text(json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(partial, path)

    @classmethod
    def read(cls, path: Path) -> ModelRecord:
        """Read the file of :meth:`write`.

        Raises:
            UserError: the file is absent, is no record, or is from a newer package.
        """
        try:
            record = json_text.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise UserError(f"{path}: is not JSON ({error}); write the model again: `{EXPORT}`") from error
        return cls.of(record, path)

    @classmethod
    def of(cls, record: Any, path: Path) -> ModelRecord:
        """Return the record in a dict of :meth:`to_dict`.

        Args:
            record: parsed JSON.
            path: of the file that it was read from, which is beside the model's files.

        Raises:
            UserError: it is no record, or is from a newer package.
        """
        if not is_record(record):
            raise UserError(
                f"{path}: is not the record of a model; expected NAME.json as `{EXPORT}` writes it"
            )
        if record["format"] > FORMAT:
            raise UserError(
                f"{path}: format {record['format']} comes from {record.get('package')}; "
                f"this package reads up to {FORMAT}: update it"
            )
        try:
            height, width = map(int, record["input"]["size_hw"])
            candidates = record.get("max_candidates")
            formats = read_formats(record, path.parent)
            check_texts(record)
            if formats and not is_plain(record["name"]):  # files get this name
                raise ValueError(f"name {record['name']!r}")
            return cls(
                name=record["name"],
                network=record["network"],
                spec=_read_spec(record, (height, width)),
                size_hw=(height, width),
                formats=formats,
                precision=record.get("precision", "float32"),
                weights=record.get("weights"),
                fit=Preprocess(record["input"].get("fit", "resize")).mode,
                origin=record.get("origin"),
                package=record.get("package", ""),
                max_detections=limit_of(record, "max_detections", USUAL_DETECTIONS),
                best_threshold=read_threshold(record.get("best_threshold")),
                max_candidates=None if candidates is None else limit_of(record, "max_candidates"),
                files=file_digest.from_dict(record.get("files", {})),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UserError(
                f"{path}: a field is missing or wrong ({error}); write the model again"
            ) from error


def _read_spec(record: Mapping[str, Any], size_hw: tuple[int, int]) -> DetectionSpec | LandmarkSpec:
    """Return the spec of the task in a record.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, OverflowError: a field is missing or invalid.
    """
    task, size = record.get("task", DETECTION), f"size_hw {size_word(size_hw)}"
    if not all(1 <= side <= LONGEST for side in size_hw):
        raise ValueError(f"{size}: expected 1 to {LONGEST} pixels a side")
    if task == LANDMARKS:
        return LandmarkSpec.from_dict(record["spec"], size_hw)
    if task != DETECTION:
        raise ValueError(f"task {task!r}")
    spec = DetectionSpec.from_dict(record["spec"])
    if any(side % spec.max_stride for side in size_hw):
        raise ValueError(f"{size}: both sides must be multiples of {spec.max_stride}")
    return spec


def is_record(record: Any) -> bool:
    """Return whether parsed JSON is the record of a model."""
    return isinstance(record, dict) and isinstance(record.get("format"), int) and "spec" in record
