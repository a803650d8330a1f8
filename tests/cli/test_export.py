"""export: from a run or a network with weights to files, and on to demo."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from gluon_yolo import Predictor
from gluon_yolo.cli import main
from gluon_yolo.inference.model_file import ModelFile
from tests.random_model import CLASSES, random_detector, random_picture


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run's folder, as far as export reads it."""
    folder = tmp_path_factory.mktemp("run")
    net = random_detector()
    (folder / "weights").mkdir()
    net.save_parameters(str(folder / "weights" / "best.params"))
    ModelFile("run", net.zoo_name, net.spec, (96, 128)).write(folder / "model.json")
    (folder / "classes.txt").write_text("\n".join(CLASSES))
    return folder


def test_run_to_export_to_demo(run, tmp_path, capsys):
    """The whole road with a real network; what demo writes is what Predictor says."""
    assert main(["export", str(run), "--out", str(tmp_path / "out"), "--name", "toy"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("3 classes, input 96x128, cut nms: toy-symbol.json, toy-0000.params, toy.json")
    assert f"gluon-yolo demo --model {tmp_path / 'out'} PICTURES" in said[-1]

    picture = random_picture(200, 300)
    cv2.imwrite(str(tmp_path / "a.png"), picture[:, :, ::-1])
    words = [
        "--model",
        str(tmp_path / "out"),
        "--out",
        str(tmp_path / "demo"),
        "--json",
        str(tmp_path / "a.json"),
    ]
    assert main(["demo", str(tmp_path / "a.png"), *words, "--score-threshold", "0.2"]) == 0
    expected = Predictor.load(run, score_threshold=0.2)(picture)
    records = json.loads((tmp_path / "a.json").read_text())
    assert len(records) == len(expected) > 20
    assert np.abs(np.array([record["box"] for record in records]) - expected.boxes).max() < 0.02
    assert [record["class"] for record in records] == [CLASSES[class_id] for class_id in expected.class_ids]


@pytest.mark.parametrize("cut, outputs", [("raw", 3), ("decoded", 2)])
def test_network_with_weights(run, tmp_path, cut, outputs):
    words = ["--network", "mobilenet0_25", "--weights", str(run / "weights" / "best.params")]
    words += ["--classes", str(run / "classes.txt"), "--size", "64x96", "--cut", cut, "--out", str(tmp_path)]
    assert main(["export", *words]) == 0
    record = ModelFile.read(tmp_path / "yolo3_mobilenet0.25_custom.json")
    assert record.size_hw == (64, 96) and record.cut == cut and len(record.outputs) == outputs


def test_thresholds_are_written(run, tmp_path):
    words = ["--nms-threshold", "0.6", "--score-threshold", "0.2", "--max-detections", "7"]
    assert main(["export", str(run), "--out", str(tmp_path), *words]) == 0
    nms = ModelFile.read(tmp_path / "yolo3_mobilenet0.25_custom.json").nms
    assert nms == {"nms_threshold": 0.6, "score_threshold": 0.2, "max_candidates": 400, "max_detections": 7}


def test_second_model_in_a_folder_is_named(run, tmp_path, capsys):
    """The last line stays one that works."""
    for name in ("one", "two"):
        assert main(["export", str(run), "--out", str(tmp_path), "--name", name]) == 0
    assert f"--model {tmp_path / 'two.json'} PICTURES" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize(
    "words, message",
    [
        ([], "name one model"),
        (["RUN", "--network", "mobilenet1_0"], "name one model"),
        (["--network", "mobilenet1_0"], "name one model"),
        (["nowhere"], "nowhere: no such file or folder"),
        (["RUN", "--size", "100"], "multiples of 32"),
        (["RUN", "--size", "big"], "--size 'big'"),
        (["RUN", "--nms-threshold", "2"], "--nms-threshold 2.0: must lie within 0 and 1"),
        (["RUN", "--max-detections", "0"], "--max-detections 0"),
        (["--network", "yolo3_mobilenet1.0_voc", "--weights", "RUN/weights/best.params"], "best.params"),
    ],
)
def test_bad_requests(run, tmp_path, capsys, words, message):
    assert (
        main(["export", *[word.replace("RUN", str(run)) for word in words], "--out", str(tmp_path / "out")])
        == 2
    )
    assert message in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.json"))


def test_an_export_is_not_exported_again(run, tmp_path, capsys):
    assert main(["export", str(run), "--out", str(tmp_path)]) == 0
    assert main(["export", str(tmp_path), "--out", str(tmp_path / "again")]) == 2
    assert "is exported already" in capsys.readouterr().err
