"""FixedShape: any number of images through a file with a fixed batch and size."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.inference.runtimes.fixed_shape import ANY, FixedShape


@pytest.mark.parametrize(
    ("sides", "shape"),
    [
        ([2, 64, 96, 3], (2, 64, 96)),
        (["batch", "height", "width", 3], ANY),
        ([1, "height", None, 3], (1, None, None)),
        ([-1, 0, 96, 3], (None, None, 96)),  # some programs write a free side like this
    ],
)
def test_of_a_file(sides, shape):
    assert FixedShape.of(sides) == shape


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_images_go_through_in_batches(count):
    """Results keep their order; those of padding images are removed."""
    seen = []

    def network(pixels):
        seen.append(pixels[:, 0, 0, 0].tolist())
        return [pixels.sum(axis=(1, 2, 3)), pixels[:, :1, 0, 0] * 10]

    pixels = np.arange(1, count + 1)[:, None, None, None] * np.ones((1, 2, 2, 3), int)
    sums, tens = FixedShape(2, 2, 2).run(network, pixels)
    assert sums.tolist() == [12 * number for number in range(1, count + 1)]
    assert tens.tolist() == [[10 * number] for number in range(1, count + 1)]
    pairs = {1: [[1, 1]], 2: [[1, 2]], 3: [[1, 2], [3, 3]], 4: [[1, 2], [3, 4]], 5: [[1, 2], [3, 4], [5, 5]]}
    assert seen == pairs[count]


def test_any_batch_goes_through_at_once():
    pixels = np.zeros((5, 2, 2, 3))
    assert ANY.run(lambda given: [given], pixels)[0] is pixels


@pytest.mark.parametrize(
    ("shape", "size_hw", "said"),
    [
        (ANY, (32, 64), ""),
        (FixedShape(1, 64, 96), (64, 96), ""),
        (FixedShape(4, None, 96), (32, 96), ""),
        (FixedShape(1, 64, 96), (96, 64), "toy.onnx: takes pictures of 64x96 alone, .* and not of 96x64"),
        (FixedShape(1, None, 96), (32, 64), "takes pictures of anyx96 alone"),
    ],
)
def test_sizes(shape, size_hw, said):
    assert shape.suits(size_hw) is not bool(said)
    if said:
        with pytest.raises(UserError, match=said):
            shape.check(size_hw, "toy.onnx")
    else:
        shape.check(size_hw, "toy.onnx")
