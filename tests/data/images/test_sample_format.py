"""All sample formats are decoded to the right colours, or refused by name."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest

from gluon_yolo.data.images.read import decode_image, measure_encoded
from gluon_yolo.data.quality.report import BadFile
from tests.data.image_content import chunk, encoded, jpeg, png, tiff, webp

RGB = np.zeros((24, 40, 3), np.uint8)
RGB[:12, :20], RGB[:12, 20:], RGB[12:, :20], RGB[12:, 20:] = (220, 30, 30), (20, 250, 20), (20, 20, 250), 240
GREY = np.ascontiguousarray(RGB[:, :, 0])
OF_GREY = np.repeat(GREY[:, :, None], 3, axis=2)
OPACITY = np.ascontiguousarray(RGB[:, :, 1])  # 20 where red is highest
WIDE, WIDE_GREY = RGB.astype(np.uint16) * 257, GREY.astype(np.uint16) * 257
TWELVE = GREY.astype(np.uint16) * 16 + GREY // 16
SBIT = chunk(b"sBIT", b"\x0c")
FIFTEEN = np.rint(RGB * (32767 / 255)).astype(np.uint16)


def netpbm(samples, white, kind=b"P6"):
    """Return a PPM, PGM or PAM with two bytes per sample."""
    height, width = samples.shape[:2]
    head = (
        b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH 3\nMAXVAL %d\nENDHDR\n" if kind == b"P7" else kind + b"\n%d %d\n%d\n"
    )
    return head % (width, height, white) + samples.astype(">u2").tobytes()


def bmp(rgb, masks, bits=32, header=40, top_down=False):
    """Return a BMP with colour masks, rows padded to four bytes, and the bits outside the masks set."""
    height, width = rgb.shape[:2]
    pixels = np.full((height, width), (1 << bits) - 1, np.int64)
    for plane, mask in enumerate(masks):
        lowest = mask & -mask
        pixels = (
            pixels & ~mask | np.rint(rgb[:, :, plane] * ((mask // lowest) / 255)).astype(np.int64) * lowest
        )
    rows = pixels.astype("<u4" if bits == 32 else "<u2").view(np.uint8).reshape(height, -1)
    rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4)))
    start = 14 + max(header, 52)
    body = struct.pack(
        "<IiiHHI5i", header, width, -height if top_down else height, 1, bits, 3, rows.size, *[0] * 4
    )
    body = body[:40] + struct.pack("<III", *masks)
    body = body.ljust(start - 14, b"\0")
    data = (rows if top_down else rows[::-1]).tobytes()
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + body + data


MASKS_RGB, MASKS_BGR, MASKS_TEN = (
    (0xFF, 0xFF00, 0xFF0000),
    (0xFF0000, 0xFF00, 0xFF),
    (0x3FF00000, 0xFFC00, 0x3FF),
)

READ = {
    "TIFF of 16 bits": (tiff(WIDE), RGB),
    "TIFF of 16 bits, other byte order": (tiff(WIDE, ">"), RGB),
    "TIFF, white is 0": (tiff(255 - GREY, colours=0), OF_GREY),
    "TIFF with opacity": (tiff(np.dstack([RGB, OPACITY]), t338=2), RGB),
    "TIFF with opacity, 16 bits": (tiff(np.dstack([WIDE, WIDE_GREY]), t338=2), RGB),
    "TIFF with a fourth plane": (tiff(np.dstack([RGB, OPACITY]), t338=0), RGB),
    "TIFF, grey with opacity": (tiff(np.dstack([GREY, OPACITY]), t338=2), OF_GREY),
    "TIFF of bits": (tiff(np.packbits(GREY > 99, axis=1), bits=1), np.where(OF_GREY > 99, 255, 0)),
    "TIFF, without a word on samples": (tiff(RGB, t339=4), RGB),
    "TIFF with a smaller copy": (tiff(RGB, pages=3, second_t254=1), RGB),
    "PNG of 16 bits": (png(WIDE, 16), RGB),
    "PNG of 16 bits with opacity": (png(np.dstack([WIDE, WIDE_GREY]), 16, 6), RGB),
    "PNG of 16 bits, 12 of them count": (png(WIDE_GREY, 16, 0, before=SBIT), OF_GREY),
    "PNG, grey with opacity": (png(np.dstack([GREY, OPACITY]), 8, 4), OF_GREY),
    "PNG with opacity": (png(np.dstack([RGB, OPACITY]), 8, 6), RGB),
    "PNG with a colour that is clear": (
        png(RGB, before=chunk(b"tRNS", struct.pack(">3H", 220, 30, 30))),
        RGB,
    ),
    "PNG with one frame": (png(RGB, before=chunk(b"acTL", struct.pack(">II", 1, 0))), RGB),
    "WebP with opacity": (
        cv2.imencode(".webp", np.dstack([RGB[:, :, ::-1], OPACITY]), [cv2.IMWRITE_WEBP_QUALITY, 101])[
            1
        ].tobytes(),
        RGB,
    ),
    "JPEG 2000": (encoded(".jp2", np.tile(RGB, (4, 4, 1))), np.tile(RGB, (4, 4, 1))),
    "JPEG 2000 of 16 bits": (encoded(".jp2", np.tile(WIDE_GREY, (4, 4))), np.tile(OF_GREY, (4, 4, 1))),
    "BMP with a palette": (encoded(".bmp", GREY), OF_GREY),
    "BMP with masks": (bmp(RGB, MASKS_BGR), RGB),
    "BMP with masks, red first": (bmp(RGB, MASKS_RGB), RGB),
    "BMP with masks, opacity first": (bmp(RGB, tuple(mask << 8 for mask in MASKS_RGB)), RGB),
    "BMP with masks of 10 bits": (bmp(RGB, MASKS_TEN), RGB),
    "BMP with masks, from above": (bmp(RGB, MASKS_RGB, top_down=True), RGB),
    "BMP with masks, newer header": (bmp(RGB, MASKS_RGB, header=108), RGB),
    "BMP with masks, newest header": (bmp(RGB, MASKS_BGR, header=124), RGB),
    "BMP with masks, odd width, 16 bits": (
        bmp(RGB[:, 1:] & 0xF0 | RGB[:, 1:] >> 4, (0xF00, 0xF0, 0xF), bits=16),
        RGB[:, 1:] & 0xF0 | RGB[:, 1:] >> 4,
    ),
    "PPM of 16 bits": (netpbm(WIDE, 65535), RGB),
    "PPM of 12 bits, as it says": (netpbm(RGB * 16.0, 4095), RGB),
    "PPM, dark, of 12 bits": (netpbm(RGB, 4095), RGB // 16),
    "PNG of 16 bits, 15 of them count": (png(WIDE, 16, before=chunk(b"sBIT", bytes([15] * 3))), RGB),
    "PPM, all black, 16 bits": (netpbm(WIDE * 0, 65535), RGB * 0),
    "all black, 16 bits": (png(WIDE_GREY * 0, 16, 0), OF_GREY * 0),
}
REFUSED = {
    "TIFF of floats, 0..1": (
        tiff(RGB.astype(np.float32) / 255),
        "is a TIFF of float samples, which are not read",
    ),
    "TIFF of floats, 0..255": (tiff(RGB.astype(np.float32)), "is a TIFF of float samples"),
    "TIFF of doubles": (tiff(GREY / 255), "is a TIFF of float samples"),
    "TIFF of half floats": (tiff((GREY / 255).astype(np.float16)), "is a TIFF of float samples"),
    "OpenCV's float TIFF": (encoded(".tif", RGB.astype(np.float32) / 255), "is a TIFF of float samples"),
    "Radiance": (encoded(".hdr", RGB.astype(np.float32) / 255), "is a Radiance HDR of float samples"),
    "PFM": (encoded(".pfm", RGB.astype(np.float32) / 255), "is a PFM of float samples"),
    "TIFF of int8": (tiff((RGB // 2).astype(np.int8)), r"is a TIFF of signed integer samples \(8 bits\)"),
    "TIFF of int16": (tiff(RGB.astype(np.int16) * 128), r"is a TIFF of signed integer samples \(16 bits\)"),
    "TIFF of int32": (tiff(RGB.astype(np.int32)), r"is a TIFF of signed integer samples \(32 bits\)"),
    "TIFF of uint32": (tiff(RGB.astype(np.uint32)), "is a TIFF of 32-bit integer samples"),
    "TIFF of 12 bits": (tiff(np.tile(GREY, (1, 3)), bits=12), "is a TIFF of 12 bits a sample"),
    "TIFF of 4 bits": (tiff(GREY, bits=4), "is a TIFF of 4 bits a sample"),
    "TIFF of 12 bits in 16": (tiff(TWELVE), "is a TIFF of 16 bits a sample, none above 3855: of 12 bits"),
    "TIFF of 10 bits in 16": (tiff(TWELVE >> 2), "is a TIFF of 16 bits a sample, none above 963: of 12 bits"),
    "TIFF of 14 bits in 16, as it says": (
        tiff(TWELVE << 2 | 1, t281=16383),
        "is a TIFF of 16 bits .*: of 14 bits",
    ),
    "PNG of 12 bits in 16": (png(TWELVE, 16, 0), "is a PNG of 16 bits a sample, none above 3855: of 12 bits"),
    "PNG of 12 bits in 16, as it says": (png(TWELVE, 16, 0, before=SBIT), "is a PNG of 16 bits a sample"),
    "PNG of 12 bits in 16, opaque": (
        png(np.dstack([TWELVE] * 3 + [TWELVE * 0 + 65535]), 16, 6),
        "is a PNG of 16 bits a sample, none above 3855",
    ),
    "PNG of 8 bits in 16": (png(GREY, 16, 0), "is a PNG of 16 bits a sample, none above 240: of 12 bits"),
    "PPM of 12 bits in 16": (
        netpbm(RGB * 16.0, 65535),
        "is a PNM of samples up to 65535, none above 4000: of 12 bits that nobody scaled up",
    ),
    "PGM of 10 bits in 16": (netpbm(GREY * 4.0, 65535, b"P5"), "is a PNM of .*, none above 960: of 12 bits"),
    "PAM of 12 bits in 16": (netpbm(RGB * 16.0, 65535, b"P7"), "is a PNM of .*, none above 4000: of 12"),
    "PGM of text, 12 bits in 16": (b"P2 2 1 65535 4095 0", "is a PNM of .*, none above 4095: of 12 bits"),
    "PGM of 11 bits in 15": (b"P2 2 1 32767 2047 0", "is a PNM of samples up to 32767, none above 2047"),
    "PNG of 15 bits in 16, as it says": (
        png(FIFTEEN, 16, before=chunk(b"sBIT", bytes([15] * 3))),
        "is a PNG of 16 bits a sample, none above 32125: of 15 bits that nobody scaled up",
    ),
    "PNG of 14 bits in 16, as it says": (
        png(FIFTEEN >> 1, 16, before=chunk(b"sBIT", bytes([14] * 3))),
        "is a PNG of 16 bits a sample, none above .*: of 14 bits",
    ),
    "TIFF of 15 bits in 16, as it says": (
        tiff(FIFTEEN, t281=32767),
        "is a TIFF of 16 bits a sample, none above 32125: of 15 bits",
    ),
    "BMP with masks, cut short": (
        bmp(RGB, MASKS_RGB)[:-9],
        "cannot read the picture: damaged or cut short: it has 3,831 of 3,840 bytes of pixels",
    ),
    "JPEG 2000 of 12 bits in 16": (
        encoded(".jp2", np.tile(TWELVE, (4, 4))),
        "is a JPEG 2000 of 16 bits a sample",
    ),
    "TIFF of two pages": (tiff(RGB, pages=2), "is a TIFF of 2 pages, which is not read: save each page"),
    "TIFF of five planes": (tiff(np.dstack([RGB, GREY, GREY])), "is a TIFF of 5 channels that are not red"),
    "TIFF of planes of grey": (tiff(RGB, colours=1), "is a TIFF of 3 channels that are not red"),
    "TIFF in Lab": (tiff(RGB, colours=8), "is a TIFF of colours in CIE Lab"),
    "animated PNG": (
        png(RGB, before=chunk(b"acTL", struct.pack(">II", 3, 0))),
        r"is a PNG with 3 frames \(APNG\)",
    ),
    "animated WebP": (webp(RGB, animated=2), "is a WebP with 2 frames, which is not read: save the frame"),
    "Apple's PNG": (
        png(RGB).replace(b"\r\n\x1a\n", b"\r\n\x1a\n" + chunk(b"CgBI", bytes(4))),
        r"is a PNG in Apple's own form \(CgBI\)",
    ),
    "JPEG of 12 bits": (
        jpeg(RGB).replace(b"\xff\xc0\0\x11\x08", b"\xff\xc1\0\x11\x0c"),
        "is a JPEG of 12 bits",
    ),
    "JPEG-LS": (jpeg(RGB).replace(b"\xff\xc0", b"\xff\xf7"), "is a JPEG of the kind JPEG-LS"),
}


@pytest.mark.parametrize("name", READ)
def test_right_colours(name):
    data, expected = READ[name]
    image = decode_image(data, name)
    assert image.dtype == np.uint8 and image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).max() <= 2
    measure = measure_encoded(data, name)
    assert measure.size_hw == expected.shape[:2] and not measure.is_dim
    for reduction in (2, 4, 8):
        reduced = decode_image(data, name, reduction)
        assert np.abs(reduced[0, 0].astype(int) - expected[0, 0]).max() <= 2


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name):
    data, message = REFUSED[name]
    for read in (decode_image, measure_encoded):
        with pytest.raises(BadFile, match=f"^{name}: {message}"):
            read(data, name)


def test_an_image_that_may_be_of_14_bits_is_read_and_told():
    """The file does not declare it; a dark image is read unchanged, with a note."""
    data = png(GREY.astype(np.uint16) * 64, 16, 0)
    assert measure_encoded(data, "a").is_dim
    assert np.array_equal(decode_image(data, "a"), OF_GREY // 4)


def test_red_and_blue_count_less_in_grey_and_are_no_darkness():
    """In grey no pixel is above 15 of 255, but its blue is."""
    blue = np.zeros((8, 8, 3), np.uint16)
    blue[:, :, 2] = 20000
    assert measure_encoded(png(blue, 16), "a") == ((8, 8), 1, False)
    assert decode_image(png(blue, 16), "a")[0, 0].tolist() == [0, 0, 78]


def test_jpeg_2000_of_12_bits_is_scaled(monkeypatch):
    """OpenCV cannot write such a file, so the test checks its header only."""
    data = encoded(".jp2", np.tile(TWELVE, (4, 4)))
    place = data.index(b"\xff\x4f\xff\x51") + 42
    assert data[place] == 15
    twelve = data[:place] + bytes([11]) + data[place + 1 :]
    monkeypatch.setattr(cv2, "imdecode", lambda *_: np.tile(TWELVE, (4, 4)))
    assert np.array_equal(decode_image(twelve, "a"), np.tile(OF_GREY, (4, 4, 1)))


def test_what_opencv_was_built_without_is_named(monkeypatch):
    data = encoded(".jp2", np.tile(RGB, (4, 4, 1)))
    monkeypatch.setattr(cv2, "imdecode", lambda *_: None)
    damaged = f"damaged, cut short, or a JPEG 2000 of a sort that OpenCV {cv2.__version__} cannot decode"
    with pytest.raises(BadFile, match=damaged):
        decode_image(data, "a.jp2")
    monkeypatch.setattr(cv2, "haveImageWriter", lambda name: not name.endswith(".jp2"))
    missing = (
        f"a.jp2: cannot read the picture: it is a JPEG 2000, which OpenCV {cv2.__version__} was built without"
    )
    with pytest.raises(BadFile, match=missing):
        decode_image(data, "a.jp2")
