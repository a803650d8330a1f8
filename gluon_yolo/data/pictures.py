"""Picture files: read one, measure one, find one by its stem."""

from __future__ import annotations

import os

import cv2
import numpy as np

from gluon_yolo.data.report import BadFile

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


def read_picture(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a picture file into (H, W, 3) uint8 RGB, turned upright as its EXIF orientation says.

    Raises:
        BadFile: the file is missing, is no picture, or is cut short.
    """
    picture = _decode(path, cv2.IMREAD_COLOR)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB, dst=picture)


def picture_size_hw(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return a picture's (height, width) in pixels after decoding all of it, which proves it readable.

    Decoding to grey costs about half of what :func:`read_picture` does.

    Raises:
        BadFile: as :func:`read_picture`.
    """
    height, width = _decode(path, cv2.IMREAD_GRAYSCALE).shape
    return height, width


def _decode(path: str | os.PathLike[str], flags: int) -> np.ndarray:
    """Decode from memory: OpenCV's own file reader mangles some paths, and pads a file that was cut short."""
    try:
        with open(path, "rb") as file:
            data = np.frombuffer(file.read(), dtype=np.uint8)
    except OSError as error:
        raise BadFile(os.fspath(path), f"cannot read the picture: {error.strerror or error}") from error
    if not len(data):
        raise BadFile(os.fspath(path), "cannot read the picture: the file is empty")
    try:
        picture = cv2.imdecode(data, flags)
    except cv2.error as error:
        raise BadFile(os.fspath(path), f"cannot read the picture: {str(error).strip()}") from error
    if picture is None:
        raise BadFile(os.fspath(path), "cannot read the picture: damaged, cut short, or no picture at all")
    return picture


class PictureFolder:
    """Finds pictures by stem in a folder, whatever the extension and its case.

    Args:
        path: the folder; stems may name files in folders below it (``"day1/0001"``).
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._listings: dict[str, dict[str, list[str]]] = {}

    def find(self, stem: str, filename: str | None = None) -> str | None:
        """Return the path of the picture called ``stem``, or None.

        Args:
            stem: the name without extension.
            filename: the name that the annotation gives; it decides between several pictures of one stem,
                and is looked for when there is none. A folder in it is ignored.
        """
        folder, base = os.path.split(stem)
        filename = os.path.basename((filename or "").replace("\\", "/"))
        listing = self._listing(folder)
        names = listing.get(base, [])
        if filename in names:
            return os.path.join(self.path, folder, filename)
        if names:
            return os.path.join(self.path, folder, names[0])
        if filename in listing.get(os.path.splitext(filename)[0], []):
            return os.path.join(self.path, folder, filename)
        return None

    def _listing(self, folder: str) -> dict[str, list[str]]:
        """Return the picture names of a folder by stem, each list in the order of ``EXTENSIONS``."""
        if folder not in self._listings:
            listing: dict[str, list[str]] = {}
            path = os.path.join(self.path, folder)
            for name in sorted(os.listdir(path)) if os.path.isdir(path) else []:
                stem, extension = os.path.splitext(name)
                if extension.lower() in EXTENSIONS:
                    listing.setdefault(stem, []).append(name)
            for names in listing.values():
                names.sort(key=lambda name: EXTENSIONS.index(os.path.splitext(name)[1].lower()))
            self._listings[folder] = listing
        return self._listings[folder]
