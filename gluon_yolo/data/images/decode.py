"""Decode an image file's bytes into its stored pixels, or raise an error that says why that is impossible.

A file reaches OpenCV only when its type is supported (``data/images/file_types.py``) and its samples are
decoded correctly (``data/images/sample_format.py``).
"""

from __future__ import annotations

import cv2
import numpy as np

from gluon_yolo.data.images import jpeg2000, tiff
from gluon_yolo.data.images.bmp import decode_bmp, has_masks
from gluon_yolo.data.images.exif import UPRIGHT
from gluon_yolo.data.images.file_types import BMP, JPEG, JPEG2000, NETPBM, PNG, TIFF, WEBP, Kind, kind_of
from gluon_yolo.data.images.header_size import VARIABLE, header_size, most_pixels
from gluon_yolo.data.images.netpbm import decode_netpbm
from gluon_yolo.data.images.opencv_log import quiet
from gluon_yolo.data.images.sample_format import Samples, samples_of
from gluon_yolo.data.images.segments import jpeg_segments, png_reaches_too_far
from gluon_yolo.data.quality.report import BadFile

# Which files OpenCV rotates by their EXIF orientation depends on its version, so this is switched off.
GREY = cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION
REDUCTIONS = {
    1: cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION,
    2: cv2.IMREAD_REDUCED_COLOR_2 | cv2.IMREAD_IGNORE_ORIENTATION,
    4: cv2.IMREAD_REDUCED_COLOR_4 | cv2.IMREAD_IGNORE_ORIENTATION,
    8: cv2.IMREAD_REDUCED_COLOR_8 | cv2.IMREAD_IGNORE_ORIENTATION,
}
"""The scales 1/N at which an image can be decoded, with OpenCV's flags."""
DIM_BITS = 12
"""A 16-bit image whose samples fit in these bits was not scaled to 16 bits, or is nearly black."""
# OpenCV rotates a TIFF in spite of the flag, and wrongly where it reduces the size or reads tiles. It darkens
# colours by opacity, but not by a fourth plane without a meaning. Samples without a format are integers.
_PLAIN_TIFF = {tiff.ORIENTATION: UPRIGHT, tiff.EXTRA_SAMPLES: 0, tiff.SAMPLE_FORMAT: 1}
_JPEG_BEGIN, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_OPTIONAL = {WEBP: ".webp", TIFF: ".tif", JPEG2000: ".jp2"}  # types that an OpenCV may be built without
_NOTHING = "damaged, cut short, or no picture at all"


def unreadable(name: str, why: str) -> BadFile:
    """Return the error for an image that cannot be read."""
    return BadFile(name, f"cannot read the picture: {why}", "unreadable-picture")


def decode_stored(data: bytes, name: str, flags: int) -> tuple[np.ndarray, int]:
    """Decode an image file's bytes, without applying its EXIF orientation.

    Args:
        data: the file's bytes.
        name: the file's name in messages.
        flags: ``GREY``, or one of ``REDUCTIONS``.

    Returns:
        The pixels, (H, W, 3) uint8 RGB; with ``GREY`` (H, W), except for types where grey is not faster. And
        the number of bits of the brightest sample; 16 for all but dim 16-bit images.

    Raises:
        BadFile: the file is not an image of a supported type, or is cut short.
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
    # In 8 bits: an image with a sample above a quarter of white, or above 15 bits' range, is not dim.
    if samples.bits == 16 and image.max() <= 1 << (7 if samples.significant == 15 else 6):
        used = _used_bits(data, name, kind, samples.significant)
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image), used


def _checked(data: bytes, name: str) -> tuple[Kind, Samples]:
    """Return the type and the samples of an image that is decoded correctly.

    Raises:
        BadFile: the file is empty, or its type or its samples are not supported.
    """
    if not data:
        raise unreadable(name, "the file is empty")
    kind = kind_of(data)
    if kind is None:
        raise unreadable(name, _NOTHING)
    if kind is PNG and png_reaches_too_far(data):
        raise unreadable(name, _NOTHING)
    if not kind.is_read:
        raise BadFile(name, kind.refusal, "unreadable-picture")
    width, height = header_size(data, kind) or (0, 0)
    if width * height > (most := most_pixels()):
        raise BadFile(
            name,
            f"is {kind.name} of {width} x {height} pixels by its header, and pictures of at most {most:,} "
            f"are decoded: cut it into tiles, or set {VARIABLE}",
            "unreadable-picture",
        )
    samples = samples_of(data, kind)
    if samples.problem:
        raise BadFile(name, f"is {kind.name} {samples.problem}", "unreadable-picture")
    return kind, samples


def _opencv(data: bytes, name: str, kind: Kind, flags: int) -> np.ndarray:
    """Decode from memory: OpenCV's own file reader fails on some paths, and pads a file that is cut short."""
    if kind is JPEG2000 and not _decodes_without_boxes(data):
        raise unreadable(name, _why_not(data, kind))
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error as error:
        raise unreadable(name, str(error).strip()) from error
    if image is None or (kind is JPEG and not _is_whole(data)):
        raise unreadable(name, _why_not(data, kind))
    return image


def _decodes_without_boxes(data: bytes) -> bool:
    """Return whether the codestream of a JPEG 2000 decodes alone; True for a file that is a codestream.

    OpenJPEG up to 2.5.3 (CVE-2025-54874, https://github.com/uclouvain/openjpeg/pull/1573; OpenCV 4.11 has
    2.5.0) writes to memory that is not its own where the header of a codestream in boxes is damaged, which
    ends the process at once or at any later time.
    """
    if data.startswith(jpeg2000.CODESTREAM):
        return True
    codestream = jpeg2000.boxed_codestream(data)
    if codestream is None:
        return False
    with quiet():  # of the colour space, which the boxes tell
        try:
            return cv2.imdecode(np.frombuffer(codestream, dtype=np.uint8), GREY) is not None
        except cv2.error:
            return False


def _why_not(data: bytes, kind: Kind) -> str:
    """Return the likely reason why OpenCV does not decode a file."""
    if kind not in _OPTIONAL:
        return _NOTHING
    if not cv2.haveImageWriter(f"any{_OPTIONAL[kind]}"):
        return f"it is {kind.name}, which OpenCV {cv2.__version__} was built without; save it as PNG or JPEG"
    compression = tiff.first_number(next(tiff.directories(data), {}), tiff.COMPRESSION, 1)
    which = f" (compression {compression})" if kind is TIFF else ""
    return f"damaged, cut short, or {kind.name} of a sort that OpenCV {cv2.__version__} cannot decode{which}"


def _decoded_here(data: bytes, name: str, kind: Kind) -> tuple[np.ndarray, int]:
    """Decode a type that OpenCV shows in wrong colours; return the same as :func:`decode_stored`.

    Raises:
        BadFile: the file is cut short, or its samples have fewer bits than its header says.
    """
    try:
        if kind is BMP:
            return decode_bmp(data), 16
        image, brightest, white = decode_netpbm(data)
    except ValueError as error:
        raise unreadable(name, f"damaged or cut short: {error}") from error
    if white < 1 << DIM_BITS:  # the header declares the few bits, so they are right
        return image, 16
    used = (brightest * 65535 // white).bit_length()
    if 0 < used <= DIM_BITS:
        raise _too_dark(name, kind, brightest, DIM_BITS, f"of samples up to {white}")
    return image, used or 16


def _too_dark(name: str, kind: Kind, brightest: int, bits: int, of: str = "of 16 bits a sample") -> BadFile:
    """Return the error for an image whose samples use fewer bits than they have."""
    return BadFile(
        name,
        f"is {kind.name} {of}, none above {brightest}: of {bits} bits that nobody scaled up, or all but "
        "black; save it with 8 bits a sample, white at 255",
        "unreadable-picture",
    )


def _narrowed(planes: np.ndarray, bits: int) -> np.ndarray:
    """Return stored planes (grey, or colours and opacity) as (H, W, 3) uint8."""
    colours = np.dstack([planes] * 3) if planes.ndim == 2 else planes[:, :, :3]
    if bits == 16:
        colours = colours >> 8
    elif bits != 8:
        colours = np.rint(colours * (255 / ((1 << bits) - 1)))
    return np.ascontiguousarray(colours, dtype=np.uint8)


def _used_bits(data: bytes, name: str, kind: Kind, significant: int) -> int:
    """Return the number of bits of the brightest 16-bit sample; 16 where all samples are zero.

    Args:
        data: the file's bytes.
        name: the file's name in messages.
        kind: its type.
        significant: the number of significant bits of a sample, from the header.

    Raises:
        BadFile: the image is nearly black, as 12-bit samples are that were not scaled to 16 bits; or the
            header declares fewer significant bits, and they are the lower ones.
    """
    planes = _opencv(data, name, kind, cv2.IMREAD_UNCHANGED)
    colours = planes[:, :, :3] if planes.ndim == 3 else planes
    brightest = int(colours.max())
    used = brightest.bit_length()
    unscaled = used <= significant < 16 and bool((colours & ((1 << (16 - significant)) - 1)).any())
    if 0 < used <= DIM_BITS or unscaled:
        raise _too_dark(name, kind, brightest, significant if unscaled else DIM_BITS)
    return used or 16


def _is_whole(data: bytes) -> bool:
    """Return whether a decoded JPEG has its end marker; old versions of OpenCV pad missing data.

    The end marker is the last thing in most files. Where other bytes follow it, it is searched behind the
    headers, which may contain a thumbnail with its own end marker; JPEG-coded pixels never contain one.
    """
    if data.endswith(_JPEG_END):
        return True
    *_, (_, _, end_of_headers) = [(0, 0, len(_JPEG_BEGIN)), *jpeg_segments(data)]
    return data.rfind(_JPEG_END) >= end_of_headers
