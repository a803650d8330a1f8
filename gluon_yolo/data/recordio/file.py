"""RecordIO framing: records of bytes in a file, as mxnet reads and writes them.

A record begins with two little-endian 32-bit words: a magic number, and a word whose upper three bits are a
flag and whose lower 29 bits are the length. The data follows, padded with zeros to a multiple of 4 bytes.
Data that contains the magic number at a multiple of 4 is written as several parts without those words: the
flags of the parts are 1 (first), 2 (middle) and 3 (last). A record in one part has flag 0.
"""

from __future__ import annotations

import os
import struct
import weakref
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from gluon_yolo.errors import UserError

MAGIC = struct.pack("<I", 0xCED7230A)
LONGEST = (1 << 29) - 1
"""The maximum number of bytes in a record."""
_HEAD = struct.Struct("<4sI")
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)


class NoRecord(ValueError):
    """No record begins at this position of the file."""


class TornRecord(ValueError):
    """A record begins here, but the file ends or has other bytes before the record ends."""


class Frame(NamedTuple):
    """The position of a record in its file.

    Args:
        offset: its first byte, that of the magic number.
        end: the byte after its padding, where the next record begins.
        size: number of bytes of its data.
        in_one: whether the data is in one part.
    """

    offset: int
    end: int
    size: int
    in_one: bool


class RecordFile:
    """A ``.rec`` file, whose records can be read in any order and from several threads at once.

    It is opened at its first reading, and again in every process that it is sent to.

    Args:
        path: the file.

    Raises:
        UserError: it does not exist.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        try:
            self.size = os.path.getsize(path)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be read: {error.strerror or error}") from error

    def __getstate__(self) -> dict[str, Any]:
        """Return the state to pickle, without the open file."""
        return {"path": self.path, "size": self.size}

    def frame(self, offset: int) -> Frame:
        """Return the record that begins at a byte of the file, without reading its data.

        Raises:
            NoRecord: none begins there.
            TornRecord: it is incomplete.
        """
        flag, size, end = self._head(offset)
        if flag == _WHOLE:
            return Frame(offset, end, size, True)
        if flag != _FIRST:
            raise NoRecord(f"byte {offset:,} is within a record, not at its beginning")
        while flag != _LAST:
            try:
                flag, more, end = self._head(end)
            except NoRecord as error:
                raise TornRecord(f"the record at byte {offset:,} lacks its last part: {error}") from error
            if flag not in (_MIDDLE, _LAST):
                raise TornRecord(f"the record at byte {offset:,} lacks its last part")
            size += len(MAGIC) + more
        return Frame(offset, end, size, False)

    def frames(self) -> Iterator[Frame]:
        """Yield all records in the order of the file, from header to header without reading the data.

        Raises:
            NoRecord: other bytes follow the last record.
            TornRecord: the last record is incomplete.
        """
        offset = 0
        while offset < self.size:
            frame = self.frame(offset)
            yield frame
            offset = frame.end

    def read(self, frame: Frame, start: int = 0, stop: int | None = None) -> bytes:
        """Return a record's data, or its bytes from ``start`` to ``stop``.

        Raises:
            OSError: the file cannot be read.
            TornRecord: the file was changed.
        """
        stop = frame.size if stop is None else min(stop, frame.size)
        if frame.in_one:
            return self._bytes(frame.offset + _HEAD.size + start, stop - start)
        return MAGIC.join(self._parts(frame))[start:stop]

    def _parts(self, frame: Frame) -> Iterator[bytes]:
        """Yield the parts of a record, between which the magic number was removed."""
        offset = frame.offset
        while offset < frame.end:
            _, size, end = self._head(offset)
            yield self._bytes(offset + _HEAD.size, size)
            offset = end

    def _head(self, offset: int) -> tuple[int, int, int]:
        """Return the flag of the part at ``offset``, its number of bytes, and the offset of the next part."""
        if not 0 <= offset <= self.size - len(MAGIC):
            raise NoRecord(f"byte {offset:,} is beyond the end of the file, which has {self.size:,} bytes")
        head = os.pread(self._descriptor(), _HEAD.size, offset)
        if not head.startswith(MAGIC):
            raise NoRecord(f"no record begins at byte {offset:,}")
        if len(head) == _HEAD.size:
            word = _HEAD.unpack(head)[1]
            size = word & LONGEST
            end = offset + _HEAD.size + size + -size % 4
            if end <= self.size:
                return word >> 29, size, end
        raise TornRecord(f"the file ends within the record at byte {offset:,}")

    def _bytes(self, offset: int, size: int) -> bytes:
        data = os.pread(self._descriptor(), size, offset)
        if len(data) != size:
            raise TornRecord(f"the file has changed: it ends before byte {offset + size:,}")
        return data

    def _descriptor(self) -> int:
        """Return the file descriptor; its position is never used, so threads can share it."""
        known = self.__dict__.get("_open")
        if known is None:
            opened = os.open(self.path, os.O_RDONLY)
            if os.fstat(opened).st_size != self.size:
                os.close(opened)
                raise TornRecord("the file has changed since it was first looked at")
            known = self.__dict__.setdefault("_open", opened)
            if known == opened:
                weakref.finalize(self, os.close, opened)
            else:
                os.close(opened)  # another thread was faster
        return known


def write_record(file: BinaryIO, data: bytes) -> int:
    """Write one record, and return how many bytes of the file it uses.

    Args:
        file: open for writing, at a multiple of 4 bytes.
        data: the record's data.

    Raises:
        ValueError: the data is longer than a record can be.
        OSError: it cannot be written.
    """
    if len(data) > LONGEST:
        raise ValueError(f"expected at most {LONGEST:,} bytes in a record, got {len(data):,}")
    cuts = _magic_places(data)
    starts = [0, *(cut + len(MAGIC) for cut in cuts)]
    stops = [*cuts, len(data)]
    view = memoryview(data)
    written = 0
    for number, (start, stop) in enumerate(zip(starts, stops)):
        size = stop - start
        file.write(_HEAD.pack(MAGIC, _flag(number, len(starts)) << 29 | size))
        file.write(view[start:stop])
        file.write(bytes(-size % 4))
        written += _HEAD.size + size + -size % 4
    return written


def _flag(number: int, parts: int) -> int:
    """Return the flag of part ``number`` (from 0) of a record."""
    if parts == 1:
        return _WHOLE
    if number == 0:
        return _FIRST
    return _LAST if number == parts - 1 else _MIDDLE


def _magic_places(data: bytes) -> list[int]:
    """Return the multiples of 4 at which the data contains the magic number."""
    places = []
    place = data.find(MAGIC)
    while place >= 0:
        if place % 4 == 0:
            places.append(place)
        place = data.find(MAGIC, place + (4 if place % 4 == 0 else 1))
    return places
