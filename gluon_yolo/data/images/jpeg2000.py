"""JPEG 2000: the codestream in a file's boxes, which OpenJPEG reads safely only where it is whole.

Format: ISO/IEC 15444-1, annex I.
"""

from __future__ import annotations

CODESTREAM = b"\xff\x4f\xff\x51"
"""The first bytes of a codestream, in a box or as a file of its own."""
_BOX = b"jp2c"


def boxed_codestream(data: bytes) -> bytes | None:
    """Return the codestream of a file of boxes, from its beginning to the file's end; None without one.

    The boxes are passed over as OpenJPEG does it, up to the first codestream.
    """
    place = 0
    while place + 8 <= len(data):
        length, head = int.from_bytes(data[place : place + 4], "big"), 8
        if length == 1:
            length, head = int.from_bytes(data[place + 8 : place + 16], "big"), 16
        if data[place + 4 : place + 8] == _BOX:
            found = data[place + head :]
            return found if found.startswith(CODESTREAM) else None
        if length < head:  # also the zero of a last box, behind which there is none
            return None
        place += length
    return None
