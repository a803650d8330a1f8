"""ONNX Runtime and OpenVINO with the same file: the same boxes, and messages about invalid files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.errors import MissingDependency, UserError
from gluon_yolo.exporters.ir.read_symbol import read_network
from gluon_yolo.exporters.verify import compare
from gluon_yolo.inference.model_record import ExportedFormat, ModelRecord
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.inference.runtimes import base, onnxruntime, openvino
from tests.inference.several_threads import assert_threads_agree, images
from tests.random_model import random_detector

onnx = pytest.importorskip("onnx", reason="package onnx is not installed")

from gluon_yolo.exporters.onnx.write import CUTS, make_model, write_model  # noqa: E402
from tests.child import python  # noqa: E402

RUNTIMES = {"onnxruntime": onnxruntime, "openvino": openvino}
SIZE_HW = (96, 128)


@pytest.fixture(scope="module")
def net():
    return random_detector()


@pytest.fixture(scope="module", params=list(CUTS))
def folder(net, request, tmp_path_factory):
    """One file for each cut."""
    folder = tmp_path_factory.mktemp(request.param)
    write(net, folder, request.param)
    return folder


@pytest.fixture(params=list(RUNTIMES))
def runtime(request):
    pytest.importorskip(request.param, reason=f"package {request.param} is not installed")
    return RUNTIMES[request.param]


def write(net, folder, cut):
    model = make_model(read_network(net), net.spec, "toy", cut)
    write_model(model, folder / "toy.onnx")


def record_of(net):
    return ModelRecord(
        "toy", net.zoo_name, net.spec, SIZE_HW, {"onnx": ExportedFormat(("toy.onnx",), "raw", ("raw_0",))}
    )


def test_boxes(net, folder, runtime):
    """A Predictor has the same detections as with the network itself, also for a graph with NMS."""
    network = runtime.load(record_of(net), folder)
    batches = [images(1, 96, 128), images(2, 64, 96)]
    if folder.name.startswith("nms"):
        ours, theirs = Predictor(network, net.spec, SIZE_HW), Predictor.from_block(net, SIZE_HW)
        for batch in batches:
            for given, expected in zip(ours.detect_batch(batch), theirs.detect_batch(batch)):
                assert len(given) == len(expected) > 0
                assert (given.class_ids == expected.class_ids).all()
                assert np.allclose(given.boxes, expected.boxes, rtol=1e-4, atol=1e-2)
                assert np.allclose(given.scores, expected.scores, atol=1e-5)
    else:
        found = compare(net, network, batches)
        assert found.holds, found


def test_several_threads(net, tmp_path, runtime):
    write(net, tmp_path, "decoded")
    network = runtime.load(record_of(net), tmp_path)
    assert_threads_agree(network)


def test_openvino_request_that_another_thread_took(net, tmp_path, monkeypatch):
    """Another thread can take a request after a check that it is free."""
    pytest.importorskip("openvino", reason="package openvino is not installed")

    class TakenMeanwhile(list):
        def __bool__(self):
            return True

    write(net, tmp_path, "decoded")
    network = openvino.load(record_of(net), tmp_path)
    compiled, _ = network._compile((1, 64, 64, 3))
    monkeypatch.setattr(network, "_compile", lambda shape: (compiled, TakenMeanwhile()))
    assert network(images(1, 64, 64))[0].shape == (1, 252, 4)


def test_openvino_files_that_are_damaged(net, tmp_path):
    package = pytest.importorskip("openvino", reason="package openvino is not installed")
    write(net, tmp_path, "decoded")
    package.save_model(package.convert_model(tmp_path / "toy.onnx"), tmp_path / "toy.xml")
    (tmp_path / "toy.bin").write_bytes((tmp_path / "toy.bin").read_bytes()[:1000])
    with pytest.raises(UserError, match="toy.xml: it or the .bin beside it is damaged; .*--format openvino"):
        openvino.OpenVINORuntime(tmp_path / "toy.xml", net.spec)


@pytest.mark.parametrize("damage", ["a name that is no UTF-8", "no inputs"])
def test_openvino_reads_what_it_cannot_name(net, tmp_path, damage):
    """OpenVINO reads such files, and its Python classes fail at what is in them."""
    pytest.importorskip("openvino", reason="package openvino is not installed")
    write(net, tmp_path, "decoded")
    path = tmp_path / "toy.onnx"
    model = onnx.load(path)
    if damage == "no inputs":
        del model.graph.node[:], model.graph.input[:], model.graph.output[:]
        path.write_bytes(model.SerializeToString())
    else:
        path.write_bytes(model.SerializeToString().replace(b"scores", b"sc\xff\xfees"))
    with pytest.raises(UserError, match="toy.onnx: is damaged or no ONNX file"):
        openvino.load(record_of(net), tmp_path)


def test_openvino_that_cannot_compile_a_file(net, tmp_path, monkeypatch):
    """Some damage shows only when the graph is compiled."""
    pytest.importorskip("openvino", reason="package openvino is not installed")
    write(net, tmp_path, "decoded")
    network = openvino.load(record_of(net), tmp_path)

    class Core:
        def compile_model(self, *words):
            raise RuntimeError("TopK node: K exceeds the axis dimension\nmore")

    monkeypatch.setattr(network, "_core", Core())
    with pytest.raises(UserError, match="toy.onnx: is damaged .*K exceeds the axis dimension.$"):
        network(images(1, 64, 64))


def test_openvino_that_cannot_reshape_a_file(net, tmp_path):
    package = pytest.importorskip("openvino", reason="package openvino is not installed")
    write(net, tmp_path, "decoded")
    package.save_model(package.convert_model(tmp_path / "toy.onnx"), tmp_path / "toy.xml")
    weights = (tmp_path / "toy.bin").read_bytes()
    minus_one = (-1).to_bytes(8, "little", signed=True)
    assert minus_one in weights
    (tmp_path / "toy.bin").write_bytes(weights.replace(minus_one, ((1 << 40) - 1).to_bytes(8, "little")))
    network = openvino.OpenVINORuntime(tmp_path / "toy.xml", net.spec)
    with pytest.raises(
        UserError, match=r"toy.xml: it or the .bin beside it is damaged; .*\(Requested output"
    ):
        network(images(1, 64, 64))


def test_a_file_that_cannot_be_run(net, tmp_path, monkeypatch, runtime):
    """Some damage shows only then: here an index that a Gather does not have."""
    write(net, tmp_path, "decoded")
    network = runtime.load(record_of(net), tmp_path)

    class Request:
        def infer(self, *words, **options):
            raise RuntimeError("Gather: index out of range\nmore")

        run = infer

    monkeypatch.setattr(network, "_compile", lambda shape: (None, [Request()]), raising=False)
    monkeypatch.setattr(network, "_session", Request(), raising=False)
    with pytest.raises(
        UserError, match=r"toy.onnx: stops while it is run; .*\(Gather: index out of range\)$"
    ):
        network(images(1, 64, 64))


def test_results_stay_when_the_next_image_comes(net, tmp_path, runtime):
    write(net, tmp_path, "decoded")
    network = runtime.load(record_of(net), tmp_path)
    first = network(images(1, 64, 64))
    before = [array.copy() for array in first]
    network(255 - images(1, 64, 64))
    assert all((array == kept).all() for array, kept in zip(first, before))


def test_size_that_suits_no_grid(net, tmp_path, runtime):
    write(net, tmp_path, "decoded")
    with pytest.raises(UserError, match="size 64x50: both sides must be multiples of 32"):
        runtime.load(record_of(net), tmp_path)(images(1, 64, 50))


def test_no_file(net, tmp_path, runtime):
    with pytest.raises(UserError, match=r"toy.onnx: no such file; .*--format onnx"):
        runtime.load(record_of(net), tmp_path)


@pytest.mark.parametrize("kept", [0, 1000, -1000])
def test_damaged_file(net, tmp_path, runtime, kept):
    write(net, tmp_path, "decoded")
    whole = (tmp_path / "toy.onnx").read_bytes()
    (tmp_path / "toy.onnx").write_bytes(whole[:kept])
    with pytest.raises(UserError, match="toy.onnx: is damaged or no ONNX file"):
        runtime.load(record_of(net), tmp_path)


def test_no_gpu(net, tmp_path, runtime):
    write(net, tmp_path, "decoded")
    with pytest.raises(UserError, match="GPU 7"):
        runtime.load(record_of(net), tmp_path, gpu=7)


def test_package_that_is_not_there():
    with pytest.raises(MissingDependency, match="nowhere is not installed: pip install nowhere"):
        base.import_package("nowhere")


@pytest.mark.parametrize(("asked", "expected"), [("3", 3), ("", None), ("0", None), ("many", None)])
def test_threads(monkeypatch, asked, expected):
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    monkeypatch.setattr(base, "physical_cores", lambda: 5)
    assert base.threads() == (expected or 5)


def test_outputs_of_something_else(net):
    path = Path("some.onnx")
    with pytest.raises(UserError, match="some.onnx: its outputs are logits, which are no detector's"):
        base.to_boxes({"logits": np.zeros(1)}, net.spec, path)
    with pytest.raises(UserError, match="some.onnx: its outputs are none, which are no detector's"):
        base.to_results({}, net.spec, path)


def test_what_suppression_let_stand():
    """Two boxes of two classes and an unused row: each has a score for its own class only."""
    spec = random_detector().spec
    rows = {
        "ids": np.array([[[2], [0], [-1]]], np.float32),
        "scores": np.array([[[0.75], [0.5], [-1]]], np.float32),
        "bboxes": np.array([[[0, 0, 4, 4], [1, 1, 2, 2], [-1] * 4]], np.float32),
    }
    boxes, scores = base.to_boxes(rows, spec, Path("some.onnx"))
    assert (boxes == rows["bboxes"]).all() and scores.tolist() == [[[0, 0, 0.75], [0.5, 0, 0], [0, 0, 0]]]
    assert scores.dtype == np.float32


def test_mxnet_stays_away(net, tmp_path, runtime):
    write(net, tmp_path, "decoded")
    record_of(net).write(tmp_path / "toy.json")
    code = (
        "import sys, pathlib, numpy as np\n"
        "sys.modules['mxnet'] = None\n"
        f"from {runtime.__name__} import load\n"
        "from gluon_yolo.inference.model_record import ModelRecord\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "network = load(ModelRecord.read(folder / 'toy.json'), folder)\n"
        "print([array.shape for array in network(np.zeros((1, 64, 64, 3), np.uint8))])\n"
    )
    done = python("-c", code)
    assert done.stdout.strip() == "[(1, 252, 4), (1, 252, 3)]"
