"""RecordSource: a ``.rec`` file, or a folder of them, as a data set with splits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gluon_yolo.data.classes.numbered import Names, compared_with, of_files
from gluon_yolo.data.classes.read import read_class_names
from gluon_yolo.data.images.files import files_called, files_ending
from gluon_yolo.data.quality.report import Issue
from gluon_yolo.data.recordio.dataset import RecordDataset, open_record
from gluon_yolo.data.recordio.image_record import class_id_count
from gluon_yolo.data.source import Source
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.text import counted

NAMES_FILE = "classes.names"


class RecordSource(Source):
    """RecordIO: each ``.rec`` file is a split, named by its stem; several, separated by commas, open as one.

    The files contain class ids only; the names come from ``STEM.names``, ``classes.names`` or the only
    ``.names`` file beside them, one name per line.

    Args:
        path: a ``.rec`` file or a folder with some.
    """

    format = "record"
    title = "RecordIO"
    accepts = "a .rec file, or a folder with .rec files (train.rec, val.rec) and classes.names"

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether the path is a ``.rec`` file, or a folder with one."""
        return bool(_rec_files(path))

    def splits(self) -> tuple[str, ...]:
        """Return the stems of the ``.rec`` files, sorted."""
        return tuple(self._files())

    def class_names(self, splits: Sequence[str]) -> tuple[str, ...]:
        """Return the class names of the ``.names`` file beside the records, which all splits share.

        Raises:
            UserError: there is no such file, or several differ, even for another split.
        """
        files = {path: _names_file(path) for path in self._files().values()}
        chosen = self._chosen(",".join(splits))
        missing = [path for path in chosen if files[path] is None]
        if missing:
            unclear = of_files(_others(missing[0].parent))
            if unclear is not None and unclear.source is None:
                raise SettingError(unclear.missing)
            raise self._no_names(missing)
        used = [file for path in (*chosen, *files) if (file := files[path]) is not None]
        of_its_own = used[0].stem == chosen[0].stem
        beside = [] if of_its_own else [file for file in _others(used[0].parent) if file not in used]
        agreed = compared_with(Names(used[0], ""), {str(file): file for file in beside})
        found = {file: read_class_names(file) for file in used}
        for other in found:
            if found[other] != found[used[0]]:
                raise SettingError(
                    f"{other}: other class names than in {used[0]}; say which with {{classes}} FILE"
                )
        if agreed.source is None:
            raise SettingError(agreed.missing)
        return found[used[0]]

    def open(
        self, split: str, class_names: Sequence[str] | None = None, skip_bad: bool = False
    ) -> RecordDataset:
        """Open a split, or several separated by commas as one; see :class:`Source`."""
        paths = self._chosen(split)
        names = self.class_names([split]) if class_names is None else class_names
        folder = (self.path if self.path.is_dir() else self.path.parent).resolve()
        dataset = open_record(paths, names, skip_bad, f"{folder.name} {split}")
        for part in sorted(folder.glob("*.rec.part")):
            dataset.report.notes.append(f"{part.name} was not packed to its end; give `data pack` again")
        return dataset

    def orphans(self) -> list[Issue]:
        """Return a warning for each ``.idx`` file in the folder that has no ``.rec`` file."""
        stems = {file.stem for file in files_ending(self.path, ".rec")}
        alone = [file for file in files_ending(self.path, ".idx") if file.stem not in stems]
        return [
            Issue("warning", str(file), "", f"there is no {file.stem}.rec beside it", "stray-label")
            for file in alone
        ]

    def _files(self) -> dict[str, Path]:
        """Return the ``.rec`` files by their stems."""
        files = _rec_files(self.path)
        if not files:
            raise UserError(f"{self.path}: no .rec file; expected {self.accepts}")
        return {file.stem: file for file in files}

    def _chosen(self, split: str) -> list[Path]:
        """Return the files of one split, or of several separated by commas."""
        files, split = self._files(), self.resolve(split)
        stems = [split] if split in files else split.split(",")
        for stem in stems:
            if stem not in files:
                raise self.no_split(stem)
        return [files[stem] for stem in dict.fromkeys(stems)]

    def _no_names(self, paths: Sequence[Path]) -> UserError:
        """Return the error about missing class names."""
        count = class_id_count(paths)
        number = counted(count, "name")
        return SettingError(
            f"{paths[0]}: no class names: records know their classes by number only. These labels call for "
            f"{number}: write them one a line, in the order of the class ids, to "
            f"{paths[0].parent / NAMES_FILE}, or to any file that you give with {{classes}} FILE"
        )


def _rec_files(path: Path) -> list[Path]:
    """Return the ``.rec`` file at a path, or those in the folder at the path."""
    if path.is_dir():
        return files_ending(path, ".rec")
    return [path] if path.suffix.lower() == ".rec" and path.is_file() else []


def _others(folder: Path) -> list[Path]:
    """Return the files of class names in a folder that do not belong to a single ``.rec`` file."""
    stems = {file.stem for file in files_ending(folder, ".rec")}
    names = [file for file in files_ending(folder, ".names") if file.stem not in stems]
    return [*names, *files_called(folder, "classes.txt")]


def _names_file(path: Path) -> Path | None:
    """Return the file of class names of a ``.rec`` file; None when there is none."""
    files = files_ending(path.parent, ".names")
    for stem in (path.stem, Path(NAMES_FILE).stem):
        named = [file for file in files if file.stem == stem]
        if named:
            return named[0]
    return files[0] if len(files) == 1 else None
