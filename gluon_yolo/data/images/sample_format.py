"""Sample format: what an image's header says about its samples, and which formats OpenCV decodes wrongly.

OpenCV shows signed samples at half their brightness and 12-bit samples at a sixteenth; which frame of an
animation it returns depends on its version.
"""

from __future__ import annotations

import dataclasses

from gluon_yolo.data.images import tiff
from gluon_yolo.data.images.file_types import JPEG, JPEG2000, PNG, TIFF, WEBP, Kind
from gluon_yolo.data.images.jpeg2000 import CODESTREAM
from gluon_yolo.data.images.segments import START_OF_FRAME, jpeg_segments, png_chunks, riff_chunks

_SAVE = "save it with 8 bits a sample, as PNG or JPEG"
_SAVE_RGB = "save it in RGB, as PNG or JPEG"
_ONE_FRAME = "save the frame that is meant as a picture of its own"
_INTEGERS, _SIGNED, _FLOAT, _VOID = 1, 2, 3, 4
_PALETTE, _LOG = 3, (32844, 32845)
_MOST_SAMPLES = {0: 2, 1: 2, 2: 4, 3: 1, 5: 4, 6: 3}  # by TIFF colour space, of those that are read
_TIFF_COLOURS = {4: "a mask", 8: "CIE Lab", 9: "ICC Lab", 10: "ITU Lab"}
_REDUCED, _MASK, _REDUCED_BEFORE = 1, 4, 2
_JPEG_LS = 0xF7
_PNG_RGB = (2, 3, 6)
_JPEG2000_COLOURS = {12: "CMYK", 14: "CIE Lab", 18: "YCbCr (sYCC)"}
_JPEG2000_READ = (16, 17)  # sRGB and grey


@dataclasses.dataclass(frozen=True)
class Samples:
    """The samples of an image, as its header describes them.

    Args:
        problem: why OpenCV would decode wrong colours, to follow "is a TIFF"; empty when it would not.
        bits: bits of each sample.
        significant: number of significant bits of a sample, from the header.
        as_stored: whether OpenCV must return unscaled samples: it does not scale the samples of a JPEG 2000
            to 8 bits unless they have 8 or 16.
    """

    problem: str = ""
    bits: int = 8
    significant: int = 16
    as_stored: bool = False


_PLAIN = Samples()


def samples_of(data: bytes, kind: Kind) -> Samples:
    """Return the samples of an image file of a supported type, from its header."""
    read = _READERS.get(kind)
    return read(data) if read else _PLAIN


def _jpeg(data: bytes) -> Samples:
    for marker, start, _ in jpeg_segments(data):
        if marker in START_OF_FRAME and data[start : start + 1] not in (b"\x08", b""):
            return Samples(f"of {data[start]} bits a sample, which is not read: {_SAVE}")
        if marker == _JPEG_LS:
            return Samples(f"of the kind JPEG-LS, which is not read: {_SAVE}")
        if marker in START_OF_FRAME:
            break
    return _PLAIN


def _png(data: bytes) -> Samples:
    bits, colours = (*data[24:26], 8, 0)[:2]
    significant = 16
    for name, start, end in png_chunks(data):
        if name == b"CgBI":
            return Samples("in Apple's own form (CgBI), which is not read: save it as a usual PNG")
        if name == b"acTL" and (count := int.from_bytes(data[start : start + 4], "big")) > 1:
            return Samples(f"with {count} frames (APNG), which is not read: {_ONE_FRAME}")
        if name == b"sBIT":
            significant = max(data[start:end][: 3 if colours in _PNG_RGB else 1], default=16)
        if name == b"IDAT":
            break
    return Samples(bits=bits, significant=significant)


def _webp(data: bytes) -> Samples:
    names = [name for name, _, _ in riff_chunks(data)]
    if b"ANIM" in names or b"ANMF" in names:
        return Samples(f"with {names.count(b'ANMF')} frames, which is not read: {_ONE_FRAME}")
    return _PLAIN


def _tiff(data: bytes) -> Samples:
    page, *others = list(tiff.directories(data)) or [{}]
    pages = 1 + sum(map(_is_page, others))
    colours, planes = tiff.first_number(page, tiff.COLOURS, 1), tiff.first_number(page, tiff.SAMPLES, 1)
    bits, most = tiff.first_number(page, tiff.BITS, 1), tiff.first_number(page, tiff.MAX_SAMPLE, 65535)
    problem = _tiff_numbers(page, bits, colours)
    if pages > 1:
        problem = f"of {pages} pages, which is not read: save each page as a picture of its own"
    elif not problem and colours not in _MOST_SAMPLES:
        named = _TIFF_COLOURS.get(colours, f"space {colours}")
        problem = f"of colours in {named}, which are not read: {_SAVE_RGB}"
    elif not problem and planes > _MOST_SAMPLES[colours]:
        problem = f"of {planes} channels that are not red, green and blue: {_SAVE_RGB}"
    return Samples(problem, bits, most.bit_length())


def _tiff_numbers(page: tiff.Directory, bits: int, colours: int) -> str:
    """Return what is wrong with the samples of a page, in the words of :class:`Samples`; empty if nothing."""
    form = tiff.first_number(page, tiff.SAMPLE_FORMAT, _INTEGERS)
    if form == _FLOAT or colours in _LOG:
        return f"of float samples, which are not read: {_SAVE}"
    if form not in (_INTEGERS, _VOID):
        what = "signed integer" if form == _SIGNED else "complex"
        return f"of {what} samples ({bits} bits), which are not read: {_SAVE}"
    if bits > 16:
        return f"of {bits}-bit integer samples, which are not read: {_SAVE}"
    if bits not in (1, 8, 16) and not (bits == 4 and colours == _PALETTE):
        return f"of {bits} bits a sample, which is not read: {_SAVE}"
    return ""


def _is_page(page: tiff.Directory) -> bool:
    """Return whether a directory is a page, and not a smaller copy or a mask of another page."""
    kind = tiff.first_number(page, tiff.NEW_SUBFILE, 0)
    return not kind & (_REDUCED | _MASK) and tiff.first_number(page, tiff.SUBFILE, 1) != _REDUCED_BEFORE


def _jpeg2000(data: bytes) -> Samples:
    start = data.find(CODESTREAM)
    count = int.from_bytes(data[start + 40 : start + 42], "big") if start >= 0 else 0
    depths = sorted(set(data[start + 42 : start + 42 + 3 * count : 3]))  # bits - 1, and 128 more if signed
    bits = max((depth & 0x7F for depth in depths), default=7) + 1
    problem = ""
    if any(depth & 0x80 for depth in depths):
        problem = f"of signed integer samples, which are not read: {_SAVE}"
    elif bits > 16 or len(depths) > 1:
        shown = ", ".join(str(depth + 1) for depth in depths)
        problem = f"of {shown} bits a sample, which is not read: {_SAVE}"
    box = data.find(b"colr", 0, max(start, 0))
    number = int.from_bytes(data[box + 7 : box + 11], "big")
    if not problem and box >= 0 and data[box + 4] == 1 and number not in _JPEG2000_READ:
        named = _JPEG2000_COLOURS.get(number, f"space {number}")
        problem = f"of colours in {named}, which are not read: {_SAVE_RGB}"
    return Samples(problem, bits, as_stored=bits not in (8, 16))


_READERS = {JPEG: _jpeg, PNG: _png, WEBP: _webp, TIFF: _tiff, JPEG2000: _jpeg2000}
