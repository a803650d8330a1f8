"""Class names: read them from a file, and report unknown ones."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from gluon_yolo.data.text_file import read_text
from gluon_yolo.errors import SettingError, UserError

_NAMES_SHOWN = 30


def read_class_names(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Read class names from a text file: one name per line; trailing blanks and empty last lines are ignored.

    Raises:
        UserError: the file cannot be read, is empty, has an empty line between names, or has a name twice.
    """
    path = os.fspath(path)
    names = [line.rstrip() for line in read_text(path, "the class names").rstrip().splitlines()]
    if not names:
        raise UserError(f"{path}: no class names; write one a line")
    for number, name in enumerate(names, 1):
        if not name:
            raise UserError(f"{path}: line {number} is empty; write one class name a line")
        if name in names[: number - 1]:
            first = names.index(name) + 1
            raise UserError(f"{path}: line {number} names {name!r} again, as line {first} does")
    return tuple(names)


def check_lines(names: Iterable[str]) -> None:
    """Check that a text file with one class name per line can hold each of these names.

    Raises:
        UserError: a name is empty, ends in a blank, or contains a line break.
    """
    for name in names:
        if not name.strip() or name != name.rstrip() or len(name.splitlines()) > 1:
            raise UserError(f"the class name {name!r} cannot be a line of a .names file; rename the class")


def lookalikes(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the groups of names that differ in case or blanks only, and are probably one class."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[plain(name)].append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def unknown_classes(found_in: Mapping[str, str], class_names: Sequence[str]) -> SettingError:
    """Return the error about classes that are in the annotations and not among the known ones.

    Args:
        found_in: for each unknown class, the place where it occurs first.
        class_names: the known classes.
    """
    known = listed([repr(name) for name in class_names], _NAMES_SHOWN)
    lines = [f"{place}: unknown class {name!r}{_hint(name, class_names)}" for name, place in found_in.items()]
    advice = (
        "Name every class in the file given with {classes}, leave classes out with {only}, or correct the "
        "annotations"
    )
    return SettingError("\n".join([*lines, f"The known classes are {known}. {advice}"]))


def _hint(name: str, class_names: Sequence[str]) -> str:
    """Return a hint when ``name`` differs from a known class in case or blanks only; else empty."""
    for known in class_names:
        if plain(known) == plain(name):
            return f" (it differs from {known!r} only in case or blanks, but names must match exactly)"
    return ""


def plain(name: str) -> str:
    """Return a name without blanks and in folded case, so that lookalikes are equal."""
    return "".join(name.split()).casefold()


def listed(names: Sequence[str], most: int = 8) -> str:
    """Return the first names, separated by commas, and how many more there are."""
    more = [f"and {len(names) - most} more"] if len(names) > most else []
    return ", ".join([*map(str, names[:most]), *more])
