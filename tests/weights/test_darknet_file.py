"""Darknet weights files: every byte in its place, partial files, and files that are no weights of the cfg."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.models.darknet.cfg import read_cfg
from gluon_yolo.models.darknet.plan import make_plan
from gluon_yolo.weights.darknet_file import Weights, read_weights
from gluon_yolo.weights.darknet_header import Header
from gluon_yolo.weights.darknet_layer import LayerWeights
from tests.models.darknet import small

FILES = [
    ("nano-coco", "*.weights", 59, True),
    ("nano-voc", "*.weights", 59, True),
    ("nano-voc", "*.57", 48, False),
    ("fastest-voc", "*.weights", 59, True),
    ("fastest-voc", "*.57", 48, False),
    ("yoloface-500k", "*.weights", 61, True),
    ("yoloface-100k", "*.weights", 36, True),
    ("yoloface-50k", "*.weights", 24, True),
]
# Bytes of the small network's layers: 8 x (beta, gamma, mean, variance), 8 x 3 x 3 x 3; 14 biases, 14 x 8.
FIRST, SECOND = 4 * (8 * 4 + 8 * 27), 4 * (14 + 14 * 8)


@pytest.fixture
def plan():
    return small.planned(small.SMALL)


def numbers_file(path, header: bytes, size: int):
    numbers = np.arange(size // 4, dtype="<f4").tobytes()
    path.write_bytes(header + numbers + bytes(size % 4))
    return path


HEADER = struct.pack("<iiiQ", 0, 2, 5, 64)


def test_the_order_of_numbers(plan, tmp_path):
    """Beta, gamma, mean, variance, kernel by output channel; without batch normalisation bias, kernel."""
    weights = read_weights(numbers_file(tmp_path / "w", HEADER, FIRST + SECOND), plan)
    first, second = weights.layers[0], weights.layers[1]
    for index, field in enumerate(("bias", "gamma", "mean", "variance")):
        np.testing.assert_array_equal(getattr(first, field), np.arange(8 * index, 8 * index + 8))
    np.testing.assert_array_equal(first.kernel, 32 + np.arange(216).reshape(8, 3, 3, 3))
    np.testing.assert_array_equal(second.bias, 248 + np.arange(14))
    np.testing.assert_array_equal(second.kernel, 262 + np.arange(112).reshape(14, 8, 1, 1))
    assert second.gamma is second.mean is second.variance is None
    assert weights.whole and weights.header.seen == 64
    assert str(weights) == "all 2 convolutional layers, 64 pictures seen"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (struct.pack("<iiiI", 0, 1, 0, 7), Header(0, 1, 0, 7)),
        (struct.pack("<iiiQ", 0, 2, 0, 2**33), Header(0, 2, 0, 2**33)),
        (struct.pack("<iiiQ", 1, 0, 3, 7), Header(1, 0, 3, 7)),
        (struct.pack("<iiiI", 1001, 0, 0, 7), Header(1001, 0, 0, 7)),
    ],
)
def test_headers_of_every_version(data, expected, plan, tmp_path):
    path = numbers_file(tmp_path / "w", data, FIRST + SECOND)
    weights = read_weights(path, plan)
    assert weights.header == expected
    weights.write(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(("folder", "pattern", "layers", "whole"), FILES)
def test_same_bytes_again(folder, pattern, layers, whole, shared_data, tmp_path):
    folder = shared_data / "darknet" / folder
    path = small.only(folder, pattern)
    weights = read_weights(path, make_plan(read_cfg(small.only(folder, "*.cfg"))))
    assert (len(weights.layers), weights.whole) == (layers, whole)
    if not whole:
        assert max(weights.layers) == 56  # *.57 has the first 57 layers, including those without weights
    weights.write(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_a_partial_file(plan, tmp_path):
    weights = read_weights(numbers_file(tmp_path / "w", HEADER, FIRST), plan)
    assert list(weights.layers) == [0] and not weights.whole
    assert str(weights) == "layers 0 to 0, a partial file: 1 convolutional layers, 64 pictures seen"


@pytest.mark.parametrize(
    ("header", "size", "message"),
    [
        (HEADER, FIRST - 4, f"in layer 0, .* on line 6 of small.cfg: it wants {FIRST} bytes, {FIRST - 4} "),
        (HEADER, FIRST + 6, f"in layer 1, .* on line 14 of small.cfg: it wants {SECOND} bytes, 6 "),
        (HEADER, FIRST + SECOND + 3, "for 3 bytes after the last layer of small.cfg: .* of another cfg"),
        (HEADER, 0, "holds a header and no weights"),
        (HEADER[:17], 0, "17 bytes are too few for a darknet weights file"),
        (b"", 0, "0 bytes are too few"),
    ],
)  # fmt: skip
def test_files_of_a_wrong_length(header, size, message, plan, tmp_path):
    with pytest.raises(UserError, match=message) as error:
        read_weights(numbers_file(tmp_path / "w", header, size), plan)
    assert str(error.value).startswith(str(tmp_path / "w"))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (25, -1.0, "layer 0, the .convolutional. on line 6 of small.cfg, would have a negative variance"),
        (
            250,
            np.nan,
            "layer 1, the .convolutional. on line 14 of small.cfg, would have numbers that are not fin",
        ),
    ],
)
def test_numbers_that_are_no_weights(place, value, message, plan, tmp_path):
    numbers = np.ones((FIRST + SECOND) // 4, "<f4")
    numbers[place] = value
    (tmp_path / "w").write_bytes(HEADER + numbers.tobytes())
    with pytest.raises(UserError, match=message):
        read_weights(tmp_path / "w", plan)


def test_variances_that_cudnn_rounded_below_zero(plan, tmp_path):
    """The published weights of Fastest and yoloface have -7e-44."""
    numbers = np.ones((FIRST + SECOND) // 4, "<f4")
    numbers[25] = -7e-44
    (tmp_path / "w").write_bytes(HEADER + numbers.tobytes())
    assert read_weights(tmp_path / "w", plan).layers[0].variance[1] < 0


def test_weights_of_another_cfg(shared_data):
    folder = shared_data / "darknet"
    plan = make_plan(read_cfg(small.only(folder / "nano-voc", "*.cfg")))
    with pytest.raises(UserError, match="of another cfg"):
        read_weights(small.only(folder / "yoloface-500k", "*.weights"), plan)


def test_files_that_cannot_be_read_or_written(plan, tmp_path):
    with pytest.raises(UserError, match="none: cannot be read"):
        read_weights(tmp_path / "none", plan)
    weights = Weights(Header(), {0: LayerWeights(np.ones(1), np.ones((1, 1, 1, 1)))}, True)
    with pytest.raises(UserError, match="cannot be written"):
        weights.write(tmp_path / "none" / "w")
