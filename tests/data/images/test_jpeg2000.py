"""JPEG 2000: damaged codestreams in boxes are refused, and never given to OpenCV with their boxes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gluon_yolo.data.images.jpeg2000 import CODESTREAM, boxed_codestream
from gluon_yolo.data.images.read import decode_image, measure_encoded
from gluon_yolo.data.quality.report import BadFile
from tests.random_model import random_image

RGB = random_image(48, 64)
WHOLE = cv2.imencode(".jp2", RGB[..., ::-1])[1].tobytes()
BEGIN = WHOLE.index(CODESTREAM)
# What OpenJPEG 2.5.0 answers with a write through a pointer that is not set: a header of no components.
NO_COMPONENTS = WHOLE[: BEGIN + 10] + bytes(36) + WHOLE[BEGIN + 46 :]
BAD = {
    "no components": NO_COMPONENTS,
    # And with a size that is not that of the boxes, though it decodes.
    "64 rows in the boxes": WHOLE.replace(b"ihdr\0\0\0\x30", b"ihdr\0\0\0\x40"),
    "no codestream in its box": WHOLE[:BEGIN] + bytes(4) + WHOLE[BEGIN + 4 :],
    "no box of a codestream": WHOLE.replace(b"jp2c", b"xml "),
    "a box of no length": WHOLE.replace(b"\0\0\0\x14ftyp", bytes(4) + b"ftyp"),
    "cut short in its header": WHOLE[: BEGIN + 60],
}


def without_boxes_only(monkeypatch):
    """Let OpenCV have codestreams alone."""
    decode = cv2.imdecode

    def checked(data, flags):
        assert data.tobytes().startswith(CODESTREAM)
        return decode(data, flags)

    monkeypatch.setattr(cv2, "imdecode", checked)


@pytest.mark.parametrize("name", BAD)
def test_a_damaged_codestream_is_refused_before_its_boxes_are_read(name, monkeypatch):
    without_boxes_only(monkeypatch)
    for read in (decode_image, measure_encoded):
        with pytest.raises(
            BadFile, match="a.jp2: cannot read the picture: damaged, cut short, or a JPEG 2000 of"
        ):
            read(BAD[name], "a.jp2")


def test_a_whole_file_is_read_without_a_word(capfd):
    assert np.array_equal(decode_image(WHOLE, "a.jp2"), RGB)
    assert np.array_equal(decode_image(WHOLE[BEGIN:], "a.j2k"), RGB)
    grey = cv2.imencode(".jp2", RGB[:, :, 0])[1].tobytes()
    capfd.readouterr()
    assert np.array_equal(decode_image(grey, "grey.jp2")[:, :, 2], RGB[:, :, 0])
    assert capfd.readouterr().err == ""


def test_a_box_of_64_bits_is_passed_over():
    long = b"\0\0\0\1uuid" + (24).to_bytes(8, "big") + bytes(8)
    assert boxed_codestream(WHOLE[:12] + long + WHOLE[12:]) == WHOLE[BEGIN:]
