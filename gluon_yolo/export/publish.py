"""Publish: files that appear under their names together, after they were tried."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gluon_yolo.atomic import writing
from gluon_yolo.errors import UserError
from gluon_yolo.export.hold import ADVICE, held
from gluon_yolo.inference.graph import Graph
from gluon_yolo.inference.model_file import RUN_RECORD, ModelFile

# What has to agree for two formats to be of one model; else the later export takes the earlier one's place.
_SAME = {"network": "of another network", "weights": "of other weights", "precision": "in another precision"}
_SAME.update(spec="of other classes or anchors", size_hw="for another size", fit="for another fit")


@contextlib.contextmanager
def published(
    out_dir: str | os.PathLike[str], names: Sequence[str], removed: Sequence[str] = ()
) -> Iterator[Path]:
    """Yield a folder to write files into and to try them in; at the end, move those that are named.

    When writing, trying or moving fails, all is as it was. While the block lasts no other run publishes
    there, so that what it finds there (:func:`earlier`) stays.

    Args:
        out_dir: where they are to appear; made when absent.
        names: of the files, last the one that speaks for the others and stands only beside its own.
        removed: files there that are to go as these come; the block may still add to them.

    Raises:
        UserError: the folder cannot be written, or another run publishes there now.
    """
    folder = Path(out_dir)
    with writing(folder, ADVICE), held(folder):
        with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as aside:
            yield Path(aside)
            before = Path(aside) / "before"
            before.mkdir()
            _move(Path(aside), folder, names, removed, before)


@dataclasses.dataclass(frozen=True)
class Earlier:
    """What becomes of the exports that lie where a model is to be written.

    Args:
        kept: the formats of the same model that stay.
        removed: files of another model that go.
        reason: what makes it another; empty where none goes.
    """

    kept: Mapping[str, Graph] = dataclasses.field(default_factory=dict)
    removed: tuple[str, ...] = ()
    reason: str = ""


def earlier(out_dir: str | os.PathLike[str], record: ModelFile, kinds: Sequence[str]) -> Earlier:
    """Say what becomes of what lies in a folder when a model is written there.

    Formats of the same model stay, but for those that are written anew; the files of another model of this
    name go.

    Args:
        out_dir: the folder, which may be absent.
        record: of the model, but for its graphs.
        kinds: the formats to be written.

    Raises:
        UserError: the folder is a run's, or what bears the record's name cannot be read.
    """
    folder = Path(out_dir)
    path = folder / f"{record.name}.json"
    for there in {folder / RUN_RECORD, path}:
        if there.exists() and _read(there).is_run:
            raise UserError(f"{folder}: is the folder of a run or of an imported model; {ADVICE}")
    if not path.exists():
        return Earlier()
    old = _read(path)
    reasons = [words for field, words in _SAME.items() if getattr(old, field) != getattr(record, field)]
    if reasons:
        return Earlier({}, tuple(file for graph in old.graphs.values() for file in graph.files), reasons[0])
    whole = {
        kind: graph
        for kind, graph in old.graphs.items()
        if kind not in kinds and all((folder / file).is_file() for file in graph.files)
    }
    return Earlier(whole)


def _read(path: Path) -> ModelFile:
    try:
        return ModelFile.read(path)
    except UserError as error:
        raise UserError(f"{error}; it is in the way: remove it, or {ADVICE}") from error


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
