"""Record index: the positions of a ``.rec`` file's records by key, from its ``.idx`` file or by a scan."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path

from gluon_yolo.data.images.files import files_ending
from gluon_yolo.data.quality.report import BadFile
from gluon_yolo.data.recordio.file import Frame, NoRecord, RecordFile, TornRecord
from gluon_yolo.errors import UserError

_REBUILD = "if it belongs to another file, delete it: the .rec is then read through to find its records"


@dataclasses.dataclass(frozen=True)
class RecordIndex:
    """The records of a file.

    Args:
        file: the ``.rec`` file.
        frames: the position of each record by its key, in the order of the ``.idx`` file; without one, keys
            count from 0 in the order of the ``.rec``.
        bad: records that are incomplete.
        notes: what the user should know that is not an issue.
    """

    file: RecordFile
    frames: dict[int, Frame]
    bad: list[BadFile]
    notes: list[str]


def record_name(path: str, key: int) -> str:
    """Return a record's name in messages."""
    return f"{path}: record {key}"


def open_index(path: str | os.PathLike[str]) -> RecordIndex:
    """Find the records of a ``.rec`` file, without reading their data.

    Raises:
        UserError: it is not such a file, or the ``.idx`` beside it does not match it.
    """
    file = RecordFile(path)
    try:
        index_path = _index_path(Path(file.path))
        index = _indexed(file, index_path) if index_path.is_file() else _scanned(file, index_path)
    except OSError as error:
        raise UserError(f"{file.path}: cannot be read: {error.strerror or error}") from error
    if not index.frames and not index.bad:
        raise UserError(f"{file.path}: there is no record in it; pack it again")
    return index


def _index_path(path: Path) -> Path:
    """Return the ``.idx`` file beside a ``.rec``, in any letter case of the ending; it may not exist."""
    named = [file for file in files_ending(path.parent, ".idx") if file.stem == path.stem]
    return named[0] if named else path.with_suffix(".idx")


def write_index(path: Path, frames: Iterable[Frame]) -> None:
    """Write an ``.idx`` file with the keys 0, 1, 2 ..., and flush it to disk."""
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(f"{key}\t{frame.offset}\n" for key, frame in enumerate(frames))
        file.flush()
        os.fsync(file.fileno())


def _scanned(file: RecordFile, index_path: Path) -> RecordIndex:
    """Find the records by a scan of the file."""
    frames: dict[int, Frame] = {}
    bad = []
    try:
        for frame in file.frames():
            frames[len(frames)] = frame
    except TornRecord as error:
        bad.append(_torn(file, len(frames), error))
    except NoRecord as error:
        if not frames:
            raise UserError(f"{file.path}: is no RecordIO file: {error}") from error
        end = frames[len(frames) - 1].end
        problem = f"damaged: {error}; what follows, {file.size - end:,} bytes, cannot be read"
        bad.append(BadFile(file.path, problem, "unreadable-picture"))
    name = Path(file.path).name
    note = f"there is no {index_path.name}; the records of {name} were found by reading through it"
    return RecordIndex(file, frames, bad, [note])


def _indexed(file: RecordFile, index_path: Path) -> RecordIndex:
    """Find the records of an ``.idx`` file."""
    frames: dict[int, Frame] = {}
    bad: dict[int, BadFile] = {}
    covered = 0
    for number, line in enumerate(_lines(index_path), 1):
        key, offset = _key_and_offset(index_path, number, line)
        if key in frames or key in bad:
            raise UserError(f"{index_path}: line {number} has the key {key} again; {_REBUILD}")
        try:
            frames[key] = file.frame(offset)
            covered += frames[key].end - offset
        except TornRecord as error:
            bad[key] = _torn(file, key, error)
        except NoRecord as error:
            problem = f"line {number} does not fit {Path(file.path).name}: {error}"
            raise UserError(
                f"{index_path}: {problem}. If the .rec was cut short, copy it again; {_REBUILD}"
            ) from error
    notes = []
    if covered < file.size and not bad:
        left_out = f"{file.size - covered:,} of the {file.size:,} bytes of {Path(file.path).name}"
        notes.append(f"{index_path.name} leaves out {left_out}; delete it to have all records")
    return RecordIndex(file, frames, list(bad.values()), notes)


def _lines(index_path: Path) -> list[str]:
    try:
        return index_path.read_text(encoding="ascii").rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{index_path}: is no text; {_REBUILD}") from error


def _key_and_offset(index_path: Path, number: int, line: str) -> tuple[int, int]:
    """Parse one line: key, tab, offset."""
    try:
        key, offset = line.split("\t")
        return int(key), int(offset)
    except ValueError as error:
        expected = f"expected a key, a tab and an offset, got {line!r}"
        raise UserError(f"{index_path}: line {number}: {expected}; {_REBUILD}") from error


def _torn(file: RecordFile, key: int, error: TornRecord) -> BadFile:
    return BadFile(record_name(file.path, key), f"cut short: {error}", "unreadable-picture")
