"""Paths of models: a folder, a record, or a file of one format, which may contain its record."""

from __future__ import annotations

import dataclasses
import json
import shutil

import pytest

from gluon_yolo.errors import MissingDependency, UserError
from gluon_yolo.inference import embedded_record
from gluon_yolo.inference.exported_format import ExportedFormat
from gluon_yolo.inference.model_path import read_model
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.inference.runtimes.base import import_package
from gluon_yolo.inference.runtimes.registry import RUNTIMES
from tests.random_model import random_detector, random_image

pytest.importorskip("onnx", reason="package onnx is not installed")
pytest.importorskip("onnxruntime", reason="package onnxruntime is not installed")

from gluon_yolo.exporters.api import FORMATS, export  # noqa: E402

SIZE_HW = (64, 96)
KINDS = ("symbol", "onnx", "openvino", "ncnn", "mnn", "tflite", "caffe")
RUNTIME = {
    "symbol": "mxnet",
    "ncnn": "ncnn",
    "openvino": "openvino",
    "mnn": "mnn",
    "tflite": "tflite",
    "caffe": "opencv",
}


@pytest.fixture(scope="module")
def net():
    return random_detector()


@pytest.fixture(scope="module")
def exported(net, tmp_path_factory):
    """A folder with a model in every format whose packages are installed."""
    folder = tmp_path_factory.mktemp("exported")
    kinds = [kind for kind in KINDS if _writable(kind)]
    export(net, folder, kinds, "toy", SIZE_HW, fit="letterbox")
    return folder


def _writable(kind):
    try:
        return all(import_package(package) for package in FORMATS[kind].packages) and (
            kind != "caffe" or RUNTIMES["opencv"].installed
        )
    except MissingDependency:  # not installed, or installed and not loading
        return False


@pytest.fixture
def model(exported, tmp_path):
    """A copy of the folder that a test may change."""
    shutil.copytree(exported, tmp_path / "model")
    return tmp_path / "model"


def alone(model, file, name, *others):
    """Copy a file, and others beside it, under another name into a new folder."""
    folder = model.parent / "alone"
    folder.mkdir(exist_ok=True)
    shutil.copy(model / file, folder / name)
    for other, new in others:
        shutil.copy(model / other, folder / new)
    return folder / name


def test_a_folder_and_a_record_mean_all_formats(model):
    for path in (model, model / "toy.json"):
        record, file = read_model(path)
        assert file == model / "toy.json" and record == ModelRecord.read(file)
        assert {"symbol", "onnx"} <= set(record.formats)


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("toy-symbol.json", "symbol"),
        ("toy-0000.params", "symbol"),
        ("toy.onnx", "onnx"),
        ("toy-openvino.xml", "openvino"),
        ("toy-openvino.bin", "openvino"),
        ("toy.param", "ncnn"),
        ("toy.bin", "ncnn"),
        ("toy.mnn", "mnn"),
        ("toy.tflite", "tflite"),
        ("toy.prototxt", "caffe"),
        ("toy.caffemodel", "caffe"),
    ],
)
def test_a_file_beside_its_record_means_one_format(model, file, kind):
    """It runs in the runtime that reads it."""
    if not (model / file).is_file():
        pytest.skip(f"what writes {kind} is not installed")
    record, again = read_model(model / file)
    assert list(record.formats) == [kind] and again == model / file and record.fit == "letterbox"
    if kind in RUNTIME:
        assert Predictor.load(model / file).runtime == RUNTIME[kind]
    else:
        assert Predictor.load(model / file).runtime in ("onnxruntime", "openvino")


def test_an_onnx_file_stands_alone(model, net):
    """With any name: sizes, classes and preprocessing come from the file."""
    path = alone(model, "toy.onnx", "yolo.onnx")
    image = random_image(100, 80)
    expected = Predictor.load(model, "onnxruntime", score_threshold=0.2)(image)
    predictor = Predictor.load(path, "onnxruntime", score_threshold=0.2)
    assert (predictor.size_hw, predictor.class_names) == (SIZE_HW, net.spec.class_names)
    assert predictor.fit.mode == "letterbox"
    found = predictor(image)
    assert (
        len(found) > 20 and (found.boxes == expected.boxes).all() and (found.scores == expected.scores).all()
    )
    shutil.move(path, path.with_name("YOLO.ONNX"))
    assert read_model(path.with_name("YOLO.ONNX"))[0].formats["onnx"].files == ("YOLO.ONNX",)


def test_a_folder_of_files_that_stand_alone(model):
    """Renamed without their record: the folder is no model's, and the message names the files."""
    (model / "toy.onnx").rename(model / "YOLO.ONNX")
    for file in model.iterdir():
        if file.name != "YOLO.ONNX":
            file.unlink()
    (model / "scores.json").write_text("{}")
    (model / "notes.xml").write_text("<notes/>")
    with pytest.raises(
        UserError, match=f"holds no model .*; it is within {model}/YOLO.ONNX: name that file$"
    ):
        read_model(model)
    assert read_model(model / "YOLO.ONNX")[0].name
    (model / "YOLO.json").write_text("{")  # it has priority, and must be repaired
    with pytest.raises(UserError, match="YOLO.json there is damaged$"):
        read_model(model)


def test_openvinos_file_stands_alone(model):
    if not (model / "toy-openvino.xml").is_file():
        pytest.skip("package openvino is not installed")
    path = alone(model, "toy-openvino.xml", "best.xml", ("toy-openvino.bin", "best.bin"))
    predictor = Predictor.load(path, score_threshold=0.2)
    image = random_image(100, 80)
    expected = Predictor.load(model, "openvino", score_threshold=0.2)(image)
    assert predictor.runtime == "openvino" and predictor.fit.mode == "letterbox"
    assert (predictor(image).boxes == expected.boxes).all() and len(expected) > 20


def test_what_openvino_makes_of_our_onnx_stands_alone(model):
    """OpenVINO's own converter keeps the metadata of the ONNX file."""
    openvino = pytest.importorskip("openvino", reason="package openvino is not installed")
    path = model.parent / "mine.xml"
    openvino.save_model(openvino.convert_model(model / "toy.onnx"), path, compress_to_fp16=False)
    record, _ = read_model(path)
    assert record.formats["openvino"].files == ("mine.xml", "mine.bin") and record.size_hw == SIZE_HW
    assert len(Predictor.load(path, score_threshold=0.2)(random_image(100, 80))) > 20


def test_what_stands_in_the_file_is_the_record(model):
    """That of the folder, with this format only, and without digests: a file cannot hold its own."""
    record = dataclasses.replace(ModelRecord.read(model / "toy.json"), files={})
    for file, kind in (("toy.onnx", "onnx"), ("toy-openvino.xml", "openvino")):
        if (model / file).is_file():
            assert embedded_record.read(model / file) == record.of_one(kind, record.formats[kind])


@pytest.mark.parametrize(
    ("file", "name", "said"),
    [
        (
            "toy.mnn",
            "yolo.mnn",
            "NAME.json is missing: yolo.json is not beside it, and mnn's files have no place",
        ),
        ("toy.param", "yolo.param", "NAME.json is missing: yolo.json is not beside it, and ncnn's files"),
        ("toy-symbol.json", "a-symbol.json", "NAME.json is missing: a.json is not beside it"),
    ],
)
def test_other_formats_do_not(model, file, name, said):
    if not (model / file).is_file():
        pytest.skip("its package is not installed")
    path = alone(model, file, name)
    with pytest.raises(
        UserError, match=f"{name}: its {said}.* That file says the class names, the anchors, "
    ):
        Predictor.load(path)


def test_a_foreign_file(model, net):
    """One of another program, and one of this package without a record."""
    from gluon_yolo.exporters.ir.read_symbol import read_network
    from gluon_yolo.exporters.onnx.write import make_model, write_model

    foreign = model.parent / "foreign.onnx"
    write_model(make_model(read_network(net), net.spec, "toy"), foreign)
    said = "its NAME.json is missing: foreign.json is not beside it, and it has none of it in itself"
    with pytest.raises(UserError, match=f"foreign.onnx: {said}"):
        Predictor.load(foreign)
    shutil.copy(model / "toy.json", foreign.with_suffix(".json"))
    with pytest.raises(
        UserError, match="foreign.json beside it is the record of .*toy.onnx.* and not of this"
    ):
        Predictor.load(foreign)


@pytest.mark.parametrize("kept", [0, 3, 5000, -400])
def test_a_file_that_was_cut_short(model, kept):
    path = alone(model, "toy.onnx", "yolo.onnx")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match="yolo.onnx: its NAME.json is missing|yolo.onnx: is damaged"):
        Predictor.load(path)


@pytest.mark.parametrize("name", ["best.engine", "best.pt", "notes.txt"])
def test_a_file_of_something_else(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x80\x00 something")
    with pytest.raises(UserError, match=f"{name}: is no file of a model in a format that is known here"):
        Predictor.load(tmp_path / name)


def test_no_file(tmp_path):
    with pytest.raises(UserError, match="yolo.onnx: no such file or folder"):
        Predictor.load(tmp_path / "yolo.onnx")


# --- a record beside the file has priority ---


def test_files_that_were_renamed(model):
    """With their record, which still has the old names."""
    path = alone(model, "toy.onnx", "yolo.onnx", ("toy.json", "yolo.json"))
    with pytest.raises(
        UserError, match="yolo.json beside it is the record of .*toy.onnx.*files were renamed"
    ):
        Predictor.load(path)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"weights": "ab" * 32}, "weights"),
        ({"precision": "int8"}, "precision"),
    ],
    ids=["weights", "precision"],
)
@pytest.mark.parametrize("file", ["toy.onnx", "toy-openvino.xml", "toy.json", ""])
def test_a_record_of_another_model(model, change, what, file):
    """By the path of the file, the record, or the folder."""
    if not (model / file).exists():
        pytest.skip("package openvino is not installed")
    record = ModelRecord.read(model / "toy.json")
    dataclasses.replace(record, **change).write(model / "toy.json")
    runtime = "openvino" if file.endswith(".xml") else "onnxruntime"
    with pytest.raises(UserError, match=f"holds a model of other {what} than toy.json beside it says"):
        Predictor.load(model / file, runtime)


def test_a_record_counts_where_the_file_says_less(model):
    """Names, size and fit are the record's, which people edit."""
    text = (model / "toy.json").read_text()
    (model / "toy.json").write_text(text.replace('"letterbox"', '"resize"').replace('"circle"', '"Kreis"'))
    predictor = Predictor.load(model / "toy.onnx", "onnxruntime")
    assert predictor.fit.mode == "resize" and predictor.class_names[0] == "Kreis"


def test_a_damaged_record_in_a_file(model):
    import onnx

    path = alone(model, "toy.onnx", "yolo.onnx")
    whole = onnx.load(str(path))
    for text, said in (
        ("{", "the record in it is damaged"),
        ("{}", "is not the record of a model"),
        (json.dumps({**ModelRecord.read(model / "toy.json").to_dict(), "format": 9}), "format 9 comes from"),
        (json.dumps(ModelRecord.read(model / "toy.json").to_dict()), "the record in it is damaged"),
    ):
        (prop,) = (prop for prop in whole.metadata_props if prop.key == embedded_record.KEY)
        prop.value = text
        onnx.save(whole, str(path))
        with pytest.raises(UserError, match=f"yolo.onnx: .*{said}"):
            Predictor.load(path)


def test_metadata_behind_anything(tmp_path):
    """After fields of every kind; the record is found among other texts."""
    import onnx

    model = onnx.ModelProto(ir_version=7, producer_name="somebody", model_version=1 << 60)
    model.graph.name = "g" * 300
    record = ModelRecord("toy", "toy", random_detector().spec, SIZE_HW)
    record = record.of_one("onnx", ExportedFormat(("toy.onnx",), "raw", ("raw_0",)))
    for key, value in (("a", ""), (embedded_record.KEY, json.dumps(record.to_dict())), ("z", "z" * 1000)):
        model.metadata_props.append(onnx.StringStringEntryProto(key=key, value=value))
    odd = bytes([0xC9, 0x06]) + b"12345678" + bytes([0xCD, 0x06]) + b"1234" + bytes([0xC0, 0x06, 0x05])
    (tmp_path / "toy.onnx").write_bytes(odd + model.SerializeToString())
    assert embedded_record.read(tmp_path / "toy.onnx") == record
