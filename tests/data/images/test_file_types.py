"""File types are detected by content, not by name, and refused types are named."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.data.images.file_types import ending_of, kind_of
from gluon_yolo.data.images.read import measure, read_image
from gluon_yolo.data.quality.report import BadFile
from tests.data.image_content import encoded, jpeg, png, tiff, webp

RGB = np.full((40, 48, 3), 77, np.uint8)


def isom(*brands):
    """Return the beginning of an ISO media file: the first brand, a version, then compatible brands."""
    body = b"ftyp" + brands[0] + bytes(4) + b"".join(brands[1:])
    return (len(body) + 4).to_bytes(4, "big") + body + b"\0\0\0\x08mdat"


# A TIFF whose maker's name is at byte 8, where its pixels would be, and whose directory has subdirectories.
NIKON = tiff(np.frombuffer(b"NIKON CORPORATION".ljust(30), np.uint8).reshape(5, 6), t330=8, t271=8).replace(
    (271).to_bytes(2, "little") + b"\3\0\1\0\0\0", (271).to_bytes(2, "little") + b"\2\0\x12\0\0\0"
)
UNREAD = {
    b"GIF89a\x08\0\x06\0": "is a GIF, which is not read: save it as PNG or JPEG",
    b"GIF87a\x08\0\x06\0": "is a GIF, which is not read",
    isom(b"avif", b"mif1", b"miaf"): "is an AVIF, which is not read: save it as PNG or JPEG",
    isom(b"mif1", b"avif"): "is an AVIF, which is not read",
    isom(b"heic", b"mif1", b"heic"): r"is a HEIC \(HEIF\), which is not read: save it as PNG or JPEG",
    isom(b"mif1", b"heic"): r"is a HEIC \(HEIF\)",
    isom(b"crx ", b"isom"): r"is a camera's raw file \(CR3\), which is not read: develop it",
    b"\xff\x0a\xfa\x7f": "is a JPEG XL",
    b"\0\0\0\x0cJXL \r\n\x87\n": "is a JPEG XL",
    b"8BPS\0\1": r"is a Photoshop file \(PSD\)",
    b"%PDF-1.7\n": "is a PDF, which is not read: save its pages",
    b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>": "is an SVG, which is not read",
    b"<svg width='8'/>": "is an SVG",
    b"v/1\x01\2\0\0\0": "is an OpenEXR of float samples, which is not read: scale its samples",
    b"#?RADIANCE\n": "is a Radiance HDR of float samples",
    b"PF\n8 6\n-1.0\n": "is a PFM of float samples",
    b"II*\0\x10\0\0\0CR\2\0": r"is a camera's raw file \(CR2\), which is not read: develop it, and save it",
    tiff(RGB, t50706=1): r"is a camera's raw file \(DNG\)",
    tiff(RGB[:, :, 0], colours=32803): "is a camera's raw file",
    NIKON: r"is a camera's raw file \(NEF\), which is not read: develop it",
}
NO_IMAGES = {
    b"<!DOCTYPE html>\n<html><svg/></html>": r"a web page \(HTML\); .*get it again",
    b"\n<HTML><body>Please log in</body></HTML>": r"a web page \(HTML\)",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0": "a Git LFS pointer; .*git lfs pull",
    b"PK\3\4\x14\0": "a ZIP archive; unpack it",
    b"\x1f\x8b\x08\0": "a gzip file; unpack it",
    bytes(257) + b"ustar\0" + b"00": "a tar archive; unpack it",
    isom(b"isom", b"mp42"): r"a video \(MP4\); save its frames",
    isom(b"qt  "): r"a video \(QuickTime\)",
    b"RIFF\0\0\0\0AVI LIST": r"a video \(AVI\)",
    b"\x1a\x45\xdf\xa3\x01": r"a video \(Matroska, WebM\)",
    b"<annotation/>": "XML",
    b'{"images": []}': "JSON",
    "not a picture, but a text with an ä\n".encode(): "text",
    bytes(4096): "a file of zeros only",
    b"\x93NUMPY\1\0": "a NumPy array",
}


@pytest.mark.parametrize("read", [read_image, measure])
@pytest.mark.parametrize("name", ["a.jpg", "b.avif", "c"])
def test_a_gif_is_named_under_any_name(tmp_path, name, read):
    (tmp_path / name).write_bytes(b"GIF89a\x08\0\x06\0\0\0\0")
    with pytest.raises(BadFile) as caught:
        read(tmp_path / name)
    assert str(caught.value) == f"{tmp_path / name}: is a GIF, which is not read: save it as PNG or JPEG"


@pytest.mark.parametrize("content", UNREAD, ids=lambda content: repr(content[:12]))
def test_images_that_are_not_read(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(BadFile, match=f"a.jpg: {UNREAD[content]}") as caught:
        read_image(tmp_path / "a.jpg")
    assert caught.value.kind == "unreadable-picture"


@pytest.mark.parametrize("content", NO_IMAGES, ids=lambda content: repr(content[:12]))
def test_what_is_no_image(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    expected = f"a.jpg: cannot read the picture: damaged, or no picture at all: it is {NO_IMAGES[content]}"
    with pytest.raises(BadFile, match=expected):
        read_image(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("data", "ending"),
    [
        (jpeg(RGB), ".jpg"),
        (png(RGB), ".png"),
        (webp(RGB), ".webp"),
        (tiff(RGB), ".tif"),
        (tiff(RGB, ">"), ".tif"),
        (encoded(".bmp", RGB), ".bmp"),
        (encoded(".jp2", RGB), ".jp2"),
        (encoded(".ppm", RGB), ".pnm"),
        (encoded(".ras", RGB), ".ras"),
    ],
    ids="jpeg png webp tiff tiff-MM bmp jpeg2000 netpbm sun".split(),
)
def test_images_that_are_read_whatever_they_are_called(tmp_path, data, ending):
    (tmp_path / "named.gif").write_bytes(data)
    assert np.abs(read_image(tmp_path / "named.gif").astype(int) - RGB).max() <= 2
    assert ending_of(data) == ending


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"BM and so on", b"\x01\x02\x03\x04", b"P", b"II", b"RIFFxxxxNONE"]
)
def test_what_cannot_be_told(data):
    kind = kind_of(data)
    assert kind is None or kind.name == "text"
    assert ending_of(data) == ".jpg"


def test_big_tiff_is_a_tiff():
    """OpenCV 4.5.5 cannot decode it; later versions can."""
    assert ending_of(tiff(RGB, big=True)) == ending_of(tiff(RGB, ">", big=True)) == ".tif"
