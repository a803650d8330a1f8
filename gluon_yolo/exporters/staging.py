"""Staging: a model's files and record are moved into a folder together, after they were verified."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gluon_yolo.atomic_io import writing
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.exporters.folder_lock import ADVICE, locked_folder
from gluon_yolo.inference.exported_format import ENDINGS, ExportedFormat
from gluon_yolo.inference.file_digest import FileDigest
from gluon_yolo.inference.model_record import RUN_RECORD, ModelRecord
from gluon_yolo.system.scratch import scratch_folder

# Fields that must be equal in two formats of one model; otherwise the new export replaces the old one.
_SAME = {"network": "of another network", "weights": "of other weights", "precision": "in another precision"}
_SAME.update(spec="of other classes or anchors", size_hw="for another size", fit="for another fit")


@dataclasses.dataclass(frozen=True)
class StagedFiles:
    """A model on its way into a folder.

    Args:
        aside: temporary folder for its files.
        formats: the record's formats: those that stay; the new ones are added.
        kept: names of the formats of the same model in the folder that stay.
        removed: files of another model that will be removed.
        reason: why it is another model; empty where nothing is removed.
    """

    aside: Path
    formats: dict[str, ExportedFormat]
    kept: tuple[str, ...]
    removed: tuple[str, ...]
    reason: str


@contextlib.contextmanager
def staged(
    out_dir: str | os.PathLike[str], record: ModelRecord, files: Mapping[str, Sequence[str]]
) -> Iterator[StagedFiles]:
    """Yield a temporary folder, and at the end of the block move its files into a folder, with a record.

    Other formats of the same model in the folder stay. The files of another model with this name are removed.
    On an error the folder is as before. The folder is locked for other processes until the end of the block.

    Args:
        out_dir: the folder; created when absent.
        record: of the model, without its formats; written if a record can name one of the formats.
        files: file names by format.

    Raises:
        UserError: the folder cannot be written, is that of a run, or is locked; or its record cannot be read.
    """
    folder = Path(out_dir)
    names = [name for kind in files for name in files[kind]]
    recorded = [kind for kind in files if kind in ENDINGS]
    if recorded:
        names.append(f"{record.name}.json")
    with writing(folder, ADVICE), locked_folder(folder):
        kept, digests, others, reason = _earlier(folder, record, recorded)
        removed = [name for name in others if recorded and name not in names]
        with scratch_folder(folder, "export") as aside:
            formats = dict(kept)
            yield StagedFiles(aside, formats, tuple(kept), tuple(removed), reason)
            if recorded:
                in_order = {kind: formats[kind] for kind in ENDINGS if kind in formats}
                digests.update(
                    (file, FileDigest.of(aside / file)) for kind in recorded for file in files[kind]
                )
                dataclasses.replace(record, formats=in_order, files=digests).write(aside / names[-1])
            before = aside / "before"
            before.mkdir()
            _move(aside, folder, names, removed, before)


def _earlier(
    folder: Path, record: ModelRecord, kinds: Sequence[str]
) -> tuple[dict[str, ExportedFormat], dict[str, FileDigest], tuple[str, ...], str]:
    """Return what happens to the files in a folder when a model is written there.

    Args:
        folder: of the model.
        record: of the model.
        kinds: formats that will be written.

    Returns:
        The formats of the same model that stay, and what the record knows of their files; the files of
        another model; why it is another.

    Raises:
        UserError: the folder is that of a run, or its record cannot be read.
    """
    path = folder / f"{record.name}.json"
    for there in {folder / RUN_RECORD, path}:
        if there.exists() and _read(there).is_run:
            raise SettingError(f"{folder}: is the folder of a run or of an imported model; {ADVICE}")
    if not path.exists():
        return {}, {}, (), ""
    old = _read(path)
    reasons = [words for field, words in _SAME.items() if getattr(old, field) != getattr(record, field)]
    if reasons:
        others = tuple(file for exported in old.formats.values() for file in exported.files)
        return {}, {}, others, reasons[0]
    whole = {
        kind: exported
        for kind, exported in old.formats.items()
        if kind not in kinds and all((folder / file).is_file() for file in exported.files)
    }
    staying = [file for exported in whole.values() for file in exported.files]
    return whole, {file: old.files[file] for file in staying if file in old.files}, (), ""


def _read(path: Path) -> ModelRecord:
    try:
        return ModelRecord.read(path)
    except UserError as error:
        raise SettingError(f"{error}; it is in the way: remove it, or {ADVICE}") from error


def _move(source: Path, folder: Path, names: Sequence[str], removed: Sequence[str], aside: Path) -> None:
    """Move files into a folder, in order; on an error restore the folder.

    Args:
        source: folder of the files.
        folder: target.
        names: of the files.
        removed: names of files to be removed.
        aside: an empty folder on the same disk, for the old files.
    """
    # The old record, the last name, is moved first: it must not be beside new files.
    before = [name for name in dict.fromkeys((*reversed(names), *removed)) if (folder / name).exists()]
    stored, placed = [], []
    try:
        for name in before:
            os.replace(folder / name, aside / name)
            stored.append(name)
        for name in names:
            os.replace(source / name, folder / name)
            placed.append(name)
    except BaseException:
        for name in placed:
            (folder / name).unlink()
        for name in reversed(stored):
            os.replace(aside / name, folder / name)
        raise
