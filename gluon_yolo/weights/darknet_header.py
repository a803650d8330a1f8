"""The header of a darknet ``.weights`` file."""

from __future__ import annotations

import dataclasses
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from gluon_yolo.errors import UserError
from gluon_yolo.weights import placeholder

NEWEST = 9999  # larger than any part of a version, and smaller than four letters of text read as an integer


@dataclasses.dataclass(frozen=True)
class Header:
    """The header of a weights file.

    Args:
        major: version of the format.
        minor: from version 0.2 on, ``seen`` has 64 bits, before it 32.
        revision: third part of the version.
        seen: number of images that training has seen.
    """

    major: int = 0
    minor: int = 2
    revision: int = 5
    seen: int = 0

    @property
    def is_wide(self) -> bool:
        """Whether ``seen`` has 64 bits."""
        return self.major * 10 + self.minor >= 2 and self.major < 1000 and self.minor < 1000

    def to_bytes(self) -> bytes:
        """Return the bytes of the header."""
        kind = "Q" if self.is_wide else "I"
        return struct.pack(f"<iii{kind}", self.major, self.minor, self.revision, self.seen)

    @classmethod
    def from_bytes(cls, data: bytes, wide: bool | None = None) -> Header:
        """Read a header from the beginning of a file.

        Args:
            data: of the file.
            wide: whether ``seen`` has 64 bits; None takes what the version says.

        Raises:
            struct.error: the data is too short.
        """
        header = cls(*struct.unpack_from("<iii", data))
        wide = header.is_wide if wide is None else wide
        (seen,) = struct.unpack_from("<Q" if wide else "<I", data, 12)
        return dataclasses.replace(header, seen=seen)


def read_parts(path: str | os.PathLike[str]) -> Iterator[tuple[Header, bytes]]:
    """Yield a file's header and the bytes after it; then, if possible, both with the other width of ``seen``.

    Some programs write ``seen`` with the width of another version than the file's. The upper 32 bits of a
    64-bit ``seen`` are 0 in practice; the first weight of a trained network is hardly ever 0.

    Raises:
        UserError: the file cannot be read, is shorter than a header, or does not begin with a version.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{os.fspath(path)}: cannot be read ({error.strerror or error})") from error
    placeholder.refuse(path, data[: placeholder.LENGTH])
    try:
        header = Header.from_bytes(data)
    except struct.error:
        raise UserError(
            f"{os.fspath(path)}: {len(data)} bytes are too few for a darknet weights file"
        ) from None
    if not all(0 <= part <= NEWEST for part in (header.major, header.minor, header.revision)):
        raise UserError(
            f"{os.fspath(path)}: is no darknet weights file: it does not begin with a version; "
            "its name usually ends in .weights"
        )
    yield header, data[len(header.to_bytes()) :]
    narrow, wide = 16, 20  # lengths of both kinds of header in bytes
    upper = data[narrow:wide]
    if len(upper) == wide - narrow and any(upper) == header.is_wide:
        other = Header.from_bytes(data, wide=not header.is_wide)
        yield other, data[narrow if header.is_wide else wide :]
