"""The TFLite runtime: the network's boxes from an exported file, and messages about invalid ones."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("ai_edge_litert", reason="package ai-edge-litert is not installed")

from gluon_yolo.errors import UserError  # noqa: E402
from gluon_yolo.exporters.api import export  # noqa: E402
from gluon_yolo.exporters.verify import Bound, compare  # noqa: E402
from gluon_yolo.inference.model_record import ModelRecord  # noqa: E402
from gluon_yolo.inference.runtimes.tflite import load  # noqa: E402
from tests.child import python  # noqa: E402
from tests.inference.several_threads import assert_threads_agree, images  # noqa: E402
from tests.random_model import random_detector  # noqa: E402


@pytest.fixture(scope="module")
def net():
    return random_detector()


@pytest.fixture(scope="module", params=["decoded", "raw"])
def model(net, request, tmp_path_factory):
    """An exported model's record and folder."""
    done = export(net, tmp_path_factory.mktemp(request.param), ["tflite"], "toy", (64, 96), request.param)
    return ModelRecord.read(done.record), done.folder


def test_boxes(net, model):
    """For other batches than the export's."""
    found = compare(net, load(*model), [images(1, 64, 96), images(3, 64, 96)], Bound(0.02, 1e-4))
    assert found.holds, found


def test_several_threads(model):
    assert_threads_agree(load(*model), [(64, 96)] * 4)


def test_results_stay_when_the_next_image_comes(model):
    network = load(*model)
    first = [array for array in network(images(1, 64, 96))]
    before = [array.copy() for array in first]
    list(network(255 - images(1, 64, 96)))
    assert all((array == kept).all() for array, kept in zip(first, before))


def test_view_of_an_image(model):
    """An array that is not contiguous has the same pixels."""
    network = load(*model)
    batch = images(2, 64, 128)[:, ::-1, 32:]
    for given, expected in zip(network(batch), network(batch.copy())):
        assert (given == expected).all()


def test_size_that_suits_no_grid(model):
    with pytest.raises(UserError, match="size 64x50: both sides must be multiples of 32"):
        load(*model)(images(1, 64, 50))


def test_other_size_than_the_export_s(model):
    said = (
        "toy.tflite: takes pictures of 64x96 alone, as files of its format take one size, and not of 96x64; "
        "take that size, or export it with size 96x64"
    )
    with pytest.raises(UserError, match=re.escape(said)):
        load(*model)(images(1, 96, 64))


def test_no_gpu(model):
    with pytest.raises(UserError, match="GPU 0: LiteRT runs on the processor here"):
        load(*model, gpu=0)


def test_no_file(model, tmp_path):
    with pytest.raises(UserError, match="toy.tflite: no such file; .*--format tflite"):
        load(model[0], tmp_path)


@pytest.mark.parametrize("kept", [0, 100, 5000, -1000])
def test_damaged_file(model, tmp_path, kept):
    record, folder = model
    (tmp_path / "toy.tflite").write_bytes((folder / "toy.tflite").read_bytes()[:kept])
    with pytest.raises(UserError, match="toy.tflite: is damaged or no TFLite file"):
        load(record, tmp_path)


def test_a_file_for_another_size(model, net, tmp_path):
    """The record says one size, and the file beside it takes another."""
    record, _ = model
    export(net, tmp_path, ["tflite"], "toy", (96, 96), record.formats["tflite"].cut)
    with pytest.raises(UserError, match="toy.tflite: is damaged or no TFLite file of this model; export the"):
        load(record, tmp_path)(images(1, 64, 96))


def test_nothing_is_printed(model, capfd):
    """LiteRT prints a line about its kernels to the standard error stream when it loads a file."""
    load(*model)(images(1, 64, 96))
    assert capfd.readouterr() == ("", "")


def test_mxnet_stays_away(model):
    code = (
        "import sys, pathlib, numpy as np\n"
        "sys.modules['mxnet'] = None\n"
        "from gluon_yolo.inference.runtimes.tflite import load\n"
        "from gluon_yolo.inference.model_record import ModelRecord\n"
        f"folder = pathlib.Path({str(model[1])!r})\n"
        "network = load(ModelRecord.read(folder / 'toy.json'), folder)\n"
        "print([array.shape for array in network(np.zeros((1, 64, 96, 3), np.uint8))])\n"
    )
    done = python("-c", code)
    assert done.stdout.strip() == "[(1, 378, 4), (1, 378, 3)]"
