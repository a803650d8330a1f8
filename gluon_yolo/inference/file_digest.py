"""Size and SHA-256 of a model's file, as its export wrote it: an entry of ``files`` in the model's record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gluon_yolo import atomic_io


class FileDigest(NamedTuple):
    """What a file was when it was written.

    Args:
        size: in bytes.
        sha256: of its bytes, in hexadecimal digits.
    """

    size: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> FileDigest:
        """Return the digest of a file as it is now."""
        return cls(path.stat().st_size, atomic_io.digest(path))

    def agrees(self, path: Path) -> bool:
        """Return whether a file is still the one that was written; one of another size is not read."""
        return path.stat().st_size == self.size and atomic_io.digest(path) == self.sha256


def to_dict(digests: Mapping[str, FileDigest]) -> dict[str, Any]:
    """Return digests by file name as a dict for JSON."""
    return {file: {"bytes": digest.size, "sha256": digest.sha256} for file, digest in digests.items()}


def from_dict(record: Mapping[str, Any]) -> dict[str, FileDigest]:
    """Return the digests in a dict of :func:`to_dict`.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: a field is missing or invalid.
    """
    return {file: FileDigest(int(entry["bytes"]), str(entry["sha256"])) for file, entry in record.items()}
