"""Spellings: which class names mean the same."""

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
    """Finds a class under another name: by a written map, then by the spellings of VOC, COCO and darknet.

    Args:
        renamed: names, and what they are called instead; several may get one name, and are one class then.
    """

    def __init__(self, renamed: Mapping[str, str] | None = None) -> None:
        self._renamed = dict(renamed or {})

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Spellings:
        """Read a map: ``NAME = OTHER NAME`` a line, ``#`` begins a comment.

        Raises:
            UserError: the file cannot be read, a line is something else, or names a class a second time.
        """
        renamed: dict[str, str] = {}
        for number, text in enumerate(read_text(path, "the class map").splitlines(), 1):
            line = text.partition("#")[0].strip()
            name, equals, other = (part.strip() for part in line.partition("="))
            if line and not (name and other):
                raise UserError(f"{os.fspath(path)}: line {number}: {_FORM}, got {text.strip()!r}")
            if name in renamed:
                raise UserError(
                    f"{os.fspath(path)}: line {number}: {name!r} is renamed before; keep one line"
                )
            if equals:
                renamed[name] = other
        return cls(renamed)

    def rename(self, name: str) -> str:
        """Return what the written map calls a class; its own name where it says nothing."""
        return self._renamed.get(name, name)

    def find(self, name: str, known: Collection[str]) -> str | None:
        """Return the one of the known names that means the same class, None where none does.

        A line of the map holds both ways, where only one name leads back.
        """
        if self.rename(name) in known:
            return self.rename(name)
        back = [other for other, new in self._renamed.items() if new == name and other in known]
        if name in known or len(back) == 1:
            return name if name in known else back[0]
        group = {plain(other) for other in _GROUPS.get(plain(self.rename(name)), ())}
        return next((other for other in known if plain(other) in group), None)

    def check_used(self, names: Iterable[str]) -> None:
        """Demand that each line of the map names a class that is there, on one of its sides.

        Raises:
            UserError: one does not, and has a slip in it.
        """
        known = set(names)
        for name, other in self._renamed.items():
            if name not in known and other not in known:
                raise SettingError(
                    f"{{class_map}}: {name} = {other}: there is no class of either name; there are "
                    f"{', '.join(sorted(known))}"
                )
