"""load_image: PIL's images of every mode, and objects that are no image."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.data.images.read import read_image
from gluon_yolo.errors import UserError
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.inference.preprocess import load_image
from gluon_yolo.spec import DetectionSpec
from tests.child import python

Image = pytest.importorskip("PIL.Image")
ImageFile = pytest.importorskip("PIL.ImageFile")

PIXELS = np.random.default_rng(3).integers(0, 256, (24, 40, 3), dtype=np.uint8)
GREY = PIXELS[:, :, 0]


def pil(mode):
    """Return the same scene in a mode of PIL's."""
    image = Image.fromarray(PIXELS)
    if mode.startswith("I;16"):
        order = ">u2" if mode.endswith("B") else "<u2"
        return Image.frombytes(mode, image.size, (GREY.astype(order) * 257).astype(order).tobytes())
    steps = {"LA": ("RGBA",), "PA": ("P",), "RGBa": ("RGBA",)}.get(mode, ())
    for step in (*steps, mode):
        image = image.convert(step)
    return image


@pytest.mark.parametrize(
    "mode",
    ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV", "I;16", "I;16B"],
)
def test_pils_images(mode):
    """The colours are those that PIL shows, for any pixel format; of 16 bits the upper eight."""
    image = pil(mode)
    expected = np.repeat(GREY[:, :, None], 3, axis=2)
    if not mode.startswith("I;16"):
        expected = np.asarray(image.convert("RGB"))
    found = load_image(image)
    assert found.dtype == np.uint8 and np.array_equal(found, expected)


def test_opacity_is_left_out_as_of_a_file(tmp_path):
    image = Image.fromarray(np.dstack([PIXELS, GREY]))
    image.save(tmp_path / "a.png")
    assert np.array_equal(load_image(image), PIXELS)
    assert np.array_equal(load_image(Image.open(tmp_path / "a.png")), read_image(tmp_path / "a.png"))


def test_a_predictor_takes_one():
    """Alone and in a list, with boxes in its own pixels."""
    seen = []

    def network(pixels):
        seen.append(pixels)
        return np.full((len(pixels), 1, 4), [0, 0, 16, 16], np.float32), np.ones(
            (len(pixels), 1, 1), np.float32
        )

    predictor = Predictor(network, DetectionSpec(("cat",)), (32, 32))
    image = Image.fromarray(PIXELS)
    alone, (one, other) = predictor(image), predictor([PIXELS, image])
    assert alone.boxes.tolist() == one.boxes.tolist() == other.boxes.tolist() == [[0, 0, 20, 12]]
    assert np.array_equal(seen[0][0], seen[1][0]) and np.array_equal(seen[1][0], seen[1][1])


class Tensor:
    """An object that has pixels, and is no array."""


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "the picture is of type NoneType; expected a path, an array"),
        (b"bytes", "the picture is of type bytes; "),
        ([[1, 2]], "the picture is of type list; "),
        (Tensor(), r"test_load_image\.Tensor; expected .* an mxnet array give picture.asnumpy\(\)"),
    ],
    ids=["None", "bytes", "list", "tensor"],
)
def test_what_is_no_image(given, message):
    with pytest.raises(UserError, match=message):
        load_image(given)


@pytest.mark.parametrize(
    "mode, message", [("I", "mode I, is an array .* of int32"), ("F", "mode F, .* within")]
)
def test_modes_without_a_white(mode, message):
    with pytest.raises(UserError, match=message):
        load_image(pil(mode))


def test_a_file_that_pil_cannot_read_on(tmp_path, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)  # independent of other imports
    path = tmp_path / "cut.png"
    Image.fromarray(PIXELS).save(path)
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(UserError, match=r"the PIL image .*cut.png, mode RGB, cannot be read as RGB"):
        load_image(Image.open(path))


def test_pil_is_not_imported():
    code = "import sys, gluon_yolo.inference.preprocess as _; print('PIL' in sys.modules)"
    assert python("-c", code).stdout == "False\n"
