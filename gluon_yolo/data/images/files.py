"""Image files of folders: list them, find one by its stem, and report files that are left out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Container, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from gluon_yolo.data.images.file_types import kind_of

EXTENSIONS = (
    *(
        ".jpg",
        ".jpeg",
        ".png",
        ".bmp",
        ".webp",
        ".tif",
        ".tiff",
        ".jpe",
        ".jfif",
        ".jif",
        ".jfi",
        ".mpo",
        ".dib",
    ),
    *(".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm", ".pam", ".ras", ".sr"),
)
"""Endings of images that are read, in any letter case."""
UNREAD = (
    *(".gif", ".apng", ".avif", ".avifs", ".heic", ".heif", ".hif", ".jxl", ".jxr", ".wdp", ".jls", ".svg"),
    *(
        ".psd",
        ".xcf",
        ".tga",
        ".pcx",
        ".dds",
        ".qoi",
        ".exr",
        ".hdr",
        ".pfm",
        ".dcm",
        ".fits",
        ".dng",
        ".nef",
    ),
    *(".nrw", ".cr2", ".cr3", ".arw", ".sr2", ".orf", ".rw2", ".raf", ".pef", ".srw", ".x3f", ".raw"),
)
"""Endings of images that are not read."""
# Other files of data set folders, whose content need not be checked.
_OTHERS = (
    *(".txt", ".xml", ".json", ".yaml", ".yml", ".names", ".data", ".list", ".csv", ".md", ".html", ".pdf"),
    *(".rec", ".idx", ".lst", ".part", ".npy", ".npz", ".cfg", ".weights", ".py", ".zip", ".cache", ".old"),
)
_TELLING = 1024  # bytes that are enough to detect a file's type


def is_image(path: str | os.PathLike[str]) -> bool:
    """Return whether a file's name is that of a readable image; hidden files such as ``._1.jpg`` are not."""
    return _ends_with(path, EXTENSIONS)


def is_unread_image(path: str | os.PathLike[str]) -> bool:
    """Return whether a file's name is that of an image of a type that is not read."""
    return _ends_with(path, UNREAD)


def _ends_with(path: str | os.PathLike[str], endings: tuple[str, ...]) -> bool:
    name = os.path.basename(path)
    return name.lower().endswith(endings) and not name.startswith(".")


def images_below(folder: str | os.PathLike[str]) -> list[str]:
    """Return the paths of the images in a folder and its subfolders, sorted, without hidden folders."""
    found: list[str] = []
    for parent, names in visible_files(folder):
        found += [os.path.join(parent, name) for name in names if is_image(name)]
    return sorted(found)


def visible_files(folder: str | os.PathLike[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield a folder and its subfolders in order, each with the names of its files, without hidden ones."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield parent, [name for name in names if not name.startswith(".")]


def left_out(folder: str | os.PathLike[str], used: Container[str] = (), below: bool = True) -> str:
    """Return a message about the images of a folder that are left out for their names; empty if none is.

    Files whose ending is unknown are opened to detect their type.

    Args:
        folder: the folder.
        used: paths of images that are used in spite of their names, as those of a COCO file.
        below: whether to include subfolders.
    """
    unread: Counter[str] = Counter()
    unnamed: Counter[str] = Counter()
    for parent, names in visible_files(folder):
        for name in names:
            ending = os.path.splitext(name)[1].lower()
            if ending in EXTENSIONS or ending in _OTHERS or os.path.join(parent, name) in used:
                continue
            if ending in UNREAD:
                unread[ending] += 1
            elif (kind := _kind_of_file(os.path.join(parent, name))) is not None:
                unnamed[f"{ending or 'without an ending'} ({kind} by its content)"] += 1
        if not below:
            break
    parts = []
    if unread:
        parts.append(f"{_counted(unread)}, which are not read: save them as PNG or JPEG")
    if unnamed:
        parts.append(f"{_counted(unnamed)}: give them the ending of what they are")
    return f"{os.fspath(folder)}: left out: {'; and '.join(parts)}" if parts else ""


def _kind_of_file(path: str) -> str | None:
    """Return the image type of a file by its content; None when it is not an image or cannot be read."""
    try:
        with open(path, "rb") as file:
            kind = kind_of(file.read(_TELLING))
    except OSError:
        return None
    return kind.name if kind and kind.is_image else None


def _counted(endings: Counter[str]) -> str:
    ordered = sorted(endings.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {ending}" for ending, count in ordered)


def files_ending(folder: Path, *endings: str) -> list[Path]:
    """Return the files of a folder with one of these endings, in any letter case, sorted by name."""
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    return [file for name in names if name.lower().endswith(endings) and (file := folder / name).is_file()]


def files_called(folder: Path, pattern: str) -> list[Path]:
    """Return the files of a folder that match a pattern such as ``*.names``, in any letter case."""
    stem, ending = os.path.splitext(pattern)
    return [file for file in files_ending(folder, ending) if fnmatchcase(file.stem.lower(), stem)]


class StemFolder:
    """Finds files by stem in a folder, in any letter case of the ending.

    Args:
        path: the folder; a stem may name a file in a subfolder (``"day1/0001"``).
        endings: the endings to find, in order of preference.
    """

    def __init__(self, path: str, endings: tuple[str, ...]) -> None:
        self.path = path
        self.endings = endings
        self._folded: dict[str, dict[str, list[str]]] = {}
        self._listings: dict[str, dict[str, list[str]]] = {}

    def find_all(self, stem: str) -> list[str]:
        """Return the paths of the files with this stem, in the order of the endings."""
        folder, base = os.path.split(stem)
        return [os.path.join(self.path, folder, name) for name in self._listing(folder).get(base, ())]

    def in_any_case(self, stem: str) -> list[str]:
        """Return the paths of files whose stem differs in letter case only; empty when several stems do."""
        folder, base = os.path.split(stem)
        if folder not in self._folded:
            folded: dict[str, list[str]] = {}
            for each in self._listing(folder):
                folded.setdefault(each.casefold(), []).append(each)
            self._folded[folder] = folded
        stems = self._folded[folder].get(base.casefold(), [])
        return self.find_all(os.path.join(folder, stems[0])) if len(stems) == 1 else []

    def _listing(self, folder: str) -> dict[str, list[str]]:
        """Return the names of a folder's files by stem, each list in the order of the endings."""
        if folder not in self._listings:
            listing: dict[str, list[str]] = {}
            path = os.path.join(self.path, folder)
            for name in sorted(os.listdir(path)) if os.path.isdir(path) else []:
                if _ends_with(name, self.endings):
                    listing.setdefault(os.path.splitext(name)[0], []).append(name)
            for names in listing.values():
                names.sort(key=lambda name: self.endings.index(os.path.splitext(name)[1].lower()))
            self._listings[folder] = listing
        return self._listings[folder]


class ImageFolder(StemFolder):
    """Finds images by stem in a folder, with any ending in any letter case.

    Args:
        path: the folder; a stem may name a file in a subfolder (``"day1/0001"``).
    """

    def __init__(self, path: str) -> None:
        super().__init__(path, EXTENSIONS)
        self._unread = StemFolder(path, UNREAD)

    def find(self, stem: str, filename: str | None = None) -> list[str]:
        """Return the paths of the images that a stem can mean: none, one, or several candidates.

        Args:
            stem: the name without its ending.
            filename: the name in the annotation; it selects among several images of one stem, and is
                searched when the stem finds none. Its folder is ignored.
        """
        folder = os.path.split(stem)[0]
        filename = os.path.basename((filename or "").replace("\\", "/"))
        named = os.path.join(self.path, folder, filename)
        found = self.find_all(stem)
        if found:
            return [named] if named in found else found
        other = self.find_all(os.path.join(folder, os.path.splitext(filename)[0]))
        return [named] if named in other else []

    def unread(self, stem: str) -> str | None:
        """Return the name of a file with this stem whose image type is not read; None if there is none."""
        return next(map(os.path.basename, self._unread.find_all(stem)), None)
