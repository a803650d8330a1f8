"""Header sizes: read without decoding, and images that are too large are refused by them."""

from __future__ import annotations

import resource
import struct

import cv2
import pytest

from gluon_yolo.data.images import tiff
from gluon_yolo.data.images.file_types import kind_of
from gluon_yolo.data.images.header_size import VARIABLE, header_size
from gluon_yolo.data.images.read import decode_image, measure_encoded
from gluon_yolo.data.quality.report import BadFile
from tests.random_model import random_image

HEIGHT, WIDTH = 48, 64
WIDE, HIGH = 40_000, 30_000  # 1.2 gigapixels, 3.6 GB as RGB


def encoded(ending: str, *flags: int) -> bytes:
    done, data = cv2.imencode(ending, random_image(HEIGHT, WIDTH)[..., ::-1], flags)
    assert done
    return data.tobytes()


def patched(data: bytes, place: int, form: str, *numbers: int) -> bytes:
    part = struct.pack(form, *numbers)
    return data[:place] + part + data[place + len(part) :]


def _24_bits(number: int) -> bytes:
    return number.to_bytes(3, "little")


JPEG, TIFF = encoded(".jpg"), encoded(".tif")
LOSSY, LOSSLESS = encoded(".webp", cv2.IMWRITE_WEBP_QUALITY, 50), encoded(".webp")
# The extended form: its own size is that of the canvas, less one.
EXTENDED = b"RIFF" + struct.pack("<I", 22 + len(LOSSY) - 12) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4)
EXTENDED += _24_bits(WIDTH - 1) + _24_bits(HEIGHT - 1) + LOSSY[12:]
OS2 = b"BM" + struct.pack("<IHHI", 26 + 8, 0, 0, 26) + struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, 24)
JPEG2000 = encoded(".jp2")
SIZ = JPEG2000.index(b"\xff\x4f\xff\x51")
PNM, PAM = encoded(".ppm"), b"P7\nWIDTH 64\nHEIGHT 48\nDEPTH 3\nMAXVAL 255\nENDHDR\n" + bytes(9216)
FILES = {"jpg": JPEG, "png": encoded(".png"), "bmp": encoded(".bmp"), "os2": OS2, "tif": TIFF}
FILES.update(
    webp=LOSSY, lossless=LOSSLESS, extended=EXTENDED, jp2=JPEG2000, ras=encoded(".ras"), ppm=PNM, pam=PAM
)
LARGE = {
    "jpg": ("JPEG", patched(JPEG, JPEG.index(b"\xff\xc0") + 5, ">HH", HIGH, WIDE)),
    "png": ("PNG", patched(FILES["png"], 16, ">II", WIDE, HIGH)),
    "bmp": ("BMP", patched(FILES["bmp"], 18, "<ii", WIDE, HIGH)),
    "bmp from the top": ("BMP", patched(FILES["bmp"], 18, "<ii", WIDE, -HIGH)),
    "tif": ("TIFF", tiff.with_numbers(TIFF, {tiff.WIDTH: WIDE, tiff.HEIGHT: HIGH})),
    "webp": ("WebP", EXTENDED[:24] + _24_bits(WIDE - 1) + _24_bits(HIGH - 1) + EXTENDED[30:]),
    "jp2": ("JPEG 2000", patched(JPEG2000, SIZ + 8, ">II", WIDE, HIGH)),
    "ras": ("Sun raster", patched(FILES["ras"], 4, ">II", WIDE, HIGH)),
    "ppm": ("PNM", PNM.replace(b"64 48", b"40000 30000")),
    "pam": ("PNM", PAM.replace(b"WIDTH 64\nHEIGHT 48", b"WIDTH 40000\nHEIGHT 30000")),
}


@pytest.mark.parametrize("name", FILES)
def test_the_size_is_that_of_the_pixels(name):
    assert header_size(FILES[name], kind_of(FILES[name])) == (WIDTH, HEIGHT)
    if name != "os2":  # which has no pixels here
        assert decode_image(FILES[name], "it").shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("name", LARGE)
def test_what_is_too_large_is_refused_before_it_is_decoded(name):
    kind, data = LARGE[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for read in (decode_image, measure_encoded):
        with pytest.raises(BadFile) as error:
            read(data, f"large.{name}")
        assert str(error.value) == (
            f"large.{name}: is a {kind} of 40000 x 30000 pixels by its header, and pictures of at most "
            f"268,435,456 are decoded: cut it into tiles, or set {VARIABLE}"
        )
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


@pytest.mark.parametrize("name", FILES)
def test_a_header_that_is_cut_short_says_no_size(name):
    kind = kind_of(FILES[name])
    found = {header_size(FILES[name][:end], kind) for end in range(min(400, len(FILES[name])))}
    if name == "ppm":  # the first digit of a number is a number itself
        found -= {(WIDTH, HEIGHT // 10)}
    assert found <= {None, (WIDTH, HEIGHT)}


def test_the_limit_can_be_set(monkeypatch):
    monkeypatch.setenv(VARIABLE, str(WIDTH * HEIGHT))
    assert decode_image(JPEG, "it").shape == (HEIGHT, WIDTH, 3)
    monkeypatch.setenv(VARIABLE, str(WIDTH * HEIGHT - 1))
    with pytest.raises(BadFile, match="of 64 x 48 pixels by its header, and pictures of at most 3,071 are"):
        decode_image(JPEG, "it")
