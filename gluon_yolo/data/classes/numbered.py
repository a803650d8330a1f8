"""Names: the class names of a data set whose labels know their classes by number, or where to read them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from gluon_yolo.data.classes.read import read_class_names
from gluon_yolo.errors import UserError
from gluon_yolo.text import counted

ADVICE = "give them with {classes} FILE, or put a .names file there, one name a line"
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
            f"{place}: says {counted(count, 'class')}, but {origin} has {_shown(names)}; correct one of them"
        )


def of_files(files: Sequence[Path], may_go_on: bool = False) -> Names | None:
    """Return the names of files that must agree; None without files.

    Args:
        files: of class names.
        may_go_on: whether one may have more names than another, behind equal ones; the longest counts.
    """
    if not files:
        return None
    if len(files) == 1:
        return Names(files[0], "")
    try:
        names = {file: read_class_names(file) for file in files}
    except UserError as error:
        return Names(None, str(error))
    longest = max(names, key=lambda file: len(names[file]))  # the first of several
    for each in names.values():
        if each != names[longest][: len(each)] or (len(each) < len(names[longest]) and not may_go_on):
            return Names(None, disagreement({str(file): names[file] for file in files}))
    return Names(longest, "")


def held_against(names: Names, others: Mapping[str, tuple[str, ...] | Path]) -> Names:
    """Return names, held against others, of which each may end before them or go on behind them.

    Args:
        names: those that count.
        others: by what messages call them, the names or the file that has them.
    """
    try:
        ours = names.read() or ()
    except UserError:  # which opening the data reports
        return names
    for origin, other in others.items():
        try:
            theirs = read_class_names(other) if isinstance(other, Path) else other
        except UserError:  # no list of names
            continue
        if any(one != another for one, another in zip(ours, theirs)):
            both = {names.origin: ours, origin: theirs}
            return dataclasses.replace(names, source=None, missing=disagreement(both))
    return names


def disagreement(names: dict[str, tuple[str, ...]]) -> str:
    """Say which files have other class names than others."""
    lists = ", ".join(f"{file} ({_shown(each)})" for file, each in names.items())
    return (
        f"several files of class names disagree, so class ids can mean one thing or the other: {lists}. Make "
        "them equal, or say with {classes} FILE which counts for all labels"
    )


def _shown(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > _NAMES_SHOWN else ""
    return f"{len(names)} ({', '.join(names[:_NAMES_SHOWN])}{more})"
