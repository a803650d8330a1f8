"""Images of every type, as files and arrays, become (H, W, 3) uint8; others are refused."""

from __future__ import annotations

import resource

import cv2
import numpy as np
import pytest

from gluon_yolo.data.images.array import as_image
from gluon_yolo.data.images.read import read_image
from gluon_yolo.data.quality.report import BadFile
from gluon_yolo.errors import UserError
from tests.random_model import random_image

RGB = random_image(20, 30)
GREY = np.ascontiguousarray(RGB[:, :, 0])
OF_GREY = np.repeat(GREY[:, :, None], 3, axis=2)
BITS = GREY > 127

ARRAYS = {
    "as it is": (RGB, RGB),
    "grey": (GREY, OF_GREY),
    "grey with an axis": (GREY[:, :, None], OF_GREY),
    "with opacity": (np.dstack([RGB, GREY]), RGB),
    "16 bit": (RGB.astype(np.uint16) * 257, RGB),
    "16 bit, rounded down": (np.full((2, 2), 0x12FF, np.uint16), np.full((2, 2, 3), 0x12, np.uint8)),
    "16 bit grey": (GREY.astype(np.uint16) * 256, OF_GREY),
    "float": (RGB.astype(np.float32) / 255, RGB),
    "double": (GREY / 255.0, OF_GREY),
    "16 bit, opaque": (np.dstack([RGB, GREY]).astype(np.uint16) * 257, RGB),
    "16 bit, black": (np.zeros((2, 2), np.uint16), np.zeros((2, 2, 3), np.uint8)),
    "bits": (BITS, OF_GREY * 0 + (BITS * 255).astype(np.uint8)[:, :, None]),
    "one pixel": (RGB[:1, :1], RGB[:1, :1]),
    "a view": (RGB[::-2, ::3], RGB[::-2, ::3]),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays(kind):
    given, expected = ARRAYS[kind]
    before = given.copy()
    image = as_image(given)
    assert image.dtype == np.uint8 and image.shape == expected.shape and (image == expected).all()
    assert (given == before).all()


def test_an_image_is_not_copied():
    assert as_image(RGB) is RGB or np.shares_memory(as_image(RGB), RGB)


@pytest.mark.parametrize(
    "array, message",
    [
        (RGB.transpose(2, 0, 1), r"channels come first: transpose it to \(1, 2, 0\)"),
        (RGB[None], r"array \(1, 20, 30, 3\) of uint8; expected \(H, W\)"),
        (RGB[:, :, :2], r"array \(20, 30, 2\) of uint8; expected \(H, W\)"),
        (RGB[0, 0], r"array \(3,\) of uint8; expected \(H, W\)"),
        (RGB[:0], "it has no pixels"),
        (RGB.astype(np.int64), "of int64; expected uint8, uint16, bool, or floating-point numbers"),
        (RGB.astype(np.float32), "with values 15 to 235; floating-point pixels must be within 0 and 1"),
        (RGB / -255.0, "must be within 0 and 1"),
        (np.full((2, 2), np.nan), "with values nan to nan"),
        (np.full((2, 2), "red"), "expected uint8"),
        (RGB.astype(np.int32), r"of int32; .*; of 0..255 give array.astype\(np.uint8\)"),
        (
            RGB.astype(np.uint16) * 16,
            r"with values up to 3760, where 65535 is white: all but black. Of 12 bits give",
        ),
        (RGB.astype(np.uint16), r"of uint16 with values up to 235, where 65535 is white"),
    ],
)
def test_what_is_no_image(array, message):
    with pytest.raises(UserError, match=message):
        as_image(array)


def encoded(suffix, image, *options):
    return cv2.imencode(suffix, image, list(options))[1].tobytes()


def upside(image):
    """Return a JPEG with EXIF orientation 3, a rotation by 180 degrees."""
    data = encoded(".jpg", image, cv2.IMWRITE_JPEG_QUALITY, 100)
    tiff = b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x12\x01\x03\0\x01\0\0\0\x03\0\0\0" + b"\0\0\0\0"
    segment = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + data[2:]


BGR = RGB[:, :, ::-1]
WIDE = BGR.astype(np.uint16) * 257
FILES = {
    "grey.png": (encoded(".png", GREY), OF_GREY, 0),
    "grey.jpg": (encoded(".jpg", GREY, cv2.IMWRITE_JPEG_QUALITY, 100), OF_GREY, 8),
    "opacity.png": (encoded(".png", np.dstack([BGR, GREY])), RGB, 0),
    "16bit.png": (encoded(".png", WIDE), RGB, 0),
    "16bit_grey.png": (encoded(".png", GREY.astype(np.uint16) * 257), OF_GREY, 0),
    "16bit.tif": (encoded(".tif", WIDE), RGB, 0),
    "8bit.tiff": (encoded(".tiff", BGR), RGB, 0),
    "bits.png": (
        encoded(".png", BITS.astype(np.uint8) * 255, cv2.IMWRITE_PNG_BILEVEL, 1),
        np.repeat(BITS.astype(np.uint8)[:, :, None] * 255, 3, axis=2),
        0,
    ),
    "one.png": (encoded(".png", BGR[:1, :1]), RGB[:1, :1], 0),
    "turned.jpg": (upside(BGR), RGB[::-1, ::-1], 60),
}


@pytest.mark.parametrize("name", FILES)
def test_files(name, tmp_path):
    data, expected, tolerance = FILES[name]
    (tmp_path / name).write_bytes(data)
    image = read_image(tmp_path / name)
    assert image.dtype == np.uint8 and image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).max() <= tolerance


def test_palette(tmp_path):
    """The PNG is made byte by byte: two rows of an 8-bit palette of red and blue."""
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 3, 2, 8, 3, 0, 0, 0)
    colours = bytes([255, 0, 0, 0, 0, 255])
    rows = zlib.compress(bytes([0, 0, 1, 0, 0, 1, 0, 1]))
    parts = (chunk(b"IHDR", header), chunk(b"PLTE", colours), chunk(b"IDAT", rows), chunk(b"IEND", b""))
    (tmp_path / "palette.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    red, blue = [255, 0, 0], [0, 0, 255]
    assert read_image(tmp_path / "palette.png").tolist() == [[red, blue, red], [blue, red, blue]]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".bmp", ".webp"])
@pytest.mark.parametrize("kept", [0, 0.5, 0.98])
def test_cut_short(suffix, kept, tmp_path):
    data = encoded(suffix, random_image(96, 96)[:, :, ::-1])
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(data[: int(len(data) * kept)])
    named = "(no picture at all|a (WebP|TIFF) of a sort that OpenCV)"
    message = "the file is empty" if not kept else f"damaged, cut short, or {named}"
    with pytest.raises(BadFile, match=f"cut{suffix}: cannot read the picture: {message}"):
        read_image(path)


def test_a_png_does_not_get_the_memory_that_a_damaged_chunk_asks_for(tmp_path):
    # 3.5 GB and 10 seconds by OpenCV 4.11, which reserves a chunk's length before it reads
    whole = encoded(".png", random_image(8, 8))
    header = 8 + 12 + 13  # the signature; IHDR with its length, name and check sum
    path = tmp_path / "long.png"
    path.write_bytes(whole[:header] + b"\x7f\xff\xff\xff" + whole[header + 4 :])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(BadFile, match="long.png: cannot read the picture: damaged"):
        read_image(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB
