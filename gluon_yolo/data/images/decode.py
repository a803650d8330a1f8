"""Decoder: an image file's content -> its pixels as they are stored; or a message that says why not.

Before OpenCV sees a file, it is known to be of a kind that is read (``data/images/file_types.py``), with
samples that are decoded right (``data/images/sample_format.py``).
"""

from __future__ import annotations

import cv2
import numpy as np

from gluon_yolo.data.images import tiff
from gluon_yolo.data.images.bmp import decode_bmp, has_masks
from gluon_yolo.data.images.exif import UPRIGHT
from gluon_yolo.data.images.file_types import BMP, JPEG, JPEG2000, NETPBM, TIFF, WEBP, Kind, kind_of
from gluon_yolo.data.images.netpbm import decode_netpbm
from gluon_yolo.data.images.sample_format import Samples, samples_of
from gluon_yolo.data.images.segments import jpeg_segments
from gluon_yolo.data.quality.report import BadFile

# Which files OpenCV turns upright depends on its version, so it is told to turn none.
GREY = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
REDUCTIONS = {
    1: cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION,
    2: cv2.IMREAD_REDUCED_COLOR_2 | cv2.IMREAD_IGNORE_ORIENTATION,
    4: cv2.IMREAD_REDUCED_COLOR_4 | cv2.IMREAD_IGNORE_ORIENTATION,
    8: cv2.IMREAD_REDUCED_COLOR_8 | cv2.IMREAD_IGNORE_ORIENTATION,
}
"""The scales at which a picture can be decoded, 1 over these, with OpenCV's flags."""
DIM_BITS = 12
"""16 bits that these would hold are such that were not scaled up, or a picture that is all but black."""
# OpenCV turns a TIFF whatever it is told, and wrongly where it reduces one or reads tiles. It darkens colours
# by opacity, but not by a fourth plane of no meaning. Samples of no format are whole numbers.
_PLAIN_TIFF = {tiff.ORIENTATION: UPRIGHT, tiff.EXTRA_SAMPLES: 0, tiff.SAMPLE_FORMAT: 1}
_JPEG_BEGIN, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_OPTIONAL = {WEBP: ".webp", TIFF: ".tif", JPEG2000: ".jp2"}  # what OpenCV may have been built without
_NOTHING = "damaged, cut short, or no picture at all"


def unreadable(name: str, why: str) -> BadFile:
    """Return the error about an image that cannot be read."""
    return BadFile(name, f"cannot read the picture: {why}", "unreadable-picture")


def decode_stored(data: bytes, name: str, flags: int) -> tuple[np.ndarray, int]:
    """Decode an image file's content, and turn nothing.

    Args:
        data: the file's bytes.
        name: what messages call it.
        flags: ``GREY``, or one of ``REDUCTIONS``.

    Returns:
        The pixels, (H, W, 3) uint8 RGB; of grey (H, W), but for kinds that are not decoded faster so. And the
        bits that its brightest sample takes, 16 for all but dim images of 16 bits.

    Raises:
        BadFile: it is no image of a kind that is read, or is cut short.
    """
    kind, samples = _checked(data, name)
    if kind is NETPBM or (kind is BMP and has_masks(data)):
        return _decoded_here(data, name, kind)
    if kind is TIFF:
        data = tiff.with_numbers(data, _PLAIN_TIFF)
    if samples.as_stored:
        image = _narrowed(_opencv(data, name, kind, cv2.IMREAD_UNCHANGED), samples.bits)
    else:
        image = _opencv(data, name, kind, flags)
    used = 16
    # In 8 bits, what is above a quarter of white, or above what 15 bits hold, has no samples to be told of.
    if samples.bits == 16 and image.max() <= 1 << (7 if samples.significant == 15 else 6):
        used = _used_bits(data, name, kind, samples.significant)
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image), used


def _checked(data: bytes, name: str) -> tuple[Kind, Samples]:
    """Return the kind and the samples of an image that can be decoded right.

    Raises:
        BadFile: it cannot, or is nothing at all.
    """
    if not data:
        raise unreadable(name, "the file is empty")
    kind = kind_of(data)
    if kind is None:
        raise unreadable(name, _NOTHING)
    if not kind.is_read:
        raise BadFile(name, kind.refusal, "unreadable-picture")
    samples = samples_of(data, kind)
    if samples.problem:
        raise BadFile(name, f"is {kind.name} {samples.problem}", "unreadable-picture")
    return kind, samples


def _opencv(data: bytes, name: str, kind: Kind, flags: int) -> np.ndarray:
    """Decode from memory: OpenCV's own file reader mangles some paths, and pads a file that was cut short."""
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error as error:
        raise unreadable(name, str(error).strip()) from error
    if image is None or (kind is JPEG and not _is_whole(data)):
        raise unreadable(name, _why_not(data, kind))
    return image


def _why_not(data: bytes, kind: Kind) -> str:
    """Return why OpenCV gives no image of a file, as far as can be told."""
    if kind not in _OPTIONAL:
        return _NOTHING
    if not cv2.haveImageWriter(f"any{_OPTIONAL[kind]}"):
        return f"it is {kind.name}, which OpenCV {cv2.__version__} was built without; save it as PNG or JPEG"
    compression = tiff.first_number(next(tiff.directories(data), {}), tiff.COMPRESSION, 1)
    which = f" (compression {compression})" if kind is TIFF else ""
    return f"damaged, cut short, or {kind.name} of a sort that OpenCV {cv2.__version__} cannot decode{which}"


def _decoded_here(data: bytes, name: str, kind: Kind) -> tuple[np.ndarray, int]:
    """Decode what OpenCV shows in wrong colours; return what :func:`decode_stored` does.

    Raises:
        BadFile: it is cut short, or has fewer bits than it says.
    """
    try:
        if kind is BMP:
            return decode_bmp(data), 16
        image, brightest, white = decode_netpbm(data)
    except ValueError as error:
        raise unreadable(name, f"damaged or cut short: {error}") from error
    if white < 1 << DIM_BITS:  # a header that knows of so few bits means them
        return image, 16
    used = (brightest * 65535 // white).bit_length()
    if 0 < used <= DIM_BITS:
        raise _too_dark(name, kind, brightest, DIM_BITS, f"of samples up to {white}")
    return image, used or 16


def _too_dark(name: str, kind: Kind, brightest: int, bits: int, of: str = "of 16 bits a sample") -> BadFile:
    """Return the error about an image whose samples are wider than what is in them."""
    return BadFile(
        name,
        f"is {kind.name} {of}, none above {brightest}: of {bits} bits that nobody scaled up, or all but "
        "black; save it with 8 bits a sample, white at 255",
        "unreadable-picture",
    )


def _narrowed(planes: np.ndarray, bits: int) -> np.ndarray:
    """Return planes as they are stored, grey or colours and opacity, as (H, W, 3) uint8."""
    colours = np.dstack([planes] * 3) if planes.ndim == 2 else planes[:, :, :3]
    if bits == 16:
        colours = colours >> 8
    elif bits != 8:
        colours = np.rint(colours * (255 / ((1 << bits) - 1)))
    return np.ascontiguousarray(colours, dtype=np.uint8)


def _used_bits(data: bytes, name: str, kind: Kind, significant: int) -> int:
    """Return how many bits the brightest of 16-bit samples takes, 16 where all are black.

    Args:
        data: the file's bytes.
        name: what messages call it.
        kind: its kind.
        significant: how many bits of a sample count, as the file says.

    Raises:
        BadFile: it is all but black, as samples of 12 bits are that were not scaled to 16; or the file says
            that fewer bits count, and they are the lower ones.
    """
    planes = _opencv(data, name, kind, cv2.IMREAD_UNCHANGED)
    colours = planes[:, :, :3] if planes.ndim == 3 else planes
    brightest = int(colours.max())
    used = brightest.bit_length()
    said = used <= significant < 16 and bool((colours & ((1 << (16 - significant)) - 1)).any())
    if 0 < used <= DIM_BITS or said:
        raise _too_dark(name, kind, brightest, significant if said else DIM_BITS)
    return used or 16


def _is_whole(data: bytes) -> bool:
    """Say whether a decoded JPEG has its end, where old OpenCVs pad what is missing.

    The end marker is the last thing in most files. Where something comes after it, it is looked for behind
    the headers, which may hold a thumbnail with an end of its own; a JPEG's pixels never contain one.
    """
    if data.endswith(_JPEG_END):
        return True
    *_, (_, _, end_of_headers) = [(0, 0, len(_JPEG_BEGIN)), *jpeg_segments(data)]
    return data.rfind(_JPEG_END) >= end_of_headers
