"""Picture files: read one, measure one, find one by its stem."""

from __future__ import annotations

import os
from collections.abc import Iterator

import cv2
import numpy as np

from gluon_yolo.data.report import BadFile
from gluon_yolo.errors import UserError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
REDUCTIONS = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
"""The scales at which a picture can be decoded, 1 over these, with OpenCV's flags."""
_JPEG_BEGIN, _JPEG_SCAN, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"


def read_picture(path: str | os.PathLike[str], reduction: int = 1) -> np.ndarray:
    """Read a picture file into (H, W, 3) uint8 RGB, turned upright as its EXIF orientation says.

    Args:
        path: the file.
        reduction: one of ``REDUCTIONS``, as for :func:`decode_picture`.

    Raises:
        BadFile: the file is missing, is no picture, or is cut short.
    """
    return decode_picture(read_bytes(path), os.fspath(path), reduction)


def decode_picture(data: bytes, name: str, reduction: int = 1) -> np.ndarray:
    """Decode a picture file's content into (H, W, 3) uint8 RGB, turned upright as its EXIF orientation says.

    Args:
        data: the file's bytes.
        name: what messages call it.
        reduction: one of ``REDUCTIONS``: sides are divided by it and rounded up. A JPEG is decoded at that
            scale, several times faster than in full.

    Raises:
        BadFile: it is no picture, or is cut short.
    """
    picture = _decode(data, name, REDUCTIONS[reduction])
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB, dst=picture)


def as_picture(array: np.ndarray, name: str = "the picture") -> np.ndarray:
    """Turn an array of pixels of any usual kind into (H, W, 3) uint8.

    Args:
        array: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), whose fourth channel, opacity, is left out; uint8,
            uint16 (65535 is white), bool, or floating-point numbers in 0..1.
        name: what messages call it.

    Returns:
        The picture, colours in the order given; the array itself where it is one already.

    Raises:
        UserError: it is none of these.
    """
    wrong = f"{name} is an array {array.shape} of {array.dtype}"
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        hint = "; its channels come first: transpose it to (1, 2, 0)" if _channels_first(array) else ""
        raise UserError(f"{wrong}; expected (H, W), (H, W, 1), (H, W, 3) or (H, W, 4){hint}")
    if not array.size:
        raise UserError(f"{wrong}: it has no pixels")
    array = array[:, :, :3]
    if array.dtype == np.uint16:
        array = (array >> 8).astype(np.uint8)
    elif array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    elif array.dtype.kind == "f":
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 1):
            raise UserError(
                f"{wrong} with values {low:g} to {high:g}; floating-point pixels must be within 0 and 1: "
                "divide them by their white, or give uint8 of 0..255"
            )
        array = np.rint(array * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise UserError(f"{wrong}; expected uint8, uint16, bool, or floating-point numbers within 0 and 1")
    return array if array.shape[2] == 3 else np.repeat(array, 3, axis=2)


def _channels_first(array: np.ndarray) -> bool:
    return array.ndim == 3 and array.shape[0] in (1, 3, 4)


def picture_size_hw(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return a picture's (height, width) in pixels after decoding all of it, which proves it readable.

    Decoding to grey costs about half of what :func:`read_picture` does.

    Raises:
        BadFile: as :func:`read_picture`.
    """
    return encoded_size_hw(read_bytes(path), os.fspath(path))


def encoded_size_hw(data: bytes, name: str) -> tuple[int, int]:
    """Return the (height, width) of a picture file's content, as :func:`picture_size_hw` does of a file."""
    height, width = _decode(data, name, cv2.IMREAD_GRAYSCALE).shape
    return height, width


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return a picture file's content.

    Raises:
        BadFile: it cannot be read, or is empty.
    """
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError as error:
        missing = f"cannot read the picture: {error.strerror}"
        raise BadFile(os.fspath(path), missing, "missing-picture") from error
    except (OSError, ValueError) as error:  # the latter for a name with a zero byte
        raise _unreadable(os.fspath(path), getattr(error, "strerror", None) or str(error)) from error


def _decode(data: bytes, name: str, flags: int) -> np.ndarray:
    """Decode from memory: OpenCV's own file reader mangles some paths, and pads a file that was cut short."""
    if not data:
        raise _unreadable(name, "the file is empty")
    try:
        picture = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error as error:
        raise _unreadable(name, str(error).strip()) from error
    if picture is None or not _is_whole(data):
        raise _unreadable(name, "damaged, cut short, or no picture at all")
    return picture


def _is_whole(data: bytes) -> bool:
    """Say whether a decoded file has its end; only JPEG is looked at, where old OpenCVs pad what is missing.

    The end marker is the last thing in most files. Where something comes after it, it is looked for behind
    the headers, which may hold a thumbnail with an end of its own; a JPEG's pixels never contain one.
    """
    if not data.startswith(_JPEG_BEGIN) or data.endswith(_JPEG_END):
        return True
    return data.rfind(_JPEG_END) > _end_of_headers(data)


def _end_of_headers(data: bytes) -> int:
    """Return where a JPEG's pixels begin: behind its segments, each a marker, a length and content."""
    place = len(_JPEG_BEGIN)
    while data[place : place + 1] == b"\xff" and data[place : place + 2] != _JPEG_SCAN:
        if data[place + 1 : place + 2] == b"\xff":
            place += 1  # a marker may have fill bytes before it
        else:
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return place


def _unreadable(name: str, why: str) -> BadFile:
    return BadFile(name, f"cannot read the picture: {why}", "unreadable-picture")


def is_picture(path: str | os.PathLike[str]) -> bool:
    """Say whether a file's name is a picture's; hidden ones are none, such as macOS's ``._1.jpg``."""
    name = os.path.basename(path)
    return name.lower().endswith(EXTENSIONS) and not name.startswith(".")


def pictures_below(folder: str | os.PathLike[str]) -> list[str]:
    """Return the pictures in a folder and below it, sorted; hidden folders are left out."""
    found: list[str] = []
    for parent, names in visible_files(folder):
        found += [os.path.join(parent, name) for name in names if is_picture(name)]
    return sorted(found)


def visible_files(folder: str | os.PathLike[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield a folder and those below it, in order, each with the names of its files; none that is hidden."""
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield parent, [name for name in names if not name.startswith(".")]


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
                if is_picture(name):
                    listing.setdefault(os.path.splitext(name)[0], []).append(name)
            for names in listing.values():
                names.sort(key=lambda name: EXTENSIONS.index(os.path.splitext(name)[1].lower()))
            self._listings[folder] = listing
        return self._listings[folder]
