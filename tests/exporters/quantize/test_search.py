"""Search and writing of int8, with a fake format whose losses are given."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.exporters.quantize import search
from gluon_yolo.exporters.quantize.backends import Int8
from gluon_yolo.exporters.request import Request
from gluon_yolo.inference.exported_format import ExportedFormat
from gluon_yolo.inference.model_record import ModelRecord
from tests.random_model import random_detector

IMAGES = np.zeros((6, 32, 32, 3), dtype=np.uint8)
BOXES = np.array([[[0, 0, 10, 10]]], dtype=np.float32)


class MadeUp(Int8):
    """Loses 10 points with minmax and 4 with entropy, all of them in layer "c" and half of them in "b" too.

    Its networks return 90 minus the loss as their only score.
    """

    kind, runtime = "onnx", "onnxruntime"
    layers = ("a", "b", "c", "d")

    def __init__(self, request: Request | None = None):
        self.written: list = []

    def calibrate(self, batches, method, progress):
        images = np.concatenate(list(batches))
        for number in range(len(images)):
            progress("pictures", number + 1, None)
        return {"method": method, "pictures": len(images)}

    def network(self, ranges, excluded):
        lost = {"minmax": 10.0, "entropy": 4.0}[ranges["method"]]
        left = {"c": 0.5, "b": 0.5}
        share = sum(part for layer, part in left.items() if layer not in excluded)

        def network(pixels):
            scores = np.full((1, 1, 1), 0.9 - lost * share / 100, dtype=np.float32)
            return BOXES, scores

        return network

    def write(self, ranges, excluded, folder):
        (folder / "toy.onnx").write_text(f"{ranges['method']} {','.join(excluded)}")
        return ExportedFormat(("toy.onnx",), "nms", ("ids", "scores", "bboxes"))


def reference(pixels):
    return BOXES, np.full((1, 1, 1), 0.9, dtype=np.float32)


def lost(network):
    return 90 - 100 * float(network(IMAGES[:1])[1][0, 0, 0])


def chosen(allowed, method="minmax"):
    said: list[str] = []
    return search.choose(MadeUp(), reference, IMAGES, lost, allowed, method, said.append), said


def test_all_layers_where_that_is_enough():
    found, said = chosen(10.1)
    assert (found.method, found.excluded, found.holds) == ("minmax", (), True)
    assert found.lost == pytest.approx(10) and not found.errors
    assert said == ["onnx int8, minmax, all 4 layers: 10.00 points lost"]


@pytest.mark.parametrize("allowed, count", [(6, 1), (1, 2)])
def test_the_worst_layers_stay_in_float(allowed, count):
    """Layers b and c are equally bad, a and d have no effect."""
    found, said = chosen(allowed)
    assert found.holds and len(found.excluded) == count and set(found.excluded) <= {"b", "c"}
    assert found.lost == pytest.approx(10 - 5 * count, abs=1e-4) and list(found.errors)[2:] == ["a", "d"]
    assert said[1] == f"onnx int8: more than {allowed}.00; measuring each layer by itself"
    assert said[2] == "onnx int8, 1 of 4 layers in float: 5.00 points lost"


def test_the_best_method_is_taken():
    found, said = chosen(5, "best")
    assert (found.method, found.excluded, found.holds) == ("entropy", (), True)
    assert {name: round(points) for name, points in found.methods.items()} == {"minmax": 10, "entropy": 4}
    assert len(said) == 2


def test_it_says_when_nothing_is_enough():
    found, _ = chosen(-5)
    assert not found.holds and found.lost == pytest.approx(0, abs=1e-4) and len(found.excluded) == 2


def test_float_layers_that_do_harm_are_not_taken():
    class Worse(MadeUp):
        def network(self, ranges, excluded):
            scores = np.full((1, 1, 1), 0.8 - 0.1 * bool(excluded), dtype=np.float32)
            return lambda pixels: (BOXES, scores)

    found = search.choose(Worse(), reference, IMAGES, lost, 5, say=lambda line: None)
    assert not found.holds and found.excluded == () and found.lost == pytest.approx(10)


def test_nothing_to_quantize():
    class Nothing(MadeUp):
        layers = ()

    with pytest.raises(UserError, match="no convolution before another"):
        search.choose(Nothing(), reference, IMAGES, lost, 0)


def test_write_and_write_again(tmp_path):
    """Another format of the same model stays beside the new one; other weights replace the model."""
    request = Request(random_detector(), "toy", (64, 64), fit="letterbox")
    found, _ = chosen(6)
    path, before = search.write(request, tmp_path / "int8", [(MadeUp(), found)])
    record = ModelRecord.read(path)
    assert (record.precision, record.fit, record.size_hw) == ("int8", "letterbox", (64, 64))
    assert list(record.formats) == ["onnx"] and not before.kept
    assert (path.parent / "toy.onnx").read_text() == f"minmax {found.excluded[0]}"

    class Other(MadeUp):
        kind = "ncnn"

        def write(self, ranges, excluded, folder):
            for file in ("toy.param", "toy.bin"):
                (folder / file).write_text("other")
            return ExportedFormat(("toy.param", "toy.bin"), "raw", ("raw_0",))

    _, before = search.write(request, tmp_path / "int8", [(Other(), found)])
    assert list(before.kept) == ["onnx"] and list(ModelRecord.read(path).formats) == ["onnx", "ncnn"]

    again = Request(random_detector(seed=1), "toy", (64, 64), fit="letterbox")
    _, before = search.write(again, tmp_path / "int8", [(Other(), found)])
    assert before.removed and before.reason == "of other weights"
    assert sorted(file.name for file in path.parent.iterdir()) == ["toy.bin", "toy.json", "toy.param"]
