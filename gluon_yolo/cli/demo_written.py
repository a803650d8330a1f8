"""Written: the files in its output folder that ``demo`` wrote; it overwrites no others."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from gluon_yolo.atomic_io import writing

NOTES = ".gluon-yolo-demo"
_Stamp = tuple[int, int]
_SYSTEM = ("thumbs.db", "desktop.ini")  # Windows writes these to any folder that it shows


class Written:
    """Knows the files that earlier runs wrote and that are unchanged, from notes in the folder.

    A note is a line ``[path, bytes, time of the last change in nanoseconds]``. The memory does not grow with
    the number of files that this run writes.

    Args:
        folder: of all results.

    Attributes:
        count: number of files of this run.
    """

    def __init__(self, folder: Path) -> None:
        self.count = 0
        self._folder = folder
        self._file: TextIO | None = None
        self._earlier, self._lines = _read(folder / NOTES)

    def is_free(self, path: Path) -> bool:
        """Return whether a path is free: no file exists, or an unchanged one of an earlier run."""
        stamp = self._earlier.get(self._key(path))
        return not os.path.lexists(path) or (stamp is not None and _stamp(path) == stamp)

    def strangers(self, folder: Path) -> Iterator[Path]:
        """Yield the files and links in a folder and below it that must not be overwritten."""
        for place, folders, files in os.walk(folder):
            links = [name for name in folders if os.path.islink(os.path.join(place, name))]
            for name in sorted(links + files):
                hidden = name.startswith(".") and not name.endswith(".txt")
                path = Path(place, name)
                if not (hidden or name.lower() in _SYSTEM or self.is_free(path)):
                    yield path

    def note(self, path: Path, at: Path | None = None) -> None:
        """Write a note that a file belongs to this run.

        Args:
            path: of the file, below the folder.
            at: the path of its content before it is renamed.

        Raises:
            UserError: the notes cannot be written.
        """
        stamp = _stamp(path if at is None else at)
        if stamp is None:
            return
        self.count += 1
        self._earlier.pop(self._key(path), None)  # this run must not overwrite its own file
        with writing(self._folder / NOTES, "name another place with --out"):
            file = self._file = self._file or self._opened()
            file.write(_line(self._key(path), stamp))
            file.flush()

    def _opened(self) -> TextIO:
        """Open the notes to append to them; if most are outdated, write a new file without these first."""
        path = self._folder / NOTES
        if self._lines > 2 * len(self._earlier):
            part = path.with_name(f"{NOTES}.part")
            with part.open("w", encoding="ascii") as file:
                file.writelines(_line(key, stamp) for key, stamp in self._earlier.items())
            os.replace(part, path)
        file = path.open("a", encoding="ascii")
        file.write("\n" if self._lines else "")  # the last line may be incomplete
        return file

    def _key(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()


def _line(key: str, stamp: _Stamp) -> str:
    return f"{json.dumps([key, *stamp])}\n"


def _stamp(path: Path) -> _Stamp | None:
    """Return the size and the time of the last change of a file; None if it is not a regular file."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def _read(path: Path) -> tuple[dict[str, _Stamp], int]:
    """Return the last note of each file, and the number of lines; invalid lines are ignored."""
    notes: dict[str, _Stamp] = {}
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return notes, 0
    for line in lines:
        try:
            key, size, changed = json.loads(line)
            notes[str(key)] = (int(size), int(changed))
        except (ValueError, TypeError):
            continue
    return notes, len(lines)
