"""``gluon_yolo.quantize``: data in each form, the command's options, and the result."""

from __future__ import annotations

import json
import logging
import re

import numpy as np
import pytest

import gluon_yolo
from gluon_yolo.cli import main
from gluon_yolo.cli.calling import flag_of
from gluon_yolo.data.subset import Subset
from gluon_yolo.data.synthetic import CLASS_NAMES, generate
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.exporters.quantize import compare
from gluon_yolo.exporters.quantize.data import Amount, images_of
from tests.random_model import random_detector

pytest.importorskip("pycocotools")

SYMBOL = {"precision": "int8", "formats": "symbol", "num": 2, "eval_num": 2}


@pytest.fixture(scope="module")
def net():
    return random_detector(class_names=CLASS_NAMES)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("data") / "shapes", images=10, size_hw=(96, 96))


@pytest.fixture(scope="module")
def done(net, data, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return gluon_yolo.quantize(
        net, data, out, size=64, max_drop=100, name="toy", max_candidates=300, **SYMBOL
    )


def without_times(text: str) -> str:
    """Return a text without times, which differ between runs, and without the widths that depend on them."""
    return re.sub(
        r" +", " ", re.sub(r"\d+\.\d(?= +[-\d]+$)|\d+ s in all|-{9,}", "", text, flags=re.MULTILINE)
    )


def test_it_says_what_the_command_prints_at_the_end(done, net, data, tmp_path, capsys):
    weights = tmp_path / "a.params"
    net.save_parameters(str(weights))
    (tmp_path / "classes.txt").write_text("\n".join(CLASS_NAMES))
    words = [
        "--network",
        "mobilenet0_25",
        "--weights",
        str(weights),
        "--classes",
        str(tmp_path / "classes.txt"),
    ]
    words += [
        "--data",
        str(data),
        "--size",
        "64",
        "--max-drop",
        "100",
        "--name",
        "toy",
        "--precision",
        "int8",
    ]
    words += ["--format", "symbol", "--num", "2", "--eval-num", "2", "--out", str(tmp_path / "out")]
    words += ["--max-candidates", "300"]
    assert main(["quantize", *words]) == 0
    printed = capsys.readouterr().out
    said = str(done).replace(str(done.folder), str(tmp_path / "out"))
    assert without_times(printed).endswith(without_times(f"{said}\n"))
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["model"] == f"mobilenet0_25 {weights}" and report["data"] == str(data)
    ours = json.loads(done.report.read_text())
    for same in ("name", "pictures", "size_hw", "scores", "max_drop"):
        assert report[same] == ours[same]
    for folder in (done.folder, tmp_path / "out"):
        record = json.loads((folder / "int8" / "toy.json").read_text())
        assert record["max_candidates"] == record["graphs"]["symbol"]["nms"]["max_candidates"] == 300
    assert list(report) == [*"model name data pictures size_hw scores max_drop seconds rows".split()]


def test_the_rows_as_a_frame(done):
    pytest.importorskip("pandas")
    table = done.table
    assert list(table["precision"]) == ["float32", "int8"] and list(table["method"]) == ["", "minmax"]
    assert list(table.columns[4:8]) == ["VOC07 mAP50", "VOC07 mAP50 lost", "COCO AP", "COCO AP lost"]
    lost = table["COCO AP"][0] - table["COCO AP"][1]
    assert table["COCO AP lost"][0] == 0 and table["COCO AP lost"][1] == pytest.approx(lost)
    assert (table["ms"] > 0).all() and (table["MB"] > 0.1).all()


def test_what_was_written_is_used(done, data):
    assert done.folders == {"int8": done.folder / "int8"} and not done.missed
    image = sorted((data / "JPEGImages").iterdir())[0]
    found = done.predictor(runtime="mxnet", score_threshold=0.2)(image)
    assert len(found) > 5
    shown = done._repr_html_()
    assert shown.count("<tr>") == 3 and "<th>COCO AP</th>" in shown and "<td>int8</td>" in shown


def test_open_data_sets_are_data(data, caplog):
    """One data set is divided; of two, no scored image is used for calibration."""
    whole = gluon_yolo.open_source(data).open("trainval")
    one = images_of(whole, Amount(num=3, eval_num=4))
    assert (len(one.calibration), len(one.scoring), one.labelled) == (3, 4, True)
    names = [{part.name(index) for index in range(len(part))} for part in (one.calibration, one.scoring)]
    assert not names[0] & names[1]
    two = images_of((whole, Subset(whole, [0, 1])), Amount(num=200))
    names = [{part.name(index) for index in range(len(part))} for part in (two.calibration, two.scoring)]
    assert list(map(len, names)) == [8, 2] and not names[0] & names[1]
    assert "num 200: there are 8 pictures to calibrate on" in caplog.text
    with pytest.raises(SettingError, match="name other splits with train_split and val_split"):
        images_of((Subset(whole, [0]), whole), Amount())


def test_how_it_goes_is_said_where_it_is_asked_for(net, data, tmp_path, caplog, capsys, monkeypatch):
    """A form that loses too much names the setting; the command line names the flag."""
    monkeypatch.setattr(compare.search, "choose", lambda int8, *_: choice(int8))
    said: list[str] = []
    with caplog.at_level(logging.INFO, "gluon_yolo"):
        done = gluon_yolo.quantize(net, data, tmp_path, size=64, max_drop=0.5, say=said.append, **SYMBOL)
    assert said[0].startswith("calibration: 2 of 8 pictures") and "at most 0.50 points may be lost" in said[1]
    assert capsys.readouterr().out == "" and not done.folders and len(done.rows) == 1
    missed = "it loses 7.00 points, more than max_drop 0.50; other pictures, method best or a larger max_drop"
    assert missed in str(done)
    assert "more than --max-drop 0.50; other pictures, --method best or a larger" in done.named(flag_of)


def choice(int8):
    """Return the result of a search that finds no layers to leave in float."""
    return compare.search.Choice("minmax", {}, int8.layers[:1], 7.0, False, {"minmax": 7.0})


@pytest.mark.parametrize(
    ("given", "message", "on_the_command_line"),
    [
        ({"precision": "int4"}, "precision int4: expected int8 or bfloat16, or both", "--precision int4"),
        ({"formats": ["onnx", "ncnn"]}, "format ncnn: expected symbol or onnx", "--format ncnn: "),
        ({"method": "mean"}, "method mean: expected minmax, entropy or best", "--method mean"),
        ({"max_drop": -1}, "max_drop -1: must lie within 0 and 100", "--max-drop -1: "),
        ({"num": 0}, "num 0: expected 1 or more", "--num 0: "),
        ({"eval_num": 0}, "eval_num 0: expected 1 or more", "--eval-num 0: "),
        ({"seed": -1}, "seed -1: expected 0 or more", "--seed -1: "),
        ({"nms_threshold": np.nan}, "nms_threshold nan: must lie within 0 and 1", "--nms-threshold nan: "),
        (
            {"data": "BOTH"},
            "say which with data_format voc or data_format",
            "--data-format voc or --data-format",
        ),
        ({"only": "bird"}, "only bird: there is no such class", "--only bird: "),
    ],
)
def test_errors_name_the_setting(net, data, tmp_path, given, message, on_the_command_line):
    given = dict(given)
    if given.get("data") == "BOTH":
        given["data"] = generate(tmp_path / "both", images=5, size_hw=(64, 64))
        (given["data"] / "annotations").mkdir()
        content = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "cat"}]}
        (given["data"] / "annotations" / "instances_train.json").write_text(json.dumps(content))
    with pytest.raises(SettingError) as raised:
        gluon_yolo.quantize(net, **{"data": data, "out": tmp_path / "out", "size": 64, **given})
    assert message in str(raised.value) and on_the_command_line in raised.value.named(flag_of)
    assert not (tmp_path / "out").exists()


def test_data_that_is_not_there(net, tmp_path):
    with pytest.raises(UserError, match="nowhere: no such file or folder, so no data"):
        gluon_yolo.quantize(net, "nowhere", tmp_path / "out")
    assert not (tmp_path / "out").exists()
