"""JPEG 2000: the codestream in a file's boxes, which OpenJPEG reads safely only where it is whole.

Format: ISO/IEC 15444-1, annex I.
"""

from __future__ import annotations

import re

CODESTREAM = b"\xff\x4f\xff\x51"
"""The first bytes of a codestream, in a box or as a file of its own."""
_BOX, _HEADER = b"jp2c", b"ihdr"


def boxed_codestream(data: bytes) -> bytes | None:
    """Return the codestream of a file of boxes, from its beginning to the file's end.

    None without one, and where its size is not that of the boxes, which OpenJPEG takes for damage. The boxes
    are passed over as OpenJPEG does it, up to the first codestream.
    """
    place = 0
    while place + 8 <= len(data):
        length, head = int.from_bytes(data[place : place + 4], "big"), 8
        if length == 1:
            length, head = int.from_bytes(data[place + 8 : place + 16], "big"), 16
        if data[place + 4 : place + 8] == _BOX:
            found = data[place + head :]
            return found if found.startswith(CODESTREAM) and _agree(data[:place], found) else None
        if length < head:  # also the zero of a last box, behind which there is none
            return None
        place += length
    return None


def size_of(codestream: bytes) -> tuple[int, int]:
    """Return width and height from a codestream's head, of which 24 bytes are read."""
    x1, y1, x0, y0 = (int.from_bytes(codestream[place : place + 4], "big") for place in range(8, 24, 4))
    return x1 - x0, y1 - y0


def _agree(boxes: bytes, codestream: bytes) -> bool:
    """Return whether all headers in boxes have a codestream's height and width."""
    width, height = size_of(codestream)
    heads = [match.end() for match in re.finditer(_HEADER, boxes)]
    sides = [(boxes[place : place + 4], boxes[place + 4 : place + 8]) for place in heads]
    size = (height, width)
    return all((int.from_bytes(down, "big"), int.from_bytes(along, "big")) == size for down, along in sides)
