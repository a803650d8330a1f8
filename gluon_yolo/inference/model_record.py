"""Model records: the JSON file beside a model's files with everything that its user needs to know."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gluon_yolo._version import __version__
from gluon_yolo.errors import UserError
from gluon_yolo.inference.advice import export_command
from gluon_yolo.inference.exported_format import ENDINGS, ExportedFormat, read_formats, read_threshold
from gluon_yolo.inference.preprocess import Preprocess
from gluon_yolo.nms import USUAL_DETECTIONS
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.system import run_note

log = logging.getLogger("gluon_yolo")

FORMAT = 2  # format 1 describes one graph and names no files; it can still be read
RUN_RECORD = "model.json"
WHICH = ("best", "last")  # weights of a run; RUN means RUN/best, where it exists
_EXPORT = "gluon-yolo export RUN --out FOLDER"
INPUT = {"name": "data", "layout": "NHWC", "colour": "RGB", "range": [0, 255]}


@dataclasses.dataclass(frozen=True)
class ModelRecord:
    """The description of a model on disk: ``NAME.json`` of an export, ``model.json`` of a run.

    A folder has one model at one precision, in one or more formats.

    Args:
        name: stem of the file names; ``ENDINGS`` has the endings.
        network: its name. The cfg of a network that is not in the zoo lies beside the record.
        spec: class names, anchors, strides, box coding, score rule.
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
    """

    name: str
    network: str
    spec: DetectionSpec
    size_hw: tuple[int, int]
    formats: Mapping[str, ExportedFormat] = dataclasses.field(default_factory=dict)
    precision: str = "float32"
    weights: str | None = None
    fit: str = "resize"
    origin: dict[str, Any] | None = None
    package: str = f"gluon_yolo {__version__}"
    max_detections: int = USUAL_DETECTIONS
    best_threshold: float | None = None

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
            "name": self.name,
            "network": self.network,
            "spec": self.spec.to_dict(),
            "input": {**INPUT, "size_hw": list(self.size_hw), "fit": self.fit},
            "max_detections": self.max_detections,
            **({} if self.best_threshold is None else {"best_threshold": self.best_threshold}),
            "precision": self.precision,
            "weights": self.weights,
            "graphs": {kind: exported.to_dict() for kind, exported in self.formats.items()},
            "origin": self.origin,
            "package": self.package,
        }

    def write(self, path: Path) -> None:
        """Write the record to a file, atomically."""
        partial = path.with_name(f"{path.name}.partial")
        partial.write_text(json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(partial, path)

    @classmethod
    def read(cls, path: Path) -> ModelRecord:
        """Read the file of :meth:`write`.

        Raises:
            UserError: the file is absent, is no record, or is from a newer package.
        """
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise UserError(f"{path}: is not JSON ({error}); write the model again: `{_EXPORT}`") from error
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
        if not _is_record(record):
            raise UserError(
                f"{path}: is not the record of a model; expected NAME.json as `{_EXPORT}` writes it"
            )
        if record["format"] > FORMAT:
            raise UserError(
                f"{path}: format {record['format']} comes from {record.get('package')}; "
                f"this package reads up to {FORMAT}: update it"
            )
        try:
            height, width = record["input"]["size_hw"]
            return cls(
                name=record["name"],
                network=record["network"],
                spec=DetectionSpec.from_dict(record["spec"]),
                size_hw=(int(height), int(width)),
                formats=read_formats(record, path.parent),
                precision=record.get("precision", "float32"),
                weights=record.get("weights"),
                fit=Preprocess(record["input"].get("fit", "resize")).mode,
                origin=record.get("origin"),
                package=record.get("package", ""),
                max_detections=int(record.get("max_detections", USUAL_DETECTIONS)),
                best_threshold=read_threshold(record.get("best_threshold")),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(
                f"{path}: a field is missing or wrong ({error}); write the model again"
            ) from error


def find_model_record(path: Path) -> Path:
    """Return the path of the record of the model that ``path`` stands for.

    Args:
        path: the folder of an export, its ``NAME.json`` or one of the files beside it; the folder of a run,
            ``RUN/best``, ``RUN/last``, or a weights file in it.

    Raises:
        UserError: there is no model, or a folder has several.
    """
    path, _ = _run_and_which(path)
    if path.is_dir():
        return _in_folder(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file or folder; give an exported model's folder or a run's folder")
    for ending in sorted(sum(ENDINGS.values(), ()), key=len, reverse=True):
        if path.name.endswith(ending) and path.with_name(f"{path.name[: -len(ending)]}.json").is_file():
            return path.with_name(f"{path.name[: -len(ending)]}.json")
    if path.suffix == ".params":
        for folder in list(path.resolve().parents)[:3]:
            if (folder / RUN_RECORD).is_file():
                return folder / RUN_RECORD
        weights = shlex.quote(str(path))
        raise UserError(
            f"{path}: weights alone do not say of which network; keep them in their run's folder, "
            f"or export them with `gluon-yolo export --network NAME --weights {weights} --out FOLDER`"
        )
    return path


def weights_of(path: Path) -> Path:
    """Return the weights file of the run that ``path`` stands for.

    This is ``path`` if it is a weights file, else ``RUN/best`` or ``RUN/last``, else the best weights or the
    last.

    Raises:
        UserError: the run has not saved such weights.
    """
    run, which = _run_and_which(path)
    if which is None and path.suffix == ".params":
        return path
    weights = find_model_record(run).parent / "weights"
    best, state = weights / "best.params", weights / "last" / "state.json"
    if best.is_file() and which != "last":
        return best
    try:
        last = state.parent / _read_json(state)["files"]["net"]["name"]
    except (TypeError, KeyError) as error:
        missing = f"no whole {state.parent}" if which else f"neither {best} nor a whole {state.parent}"
        story = run_note.story(weights.parent, advised=True)
        raise UserError(f"{path}: has no weights yet ({missing}){story and f': {story}'}") from error
    if which == "best":
        raise UserError(f"{path}: the run has no best weights yet ({best}); its last are {run / 'last'}")
    if which is None:
        log.info("%s: there are no best weights, so the last are taken: %s", path, last)
    return last


def weights_file(path: Path) -> Path:
    """Return the weights file that ``path`` stands for: a file, or that of a run as in :func:`weights_of`.

    Raises:
        UserError: the run has not saved such weights.
    """
    run, which = _run_and_which(path)
    return weights_of(path) if which or (run / RUN_RECORD).is_file() else path


def names_model(path: Path) -> bool:
    """Return whether a path, which may be a network's name too, is a folder or weights of a run."""
    return path.is_dir() or _run_and_which(path)[1] is not None


def _run_and_which(path: Path) -> tuple[Path, str | None]:
    """Return run and ``best`` or ``last`` for a path ``RUN/best`` or ``RUN/last``; else the path and None.

    A file or folder of that name has priority, but the checkpoint's folder ``RUN/weights/last`` is
    ``RUN/last``.
    """
    folder = path.parent.parent if path.parent.name == "weights" else path.parent
    checkpoint = path.name == "last" and path.parent.name == "weights" and (path / "state.json").is_file()
    if path.name in WHICH and (checkpoint or not path.exists()) and (folder / RUN_RECORD).is_file():
        return folder, path.name
    return path, None


def _in_folder(path: Path) -> Path:
    records = [file for file in sorted(path.glob("*.json")) if _is_record(_read_json(file))]
    if not records:
        wanted = f"a NAME.json written by `{_EXPORT}`, or a run's {RUN_RECORD}"
        damaged = [file.name for file in sorted(path.glob("*.json")) if _read_json(file) is None]
        below = sorted({str(file.parent) for file in path.glob("*/*.json") if _is_record(_read_json(file))})
        hint = f"; {', '.join(damaged)} there is damaged" if damaged else ""
        hint += f"; there is one in {' and in '.join(below)}" if below else ""
        raise UserError(f"{path}: holds no model ({wanted}){hint}")
    if len(records) > 1:
        raise UserError(
            f"{path}: holds several models; name one of {', '.join(file.name for file in records)}"
        )
    return records[0]


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _is_record(record: Any) -> bool:
    return isinstance(record, dict) and isinstance(record.get("format"), int) and "spec" in record
