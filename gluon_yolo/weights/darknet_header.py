"""Header: the head of a darknet ``.weights`` file, and what stands behind it."""

from __future__ import annotations

import dataclasses
import os
import struct
from collections.abc import Iterator
from pathlib import Path

from gluon_yolo.errors import UserError
from gluon_yolo.weights import placeholder

NEWEST = 9999  # far above every version's number, and far below what four letters of a text make


@dataclasses.dataclass(frozen=True)
class Header:
    """The head of the file.

    Args:
        major: of the format's version.
        minor: likewise; from version 0.2 on, ``seen`` takes 64 bits instead of 32.
        revision: likewise.
        seen: images that training has seen.
    """

    major: int = 0
    minor: int = 2
    revision: int = 5
    seen: int = 0

    @property
    def is_wide(self) -> bool:
        """Whether ``seen`` takes 64 bits."""
        return self.major * 10 + self.minor >= 2 and self.major < 1000 and self.minor < 1000

    def to_bytes(self) -> bytes:
        """Return the header as it stands in the file."""
        kind = "Q" if self.is_wide else "I"
        return struct.pack(f"<iii{kind}", self.major, self.minor, self.revision, self.seen)

    @classmethod
    def from_bytes(cls, data: bytes, wide: bool | None = None) -> Header:
        """Read a header from the beginning of a file.

        Args:
            data: of the file.
            wide: whether ``seen`` takes 64 bits; None goes by the version.

        Raises:
            struct.error: there are too few bytes.
        """
        header = cls(*struct.unpack_from("<iii", data))
        wide = header.is_wide if wide is None else wide
        (seen,) = struct.unpack_from("<Q" if wide else "<I", data, 12)
        return dataclasses.replace(header, seen=seen)


def read_parts(path: str | os.PathLike[str]) -> Iterator[tuple[Header, bytes]]:
    """Yield a weights file's header and the bytes behind it; then, where that may be, both cut otherwise.

    Some programs write ``seen`` in the width of another version than they say. The upper half of 64 bits is
    0 in any training's file, and the first number of a trained network hardly is.

    Raises:
        UserError: it cannot be read, is shorter than a header, or does not begin with a version.
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
    narrow, wide = 16, 20  # bytes of both kinds
    upper = data[narrow:wide]
    if len(upper) == wide - narrow and any(upper) == header.is_wide:
        other = Header.from_bytes(data, wide=not header.is_wide)
        yield other, data[narrow if header.is_wide else wide :]
