"""PathFinder: finds the files and folders that a data set names, also where it was moved since."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePath
from urllib.parse import unquote, urlsplit

from gluon_yolo.data.images.files import UNREAD, StemFolder

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # a drive of Windows has one letter
_DRIVE = re.compile(r"^[A-Za-z]:(?=[\\/])")
_SHOWN = 3
# Folders that most data sets have: by such a name alone none of them is known again.
_COMMON = frozenset({"images", "image", "imgs", "img", "jpegimages", "pictures", "data", "dataset", "labels"})


class PathFinder:
    r"""Finds what a list or description names, also where the data set was moved since.

    A path that is not there is looked for by its end, in each base: ``/old/place/train/1.jpg``,
    ``C:\old\train\1.jpg`` and ``https://host/train/1.jpg`` are found as ``train/1.jpg``, else as ``1.jpg``;
    the longest end counts. Two different paths are never found in one place, and a folder is not found by a
    name alone that most data sets have, such as ``images``.

    Args:
        bases: folders that a relative path may be relative to, in this order.
        exists: says whether a path is what is looked for.
        from_here: whether a relative path may also be relative to the current folder, which comes last. It
            may hold another data set's files of the same names: see :func:`nothing_beside`.
    """

    def __init__(
        self,
        bases: Iterable[Path],
        exists: Callable[[str], bool] = os.path.exists,
        from_here: bool = False,
    ) -> None:
        self.bases = list(dict.fromkeys(str(base) for base in bases))
        self._exists = exists
        self.from_here = from_here
        self.moved: dict[str, str] = {}
        """The folders that were not where they were said to be, and where they were found."""
        self._here: list[str] = []  # what was found in the current folder, as written
        self._folders: dict[str, str] = {}  # the same by their portable names
        self._taken: dict[str, str] = {}  # what was found by its end: the path that was looked for
        self._listings: dict[str, dict[str, list[str]]] = {}
        self._unread: dict[str, StemFolder] = {}  # of each base

    def find(self, written: str) -> str | None:
        """Return the path that is meant; None where there is none, or it was taken for another one."""
        whole = os.path.isabs(written)
        candidates = [written] if whole else [self._join(base, written) for base in self.bases]
        found = next((path for path in candidates if self._exists(path)), None)
        if found:
            return found
        if self.from_here and not whole and self._exists(written):
            self._here.append(written)
            return written
        plain = portable(written)
        found = self._by_its_end(plain) or self._by_its_end(unquote(plain))
        if found is None or self.rival(written, found):
            return None
        self._taken.setdefault(found, written)
        place = self._folders[plain.rpartition("/")[0]] = os.path.dirname(found)
        self.moved[written.replace("\\", "/").rpartition("/")[0]] = place
        return found

    def rival(self, written: str, found: str | None = None) -> str | None:
        """Return another path that was found where this one would be; None where there is none.

        Args:
            written: the path that is looked for.
            found: where it would be; None finds that.
        """
        plain = portable(written)
        found = found or self._by_its_end(plain) or self._by_its_end(unquote(plain))
        other = self._taken.get(found) if found else None
        if other is None or _is_end_of(portable(other), plain) or _is_end_of(plain, portable(other)):
            return None
        return other

    def notes(self, name: str) -> list[str]:
        """Say where the images were found that a file names in folders that are not there.

        Args:
            name: of the file.
        """
        moved = [*self.moved.items()]
        notes: list[str] = [
            MovedNote.of(
                f"{name} names pictures in {written or '.'}; they were found in {found}", written, found
            )
            for written, found in moved[:_SHOWN]
        ]
        if len(moved) > _SHOWN:
            notes.append(f"{name}: so in {len(moved) - _SHOWN:,} more folders")
        if self._here:
            notes.append(
                f"{name}: what it names is not beside it, and was found from the current folder, "
                f"{os.getcwd()}, such as {self._here[0]}"
            )
        return notes

    def problem(self, written: str) -> str:
        """Say why an image is not found."""
        problem = f"there is no picture {written}{self.unread(written)}"
        rival = self.rival(written)
        if rival:
            return (
                f"{problem}, and its end is that of {rival} as well: it cannot be told which of them is meant"
            )
        if os.path.isabs(written) or _URL.match(written) or _DRIVE.match(written):
            return problem
        here = " or the current folder" if self.from_here else ""
        return f"{problem}, seen from {os.path.abspath(self.bases[0])}{here}"

    def unread(self, written: str) -> str:
        """Say, in brackets, that an image is there in a kind that is not read; empty where none is."""
        parts = [
            part for part in os.path.splitext(portable(written))[0].split("/") if part not in ("", ".", "..")
        ]
        for start in range(len(parts)):
            for base in self.bases:
                folder = self._unread.setdefault(base, StemFolder(base, UNREAD))
                for found in folder.find_all("/".join(parts[start:]))[:1]:
                    ending = os.path.splitext(found)[1]
                    return f" ({found} is there, but {ending} is not read: save it as PNG or JPEG)"
        return ""

    def _by_its_end(self, plain: str) -> str | None:
        """Return the path that has the longest end of a path, else that has it in another letter case."""
        folder, _, name = plain.rpartition("/")
        if folder in self._folders and self._exists(self._join(self._folders[folder], name)):
            return self._join(self._folders[folder], name)
        parts = [part for part in plain.split("/") if part not in ("", ".", "..")]
        for search in (self._exactly, self.in_any_case):
            for start in range(len(parts)):
                for base in self.bases:
                    path = search(base, parts[start:])
                    is_all = not start and "/".join(parts) == plain  # in another letter case
                    if path and not (
                        os.path.isdir(path) and not is_all and self._says_nothing(base, parts, start)
                    ):
                        return path
        return None

    def _exactly(self, base: str, parts: list[str]) -> str | None:
        path = self._join(base, *parts)
        return path if self._exists(path) else None

    def in_any_case(self, base: str, parts: Sequence[str]) -> str | None:
        """Return the only path below a folder whose names differ from these in nothing but letter case."""
        paths = [base]
        for part in parts:
            paths = [
                self._join(path, name)
                for path in paths
                for name in self._listing(path).get(part.casefold(), [])
            ]
        paths = [path for path in paths if self._exists(path)]
        return paths[0] if len(paths) == 1 else None

    def _listing(self, folder: str) -> dict[str, list[str]]:
        """Return a folder's names by what they are in small letters."""
        if folder not in self._listings:
            names: dict[str, list[str]] = {}
            for name in os.listdir(folder) if os.path.isdir(folder) else ():
                names.setdefault(name.casefold(), []).append(name)
            self._listings[folder] = names
        return self._listings[folder]

    @staticmethod
    def _says_nothing(base: str, parts: list[str], start: int) -> bool:
        """Say whether the end of a folder's path could be any data set's.

        ``/old/cells/images`` is found as ``images`` in a folder called ``cells``, and in no other.
        """
        if any(part.lower() not in _COMMON for part in parts[start:]):
            return False
        return not start or parts[start - 1] != os.path.basename(os.path.abspath(base))

    @staticmethod
    def _join(base: str, *parts: str) -> str:
        return str(Path(base, *parts))


class MovedNote(str):
    """A note on a folder of images that is not where a file says that it is.

    Attributes:
        written: the folder as the file names it.
        found: where its images were found.
    """

    written: str
    found: str

    @classmethod
    def of(cls, text: str, written: str, found: str) -> MovedNote:
        """Return a note with this text."""
        note = cls(text)
        note.written, note.found = written or ".", found
        return note


def nothing_beside(
    written: Iterable[str], bases: Iterable[Path], exists: Callable[[str], bool] = os.path.exists
) -> bool:
    """Say whether not one path of a description is found in its bases.

    Darknet's paths are relative to where it is called, so then they may be meant from the current folder.
    Where some are found in the bases, the others are missing: what is called so here is another data set's.

    Args:
        written: the paths of the whole description.
        bases: folders that they may be relative to.
        exists: says whether a path is what is looked for.
    """
    finder = PathFinder(bases, exists)
    return all(finder.find(path) is None for path in written)


def portable(written: str) -> str:
    """Return a path of any system, or a URL's path, with ``/`` between its parts and no drive or host."""
    if _URL.match(written):
        return urlsplit(written).path
    return _DRIVE.sub("", written, count=1).replace("\\", "/")


def _is_end_of(short: str, long: str) -> bool:
    """Say whether a path is the end of another, or both are the same."""
    ends = [part for part in PurePath(short.lstrip("/")).parts if part != "."]
    return PurePath(long).parts[-len(ends) :] == tuple(ends) if ends else False
