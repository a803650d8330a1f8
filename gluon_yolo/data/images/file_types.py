"""File types, detected by a file's first bytes and not by its name; which of them are read as images.

The supported types do not depend on the installed OpenCV. Newer versions of OpenCV read GIF and AVIF; this
package refuses both, so that a data set that is read on one machine is read on every machine.
"""

from __future__ import annotations

import dataclasses
import re

from gluon_yolo.data.images import tiff

_TELLING = 1024
"""Number of bytes at the beginning of a file that are enough to detect its type."""


@dataclasses.dataclass(frozen=True, eq=False)
class Kind:
    """A type of file.

    Args:
        name: in a sentence, with its article: ``"a GIF"``.
        ending: the usual ending of such files.
        remedy: what to do with such a file in place of an image; empty for types that are read.
        is_image: whether the type is an image, read or not.
    """

    name: str
    ending: str
    remedy: str = ""
    is_image: bool = True

    @property
    def is_read(self) -> bool:
        """Whether files of this type are read as images."""
        return not self.remedy

    @property
    def refusal(self) -> str:
        """The reason why such a file is not read, to follow the file's name."""
        if self.is_image:
            return f"is {self.name}, which is not read: {self.remedy}"
        return f"cannot read the picture: damaged, or no picture at all: it is {self.name}; {self.remedy}"


JPEG, PNG = Kind("a JPEG", ".jpg"), Kind("a PNG", ".png")
BMP, WEBP, TIFF = Kind("a BMP", ".bmp"), Kind("a WebP", ".webp"), Kind("a TIFF", ".tif")
NETPBM, JPEG2000, SUN = Kind("a PNM", ".pnm"), Kind("a JPEG 2000", ".jp2"), Kind("a Sun raster", ".ras")

_SAVE = "save it as PNG or JPEG"
_DEVELOP = "develop it, and save it as PNG or JPEG"
_SCALE = "scale its samples to 8 bits, and save it as PNG or JPEG"


def _refused(name: str, ending: str, remedy: str = _SAVE) -> Kind:
    return Kind(name, ending, remedy)


def _other(name: str, ending: str, remedy: str = "get the picture again, or take it out") -> Kind:
    return Kind(name, ending, remedy, is_image=False)


GIF = _refused("a GIF", ".gif")
RAW = _refused("a camera's raw file", ".dng", _DEVELOP)
_AVIF, _HEIF, _RAW3 = (
    _refused("an AVIF", ".avif"),
    _refused("a HEIC (HEIF)", ".heic"),
    "a camera's raw file (CR3)",
)
_UNPACK, _VIDEO = "unpack it", "save its frames as PNG or JPEG, or give it its own ending"

# The first bytes of files; where one is a prefix of another, the longer comes first.
_BEGINNINGS: tuple[tuple[bytes, Kind], ...] = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG", PNG),
    (b"\0\0\0\x0cjP  \r\n\x87\n", JPEG2000),
    (b"\xff\x4f\xff\x51", JPEG2000),
    (b"\x59\xa6\x6a\x95", SUN),
    (b"GIF8", GIF),
    (b"\xff\x0a", _refused("a JPEG XL", ".jxl")),
    (b"\0\0\0\x0cJXL \r\n\x87\n", _refused("a JPEG XL", ".jxl")),
    (b"II\xbc\x01", _refused("a JPEG XR", ".jxr")),
    (b"8BPS", _refused("a Photoshop file (PSD)", ".psd")),
    (b"gimp xcf", _refused("a GIMP file (XCF)", ".xcf")),
    (b"%PDF", _refused("a PDF", ".pdf", "save its pages as PNG or JPEG")),
    (b"%!PS", _refused("a PostScript file", ".eps")),
    (b"\xc5\xd0\xd3\xc6", _refused("a PostScript file", ".eps")),
    (b"v/1\x01", _refused("an OpenEXR of float samples", ".exr", _SCALE)),
    (b"#?RADIANCE", _refused("a Radiance HDR of float samples", ".hdr", _SCALE)),
    (b"#?RGBE", _refused("a Radiance HDR of float samples", ".hdr", _SCALE)),
    (b"IIRO", _refused("a camera's raw file (ORF)", ".orf", _DEVELOP)),
    (b"IIRS", _refused("a camera's raw file (ORF)", ".orf", _DEVELOP)),
    (b"IIU\0", _refused("a camera's raw file (RW2)", ".rw2", _DEVELOP)),
    (b"FUJIFILMCCD-RAW", _refused("a camera's raw file (RAF)", ".raf", _DEVELOP)),
    (b"FOVb", _refused("a camera's raw file (X3F)", ".x3f", _DEVELOP)),
    (b"\0MRM", _refused("a camera's raw file (MRW)", ".mrw", _DEVELOP)),
    (b"DDS ", _refused("a DDS texture", ".dds")),
    (b"qoif", _refused("a QOI", ".qoi")),
    (b"FLIF", _refused("a FLIF", ".flif")),
    (b"BPG\xfb", _refused("a BPG", ".bpg")),
    (b"\0\0\1\0", _refused("an icon (ICO)", ".ico")),
    (b"SIMPLE  =", _refused("a FITS file", ".fits", _SCALE)),
    (b"\x93NUMPY", _other("a NumPy array", ".npy", "save its pixels as PNG or JPEG")),
    (b"\x89HDF\r\n\x1a\n", _other("an HDF5 file", ".h5", "save its pictures as PNG or JPEG")),
    (b"version https://git-lfs", _other("a Git LFS pointer", "", "get the file itself with: git lfs pull")),
    (b"PK\3\4", _other("a ZIP archive", ".zip", _UNPACK)),
    (b"\x1f\x8b", _other("a gzip file", ".gz", _UNPACK)),
    (b"BZh", _other("a bzip2 file", ".bz2", _UNPACK)),
    (b"\xfd7zXZ\0", _other("an xz file", ".xz", _UNPACK)),
    (b"7z\xbc\xaf\x27\x1c", _other("a 7-Zip archive", ".7z", _UNPACK)),
    (b"Rar!\x1a\7", _other("a RAR archive", ".rar", _UNPACK)),
    (b"\x28\xb5\x2f\xfd", _other("a Zstandard file", ".zst", _UNPACK)),
    (b"\x1a\x45\xdf\xa3", _other("a video (Matroska, WebM)", ".mkv", _VIDEO)),
    (b"\0\0\1\xba", _other("a video (MPEG)", ".mpg", _VIDEO)),
    (b"\0\0\1\xb3", _other("a video (MPEG)", ".mpg", _VIDEO)),
    (b"FLV\1", _other("a video (FLV)", ".flv", _VIDEO)),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", _other("a video (WMV)", ".wmv", _VIDEO)),
    (b"SQLite format 3", _other("a database", ".db")),
)
# Brands of ISO base media files (HEIC, AVIF, MP4 and others), as patterns; the first match counts.
_BRANDS: tuple[tuple[bytes, Kind], ...] = (
    (rb"avi[fos]", _AVIF),
    (rb"he[iv][cmsx]|heif", _HEIF),
    (rb"crx ", _refused(_RAW3, ".cr3", _DEVELOP)),
    (rb"mif[12]|msf1", _HEIF),
    (rb"qt  ", _other("a video (QuickTime)", ".mov", _VIDEO)),
)
_MP4, _AVI = _other("a video (MP4)", ".mp4", _VIDEO), _other("a video (AVI)", ".avi", _VIDEO)
_PFM = _refused("a PFM of float samples", ".pfm", _SCALE)
_DICOM = _refused("a DICOM file", ".dcm", _SCALE)
_TAR, _ZEROS = _other("a tar archive", ".tar", _UNPACK), _other("a file of zeros only", "")
HTML = _other(
    "a web page (HTML)", ".html", "such as a login page, saved in the picture's place; get it again"
)
_SVG = _refused("an SVG", ".svg", "draw it at the size that is wanted, and save it as PNG or JPEG")
_XML, _JSON, _TEXT = _other("XML", ".xml"), _other("JSON", ".json"), _other("text", ".txt")
_RAW_MAKERS = ((b"NIKON", ".nef"), (b"SONY", ".arw"), (b"PENTAX", ".pef"), (b"SAMSUNG", ".srw"))
_CFA, _LINEAR_RAW = 32803, 34892


def kind_of(data: bytes) -> Kind | None:
    """Return the type of a file from its bytes or its first bytes; None when it is unknown."""
    found = next((kind for beginning, kind in _BEGINNINGS if data.startswith(beginning)), None)
    if found is not None:
        return found
    if tiff.byte_order(data):
        return _raw_kind(data) or TIFF
    if re.match(rb"P[1-7]\s", data):
        return NETPBM
    if re.match(rb"P[Ff]4?\s", data):
        return _PFM
    if data.startswith(b"BM") and data[14:15] in (
        b"\x0c",
        b"\x28",
        b"\x34",
        b"\x38",
        b"\x40",
        b"\x6c",
        b"\x7c",
    ):
        return BMP
    return _container_kind(data) or _text_kind(data[:_TELLING])


def ending_of(data: bytes) -> str:
    """Return the usual ending of an image file with these bytes; ``.jpg`` when the type is unknown."""
    kind = kind_of(data)
    return kind.ending if kind and kind.is_image else JPEG.ending


def _container_kind(data: bytes) -> Kind | None:
    """Return the type of a file whose type is not in its first bytes."""
    if data.startswith(b"RIFF"):
        return {b"WEBP": WEBP, b"AVI ": _AVI}.get(data[8:12])
    if data[4:8] == b"ftyp":
        brands = b"|".join(
            data[i : i + 4] for i in (8, *range(16, min(64, int.from_bytes(data[:4], "big")), 4))
        )
        return next((kind for brand, kind in _BRANDS if re.search(brand, brands)), _MP4)
    if data[4:8] in (b"moov", b"mdat", b"wide") and len(data) > 16:
        return _MP4
    if data[128:132] == b"DICM":
        return _DICOM
    if data[257:262] == b"ustar":
        return _TAR
    return _ZEROS if data and not data.strip(b"\0") else None


def _raw_kind(data: bytes) -> Kind | None:
    """Return the type of a camera's raw file, which is usually a TIFF; None for other TIFFs."""
    if data[8:10] == b"CR":
        return Kind("a camera's raw file (CR2)", ".cr2", _DEVELOP)
    pages = tiff.directories(data)
    first = next(pages, {})
    if tiff.DNG_VERSION in first:
        return Kind("a camera's raw file (DNG)", ".dng", _DEVELOP)
    if tiff.first_number(first, tiff.COLOURS, 0) in (_CFA, _LINEAR_RAW):
        return RAW
    make = first.get(tiff.MAKE)
    if make is None or tiff.SUBDIRECTORIES not in first:
        return None
    maker = data[make.start : make.start + 8].upper()
    ending = next((ending for name, ending in _RAW_MAKERS if maker.startswith(name)), None)
    return Kind(f"a camera's raw file ({ending[1:].upper()})", ending, _DEVELOP) if ending else None


def _text_kind(beginning: bytes) -> Kind | None:
    """Return the type of text that begins with these bytes; None when they are not text."""
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    lower = text.lower()
    if b"<html" in lower or lower.startswith(b"<!doctype html"):
        return HTML
    if b"<svg" in lower and lower.startswith((b"<svg", b"<?xml", b"<!doctype svg", b"<!--")):
        return _SVG
    if not text or re.search(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]", text):
        return None
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(text) - 4:  # a fault before the end: not only a character that was cut
            return None
    return _XML if lower.startswith(b"<") else _JSON if lower.startswith((b"{", b"[")) else _TEXT
