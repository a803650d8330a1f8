"""Model records: writing and reading, older formats, and messages about damaged ones."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
from pathlib import Path

import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.inference.exported_format import ExportedFormat
from gluon_yolo.inference.file_digest import FileDigest
from gluon_yolo.inference.model_files import find_model_record, weights_file, weights_of
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.spec import DetectionSpec

SPEC = DetectionSpec(("cat", "dog"))
NMS = {"nms_threshold": 0.5, "score_threshold": 0.01, "max_candidates": 400, "max_detections": 100}
SYMBOL = ExportedFormat(
    ("toy-symbol.json", "toy-0000.params"),
    "nms",
    ("ids_output", "scores_output", "bboxes_output"),
    ("decoded_boxes_output", "decoded_scores_output"),
    NMS,
)
RAW = ("raw_0", "raw_1", "raw_2")
NCNN = ExportedFormat(("toy.param", "toy.bin"), "raw", RAW)
RECORD = ModelRecord(
    "toy",
    "yolo3_toy",
    SPEC,
    (96, 128),
    {"symbol": SYMBOL, "ncnn": NCNN},
    "float16",
    "ab" * 32,
    "letterbox",
    max_detections=300,
)


def touch(folder, *names):
    for name in names:
        (folder / name).touch()


def test_written_and_read(tmp_path):
    RECORD.write(tmp_path / "toy.json")
    assert ModelRecord.read(tmp_path / "toy.json") == RECORD and not RECORD.is_run
    record = json.loads((tmp_path / "toy.json").read_text())
    assert record["format"] == 2 and record["precision"] == "float16" and record["weights"] == "ab" * 32
    assert record["input"]["size_hw"] == [96, 128] and record["input"]["fit"] == "letterbox"
    assert record["graphs"]["ncnn"] == {
        "files": ["toy.param", "toy.bin"],
        "cut": "raw",
        "outputs": list(RAW),
        "decoded": [],
        "nms": None,
    }


def test_digests_of_the_files(tmp_path):
    (tmp_path / "toy.bin").write_bytes(b"abc")
    # SHA-256 of "abc": FIPS 180-2, appendix B.1
    sum_of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    record = dataclasses.replace(RECORD, files={"toy.bin": FileDigest.of(tmp_path / "toy.bin")})
    assert record.to_dict()["files"] == {"toy.bin": {"bytes": 3, "sha256": sum_of_abc}}
    record.write(tmp_path / "toy.json")
    (found,) = ModelRecord.read(tmp_path / "toy.json").files.values()
    assert found.agrees(tmp_path / "toy.bin")
    for other in (b"abd", b"ab"):
        (tmp_path / "toy.bin").write_bytes(other)
        assert not found.agrees(tmp_path / "toy.bin")
    assert "files" not in RECORD.to_dict()  # as an older package writes it


def test_a_record_of_before_says_nothing_of_detections(tmp_path):
    record = RECORD.to_dict()
    assert record.pop("max_detections") == 300
    (tmp_path / "toy.json").write_text(json.dumps(record))
    assert ModelRecord.read(tmp_path / "toy.json").max_detections == 100


def test_candidates_are_in_the_file_where_they_are_given(tmp_path):
    assert "max_candidates" not in RECORD.to_dict()
    given = dataclasses.replace(RECORD, max_candidates=900)
    given.write(tmp_path / "toy.json")
    assert json.loads((tmp_path / "toy.json").read_text())["max_candidates"] == 900
    assert ModelRecord.read(tmp_path / "toy.json") == given


def test_the_best_threshold(tmp_path):
    """It is in the file where it is known; a record of before reads as one without."""
    assert "best_threshold" not in RECORD.to_dict()
    record = dataclasses.replace(RECORD, best_threshold=0.125)
    record.write(tmp_path / "toy.json")
    assert json.loads((tmp_path / "toy.json").read_text())["best_threshold"] == 0.125
    assert ModelRecord.read(tmp_path / "toy.json") == record
    for value in (1.5, "high", [1]):
        (tmp_path / "toy.json").write_text(json.dumps({**RECORD.to_dict(), "best_threshold": value}))
        with pytest.raises(
            UserError, match="toy.json: a field is missing or wrong .*; write the model again"
        ):
            ModelRecord.read(tmp_path / "toy.json")


WRONG = (None, 0, -1, 2.5, 1e308, math.nan, math.inf, "x", "", [], {}, True, [1], {"a": 1}, 10**400, "../x")
# The path of a value in a record, a damaged one, and what the error says of it.
DAMAGED = (
    (("max_detections",), 0, "max_detections 0: expected 1 or more"),
    (("max_detections",), math.inf, "infinity"),
    (("max_candidates",), -1, "max_candidates -1: expected 1 or more"),
    (("input", "size_hw"), [96, 0], "size_hw 96x0: expected 1 to 8192 pixels a side"),
    (("input", "size_hw"), [96, 10**6], "size_hw 96x1000000: expected 1 to 8192 pixels a side"),
    (("input", "size_hw"), [96, 100], "size_hw 96x100: both sides must be multiples of 32"),
    (("spec", "strides"), [8, 16, 10**12], "both sides must be multiples of 1000000000000"),
    (("spec", "size_divisor"), "x", "invalid literal"),
    (("spec", "size_divisor"), 0.5, "size_divisor: expected a whole number"),
    (("spec", "xy_scales"), [1, 1, math.inf], "xy_scales: expected 3 numbers from 1 up"),
    (("spec", "anchors", 0, 0, 0), math.inf, "anchors: expected at least one per level, all positive"),
    (("spec", "anchors", 0, 0, 0), 10**400, "too large"),
    (("precision",), "float3", "precision 'float3': expected one of float32, bfloat16, float16, int8"),
    (("network",), 5, "network 5: expected a text"),
    (("weights",), [1], r"weights \[1\]: expected a text"),
    (("origin",), "cfg", "origin 'cfg': expected an object"),
    (("graphs", "symbol", "nms"), 2.5, "no attribute"),
    (("graphs", "symbol", "nms", "max_candidates"), math.nan, "nms "),
    (("graphs", "symbol", "outputs"), [1], "outputs "),
    (("graphs", "ncnn", "fixed"), [1, 0, 96], "fixed "),
)


def put(record, path, value):
    """Return a record with another value at a path."""
    place = record = json.loads(json.dumps(record))
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return record


@pytest.mark.parametrize(("path", "value", "said"), DAMAGED, ids=[str(row[:2])[:50] for row in DAMAGED])
def test_a_damaged_value_is_an_error_of_the_file(tmp_path, path, value, said):
    file = tmp_path / "toy.json"
    file.write_text(json.dumps(put(RECORD.to_dict(), path, value)))
    with pytest.raises(UserError, match=f"toy.json: a field is missing or wrong .*{said}"):
        ModelRecord.read(file)


def test_no_value_is_a_stack_trace(tmp_path):
    """Every value of the record, replaced by each of WRONG: it is read, or the error names the file."""

    def paths(node, path=()):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield (*path, key)
            yield from paths(value, (*path, key)) if isinstance(value, (dict, list)) else ()

    file = tmp_path / "toy.json"
    refused, record = 0, json.loads(json.dumps(RECORD.to_dict()))
    for path in paths(record):
        for value in WRONG:
            try:
                ModelRecord.of(put(record, path, value), file)
            except UserError as error:
                assert str(error).startswith(f"{file}: "), (path, value)
                refused += 1
    assert refused > 500


def test_a_run(tmp_path):
    ModelRecord("toy", "yolo3_toy", SPEC, (96, 128)).write(tmp_path / "model.json")
    assert ModelRecord.read(tmp_path / "model.json").is_run


def old(folder, **fields):
    """Write a record in format 1."""
    record = RECORD.to_dict()
    for name in ("graphs", "precision", "weights"):
        del record[name]
    (folder / "toy.json").write_text(json.dumps({**record, "format": 1, **fields}))
    return folder / "toy.json"


OLD_SYMBOL = {
    "cut": SYMBOL.cut,
    "outputs": SYMBOL.outputs,
    "decoded": SYMBOL.decoded,
    "nms": NMS,
}


@pytest.mark.parametrize(
    ("files", "fields", "formats"),
    [
        (SYMBOL.files, OLD_SYMBOL, {"symbol": SYMBOL}),
        ((), OLD_SYMBOL, {"symbol": SYMBOL}),  # its files are lost: loading it tells which
        (NCNN.files, {"cut": "raw", "outputs": RAW, "decoded": (), "nms": None}, {"ncnn": NCNN}),
        (
            ("toy.onnx", *NCNN.files),  # ncnn's graphs ended at the raw maps, whatever the record says
            {"cut": "decoded", "outputs": ("boxes", "scores"), "decoded": (), "nms": None},
            {"onnx": ExportedFormat(("toy.onnx",), "decoded", ("boxes", "scores")), "ncnn": NCNN},
        ),
        ((), {"cut": None, "outputs": (), "decoded": (), "nms": None}, {}),  # a run
    ],
)
def test_format_1(tmp_path, files, fields, formats):
    touch(tmp_path, *files)
    record = ModelRecord.read(old(tmp_path, **fields))
    assert record.formats == formats
    assert (record.precision, record.weights, record.fit) == ("float32", None, "letterbox")


def test_what_few_graphs_say(tmp_path):
    """A record leaves out empty fields, as those of older packages do."""
    graph = ExportedFormat(
        ("toy.onnx",), "nms", ("ids",), fixed=(2, 64, 96), portable=True, runtimes=("mnn", "ncnn")
    )
    dataclasses.replace(RECORD, formats={"onnx": graph, "ncnn": NCNN}).write(tmp_path / "toy.json")
    written = json.loads((tmp_path / "toy.json").read_text())["graphs"]
    assert (written["onnx"]["fixed"], written["onnx"]["portable"]) == ([2, 64, 96], True)
    assert set(written["onnx"]) - set(written["ncnn"]) == {"fixed", "portable", "runtimes"}
    assert ModelRecord.read(tmp_path / "toy.json").formats == {"onnx": graph, "ncnn": NCNN}
    assert graph.shape == (2, 64, 96) and NCNN.shape == (None, None, None)


def test_a_format_that_the_model_has_not(tmp_path):
    message = "model toy is there as symbol, ncnn, and not as onnx; "
    with pytest.raises(UserError, match=f"{message}write that with .*--format onnx --out ANOTHER_FOLDER"):
        RECORD.exported("onnx", tmp_path)  # a float32 model here would replace the float16 one
    with pytest.raises(UserError, match=f"{message}add that .*--format onnx --name toy --out {tmp_path}"):
        dataclasses.replace(RECORD, precision="float32").exported("onnx", tmp_path)
    command = f"gluon-yolo export {tmp_path} --format onnx --out ANOTHER_FOLDER"
    with pytest.raises(UserError, match=f"model toy is a run, and not as onnx; write that with `{command}`"):
        ModelRecord("toy", "yolo3_toy", SPEC, (96, 128)).exported("onnx", tmp_path)


def test_a_part_that_is_missing(tmp_path):
    touch(tmp_path, "toy.param")
    with pytest.raises(UserError, match="toy.bin: no such file; write it again with ") as error:
        RECORD.exported("ncnn", tmp_path)
    place = f"--format ncnn --name toy --out {tmp_path}"
    assert f"`gluon-yolo export RUN --precision float16 {place}`" in str(error.value)
    with pytest.raises(UserError, match=f"`gluon-yolo quantize RUN --data DATA --precision int8 {place}`"):
        dataclasses.replace(RECORD, precision="int8").exported("ncnn", tmp_path)
    folder = tmp_path / "my models"
    folder.mkdir()
    with pytest.raises(UserError, match=f"--name yolo3_a --out '{folder}'`"):
        dataclasses.replace(RECORD, name="yolo3_a", precision="float32").exported("ncnn", folder)
    touch(tmp_path, "toy.bin")
    assert RECORD.exported("ncnn", tmp_path) == NCNN


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 3, "package": "gluon_yolo 9.9"}, "format 3 comes from gluon_yolo 9.9; .*up to 2: update"),
        ({"graphs": {"onnx": {"files": [], "cut": "raw", "outputs": []}}}, "missing or wrong .files"),
        ({"graphs": {"onnx": {"files": ["../a"], "cut": "raw", "outputs": []}}}, "missing or wrong .files"),
        ({"graphs": {"onnx": {"files": ["a"], "cut": "end", "outputs": []}}}, "missing or wrong .cut 'end'"),
        ({"graphs": {"onnx": {"files": ["a"], "cut": "raw"}}}, "missing or wrong .'outputs'"),
        (
            {"graphs": {"onnx": {"files": ["a"], "cut": "raw", "outputs": [], "fixed": [1, 2]}}},
            "missing or wrong",
        ),
        ({"graphs": ["onnx"]}, "missing or wrong"),
        ({"spec": {}}, "missing or wrong"),
        ({"files": ["toy.onnx"]}, "missing or wrong"),
        ({"files": {"toy.onnx": {"bytes": 3}}}, "missing or wrong .'sha256'"),
    ],
)
def test_damaged(tmp_path, change, message):
    path = tmp_path / "toy.json"
    path.write_text(json.dumps({**RECORD.to_dict(), **change}))
    with pytest.raises(UserError, match=f"toy.json: .*{message}"):
        ModelRecord.read(path)


@pytest.mark.parametrize(
    "name",
    ["toy.json", "toy-symbol.json", "toy-0000.params", "toy.onnx", "toy.param", "toy.bin", "toy.mnn"]
    + ["toy-openvino.xml", "toy-openvino.bin"],
)
def test_a_file_means_its_model(tmp_path, name):
    RECORD.write(tmp_path / "toy.json")
    RECORD.write(tmp_path / "other.json")
    (tmp_path / name).touch()
    assert find_model_record(tmp_path / name) == tmp_path / "toy.json"


def test_a_folder_without_a_model_says_what_is_near(tmp_path):
    """The folder that `quantize` wrote to has a model in a subfolder; a truncated record is named."""
    (tmp_path / "int8").mkdir()
    (tmp_path / "int8" / "net.json").write_text('{"format": 2, "spec": {}}')
    with pytest.raises(UserError, match="holds no model .*; there is one in .*int8$"):
        find_model_record(tmp_path)
    (tmp_path / "int8" / "net.json").write_text('{"format": 2, "spe')
    with pytest.raises(UserError, match="holds no model .*; net.json there is damaged$"):
        find_model_record(tmp_path / "int8")


def test_a_run_without_best_weights_says_which_are_taken(tmp_path, caplog):
    ModelRecord("toy", "yolo3_toy", SPEC, (96, 128)).write(tmp_path / "model.json")
    last = tmp_path / "weights" / "last"
    last.mkdir(parents=True)
    (last / "state.json").write_text(json.dumps({"files": {"net": {"name": "net-b.params"}}}))
    with caplog.at_level(logging.INFO, "gluon_yolo"):
        assert weights_of(tmp_path) == last / "net-b.params"
    assert f"no best weights, so the last are taken: {last / 'net-b.params'}" in caplog.text


@pytest.fixture
def run(tmp_path):
    """A run with best and last weights, and an export beside them."""
    folder = tmp_path / "runs" / "cells"
    (folder / "weights" / "last").mkdir(parents=True)
    ModelRecord("toy", "yolo3_toy", SPEC, (96, 128)).write(folder / "model.json")
    touch(folder / "weights", "best.params", "epoch-0009.params")
    touch(folder / "weights" / "last", "net-a.params")
    (folder / "weights" / "last" / "state.json").write_text('{"files": {"net": {"name": "net-a.params"}}}')
    return folder


BEST, LAST = "weights/best.params", "weights/last/net-a.params"


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("", BEST),
        ("best", BEST),
        ("last", LAST),
        ("last/", LAST),
        ("/last", LAST),  # as a shell completes the folder's name
        ("weights/last", LAST),
        ("weights/best", BEST),
        (BEST, BEST),
        (LAST, LAST),
        ("weights/epoch-0009.params", "weights/epoch-0009.params"),
    ],
)
def test_a_runs_weights_by_name(run, monkeypatch, name, weights):
    path = Path(f"{run}/{name}")
    assert find_model_record(path) == run / "model.json"
    assert weights_of(path) == weights_file(path) == run / weights
    monkeypatch.chdir(run)
    if name and not name.startswith("/"):
        assert weights_of(Path(name)) == Path(weights)


def test_what_is_really_there_counts_more_than_a_name(run):
    RECORD.write(run / "best.json")  # no file with this name: an export's record with that stem
    (run / "last").mkdir()
    RECORD.write(run / "last" / "toy.json")
    assert find_model_record(run / "last") == run / "last" / "toy.json"
    assert weights_file(run / "last") == run / "last"
    (run / "best").touch()
    assert weights_file(run / "best") == run / "best"


def test_weights_that_a_run_has_not(run, tmp_path):
    with pytest.raises(UserError, match="cells/lats: no such file or folder"):
        find_model_record(run / "lats")
    with pytest.raises(UserError, match="runs/last: no such file or folder"):
        find_model_record(run.parent / "last")
    (run / BEST).unlink()
    with pytest.raises(
        UserError, match="cells/best: the run has no best weights yet .*its last are .*cells/last"
    ):
        weights_of(run / "best")
    assert weights_of(run) == run / LAST
    (run / "weights" / "last" / "state.json").unlink()
    with pytest.raises(UserError, match="cells/last: has no weights yet .no whole .*weights/last"):
        weights_of(run / "last")
    with pytest.raises(UserError, match="cells: has no weights yet .neither .*best.params nor a whole "):
        weights_of(run)


def test_a_file_that_is_no_runs_means_itself(tmp_path):
    for name in ("nano.weights", "missing.params", "best", "last"):
        assert weights_file(tmp_path / name) == tmp_path / name
