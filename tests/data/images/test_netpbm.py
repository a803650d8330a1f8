"""Netpbm images: their white level is the header's, in binary and in text."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gluon_yolo.data.images.read import decode_image, measure_encoded
from gluon_yolo.data.quality.report import BadFile

PAM = b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH %d\nMAXVAL %d\n# a comment\nTUPLTYPE ANY\nENDHDR\n"
RED, WHITE, BLACK, GREY = [255, 0, 0], [255] * 3, [0] * 3, [128] * 3

FILES = {
    b"P1 2 1 0 1": [WHITE, BLACK],
    b"P1\n# bits\n2 1\n01\n": [WHITE, BLACK],
    b"P4 2 1\n\x40": [WHITE, BLACK],
    b"P2 2 1 15 15 0": [WHITE, BLACK],
    b"P2\n2 1\n255\n128\n255\n": [GREY, WHITE],
    b"P3 2 1 100 100 0 0 0 0 0\n": [RED, BLACK],
    b"P3 # one\n2 # two\n1\n#three\n4095 4095 0 0 # red\n4095 4095 4095": [RED, WHITE],
    b"P5 2 1 255 \x80\xff": [GREY, WHITE],
    b"P5\n2 1\n1023\n\2\2\3\xff": [GREY, WHITE],
    b"P5\r\n2 1\r\n4095\r" + b"\x08\x08\x0f\xff": [GREY, WHITE],
    b"P5 2 1 65535\n\x80\x80\xff\xff": [GREY, WHITE],
    b"P6\n# made by hand\n2 1\n255\n\xff\0\0\xff\xff\xff": [RED, WHITE],
    b"P6 2 1 4095\n\x0f\xff\0\0\0\0\x0f\xff\x0f\xff\x0f\xff": [RED, WHITE],
    b"P6 2 1 100\n\x64\0\0\x64\x64\x64": [RED, WHITE],
    PAM % (3, 255) + b"\xff\0\0\xff\xff\xff": [RED, WHITE],
    PAM % (4, 255) + b"\xff\0\0\x10\xff\xff\xff\x10": [RED, WHITE],
    PAM % (1, 255) + b"\x80\xff": [GREY, WHITE],
    PAM % (2, 255) + b"\x80\x10\xff\x10": [GREY, WHITE],
    PAM % (3, 1023) + b"\3\xff\0\0\0\0\3\xff\3\xff\3\xff": [RED, WHITE],
}
BROKEN = {
    b"P5 2 1 255 \x80": "damaged or cut short: it ends after 1 of 2 samples",
    b"P5 2 1 255": "damaged or cut short: it ends after 0 of 2 samples",
    b"P6 2 1 65535 \xff\xff": "it ends after 1 of 6 samples",
    b"P4 9 1\n\x40": "it ends after 1 of 2 samples",
    b"P1 2 1 0": "it ends after 1 of 2 samples",
    b"P2 2 1 255 17": "it ends after 1 of 2 samples",
    b"P2 2 1 255 a b": "damaged or cut short",
    b"P5 2 x": "its header is cut short, or no number",
    b"P6 0 1 255\n": "its header has a number that cannot be",
    b"P6 2 1 70000\n": "its header has a number that cannot be",
    PAM[:20]: "its header is cut short, or no number",
}


@pytest.mark.parametrize("content", FILES, ids=lambda content: repr(content[:10]))
def test_white_is_255(content):
    image = decode_image(content, "a")
    assert image.dtype == np.uint8 and image.flags.c_contiguous and image.tolist() == [FILES[content]]
    assert measure_encoded(content, "a") == ((1, 2), 1, False)


@pytest.mark.parametrize("content", BROKEN, ids=lambda content: repr(content[:10]))
def test_broken(content):
    with pytest.raises(BadFile, match=f"a.ppm: cannot read the picture: .*{BROKEN[content]}"):
        decode_image(content, "a.ppm")


@pytest.mark.parametrize("suffix", [".ppm", ".pgm", ".pbm"])
def test_what_opencv_writes(suffix):
    random = np.random.default_rng(0)
    grey = (random.integers(0, 2, (5, 19)) * 255).astype(np.uint8)
    given = np.dstack([grey, 255 - grey, grey]) if suffix == ".ppm" else grey
    expected = given[:, :, ::-1] if suffix == ".ppm" else np.dstack([grey] * 3)
    assert np.array_equal(decode_image(cv2.imencode(suffix, given)[1].tobytes(), "a"), expected)
