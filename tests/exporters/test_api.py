"""Export of several formats: all files or none, each verified, and a folder with one model."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.boxes import iou_matrix
from gluon_yolo.errors import MissingDependency, UserError
from gluon_yolo.exporters import api, staging
from gluon_yolo.exporters.api import FORMATS, export
from gluon_yolo.exporters.request import NMSOptions, digest
from gluon_yolo.exporters.verify import BOUNDS, Reference, WrongResults
from gluon_yolo.inference.exported_format import ALWAYS_FIXED
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.inference.runtimes import registry
from gluon_yolo.mxnet_compat import mx
from tests.exporters.networks import ZOO, settled
from tests.inference.several_threads import images
from tests.models.darknet import small
from tests.random_model import CLASSES, random_detector, random_image

SIZE_HW = (96, 128)
ALL = ("symbol", "onnx", "ncnn", "openvino", "mnn", "darknet", "tflite", "caffe")
RECORDED = tuple(kind for kind in ALL if kind != "darknet")
FILES = {
    "symbol": ("toy-symbol.json", "toy-0000.params"),
    "onnx": ("toy.onnx",),
    "ncnn": ("toy.param", "toy.bin"),
    "openvino": ("toy-openvino.xml", "toy-openvino.bin"),
    "mnn": ("toy.mnn",),
    "darknet": ("toy.weights", "toy.names", "toy.cfg"),
    "tflite": ("toy.tflite",),
    "caffe": ("toy.prototxt", "toy.caffemodel"),
}
RUNTIME = {
    "symbol": "mxnet",
    "onnx": "onnxruntime",
    "ncnn": "ncnn",
    "openvino": "openvino",
    "mnn": "mnn",
    "tflite": "tflite",
    "caffe": "opencv",
}


def need(*kinds):
    for kind in kinds:
        for package in FORMATS[kind].packages:
            pytest.importorskip(package, reason=f"package {package} is not installed")
        if kind == "caffe" and not registry.RUNTIMES["opencv"].installed:
            pytest.skip("OpenCV 5 has no reader of Caffe's files")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def net():
    return random_detector()


@pytest.fixture(scope="module")
def dark():
    return another(seed=1)


def another(seed):
    """Return a small darknet network, with other weights for each seed."""
    net = small.built(small.SMALL, class_names=["cat", "dog"])
    small.fill(net, seed=seed)
    return net


def test_all_at_once(dark, tmp_path):
    need(*ALL)
    done = export(dark, tmp_path / "a" / "b", ALL, "toy", (32, 64))
    assert done.files == FILES and done.record == tmp_path / "a" / "b" / "toy.json"
    assert names(done.folder) == sorted(["toy.json", *(file for files in FILES.values() for file in files)])
    assert all(parity.holds and parity.images == 3 for parity in done.parities.values())
    assert list(done.parities) == list(ALL)
    record = ModelRecord.read(done.record)
    assert {kind: graph.files for kind, graph in record.formats.items()} == {
        kind: FILES[kind] for kind in RECORDED
    }
    assert {kind: graph.cut for kind, graph in record.formats.items()} == {
        **dict.fromkeys(("symbol", "onnx", "openvino"), "nms"),
        "ncnn": "raw",
        "mnn": "decoded",
        "tflite": "decoded",
        "caffe": "raw",
    }
    assert set(record.files) == {file for kind in RECORDED for file in FILES[kind]}
    assert all(digest.agrees(done.folder / file) for file, digest in record.files.items())
    assert record.precision == "float32" and record.weights == digest(dark) and len(record.weights) == 64


SMALLEST = "yolo_fastestv2"


@pytest.mark.parametrize("kind", ["openvino", "mnn", "tflite"])
@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name != SMALLEST)) for name in ZOO]
)
def test_converted_family(name, precision, kind, tmp_path):
    """The files work for other sizes and batches than the verification's; TFLite's for other batches."""
    need(kind)
    net = settled(name, CLASSES)
    done = export(net, tmp_path, [kind], "toy", (64, 96), "decoded", precision)
    network = registry.load(RUNTIME[kind], ModelRecord.read(done.record), tmp_path)
    batches = [images(2, 64, 96) if kind in ALWAYS_FIXED else images(2, 96, 64)]
    found = Reference(net, batches).compare(network, done.parities[kind].bound)
    assert found.holds, found
    if precision == "float16":
        assert done.parities[kind].bound == BOUNDS[precision] and done.parities[kind].scores > 2e-5
        (file, *_), size = (
            done.files[kind][-1:],
            sum(array.size for array in (p.data() for p in net.collect_params().values())),
        )
        shuffles = 100_000 if (kind, name) == ("tflite", SMALLEST) else 0  # kernels that select channels
        assert (tmp_path / file).stat().st_size < 2.5 * size + shuffles


@pytest.mark.parametrize("kind", RECORDED)
@pytest.mark.parametrize("cut", ["nms", "decoded", "raw"])
def test_cuts(dark, cut, kind, tmp_path):
    """For every cut a Predictor has the same detections as with the network."""
    need(kind)
    if cut not in FORMATS[kind].cuts:
        with pytest.raises(UserError, match=f"cut {cut}: {kind} ends at {' or '.join(FORMATS[kind].cuts)};"):
            export(dark, tmp_path, [kind], "toy", (32, 64), cut)
        assert not names(tmp_path)
        return
    numbers = NMSOptions(nms_threshold=0.9, score_threshold=0.05, max_detections=300)
    done = export(dark, tmp_path, [kind], "toy", (32, 64), cut, suppression=numbers)
    graph = ModelRecord.read(done.record).formats[kind]
    assert graph.cut == cut and graph.nms == (vars(numbers) if cut == "nms" else None)
    assert ModelRecord.read(done.record).max_detections == 300
    options = {"score_threshold": 0.35, "nms_threshold": 0.8}
    expected = Predictor.from_block(dark, (32, 64), **options)(random_image(50, 90, seed=2))
    found = Predictor.load(tmp_path, RUNTIME[kind], **options)(random_image(50, 90, seed=2))
    assert len(found) == len(expected) > 3
    overlaps = iou_matrix(expected.boxes, found.boxes)  # some scores are equal, and in any order
    assert overlaps.max(axis=0).min() > 0.99 and overlaps.max(axis=1).min() > 0.99
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)


@pytest.mark.parametrize("kind", ["onnx", "openvino", "mnn", "tflite", "caffe"])
@pytest.mark.parametrize("batch", [1, 2])
def test_a_fixed_size(dark, kind, batch, tmp_path):
    """Any number of images run in its batches; another size is rejected before anything runs."""
    need(kind)
    done = export(dark, tmp_path, [kind, "symbol"], "toy", (32, 64), fixed_batch=batch)
    record = ModelRecord.read(done.record)
    assert record.formats[kind].fixed == (batch, 32, 64) and record.formats["symbol"].fixed is None
    cut = "raw" if kind == "caffe" else "decoded"
    assert (record.formats[kind].cut, record.formats["symbol"].cut) == (cut, "nms")
    network = registry.load(RUNTIME[kind], record, tmp_path)
    found = Reference(dark, [images(count, 32, 64) for count in (1, 2, 3)]).compare(network)
    assert found.holds, found
    for run in (
        lambda: network(images(1, 64, 64)),
        lambda: Predictor.load(tmp_path, RUNTIME[kind], (64, 64)),
    ):
        with pytest.raises(UserError, match="toy.*: takes pictures of 32x64 alone, .* and not of 64x64"):
            run()
    several = [random_image(50, 90, seed) for seed in range(3)]
    options = {"score_threshold": 0.35, "nms_threshold": 0.8}
    ours = Predictor.load(tmp_path, RUNTIME[kind], **options)(several)
    for given, expected in zip(ours, Predictor.from_block(dark, (32, 64), **options)(several)):
        assert len(given) == len(expected) > 3
        np.testing.assert_allclose(given.scores, expected.scores, atol=1e-4)


def test_a_fixed_size_may_end_anywhere(dark, tmp_path):
    need("onnx")
    for cut in ("nms", "raw"):
        done = export(dark, tmp_path, ["onnx"], "toy", (32, 64), cut, fixed_batch=2)
        graph = ModelRecord.read(done.record).formats["onnx"]
        assert (graph.cut, graph.fixed) == (cut, (2, 32, 64))


@pytest.mark.parametrize(
    ("formats", "batch", "said"),
    [
        (
            ["symbol", "ncnn"],
            1,
            "a fixed size is of the formats onnx, openvino, mnn; the others take any size as they are, but "
            "for tflite and caffe, which always take one",
        ),
        (["onnx"], 0, "batch size 0: expected 1 or more"),
    ],
)
def test_a_fixed_size_that_cannot_be(dark, tmp_path, formats, batch, said):
    need("ncnn", "onnx")
    with pytest.raises(UserError, match=said):
        export(dark, tmp_path, formats, "toy", (32, 64), fixed_batch=batch)
    assert not names(tmp_path)


@pytest.mark.parametrize("name", ["decoded", "for_mnn"])
def test_a_name_that_is_a_word_of_the_export(dark, tmp_path, name):
    """Temporary files of the verification have other names than the exported ones."""
    kinds = ["onnx", "openvino", "mnn"]
    need(*kinds)
    done = export(dark, tmp_path, kinds, name, (32, 64))
    assert names(tmp_path) == sorted([f"{name}.json", *(file for kind in kinds for file in done.files[kind])])
    assert Predictor.load(tmp_path, "onnxruntime")._network._names == ["ids", "scores", "bboxes"]


def test_no_more_rows_than_candidates():
    assert NMSOptions(max_candidates=50).max_detections == 50
    assert (NMSOptions().max_candidates, NMSOptions().max_detections) == (400, 100)
    assert (
        NMSOptions(max_detections=500).max_candidates,
        NMSOptions(max_detections=500).max_detections,
    ) == (
        4000,
        500,
    )


# --- a folder has one model ---


def test_a_second_export_adds_its_format(dark, tmp_path):
    need("ncnn")
    export(dark, tmp_path, ["symbol"], "toy", (32, 64))
    before = (tmp_path / "toy-symbol.json").read_bytes()
    with (tmp_path / "toy-0000.params").open("ab") as file:
        file.write(b"changed")
    done = export(dark, tmp_path, ["ncnn"], "toy", (32, 64))
    assert done.kept == ("symbol",) and not done.removed
    record = ModelRecord.read(done.record)
    assert list(record.formats) == ["symbol", "ncnn"]
    assert (tmp_path / "toy-symbol.json").read_bytes() == before
    agree = {file: digest.agrees(tmp_path / file) for file, digest in record.files.items()}
    # What was changed since its export is not taken for what was written.
    assert agree == {"toy-symbol.json": True, "toy-0000.params": False, "toy.param": True, "toy.bin": True}
    again = export(dark, tmp_path, ["symbol"], "toy", (32, 64), "raw")
    assert again.kept == ("ncnn",) and ModelRecord.read(done.record).formats["symbol"].cut == "raw"
    assert all(digest.agrees(tmp_path / file) for file, digest in ModelRecord.read(done.record).files.items())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seed": 9}, "of other weights"),
        ({"size_hw": (64, 64)}, "for another size"),
        ({"fit": "letterbox"}, "for another fit"),
        ({"precision": "float16"}, "in another precision"),
    ],
    ids=str,
)
def test_another_model_takes_its_place(dark, tmp_path, change, reason):
    need("ncnn")
    export(dark, tmp_path, ["symbol", "ncnn"], "toy", (32, 64))
    (tmp_path / "other.txt").touch()
    options = {"size_hw": (32, 64), **change}
    other = another(options.pop("seed")) if "seed" in options else dark
    done = export(other, tmp_path, ["ncnn"], "toy", **options)
    assert done.reason == reason and set(done.removed) == set(FILES["symbol"]) and not done.kept
    assert names(tmp_path) == ["other.txt", "toy.bin", "toy.json", "toy.param"]
    record = ModelRecord.read(done.record)
    assert list(record.formats) == ["ncnn"] and set(record.files) == set(FILES["ncnn"])


def test_a_format_whose_file_was_lost_is_not_kept(dark, tmp_path):
    need("ncnn")
    export(dark, tmp_path, ["symbol"], "toy", (32, 64))
    (tmp_path / "toy-0000.params").unlink()
    done = export(dark, tmp_path, ["ncnn"], "toy", (32, 64))
    assert done.kept == () and set(ModelRecord.read(done.record).files) == set(FILES["ncnn"])


def test_darknets_files_need_no_record(dark, tmp_path):
    export(dark, tmp_path, ["symbol"], "toy", (32, 64))
    record = (tmp_path / "toy.json").read_bytes()
    done = export(dark, tmp_path, ["darknet"], "toy", (32, 64))
    assert done.record is None and (tmp_path / "toy.json").read_bytes() == record


def test_digest_is_of_the_numbers():
    one, same, other = random_detector(seed=3), random_detector(seed=3, norm="sync"), random_detector(seed=4)
    ours, theirs = one._collect_params_with_prefix(), same._collect_params_with_prefix()
    for name, parameter in theirs.items():
        parameter.set_data(ours[name].data())
    assert digest(one) == digest(same) != digest(other)


# --- what cannot be written ---


@pytest.mark.parametrize(
    ("kinds", "options", "message"),
    [
        (["coreml"], {}, "format 'coreml': unknown; known are symbol, onnx, ncnn, openvino, mnn, darknet"),
        (["symbol", ""], {}, "format '': unknown"),
        ([], {}, "no format is named"),
        (["symbol", "symbol"], {}, "format symbol: is named twice"),
        (["symbol"], {"cut": "all"}, "cut all: symbol ends at nms or decoded or raw"),
        (["darknet"], {"cut": "raw"}, "cut raw: darknet has no such choice"),
        (["onnx"], {"precision": "float16"}, "precision float16: onnx has float32; export it apart"),
        (["ncnn"], {"precision": "bfloat16"}, "precision bfloat16: ncnn has float32 and float16"),
        (["symbol"], {"precision": "int4"}, "precision int4: symbol has float32 and bfloat16"),
        (["ncnn"], {"fuse": True}, "fusing is of the format symbol"),
        (["symbol"], {"size_hw": (100, 96)}, "size 100x96: both sides must be multiples of 32"),
        (["symbol"], {"size_hw": (0, 96)}, "size 0x96: both sides"),
        (["symbol"], {"name": "a/b"}, "name 'a/b': expected a plain file name without a folder"),
        (["symbol", "darknet"], {}, "yolo3_mobilenet0.25_custom: is no darknet network"),
    ],
)
def test_bad_requests(net, tmp_path, kinds, options, message):
    with pytest.raises(UserError, match=message):
        export(net, tmp_path / "out", kinds, **{"name": "toy", "size_hw": SIZE_HW, **options})
    assert not names(tmp_path)


def test_package_that_is_not_there(net, tmp_path, monkeypatch):
    changed = dataclasses.replace(FORMATS["mnn"], packages=("nowhere",))
    monkeypatch.setattr(api, "FORMATS", {**FORMATS, "mnn": changed})
    with pytest.raises(MissingDependency, match="nowhere is not installed: pip install nowhere"):
        export(net, tmp_path / "out", ["symbol", "mnn"], "toy", SIZE_HW)
    assert not names(tmp_path)


def test_operator_without_a_counterpart(net, tmp_path, monkeypatch):
    """The symbol that was written before is removed too."""
    need("ncnn")
    monkeypatch.delitem(importlib.import_module("gluon_yolo.exporters.ir.read_symbol").READERS, "Convolution")
    with pytest.raises(UserError, match="operator Convolution .* cannot be written for other runtimes"):
        export(net, tmp_path / "out", ["symbol", "ncnn"], "toy", SIZE_HW)
    assert not names(tmp_path)


@pytest.mark.parametrize("kind", ["onnx", "ncnn", "mnn"])
def test_wrong_results_leave_nothing(dark, tmp_path, monkeypatch, kind):
    """Neither the wrong format nor the one before it; older files stay."""
    need(kind)
    export(dark, tmp_path, ["symbol"], "toy", (32, 64), "raw")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    read = api.Request.graph.func

    def spoilt(request):
        graph = read(request)
        return dataclasses.replace(
            graph, weights={name: array * 1.01 for name, array in graph.weights.items()}
        )

    monkeypatch.setattr(api.Request, "graph", property(spoilt))
    with pytest.raises(
        WrongResults, match=r"toy.*: largest difference from the network .*; nothing was written"
    ):
        export(dark, tmp_path, ["symbol", kind], "toy", (32, 64))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_damaged_weights(tmp_path):
    net = random_detector()
    net.heads.levels[0].bias.set_data(mx.nd.full(net.heads.levels[0].bias.shape, np.nan))
    with pytest.raises(UserError, match="not finite"):
        export(net, tmp_path / "out", ["symbol"], "toy", SIZE_HW)
    assert not names(tmp_path)


def test_a_disk_that_fails_as_the_files_are_moved(dark, tmp_path, monkeypatch):
    """The folder is as before, with the old record."""
    need("ncnn")
    export(dark, tmp_path, ["symbol", "ncnn"], "toy", (32, 64))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    replace = os.replace

    def fails(source, target):
        if os.path.basename(source) == "toy.param" and os.path.basename(os.path.dirname(source)) != "before":
            raise OSError(5, "Input/output error")
        replace(source, target)

    monkeypatch.setattr(staging.os, "replace", fails)
    with pytest.raises(UserError, match="cannot be written: Input/output error; choose another folder"):
        export(another(seed=9), tmp_path, ["symbol", "ncnn"], "toy", (32, 64))
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def fill_disk_of_mxnet(monkeypatch):
    def save(*args):
        raise mx.MXNetError("Check failed: FileStream.Write incomplete")

    monkeypatch.setattr(mx.nd, "save", save)


def fill_disk_of_openvino(monkeypatch):
    def save_model(*args, **options):
        raise RuntimeError("basic_ios::clear: iostream error")

    monkeypatch.setattr(importlib.import_module("openvino"), "save_model", save_model)


def fill_disk_of_mnn(monkeypatch):
    """Simulate MNN's converter on a full disk, where it reports success."""
    run = subprocess.run

    def convert(words, **options):
        done = run(words, **options)
        path = Path(words[words.index("--MNNModel") + 1])
        path.write_bytes(path.read_bytes()[:5000])
        return done

    monkeypatch.setattr(subprocess, "run", convert)


@pytest.mark.parametrize(
    ("kind", "fill", "who"),
    [
        ("symbol", fill_disk_of_mxnet, "mxnet"),
        ("openvino", fill_disk_of_openvino, "OpenVINO"),
        ("mnn", fill_disk_of_mnn, "MNN"),
    ],
)
def test_a_full_disk(dark, tmp_path, monkeypatch, kind, fill, who):
    """The errors of other programs' writers give the same message."""
    need(kind)
    fill(monkeypatch)
    message = f"out: cannot be written: {who} could not write all of it; is the disk full.; choose another"
    with pytest.raises(UserError, match=message):
        export(dark, tmp_path / "out", [kind], "toy", (32, 64))
    assert not names(tmp_path)


def test_folder_that_cannot_be_made(net, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot be written"):
        export(net, tmp_path / "file" / "out", ["symbol"], "toy", (64, 64))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("toy.json", "{", "toy.json: is not JSON .*; it is in the way: remove it, or choose another folder"),
        ("toy.json", '{"mine": 1}', "toy.json: is not the record of a model.*; it is in the way"),
        ("toy.json", json.dumps({"format": 99, "spec": {}, "package": "p"}), "format 99 comes from p;"),
        ("model.json", None, "is the folder of a run or of an imported model; choose another"),
        ("toy.json", None, "is the folder of a run or of an imported model; choose another"),
    ],
)
def test_what_is_in_the_way(net, tmp_path, file, content, message):
    if content is None:
        ModelRecord("toy", net.zoo_name, net.spec, SIZE_HW).write(tmp_path / file)
    else:
        (tmp_path / file).write_text(content)
    with pytest.raises(UserError, match=message):
        export(net, tmp_path, ["symbol"], "toy", SIZE_HW)
    assert names(tmp_path) == [file]
