"""Where a YOLO data set has its class names: in its description, in a ``.names`` file, or nowhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from gluon_yolo.data.classes import read_class_names
from gluon_yolo.data.yolo.paths import label_paths
from gluon_yolo.errors import UserError

ADVICE = "give them with --classes FILE, or put a .names file there, one name a line"
TOOLS_FILE = "classes.txt"
"""What labelling tools call the class names that they leave beside labels."""
_NAMES_SHOWN = 10


@dataclasses.dataclass(frozen=True)
class Names:
    """The class names of a data set, in the order of the class ids, or where to read them.

    Args:
        source: the names, or the file that has them; None where there are none, or it cannot be told which.
        missing: what to say then.
        declared: how many classes a description says there are, and where it does.
        described: the description that has the names.
    """

    source: tuple[str, ...] | Path | None
    missing: str
    declared: tuple[int, str] | None = None
    described: str = "names"

    @property
    def origin(self) -> str:
        """Where the names are from, for messages."""
        return str(self.source) if isinstance(self.source, Path) else self.described

    def read(self) -> tuple[str, ...] | None:
        """Return the names, None where there are none.

        Raises:
            UserError: their file is broken, or they are not as many as the description declares.
        """
        if self.source is None:
            return None
        names = read_class_names(self.source) if isinstance(self.source, Path) else self.source
        self.check_count(names, self.origin)
        return names

    def check_count(self, names: Sequence[str], origin: str) -> None:
        """Raise a UserError when there are not as many names as the description declares."""
        if self.declared is None or self.declared[0] == len(names):
            return
        count, place = self.declared
        raise UserError(
            f"{place}: says {count} classes, but {origin} has {_shown(names)}; correct one of them"
        )

    def beside(self, root: Path, places: Iterable[Path]) -> Names:
        """Return the names of a description, held against those that tools left beside the labels.

        One list of names may go on where the other ends.

        Args:
            root: the folder of the data set.
            places: the lists and folders of its splits.
        """
        for file in _files(root, places, TOOLS_FILE):
            try:
                ours, theirs = self.read() or (), read_class_names(file)
            except UserError:  # which opening the data reports, or is no list of names
                continue
            if any(one != other for one, other in zip(ours, theirs)):
                both = {self.origin: ours, str(file): theirs}
                return dataclasses.replace(self, source=None, missing=_disagree(both))
        return self


def find_names(root: Path, places: Iterable[Path]) -> Names:
    """Look for class names in a data set that nothing describes.

    Args:
        root: its folder.
        places: the lists and folders of its splits; labelling tools leave ``classes.txt`` beside the labels.
    """
    places = list(places)
    for pattern in ("*.names", TOOLS_FILE):
        found = _files(root, places, pattern)
        if len(found) > 1:
            try:
                names = {str(file): read_class_names(file) for file in found}
            except UserError as error:
                return Names(None, str(error))
            if len(set(names.values())) > 1:
                return Names(None, _disagree(names))
        if found:
            return Names(found[0], "")
    return Names(None, f"{root}: no class names: {ADVICE}")


def _files(root: Path, places: Iterable[Path], pattern: str) -> list[Path]:
    """Return the files of a pattern in a data set's folder, and in those of its pictures and labels."""
    folders = [root, root / "labels"]
    for place in places:
        if place.is_dir():
            folders += [place, Path(label_paths(str(place / "any"))[0]).parent]
    return [file for folder in dict.fromkeys(folders) for file in sorted(folder.glob(pattern))]


def _disagree(names: dict[str, tuple[str, ...]]) -> str:
    """Say which files have other class names than others."""
    lists = ", ".join(f"{file} ({_shown(each)})" for file, each in names.items())
    return (
        f"several files of class names disagree, so class ids can mean one thing or the other: {lists}. Make "
        "them equal, or say with --classes FILE which counts for all labels"
    )


def _shown(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > _NAMES_SHOWN else ""
    return f"{len(names)} ({', '.join(names[:_NAMES_SHOWN])}{more})"
