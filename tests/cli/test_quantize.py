"""``quantize``: from a run and data to folders for eval and demo, and to a table."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from gluon_yolo import Predictor
from gluon_yolo.cli import main
from gluon_yolo.cli.calling import flag_of
from gluon_yolo.cli.quantize import left, written
from gluon_yolo.data.dataset import ImageFiles
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.data.subset import open_unlabelled
from gluon_yolo.data.synthetic import CLASS_NAMES, generate
from gluon_yolo.detections import Detections
from gluon_yolo.errors import SettingError
from gluon_yolo.exporters import folder_lock
from gluon_yolo.exporters.quantize import compare
from gluon_yolo.exporters.quantize.data import warn_of_few
from gluon_yolo.inference.exported_format import ExportedFormat
from gluon_yolo.inference.model_path import read_model
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes.mxnet import has_bfloat16
from gluon_yolo.inference.runtimes.registry import RUNTIMES, Runtime, candidates
from gluon_yolo.spec import DetectionSpec
from tests.random_model import random_detector

pytest.importorskip("onnxruntime")
pytest.importorskip("pycocotools")

NAME = "yolo3_mobilenet0.25_custom"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return a run folder with the files that quantizing reads."""
    folder = tmp_path_factory.mktemp("run")
    net = random_detector(class_names=CLASS_NAMES)
    (folder / "weights").mkdir()
    net.save_parameters(str(folder / "weights" / "best.params"))
    record = ModelRecord(net.zoo_name, net.zoo_name, net.spec, (64, 64), best_threshold=0.42)
    record.write(folder / "model.json")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("data") / "shapes", images=10, size_hw=(96, 96))


@pytest.mark.slow
def test_labelled_data(run, data, tmp_path, capsys):
    """With all default outputs."""
    words = ["quantize", str(run), "--data", str(data), "--num", "5", "--out", str(tmp_path / "out")]
    assert main(words) == 0
    said = capsys.readouterr().out.splitlines()
    assert "calibration: 5 of 8 pictures" in said[0] and "score: 2 pictures" in said[0]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    forms = [(row["format"], row["runtime"], row["precision"]) for row in report["rows"]]
    expected = [("symbol", "mxnet", "float32"), ("onnx", "onnxruntime", "float32")]
    expected += [("symbol", "mxnet", "int8"), ("onnx", "onnxruntime", "int8")]
    expected += [("onnx", "openvino", "int8")] * RUNTIMES["openvino"].installed
    assert forms == expected + [("symbol", "mxnet", "bfloat16")] * has_bfloat16()
    by_form = {(row["format"], row["precision"]): row for row in report["rows"]}
    assert by_form["onnx", "int8"]["files"] < by_form["onnx", "float32"]["files"] / 2
    assert all(row["milliseconds"] > 0 and "VOC07_mAP50" in row["numbers"] for row in report["rows"])
    record = ModelRecord.read(tmp_path / "out" / "int8" / f"{NAME}.json")
    assert record.precision == "int8" and list(record.formats) == ["symbol", "onnx"]
    assert record.best_threshold == 0.42
    assert read_model(tmp_path / "out" / "int8" / f"{NAME}.onnx")[0].best_threshold == 0.42
    assert record.formats["symbol"].runtimes == ("mxnet",) and record.formats["onnx"].portable
    readers = tuple(
        row["runtime"] for row in report["rows"] if (row["format"], row["precision"]) == ("onnx", "int8")
    )
    assert record.formats["onnx"].runtimes == tuple(name for name in readers if name in held(report))
    assert read_model(tmp_path / "out" / "int8" / f"{NAME}.onnx")[0].formats["onnx"] == record.formats["onnx"]
    assert sum(line.startswith("onnx int8, layers left in float: ") for line in said) == 1
    assert any(line.startswith("onnx    onnxruntime  int8       minmax") for line in said)
    assert f"gluon-yolo demo --model {tmp_path / 'out' / 'int8'} PICTURES" in said[-1]

    image = sorted((data / "JPEGImages").iterdir())[0]
    for runtime in ("mxnet", "onnxruntime"):
        found = Predictor.load(tmp_path / "out" / "int8", runtime, score_threshold=0.2)(image)
        wanted = Predictor.load(run, score_threshold=0.2)(image)
        assert len(found) > 5 and abs(len(found) - len(wanted)) < 0.3 * len(wanted)
    model = ["--model", str(tmp_path / "out" / "int8"), "--runtime", "onnxruntime"]
    assert main(["eval", *model, "--data", str(data)]) == 0


def held(report):
    """Return the runtimes in which ONNX's int8 lost no more than is allowed."""
    float32 = report["rows"][0]["numbers"]
    rows = [row for row in report["rows"] if (row["format"], row["precision"]) == ("onnx", "int8")]
    lost = {
        row["runtime"]: max(100 * (float32[key] - row["numbers"][key]) for key in ("VOC07_mAP50", "AP"))
        for row in rows
    }
    return [name for name, points in lost.items() if points <= report["max_drop"]]


SPEC = DetectionSpec(("circle",))


def judged(monkeypatch, points):
    """Score a form with given losses; return the scored runtimes, and those that auto chooses from.

    Args:
        monkeypatch: replaces the runtimes.
        points: the loss by runtime, or the error of loading the file there.
    """

    def load(name, record, folder):
        if isinstance(points[name], Exception):
            raise points[name]
        return name

    class AccuracyDrop:
        def __call__(self, network):
            return {"AP": points[network]}

        def lost(self, numbers):
            return numbers["AP"]

    monkeypatch.setattr(compare.registry, "load", load)
    monkeypatch.setattr(Runtime, "installed", property(lambda self: self.package not in ("MNN", "ncnn")))
    graph = ExportedFormat(("toy.onnx",), "nms", ("ids", "scores", "bboxes"))
    record = ModelRecord("toy", "toy", SPEC, (32, 32), {"onnx": graph}, "int8")
    found = compare.score_in_each(record, Path("aside"), AccuracyDrop(), 1.0, print)
    within = tuple(name for name, numbers in found.items() if numbers["AP"] <= 1.0)
    graph = dataclasses.replace(graph, runtimes=within)
    return list(found), candidates(record.of_one("onnx", graph))


@pytest.mark.parametrize(
    ("openvino", "scored", "taken", "said"),
    [
        (0.4, ["onnxruntime", "openvino"], ["onnxruntime", "openvino"], ""),
        (4.9, ["onnxruntime", "openvino"], ["onnxruntime"], "in openvino: 4.90 points lost, more than 1.00"),
        (RuntimeError("no such layer"), ["onnxruntime"], ["onnxruntime"], "not run in openvino, .*: no such"),
    ],
)
def test_auto_takes_a_runtime_in_which_little_is_lost(monkeypatch, capsys, openvino, scored, taken, said):
    """On a CPU without VNNI, OpenVINO's int8 lost 4.9 points and ONNX Runtime's none."""
    assert judged(monkeypatch, {"onnxruntime": 0.0, "openvino": openvino}) == (scored, taken)
    printed = capsys.readouterr().out
    assert re.search(said, printed) and bool(said) == bool(printed)


def test_a_form_that_its_own_runtime_does_not_load_is_an_error(monkeypatch):
    with pytest.raises(RuntimeError, match="out of memory"):
        judged(monkeypatch, {"onnxruntime": RuntimeError("out of memory"), "openvino": 0.0})


@pytest.mark.slow
def test_images_without_labels(run, data, tmp_path, capsys, caplog):
    """A float model's detections are annotations; with the bound 0, layers stay in float, or it fails."""
    images = tmp_path / "pictures"
    shutil.copytree(data / "JPEGImages", images / "day1")
    words = ["quantize", str(run), "--data", str(images), "--precision", "int8", "--format", "onnx"]
    status = main([*words, "--max-drop", "0", "--out", str(tmp_path / "out")])
    printed = capsys.readouterr()
    assert f"{images} (no labels) has no second part: 5 of its 10 pictures calibrate, 5 others" in printed.out
    assert "is held to what the model in float32 finds from a score of 0.3 on" in printed.out
    assert "float32: agreement 100.00; at most 0.00 points may be lost" in printed.out
    assert "measuring each layer by itself" in printed.out and "--num 200: 5 of the 10" in caplog.text
    rows = json.loads((tmp_path / "out" / "report.json").read_text())["rows"]
    if status:
        assert "onnx int8 is not written: with" in printed.out and len(rows) == 1
    else:
        assert rows[1]["in_float"] and rows[1]["numbers"]["VOC_mAP50"] == 1


def test_a_bad_image_without_labels(data, tmp_path, caplog):
    """It is an error, or with ``--skip-bad`` a warning."""
    images = tmp_path / "pictures"
    shutil.copytree(data / "JPEGImages", images)
    (images / "bad.jpg").write_bytes(b"no picture")
    with pytest.raises(SettingError) as raised:
        open_unlabelled(images, ["circle"])
    said = raised.value.named(flag_of)
    assert re.search("bad.jpg: .*; mend or remove it, or leave out .* with --skip-bad$", said)
    assert len(open_unlabelled(images, ["circle"], skip_bad=True)) == 10
    assert "bad.jpg" in caplog.text and "left out" in caplog.text


@pytest.mark.slow
def test_method_best_says_which(run, data, tmp_path, capsys):
    """Here for an exported model, whose name is kept."""
    exported = tmp_path / "exported"
    assert main(["export", str(run), "--name", "cells", "--out", str(exported)]) == 0
    words = ["quantize", str(exported), "--data", str(data), "--precision", "int8", "--format", "symbol"]
    assert main([*words, "--method", "best", "--num", "2", "--max-drop", "100", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert ModelRecord.read(tmp_path / "int8" / "cells.json").network == NAME
    assert "symbol int8, minmax, all " in said and "symbol int8, entropy, all " in said
    assert [row["method"] for row in json.loads((tmp_path / "report.json").read_text())["rows"]][1] in (
        "minmax",
        "entropy",
    )


@pytest.mark.parametrize(
    "words, message",
    [
        (["RUN", "--data", "DATA", "--precision", "int4"], "--precision int4: expected int8 or bfloat16"),
        (["RUN", "--data", "DATA", "--format", "onnx,ncnn"], "--format ncnn: expected symbol or onnx"),
        (["RUN", "--data", "DATA", "--size", "100"], "multiples of 32"),
        (["RUN", "--data", "nowhere"], "nowhere: no such file or folder, so no data"),
        (["RUN", "--data", "EMPTY"], "the folder is empty"),
        (["RUN", "--data", "DATA", "--val-split", "night"], "night"),
        (["RUN", "--data", "DATA", "--train-split", "val"], "no picture is left to calibrate on"),
        (["--data", "DATA"], "name one model: MODEL"),
        (["nowhere", "--data", "DATA"], "nowhere: no such file or folder"),
        (["EXPORT", "--data", "DATA"], "its weights are folded"),
        (["RUN", "--data", "DATA", "--classes", "CLASSES"], "of which the model does not know bird"),
    ],
)
def test_bad_requests(run, data, tmp_path, capsys, words, message):
    places = {"RUN": run, "DATA": data, "EMPTY": tmp_path / "empty", "EXPORT": tmp_path / "export"}
    places["CLASSES"] = tmp_path / "classes.txt"
    places["CLASSES"].write_text("\n".join([*CLASS_NAMES, "bird"]))
    places["EMPTY"].mkdir()
    if "EXPORT" in words:
        assert main(["export", str(run), "--fuse", "--out", str(places["EXPORT"])]) == 0
    words = [str(places.get(word, word)) for word in words]
    assert main(["quantize", *words, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_place_that_cannot_be_written_is_refused_at_once(tmp_path, capsys):
    (tmp_path / "file").touch()
    for out, message in (("file", "is a file"), ("file/out", "cannot be written: Not a directory")):
        assert main(["quantize", "nowhere", "--data", "nothing", "--out", str(tmp_path / out)]) == 2
        assert f"--out {tmp_path / out}: {message}" in capsys.readouterr().err


def test_another_run_that_writes_there(tmp_path, capsys):
    with folder_lock.locked_folder(tmp_path / "out"):
        assert main(["quantize", "nowhere", "--data", "nothing", "--out", str(tmp_path / "out")]) == 2
    assert "out: another run is writing there; wait until it has ended" in capsys.readouterr().err
    assert main(["quantize", "nowhere", "--data", "nothing", "--out", str(tmp_path / "out")]) == 2
    assert "nowhere: no such file or folder" in capsys.readouterr().err


def test_a_stopped_run_leaves_nothing(tmp_path, capsys, monkeypatch):
    def stopped(*args):
        assert (tmp_path / "out").is_dir()
        raise KeyboardInterrupt

    monkeypatch.setattr("gluon_yolo.api.quantize.load_detector", stopped)
    assert main(["quantize", "run", "--data", "data", "--out", str(tmp_path / "out")]) == 130
    assert capsys.readouterr().err == f"stopped: quantize; nothing is written to {tmp_path / 'out'}\n"
    assert not (tmp_path / "out").exists()


def test_what_a_stopped_run_leaves(tmp_path):
    """The folder of a precision appears at once, the report last; those of an earlier run may exist."""
    (tmp_path / "int8").mkdir()
    before = written(tmp_path)
    (tmp_path / "int8" / "a.json").touch()
    whole = f"what is in {tmp_path / 'int8'} is whole; {tmp_path / 'report.json'}"
    assert left(tmp_path, before) == f"{whole} is missing"
    (tmp_path / "report.json").touch()
    before = written(tmp_path)
    assert left(tmp_path, before) == f"nothing is written to {tmp_path}"
    (tmp_path / "int8" / "a.json").write_text("new")
    assert left(tmp_path, before) == f"{whole} is an earlier run's"
    (tmp_path / "report.json").write_text("new")
    assert left(tmp_path, before) == f"{whole} is new too"


@pytest.mark.parametrize(
    ("images", "each", "said"),
    [
        # few images; few objects; enough of both; no object, which is refused elsewhere
        (19, 10, r"only 19 pictures with 190 objects are scored: .*; give 20 pictures at least$"),
        (33, 3, r"only 33 pictures with 99 objects .* 1\.0 points of it\); give 100 objects at least$"),
        (1, 1, r"only 1 picture with 1 object is scored: .*give 20 pictures and 100 objects at least$"),
        (20, 5, ""),
        (5, 0, ""),
    ],
)
def test_few_images_are_warned_of(images, each, said, caplog):
    truth = Detections(np.tile(np.float32([[0, 0, 9, 9]]), (each, 1)), np.zeros(each, int))
    files = [f"{number}.jpg" for number in range(images)]
    scored = ImageFiles(["cat"], files, [(9, 9)] * images, [truth] * images, DatasetReport("few"))
    warn_of_few(scored)
    assert re.search(said, caplog.text.strip()) and bool(said) == bool(caplog.text)


def test_one_image_is_too_few(run, data, tmp_path, capsys):
    (tmp_path / "one").mkdir()
    shutil.copy(sorted((data / "JPEGImages").iterdir())[0], tmp_path / "one")
    assert main(["quantize", str(run), "--data", str(tmp_path / "one"), "--out", str(tmp_path / "out")]) == 2
    assert "one picture; at least two are needed" in capsys.readouterr().err


def test_without_onnxruntime(run, data, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    words = ["quantize", str(run), "--data", str(data), "--out", str(tmp_path / "out")]
    assert main([*words, "--precision", "int8", "--format", "onnx"]) == 2
    assert "pip install onnxruntime" in capsys.readouterr().err


def test_tflite(run, data, tmp_path, capsys):
    """Its files take one size, and end at the decoded boxes."""
    pytest.importorskip("ai_edge_litert", reason="package ai-edge-litert is not installed")
    words = ["quantize", str(run), "--data", str(data), "--precision", "int8", "--format", "tflite"]
    assert main([*words, "--num", "4", "--max-drop", "100", "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    rows = json.loads((tmp_path / "out" / "report.json").read_text())["rows"]
    forms = [(row["format"], row["runtime"], row["precision"]) for row in rows]
    assert forms == [("tflite", "tflite", "float32"), ("tflite", "tflite", "int8")]
    assert rows[1]["files"] < rows[0]["files"] / 2 and "tflite int8, layers left in float: none" in said
    record = ModelRecord.read(tmp_path / "out" / "int8" / f"{NAME}.json")
    made = record.formats["tflite"]
    assert (made.cut, made.fixed, made.runtimes) == ("decoded", (1, *record.size_hw), ("tflite",))
    model = ["--model", str(tmp_path / "out" / "int8"), "--out", str(tmp_path / "drawn")]
    assert main(["demo", *model, str(next((data / "JPEGImages").iterdir()))]) == 0
    assert "runtime: tflite" in capsys.readouterr().out


@pytest.mark.slow
def test_trained_weights_lose_at_most_a_point(tmp_path, capsys):
    """A network of one minute of training loses more in int8 than a good one: layers stay in float."""
    data = generate(tmp_path / "shapes", images=200)
    words = shlex.split(
        '--network mobilenet0_25 --gpus "" --pretrained-base no --data-shape 96x128 --epochs 12 '
        "--batch-size 4 --lr 0.004 --lr-mode cosine --warmup-epochs 1 --augment light "
        "--val-interval 12 --save-interval 0 --no-random-shape"
    )
    assert main(["train", "--data", str(data), *words, "--save-prefix", f"{tmp_path}/"]) == 0
    run = tmp_path / f"{NAME}-1"
    assert main(["quantize", str(run), "--data", str(data), "--out", str(tmp_path / "out")]) == 0
    rows = json.loads((tmp_path / "out" / "report.json").read_text())["rows"]
    own = [row for row in rows if row["runtime"] != "openvino"]  # where more is lost, `auto` passes it over
    scores = {(row["format"], row["precision"]): row["numbers"] for row in own}
    in_float = scores["symbol", "float32"]
    assert in_float["VOC07_mAP50"] > 0.2
    for form in (("symbol", "int8"), ("onnx", "int8")):
        assert all(scores[form][key] >= in_float[key] - 0.0101 for key in ("VOC07_mAP50", "AP"))
    capsys.readouterr()
    assert (
        main(["eval", "--model", str(tmp_path / "out" / "int8"), "--runtime", "mxnet", "--data", str(data)])
        == 0
    )
    said = capsys.readouterr().out.splitlines()[-1]
    assert said.startswith(f"VOC07 mAP50 {scores['symbol', 'int8']['VOC07_mAP50']:.4f}")
