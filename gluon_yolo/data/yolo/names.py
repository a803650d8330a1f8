"""Where a YOLO data set has its class names: in its description, in a ``.names`` file, or nowhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from gluon_yolo.data.classes import read_class_names
from gluon_yolo.data.yolo.paths import label_paths
from gluon_yolo.errors import UserError

ADVICE = "give them with --classes FILE, or put a .names file there, one name a line"
_NAMES_SHOWN = 10


@dataclasses.dataclass(frozen=True)
class Names:
    """The class names of a data set, in the order of the class ids, or where to read them.

    Args:
        source: the names, or the file that has them; None where there are none.
        missing: what to say then.
        declared: how many classes a description says there are, and where it does.
    """

    source: tuple[str, ...] | Path | None
    missing: str
    declared: tuple[int, str] | None = None

    @property
    def origin(self) -> str:
        """Where the names are from, for messages."""
        return str(self.source) if isinstance(self.source, Path) else "names"

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
        shown = ", ".join(names[:_NAMES_SHOWN]) + (", ..." if len(names) > _NAMES_SHOWN else "")
        raise UserError(
            f"{place}: says {count} classes, but {origin} has {len(names)} ({shown}); correct one of them"
        )


def find_names(root: Path, places: Iterable[Path]) -> Names:
    """Look for class names in a data set that nothing describes.

    Args:
        root: its folder.
        places: the lists and folders of its splits; labelling tools leave ``classes.txt`` beside the labels.
    """
    folders = [root, root / "labels"]
    for place in places:
        if place.is_dir():
            folders += [place, Path(label_paths(str(place / "any"))[0]).parent]
    for pattern in ("*.names", "classes.txt"):
        found = [file for folder in dict.fromkeys(folders) for file in sorted(folder.glob(pattern))]
        if len(found) > 1 and pattern == "*.names":
            files = ", ".join(map(str, found))
            return Names(None, f"{root}: several files of class names: {files}; choose with --classes FILE")
        if found:
            return Names(found[0], "")
    return Names(None, f"{root}: no class names: {ADVICE}")
