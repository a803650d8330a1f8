"""The MNN runtime: the network's boxes from an exported file, and messages about invalid ones."""

from __future__ import annotations

import pytest

pytest.importorskip("MNN", reason="package MNN is not installed")
pytest.importorskip("onnx", reason="package onnx is not installed")

from gluon_yolo.errors import UserError  # noqa: E402
from gluon_yolo.exporters.api import export  # noqa: E402
from gluon_yolo.exporters.verify import Bound, compare  # noqa: E402
from gluon_yolo.inference.model_record import ModelRecord  # noqa: E402
from gluon_yolo.inference.runtimes.mnn import load  # noqa: E402
from tests.child import python  # noqa: E402
from tests.inference.several_threads import assert_threads_agree, images  # noqa: E402
from tests.random_model import random_detector  # noqa: E402


@pytest.fixture(scope="module")
def net():
    return random_detector()


@pytest.fixture(scope="module", params=["decoded", "raw"])
def model(net, request, tmp_path_factory):
    """An exported model's record and folder."""
    done = export(net, tmp_path_factory.mktemp(request.param), ["mnn"], "toy", (64, 96), request.param)
    return ModelRecord.read(done.record), done.folder


def test_boxes(net, model):
    """For other sizes and batches than the export's."""
    found = compare(net, load(*model), [images(1, 96, 128), images(3, 64, 160)], Bound(0.02, 1e-4))
    assert found.holds, found


def test_several_threads(model):
    assert_threads_agree(load(*model))


def test_results_stay_when_the_next_image_comes(model):
    network = load(*model)
    first = [array for array in network(images(1, 64, 64))]
    before = [array.copy() for array in first]
    list(network(255 - images(1, 64, 64)))
    assert all((array == kept).all() for array, kept in zip(first, before))


def test_view_of_an_image(model):
    """An array that is not contiguous has the same pixels."""
    network = load(*model)
    batch = images(2, 96, 160)[:, ::-1, 32:]
    for given, expected in zip(network(batch), network(batch.copy())):
        assert (given == expected).all()


def test_size_that_suits_no_grid(model):
    with pytest.raises(UserError, match="size 64x50: both sides must be multiples of 32"):
        load(*model)(images(1, 64, 50))


def test_no_gpu(model):
    with pytest.raises(UserError, match="GPU 0: MNN runs on the processor here"):
        load(*model, gpu=0)


def test_no_file(model, tmp_path):
    with pytest.raises(UserError, match="toy.mnn: no such file; .*--format mnn"):
        load(model[0], tmp_path)


@pytest.mark.parametrize("kept", [0, 100, 5000, -1000])
def test_damaged_file(model, tmp_path, kept):
    record, folder = model
    (tmp_path / "toy.mnn").write_bytes((folder / "toy.mnn").read_bytes()[:kept])
    with pytest.raises(UserError, match="toy.mnn: is damaged or no file of MNN's"):
        load(record, tmp_path)


def test_its_import_leaves_the_standard_output_alone():
    """MNN prints CPU features, whoever imports it first."""
    code = (
        "from gluon_yolo.inference.runtimes.base import import_package\nimport_package('MNN')\nprint('done')"
    )
    done = python("-c", code)
    assert done.stdout == "done\n"


def test_mxnet_stays_away(model):
    code = (
        "import sys, pathlib, numpy as np\n"
        "sys.modules['mxnet'] = None\n"
        "from gluon_yolo.inference.runtimes.mnn import load\n"
        "from gluon_yolo.inference.model_record import ModelRecord\n"
        f"folder = pathlib.Path({str(model[1])!r})\n"
        "network = load(ModelRecord.read(folder / 'toy.json'), folder)\n"
        "print([array.shape for array in network(np.zeros((1, 64, 64, 3), np.uint8))])\n"
    )
    done = python("-c", code)
    assert done.stdout.strip() == "[(1, 252, 4), (1, 252, 3)]"  # and nothing that MNN prints
