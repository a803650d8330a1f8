"""PathFinder: find the files and folders that a data set names, even when the data set was moved."""

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
# Folders that most data sets have; such a name alone identifies no folder.
_COMMON = frozenset({"images", "image", "imgs", "img", "jpegimages", "pictures", "data", "dataset", "labels"})


class PathFinder:
    r"""Finds the files that a list or description names, even when the data set was moved.

    A path that does not exist is searched by its end in each base: ``/old/place/train/1.jpg``,
    ``C:\old\train\1.jpg`` and ``https://host/train/1.jpg`` are found as ``train/1.jpg``, otherwise as
    ``1.jpg``; the longest matching end counts. Two different paths never give one file, and a folder is not
    found by a common name alone, such as ``images``.

    Args:
        bases: folders that a relative path may be relative to, in order of preference.
        exists: returns whether a path exists as the searched kind.
        from_here: whether a relative path may also be relative to the current folder, which is tried last. It
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
        """Folders that were not at their written places, and where they were found."""
        self._here: list[str] = []  # paths that were found in the current folder, as written
        self._folders: dict[str, str] = {}  # found folders by their portable written paths
        self._taken: dict[str, str] = {}  # found path -> the written path that was found there by its end
        self._listings: dict[str, dict[str, list[str]]] = {}
        self._unread: dict[str, StemFolder] = {}  # by base

    def find(self, written: str) -> str | None:
        """Return the path that is meant; None when there is none, or another written path was found there."""
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
        """Return another written path that was found where this one would be; None when there is none.

        Args:
            written: the path to find.
            found: where it would be; None searches for it.
        """
        plain = portable(written)
        found = found or self._by_its_end(plain) or self._by_its_end(unquote(plain))
        other = self._taken.get(found) if found else None
        if other is None or _is_end_of(portable(other), plain) or _is_end_of(plain, portable(other)):
            return None
        return other

    def notes(self, name: str) -> list[str]:
        """Return notes about images that were found in other folders than the file names.

        Args:
            name: the file's name.
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
        """Return why an image is not found."""
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
        """Return, in brackets, that an image exists in a type that is not read; empty when none does."""
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
        """Return the path with the longest common end, first with exact case, then in any case."""
        folder, _, name = plain.rpartition("/")
        if folder in self._folders and self._exists(self._join(self._folders[folder], name)):
            return self._join(self._folders[folder], name)
        parts = [part for part in plain.split("/") if part not in ("", ".", "..")]
        for search in (self._exactly, self.in_any_case):
            for start in range(len(parts)):
                for base in self.bases:
                    path = search(base, parts[start:])
                    is_all = not start and "/".join(parts) == plain  # the whole path, in another letter case
                    if path and not (
                        os.path.isdir(path) and not is_all and self._is_too_common(base, parts, start)
                    ):
                        return path
        return None

    def _exactly(self, base: str, parts: list[str]) -> str | None:
        path = self._join(base, *parts)
        return path if self._exists(path) else None

    def in_any_case(self, base: str, parts: Sequence[str]) -> str | None:
        """Return the only path below a folder whose parts equal these in any letter case."""
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
        """Return a folder's names by their case-folded form."""
        if folder not in self._listings:
            names: dict[str, list[str]] = {}
            for name in os.listdir(folder) if os.path.isdir(folder) else ():
                names.setdefault(name.casefold(), []).append(name)
            self._listings[folder] = names
        return self._listings[folder]

    @staticmethod
    def _is_too_common(base: str, parts: list[str], start: int) -> bool:
        """Return whether the end of a folder's path is too common to identify it.

        ``/old/cells/images`` is found as ``images`` in a folder called ``cells``, and in no other.
        """
        if any(part.lower() not in _COMMON for part in parts[start:]):
            return False
        return not start or parts[start - 1] != os.path.basename(os.path.abspath(base))

    @staticmethod
    def _join(base: str, *parts: str) -> str:
        return str(Path(base, *parts))


class MovedNote(str):
    """A note about a folder of images that is not where a file says.

    Attributes:
        written: the folder as the file names it.
        found: where its images were found.
    """

    written: str
    found: str

    @classmethod
    def of(cls, text: str, written: str, found: str) -> MovedNote:
        """Make a note with a text and the two folders."""
        note = cls(text)
        note.written, note.found = written or ".", found
        return note


def nothing_beside(
    written: Iterable[str], bases: Iterable[Path], exists: Callable[[str], bool] = os.path.exists
) -> bool:
    """Return whether not one path of a description is found in its bases.

    Darknet's paths are relative to the folder where it runs, so in this case the current folder may be meant.
    When some paths are found in the bases, the others are missing; files of these names in the current folder
    belong to another data set.

    Args:
        written: all paths of the description.
        bases: folders that they may be relative to.
        exists: returns whether a path exists as the searched kind.
    """
    finder = PathFinder(bases, exists)
    return all(finder.find(path) is None for path in written)


def portable(written: str) -> str:
    """Return a path of any system, or a URL's path, with ``/`` as separator and without drive or host."""
    if _URL.match(written):
        return urlsplit(written).path
    return _DRIVE.sub("", written, count=1).replace("\\", "/")


def _is_end_of(short: str, long: str) -> bool:
    """Return whether a path is the end of another, or equal to it."""
    ends = [part for part in PurePath(short.lstrip("/")).parts if part != "."]
    return PurePath(long).parts[-len(ends) :] == tuple(ends) if ends else False
