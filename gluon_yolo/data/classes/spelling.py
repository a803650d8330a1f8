"""Spellings: class names that mean the same class."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping

from gluon_yolo.class_names import OTHER_SPELLINGS
from gluon_yolo.data.classes.read import plain
from gluon_yolo.data.text_file import read_text
from gluon_yolo.errors import SettingError, UserError

_FORM = "expected NAME = OTHER NAME, as `sofa = couch`"
_GROUPS = {plain(name): group for group in OTHER_SPELLINGS for name in group}


class Spellings:
    """Finds a class under another name: by a user's map, then by the spellings of VOC, COCO and darknet.

    Args:
        renamed: names and their new names; several may get one new name, and become one class.
        places: the file and the line of each, for messages.
    """

    def __init__(
        self, renamed: Mapping[str, str] | None = None, places: Mapping[str, str] | None = None
    ) -> None:
        self._renamed, self._places = dict(renamed or {}), dict(places or {})

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Spellings:
        """Read a map from a file: ``NAME = OTHER NAME`` per line; ``#`` begins a comment.

        Raises:
            UserError: the file cannot be read, a line has another form, or it renames a class again.
        """
        renamed: dict[str, str] = {}
        places: dict[str, str] = {}
        for number, text in enumerate(read_text(path, "the class map").splitlines(), 1):
            line = text.partition("#")[0].strip()
            place = f"{os.fspath(path)}: line {number}"
            name, equals, other = (part.strip() for part in line.partition("="))
            if line and not (name and other):
                raise UserError(f"{place}: {_FORM}, got {text.strip()!r}")
            if name in renamed:
                raise UserError(f"{place}: {name!r} is renamed before; keep one line")
            if equals:
                renamed[name], places[name] = other, place
        return cls(renamed, places)

    def rename(self, name: str) -> str:
        """Return the new name of a class in the user's map; its own name when it is not there."""
        return self._renamed.get(name, name)

    def find(self, name: str, known: Collection[str]) -> str | None:
        """Return the known name that means the same class; None when there is none.

        The map is also used backwards, when only one name leads to this one.
        """
        if self.rename(name) in known:
            return self.rename(name)
        back = [other for other, new in self._renamed.items() if new == name and other in known]
        if name in known or len(back) == 1:
            return name if name in known else back[0]
        group = {plain(other) for other in _GROUPS.get(plain(self.rename(name)), ())}
        return next((other for other in known if plain(other) in group), None)

    def check_used(self, names: Iterable[str]) -> None:
        """Check that each line of the map names an existing class, on one of its sides.

        Raises:
            UserError: a line names none, so it is probably misspelled.
        """
        known = set(names)
        for name, other in self._renamed.items():
            if name not in known and other not in known:
                problem = f"{name} = {other}: there is no class of either name; there are "
                problem += ", ".join(sorted(known))
                if name in self._places:
                    raise UserError(f"{self._places[name]}: {problem}")
                raise SettingError(f"{{class_map}}: {problem}")
