"""Find the model of a path, and its record: beside the files or inside a file."""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
from pathlib import Path

from gluon_yolo.errors import UserError
from gluon_yolo.inference import embedded_record
from gluon_yolo.inference.exported_format import ENDINGS
from gluon_yolo.inference.model_files import find_model_record
from gluon_yolo.inference.model_record import RUN_RECORD, ModelRecord

# File name endings of each format. OpenVINO files can have other names than ``NAME-openvino.xml``.
_SUFFIXES = {**{ending: kind for kind, endings in ENDINGS.items() for ending in endings}, ".xml": "openvino"}
_HOLD_RECORDS = (".onnx", ".xml")
_SAYS = "the class names, the anchors, the size of the input and how pictures are brought to it"


def read_model(path: Path) -> tuple[ModelRecord, Path]:
    """Return the record of the model that a path stands for.

    A folder and a ``NAME.json`` stand for a model in all its formats, a file of one format for this format.
    The record beside the files is used; without it, that inside an ONNX file or OpenVINO's ``.xml``.

    Args:
        path: the folder of an export, its ``NAME.json`` or one of the files beside it; the folder of a run,
            or a weights file in it.

    Returns:
        The record, and a path of the same model, in the folder of its files.

    Raises:
        UserError: there is no model or more than one, or the file and the record beside it are of different
            models.
    """
    ending = _ending(path)
    if path.is_dir() or not path.exists() or path.suffix == ".json" and ending is None:
        file = _found(path)
        return ModelRecord.read(file), file
    if path.suffix == ".params":  # of a run, or of an exported symbol
        file = find_model_record(path)
        if file.name == RUN_RECORD:
            return ModelRecord.read(file), file
    if ending is None:
        raise UserError(
            f"{path}: is no file of a model in a format that is known here ({', '.join(ENDINGS)}), nor a "
            "NAME.json; give an exported model's folder or a run's folder"
        )
    beside = _beside(path, ending)
    if beside.is_file():
        return _of_format(ModelRecord.read(beside), beside, path), path
    return _alone(path, ending, beside), path


def _ending(path: Path) -> str | None:
    """Return the ending of a format's file; None for other files."""
    longest_first = sorted(_SUFFIXES, key=len, reverse=True)
    return next((ending for ending in longest_first if path.name.lower().endswith(ending)), None)


def _beside(path: Path, ending: str) -> Path:
    """Return the path of the record beside a file."""
    return path.with_name(f"{path.name[: -len(ending)]}.json")


def _found(path: Path) -> Path:
    """Return the record in a folder; without one, the error names files with a record inside."""
    try:
        return find_model_record(path)
    except UserError as error:
        alone = [str(file) for file in sorted(path.glob("*")) if _holds_record(file)]
        if not alone:
            raise
        raise UserError(f"{error}; it is within {' and within '.join(alone)}: name that file") from error


def _holds_record(file: Path) -> bool:
    ending = _ending(file)
    if file.suffix.lower() not in _HOLD_RECORDS or ending is None or _beside(file, ending).exists():
        return False
    with contextlib.suppress(UserError):
        return embedded_record.read(file) is not None
    return False


def _of_format(record: ModelRecord, beside: Path, path: Path) -> ModelRecord:
    """Return the record beside a file, reduced to the file's format."""
    for kind, exported in record.formats.items():
        if path.name in exported.files:
            if path.suffix.lower() in _HOLD_RECORDS:
                embedded_record.check(path, record)
            return record.of_one(kind, exported)
    files = [file for exported in record.formats.values() for file in exported.files]
    alike = [file for file in files if Path(file).suffix == path.suffix]
    named = ", ".join(alike or files) or "a run"
    raise UserError(
        f"{path}: {beside.name} beside it is the record of {named}, and not of this file: files "
        "were renamed, or are of two exports; give them the names that it says, or export the model again"
    )


def _alone(path: Path, ending: str, beside: Path) -> ModelRecord:
    """Return the record inside a file, with the file's present name."""
    kind, holds = _SUFFIXES[ending], path.suffix.lower() in _HOLD_RECORDS
    record = embedded_record.read(path) if holds else None
    if record is None:
        own = "it has none of it in itself" if holds else f"{kind}'s files have no place for it in themselves"
        raise UserError(
            f"{path}: its NAME.json is missing: {beside.name} is not beside it, and {own}. That file says "
            f"{_SAYS}; put it there, or export the model anew: `gluon-yolo export RUN --format {kind} "
            f"--out {shlex.quote(str(path.parent))}`"
        )
    files: tuple[str, ...] = (path.name,)
    if kind == "openvino":
        files = (path.name, path.with_suffix(".bin").name)
    if len(record.formats) != 1:
        raise UserError(f"{path}: the record in it is damaged; export the model again")
    (exported,) = record.formats.values()
    return record.of_one(kind, dataclasses.replace(exported, files=files))
