"""Class names for labels with class ids only: the names of a data set, or the file that has them."""

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
    """The class names of a data set in the order of the class ids, or the file that has them.

    Args:
        source: the names, or the file that has them; None when there are none, or files disagree.
        missing: the message for that case.
        declared: the number of classes in a description, and its place.
        described: the description that has the names, for messages.
    """

    source: tuple[str, ...] | Path | None
    missing: str
    declared: tuple[int, str] | None = None
    described: str = "names"

    @property
    def origin(self) -> str:
        """The place of the names, for messages."""
        return str(self.source) if isinstance(self.source, Path) else self.described

    def read(self) -> tuple[str, ...] | None:
        """Return the names; None when there are none.

        Raises:
            UserError: their file is broken, or their number differs from the declared one.
        """
        if self.source is None:
            return None
        names = read_class_names(self.source) if isinstance(self.source, Path) else self.source
        self.check_count(names, self.origin)
        return names

    def check_count(self, names: Sequence[str], origin: str) -> None:
        """Raise a UserError when the number of names differs from the declared one."""
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
        may_go_on: whether a file may have more names behind those of another; the longest is then used.
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


def compared_with(names: Names, others: Mapping[str, tuple[str, ...] | Path]) -> Names:
    """Return the names, after a comparison with others, each of which may be shorter or longer.

    Args:
        names: the names to use.
        others: other names or files of names, by their names in messages.

    Returns:
        ``names``; without a source when one of the others disagrees.
    """
    try:
        own_names = names.read() or ()
    except UserError:  # opening the data reports it
        return names
    for origin, other in others.items():
        try:
            other_names = read_class_names(other) if isinstance(other, Path) else other
        except UserError:  # not a list of names
            continue
        if any(one != another for one, another in zip(own_names, other_names)):
            both = {names.origin: own_names, origin: other_names}
            return dataclasses.replace(names, source=None, missing=disagreement(both))
    return names


def disagreement(names: dict[str, tuple[str, ...]]) -> str:
    """Return the message about files with different class names."""
    lists = ", ".join(f"{file} ({_shown(each)})" for file, each in names.items())
    return (
        f"several files of class names disagree, so class ids can mean one thing or the other: {lists}. Make "
        "them equal, or say with {classes} FILE which counts for all labels"
    )


def _shown(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > _NAMES_SHOWN else ""
    return f"{len(names)} ({', '.join(names[:_NAMES_SHOWN])}{more})"
