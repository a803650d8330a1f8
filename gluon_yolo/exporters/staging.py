"""Publish: a model's files, which appear in a folder together and with its record, after they were tried."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gluon_yolo.atomic_io import writing
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.exporters.folder_lock import ADVICE, locked_folder
from gluon_yolo.inference.exported_format import ENDINGS, ExportedFormat
from gluon_yolo.inference.model_record import RUN_RECORD, ModelRecord

# What has to agree for two formats to be of one model; else the later export takes the earlier one's place.
_SAME = {"network": "of another network", "weights": "of other weights", "precision": "in another precision"}
_SAME.update(spec="of other classes or anchors", size_hw="for another size", fit="for another fit")


@dataclasses.dataclass(frozen=True)
class StagedFiles:
    """A model on its way into a folder.

    Args:
        aside: where its files are to be written.
        graphs: what the record is to say of each format: those that stay, to which the new ones are added.
        kept: the formats of the same model that lie there and stay.
        removed: files of another model that go as these come.
        reason: what makes it another; empty where none goes.
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
    """Take a model's files and put them into a folder at the end of the block, with its record.

    Formats of the same model that lie there stay, but for those that are written anew; the files of another
    model of this name go. When writing, trying or moving fails, all is as it was. While the block lasts no
    other run publishes there.

    Args:
        out_dir: where they are to appear; made when absent.
        record: of the model, but for its graphs; written where one of the formats stands in it.
        files: the names of each format's files.

    Raises:
        UserError: the folder cannot be written, is a run's, or another run publishes there now; or what bears
            the record's name cannot be read.
    """
    folder = Path(out_dir)
    names = [name for kind in files for name in files[kind]]
    recorded = [kind for kind in files if kind in ENDINGS]
    if recorded:
        names.append(f"{record.name}.json")
    with writing(folder, ADVICE), locked_folder(folder):
        kept, others, reason = _earlier(folder, record, recorded)
        removed = [name for name in others if recorded and name not in names]
        with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as made:
            aside = Path(made)
            formats = dict(kept)
            yield StagedFiles(aside, formats, tuple(kept), tuple(removed), reason)
            if recorded:
                in_order = {kind: formats[kind] for kind in ENDINGS if kind in formats}
                dataclasses.replace(record, formats=in_order).write(aside / names[-1])
            before = aside / "before"
            before.mkdir()
            _move(aside, folder, names, removed, before)


def _earlier(
    folder: Path, record: ModelRecord, kinds: Sequence[str]
) -> tuple[dict[str, ExportedFormat], tuple[str, ...], str]:
    """Say what becomes of what lies in a folder when a model is written there.

    Args:
        folder: where.
        record: of the model.
        kinds: the formats to be written.

    Returns:
        The graphs of the same model that stay; the files of another model; what makes it another.

    Raises:
        UserError: the folder is a run's, or what bears the record's name cannot be read.
    """
    path = folder / f"{record.name}.json"
    for there in {folder / RUN_RECORD, path}:
        if there.exists() and _read(there).is_run:
            raise SettingError(f"{folder}: is the folder of a run or of an imported model; {ADVICE}")
    if not path.exists():
        return {}, (), ""
    old = _read(path)
    reasons = [words for field, words in _SAME.items() if getattr(old, field) != getattr(record, field)]
    if reasons:
        return {}, tuple(file for exported in old.formats.values() for file in exported.files), reasons[0]
    whole = {
        kind: exported
        for kind, exported in old.formats.items()
        if kind not in kinds and all((folder / file).is_file() for file in exported.files)
    }
    return whole, (), ""


def _read(path: Path) -> ModelRecord:
    try:
        return ModelRecord.read(path)
    except UserError as error:
        raise SettingError(f"{error}; it is in the way: remove it, or {ADVICE}") from error


def _move(source: Path, folder: Path, names: Sequence[str], removed: Sequence[str], aside: Path) -> None:
    """Put the named files in a folder, the last one last; on an error put back what was there.

    Args:
        source: where they are.
        folder: where they are to be.
        names: of the files.
        removed: names of files that are not to be there any more.
        aside: an empty folder on the same disk, for what was there before.
    """
    # The last name's old file goes first: it may not stand between old files and new.
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
