"""``gluon_yolo.benchmark``: the forms of a run and of exported files, their numbers, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

import gluon_yolo
from gluon_yolo.cli import main
from gluon_yolo.errors import UserError
from gluon_yolo.exporters.benchmark import measure
from gluon_yolo.exporters.benchmark.advice import use_of
from gluon_yolo.exporters.benchmark.result import Row
from gluon_yolo.inference.runtimes.autotune_timer import CallTimer
from tests import old_work

pytest.importorskip("onnxruntime")

OLD = Path(old_work.__file__).parent
RUN, DATA, EXPORTED = OLD / "run", OLD / "data", OLD / "exported"
PAIR = "mxnet,onnxruntime"


@pytest.fixture(scope="module")
def scored():
    return gluon_yolo.benchmark(RUN, DATA, precision="float32,int8", runtime=PAIR, threads=1, num=4)


def test_a_run_has_a_row_for_each_runtime_and_precision(scored):
    names = [(row.runtime, row.format, row.precision) for row in scored.rows]
    assert names == [
        ("mxnet", "symbol", "float32"),
        ("onnxruntime", "onnx", "float32"),
        ("mxnet", "symbol", "int8"),
        ("onnxruntime", "onnx", "int8"),
    ]
    assert all(row.files > 1000 and row.milliseconds[1] > 0 for row in scored.rows)


def test_float_rows_agree_with_the_first_and_int8_does_not(scored):
    first, second, third, _ = scored.rows
    assert (first.boxes, first.scores) == (0, 0)
    assert 0 < second.boxes < 0.05 and 0 < second.scores < 1e-4
    assert third.scores > 1e-3
    assert second.numbers == pytest.approx(first.numbers, abs=1e-6)


def test_scores_are_those_of_eval(scored):
    numbers = gluon_yolo.evaluate(gluon_yolo.Predictor.load(RUN), DATA, progress=False).numbers
    whole = gluon_yolo.benchmark(RUN, DATA, precision="float32", runtime="mxnet", threads=1)
    assert whole.rows[0].numbers == pytest.approx({key: numbers[key] for key in ("VOC07_mAP50", "AP")})


def test_a_graph_that_ends_with_nms_has_no_difference():
    found = gluon_yolo.benchmark(EXPORTED, runtime=PAIR, threads=1)
    assert [(row.runtime, row.boxes, row.scores) for row in found.rows] == [
        ("mxnet", 0, 0),
        ("onnxruntime", None, None),
    ]
    assert str(found).splitlines()[3].split()[-2:] == ["-", "-"]


def test_the_command_prints_a_table_and_writes_json(tmp_path, capsys):
    file = tmp_path / "times.json"
    words = ["benchmark", str(RUN), "--precision", "float32", "--runtime", PAIR, "--threads", "1,2"]
    assert main([*words, "--json", str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("  ")[0] == "runs in" and "ms, 1 thread  ms, 2 threads" in lines[0]
    assert (
        lines[-2].startswith("fastest with 2 threads: ") and "write it with: gluon-yolo export" in lines[-2]
    )
    assert lines[-1] == f"the numbers are in {file}"
    kept = json.loads(file.read_text())
    assert [row["runtime"] for row in kept["rows"]] == PAIR.split(",")
    assert set(kept["rows"][0]["milliseconds"]) == {"1", "2"}


@pytest.mark.parametrize(
    ("path", "options", "said"),
    [
        (RUN, {"precision": "int8"}, "int8: needs"),
        (RUN, {"precision": "float8"}, "float8: expected some of float32, float16, bfloat16, int8"),
        (RUN, {"runtime": "onnxruntim"}, "did you mean onnxruntime"),
        (RUN, {"threads": 0}, "expected 1 or more, got 0"),
        (RUN, {"size": 33}, "must be multiples of"),
        (EXPORTED, {"runtime": "opencv"}, "none of opencv reads one of its files, which are for mxnet, "),
        (EXPORTED, {"precision": "float16"}, "is exported, in float32, and measured as it is"),
        (Path("nowhere"), {}, "no such file or folder"),
    ],
)
def test_what_is_refused(path, options, said):
    with pytest.raises(UserError, match=said):
        gluon_yolo.benchmark(path, **{"runtime": "mxnet", **options})


def test_a_form_that_does_not_run_is_said_and_left_out(tmp_path):
    shutil.copytree(EXPORTED, tmp_path / "exported")
    (file,) = (tmp_path / "exported").glob("*.onnx")
    file.write_bytes(b"no onnx")
    said = []
    found = gluon_yolo.benchmark(tmp_path / "exported", runtime=PAIR, threads=1, say=said.append)
    assert [row.runtime for row in found.rows] == ["mxnet"]
    assert len(said) == 1 and said[0].startswith("onnx float32 in onnxruntime does not run here: ")


def test_settings_in_a_line_are_flags_on_the_command_line(tmp_path, capsys):
    """Files of one size, and another that is asked for."""
    folder = tmp_path / "fixed"
    gluon_yolo.export(RUN, "onnx", folder, fixed_size=True)
    said = []
    with pytest.raises(UserError, match="runs in none of onnxruntime, see above"):
        gluon_yolo.benchmark(folder, runtime="onnxruntime", threads=1, size=96, say=said.append)
    assert len(said) == 1 and str(said[0]).endswith("export it without fixed_size")
    assert main(["benchmark", str(folder), "--runtime", "onnxruntime", "--threads", "1", "--size", "96"]) == 2
    assert capsys.readouterr().out.rstrip().endswith("export it without --fixed-size")


def test_a_precision_that_no_format_of_the_runtimes_has():
    said = []
    with pytest.raises(UserError, match="no format could be written, see above"):
        gluon_yolo.benchmark(RUN, precision="float16", runtime="mxnet", threads=1, say=said.append)
    (line,) = said
    assert line.startswith("float16 is left out: it is written for openvino, ncnn, mnn, ")


def test_a_runtime_of_a_package_of_another_version(monkeypatch):
    cv2 = pytest.importorskip("cv2")
    monkeypatch.delattr(cv2.dnn, "readNetFromCaffe", raising=False)
    with pytest.raises(
        UserError, match='runtime opencv: .* no reader of Caffe.*: pip install "opencv-python<5"'
    ):
        gluon_yolo.benchmark(RUN, runtime="opencv")


FAST = Row("tflite", "tflite", "float32", 1, {1: 1.0}, 0.0, 0.0)


@pytest.mark.parametrize(
    ("model", "changes", "size_hw", "said"),
    [
        (RUN, {}, None, "export {} --format tflite --out exported"),
        (
            RUN,
            {"precision": "float16"},
            (64, 96),
            "export {} --format tflite --precision float16 --size 64x96 ",
        ),
        (
            RUN,
            {"format": "onnx"},
            (64, 96),
            "export {} --format onnx --cut decoded --size 64x96 --out exported",
        ),
        (
            RUN,
            {"precision": "int8"},
            (64, 96),
            "quantize {} --data DATA --format tflite --size 64x96 --out small",
        ),
        (EXPORTED, {}, (64, 96), "demo --model {} --runtime tflite --size 64x96 PICTURES"),
        (None, {}, None, "gluon_yolo.export(net, 'tflite')"),
        (None, {"precision": "float16"}, (64, 96), "(net, 'tflite', precision='float16', size=(64, 96))"),
        (None, {"format": "onnx"}, None, "gluon_yolo.export(net, 'onnx', cut='decoded')"),
        (
            None,
            {"precision": "int8"},
            None,
            "gluon_yolo.quantize(net, data, precision='int8', formats='tflite')",
        ),
    ],
)
def test_how_to_get_the_fastest_form(model, changes, size_hw, said):
    given = object() if model is None else model
    assert said.format(model) in use_of(dataclasses.replace(FAST, **changes), given, None, size_hw)


def test_a_stopped_measurement_ends_its_processes(monkeypatch):
    closed = []

    class Stopped(CallTimer):
        def turn(self):
            raise KeyboardInterrupt

        def close(self):
            closed.append(self)
            super().close()

    monkeypatch.setattr(measure, "CallTimer", Stopped)
    with pytest.raises(KeyboardInterrupt):
        gluon_yolo.benchmark(EXPORTED, runtime=PAIR, threads=1)
    assert len(closed) == 2


def test_int8_of_a_format_that_is_written_where_its_runtime_is_asked_for():
    pytest.importorskip("ai_edge_litert", reason="package ai-edge-litert is not installed")
    found = gluon_yolo.benchmark(RUN, DATA, precision="float32,int8", runtime="tflite", threads=1, num=4)
    assert [(row.runtime, row.format, row.precision) for row in found.rows] == [
        ("tflite", "tflite", "float32"),
        ("tflite", "tflite", "int8"),
    ]
