"""EXIF orientation in every file type that has it: pixels, sizes and boxes are turned upright."""

from __future__ import annotations

import zlib

import cv2
import numpy as np
import pytest

from gluon_yolo.data.images.exif import orientation_of, turn, turn_boxes, turned_hw
from gluon_yolo.data.images.read import decode_image, measure_encoded
from tests.data.image_content import chunk, exif, jpeg, png, tiff, webp

HEIGHT, WIDTH = 80, 128
RED, GREEN, BLUE, WHITE = (220, 30, 30), (20, 250, 20), (20, 20, 250), (240, 240, 240)
IMAGE = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
IMAGE[:40, :64], IMAGE[:40, 64:], IMAGE[40:, :64], IMAGE[40:, 64:] = RED, GREEN, BLUE, WHITE
# The colours of the corners once upright: upper left, upper right, lower left, lower right; from the
# table of the EXIF standard, which says where the stored row 0 and column 0 are seen.
CORNERS = {
    1: (RED, GREEN, BLUE, WHITE),
    2: (GREEN, RED, WHITE, BLUE),  # row 0 at the top, column 0 at the right
    3: (WHITE, BLUE, GREEN, RED),  # bottom, right
    4: (BLUE, WHITE, RED, GREEN),  # bottom, left
    5: (RED, BLUE, GREEN, WHITE),  # row 0 at the left, column 0 at the top
    6: (BLUE, RED, WHITE, GREEN),  # right, top
    7: (WHITE, GREEN, BLUE, RED),  # right, bottom
    8: (GREEN, WHITE, RED, BLUE),  # left, bottom
}


def raw_profile(data, name=b"exif", packed=True):
    """Return a PNG text chunk with EXIF data, as ImageMagick writes it."""
    digits = data.hex()
    lines = "\n".join(digits[place : place + 72] for place in range(0, len(digits), 72))
    text = f"\n{name.decode()}\n{len(data):8d}\n{lines}\n".encode()
    keyword = b"Raw profile type " + name + b"\0"
    return chunk(b"zTXt", keyword + b"\0" + zlib.compress(text)) if packed else chunk(b"tEXt", keyword + text)


FILES = {
    "JPEG": lambda o: jpeg(IMAGE, exif(o)),
    "JPEG, other byte order": lambda o: jpeg(IMAGE, exif(o, ">")),
    "JPEG without JFIF": lambda o: jpeg(IMAGE, exif(o), jfif=False),
    "PNG": lambda o: png(IMAGE, before=chunk(b"eXIf", exif(o))),
    "PNG, behind the pixels": lambda o: png(IMAGE, after=chunk(b"eXIf", exif(o, ">"))),
    "PNG of ImageMagick": lambda o: png(IMAGE, before=raw_profile(b"Exif\0\0" + exif(o))),
    "PNG of ImageMagick, not compressed": lambda o: png(
        IMAGE, after=raw_profile(exif(o, ">"), b"APP1", False)
    ),
    "PNG of 16 bits": lambda o: png(IMAGE.astype(np.uint16) * 257, 16, before=chunk(b"eXIf", exif(o))),
    "WebP": lambda o: webp(IMAGE, exif(o)),
    "WebP with a head": lambda o: webp(IMAGE, b"Exif\0\0" + exif(o, ">")),
    "TIFF": lambda o: tiff(IMAGE, t274=o),
    "TIFF, other byte order": lambda o: tiff(IMAGE, ">", t274=o),
    "TIFF of 16 bits": lambda o: tiff(IMAGE.astype(np.uint16) * 257, t274=o),
    "TIFF with opacity": lambda o: tiff(np.dstack([IMAGE, IMAGE[:, :, 0]]), t274=o, t338=2),
}


def corners(image):
    last_row, last_column = image.shape[0] - 3, image.shape[1] - 3
    return [image[y, x].astype(int) for y in (2, last_row) for x in (2, last_column)]


@pytest.mark.parametrize(
    "text",
    [
        chunk(b"zTXt", b"Raw profile type exif\0\0no zlib"),
        chunk(b"tEXt", b"Raw profile type exif\0\nexif\n 2\nxy"),
        chunk(b"tEXt", b"Raw profile type exif\0"),
        raw_profile(exif(6), b"iptc"),
    ],
)
def test_texts_that_are_no_exif_turn_nothing(text):
    assert orientation_of(png(IMAGE, before=text)) == 1


@pytest.mark.parametrize("orientation", CORNERS)
@pytest.mark.parametrize("file", FILES)
def test_images_come_upright(file, orientation):
    data = FILES[file](orientation)
    upright_hw = (WIDTH, HEIGHT) if orientation >= 5 else (HEIGHT, WIDTH)
    assert orientation_of(data) == orientation
    measure = measure_encoded(data, file)
    assert (measure.size_hw, measure.stored_hw, measure.orientation) == (
        upright_hw,
        (HEIGHT, WIDTH),
        orientation,
    )
    for reduction in (1, 2, 4, 8):
        image = decode_image(data, file, reduction)
        assert image.shape in (
            (*upright_hw, 3),
            (upright_hw[0] // reduction, upright_hw[1] // reduction, 3),
        )
        for seen, expected in zip(corners(image), CORNERS[orientation]):
            assert np.abs(seen - expected).max() <= 12, (reduction, seen, expected)


NOT_TURNED = {
    "no EXIF": jpeg(IMAGE),
    "0 is no orientation": jpeg(IMAGE, exif(0)),
    "9 is none": png(IMAGE, before=chunk(b"eXIf", exif(9))),
    "EXIF cut short": jpeg(IMAGE, exif(6)[:12]),
    "another tag": jpeg(IMAGE, exif(6).replace(b"\x12\x01", b"\x13\x01")),
    "a place beyond the file": jpeg(IMAGE, exif(6)[:4] + b"\xff\xff\xff\x7f" + exif(6)[8:]),
    "directories in a ring": jpeg(IMAGE, b"II*\0\x08\0\0\0\0\0\x08\0\0\0"),
    "no TIFF": webp(IMAGE, b"something else"),
}


@pytest.mark.parametrize("file", NOT_TURNED)
def test_what_says_nothing_is_not_turned(file):
    assert orientation_of(NOT_TURNED[file]) == 1
    assert decode_image(NOT_TURNED[file], file).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("kind", "BHI")
@pytest.mark.parametrize("order", "<>")
def test_the_number_may_be_of_any_width(kind, order):
    assert orientation_of(jpeg(IMAGE, exif(6, order, kind))) == 6


def test_an_orientation_in_a_thumbnail_is_another_images():
    inner = jpeg(IMAGE[:8, :8], exif(6))
    comment = b"\xff\xfe" + (len(inner) + 2).to_bytes(2, "big") + inner
    data = jpeg(IMAGE)
    assert orientation_of(data[:2] + comment + data[2:]) == 1


# A box from (16, 8) to (60, 40) in an image of 160x120 as it is stored.
BOXES = {
    1: (16, 8, 60, 40),
    2: (100, 8, 144, 40),
    3: (100, 80, 144, 112),
    4: (16, 80, 60, 112),
    5: (8, 16, 40, 60),
    6: (80, 16, 112, 60),
    7: (80, 100, 112, 144),
    8: (8, 100, 40, 144),
}


@pytest.mark.parametrize("orientation", BOXES)
def test_boxes_are_turned_with_the_pixels(orientation):
    stored = np.zeros((120, 160), np.uint8)
    cv2.rectangle(stored, (16, 8), (59, 39), 255, cv2.FILLED)
    upright = turn(stored, orientation)
    assert upright.shape == turned_hw((120, 160), orientation)
    assert turn_boxes(np.array([[16, 8, 60, 40]]), orientation, (120, 160)).tolist() == [
        [*BOXES[orientation]]
    ]
    rows, columns = np.nonzero(upright)
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == BOXES[orientation]


def test_a_broken_box_stays_broken():
    assert turn_boxes(np.array([[60, 8, 16, 40.5]]), 6, (120, 160)).tolist() == [[79.5, 60, 112, 16]]
    assert np.isnan(turn_boxes(np.array([[np.nan, 8, 60, 40]]), 6, (120, 160))).any()
    assert turn_boxes(np.zeros((0, 4)), 8, (120, 160)).shape == (0, 4)
