"""``import caffe``: a landmark network that export and ``demo --landmarks`` take; bad input is named."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest

from gluon_yolo.cli import main
from gluon_yolo.errors import UserError
from gluon_yolo.inference.face_landmarks import FaceLandmarks
from tests import caffe_network
from tests.random_model import random_image

pytest.importorskip("google.protobuf", reason="protobuf is not installed")

FILES = ["small.prototxt", "small.caffemodel"]
TASK = ["--task", "landmarks"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Change to a folder with the small network's files."""
    caffe_network.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def imported(*words: str) -> int:
    return main(["import", "caffe", *words])


def test_a_model_that_export_and_demo_take(place, capsys):
    assert imported(*FILES, *TASK, "--mean", "100,110,120", "--scale", "60", "--out", "models/small") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "small.prototxt: 20 layers"
    assert said[1] == "small.caffemodel: all of its weights"
    assert said[2].startswith("small: ") and said[2].endswith(" GFLOPs, 4 landmarks, input 17x17")
    files = sorted(str(path.relative_to(place / "models")) for path in (place / "models").rglob("*.*"))
    assert files == [f"small/{name}" for name in ("model.json", "network.prototxt", "weights/best.params")]
    origin = json.loads((place / "models" / "small" / "model.json").read_text())["origin"]
    assert origin["colour"] == "bgr" and origin["mean"] == [100, 110, 120] and origin["scale"] == [60] * 3

    commands = [shlex.split(line) for line in said if line.startswith("  gluon-yolo ")]
    assert [words[1] for words in commands] == ["demo", "export"]
    assert main([*commands[1][1:-1], "deployed"]) == 0
    assert "points 0.0e+00 of the crop (bound 1e-04)" in capsys.readouterr().out
    crops = np.stack([random_image(17, 17, seed) for seed in range(3)])
    given = FaceLandmarks.load("deployed").raw(crops)
    np.testing.assert_allclose(given, FaceLandmarks.load("models/small").raw(crops), atol=1e-6)


def test_weights_whose_results_are_not_finite_are_named_by_their_folder(place, capsys):
    from gluon_yolo.mxnet_compat import mx

    assert imported(*FILES, *TASK, "--out", "m") == 0
    file = str(place / "m" / "weights" / "best.params")
    mx.nd.save(file, {name: array * 0 + 3e38 for name, array in mx.nd.load(file).items()})
    capsys.readouterr()
    assert main(["export", "m", "--out", "deployed"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: m: gives numbers that are not finite: its weights are damaged, or those")
    assert not (place / "deployed").exists()
    with pytest.raises(UserError, match="^m: the network's points are not finite numbers"):
        FaceLandmarks.load("m").raw(random_image(17, 17)[None])


def test_an_output_of_another_shape_is_named(place):
    assert imported(*FILES, *TASK, "--out", "m") == 0
    landmarks = FaceLandmarks.load("m")
    network = landmarks._network
    landmarks._network = lambda pixels: [np.asarray(network(pixels)[0])[:, :-2]]
    with pytest.raises(UserError, match=r"^m: the network's output has the shape \(1, \d\), which is not"):
        landmarks.raw(random_image(17, 17)[None])


def error_of(capsys, *words: str) -> str:
    assert imported(*words) == 2
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err and not captured.out
    return captured.err.strip()


@pytest.mark.parametrize(
    ("words", "message"),
    (
        (["--task", "faces"], "error: --task faces: known is landmarks"),
        ([*TASK, "--colour", "gbr"], "error: --colour gbr: expected rgb or bgr"),
        ([*TASK, "--mean", "1,2"], "error: --mean 1,2: expected a number, or three with commas"),
        ([*TASK, "--mean", "much"], "error: --mean much: expected a number, or three with commas"),
        ([*TASK, "--scale", "0"], "error: --scale 0: must be above 0; pixels are divided by it"),
    ),
)
def test_settings_are_checked(place, capsys, words, message):
    assert error_of(capsys, *FILES, *words, "--out", "m") == message
    assert not (place / "m").exists()


def test_files_are_checked(place, capsys):
    swapped = error_of(capsys, *FILES[::-1], *TASK, "--out", "m")
    assert swapped == "error: small.caffemodel small.prototxt: first the .prototxt, then the .caffemodel"
    assert error_of(capsys, "absent.prototxt", FILES[1], *TASK, "--out", "m").startswith(
        "error: absent.prototxt: cannot be read: No such file"
    )
    (place / "small.prototxt").write_text(caffe_network.INPUT + caffe_network.layer("up", "Upsample", "data"))
    assert error_of(capsys, *FILES, *TASK, "--out", "m").startswith(
        'error: small.prototxt: layer "up" (Upsample): layers of this type are not read here'
    )
    one = "inner_product_param { num_output: 3 }"
    (place / "small.prototxt").write_text(
        caffe_network.INPUT + caffe_network.layer("fc", "InnerProduct", "data", "", one)
    )
    said = error_of(capsys, *FILES, *TASK, "--out", "m")
    assert said == 'error: small.prototxt: layer "fc" gives 3 numbers; landmarks are pairs of x and y'
    caffe_network.write(place)
    (place / "m").mkdir()
    (place / "m" / "mine.txt").touch()
    assert error_of(capsys, *FILES, *TASK, "--out", "m").startswith("error: m: holds files already")


@pytest.mark.parametrize(
    ("words", "message"),
    (
        (
            ["--format", "darknet"],
            "--format darknet: is for detectors, and this is a landmark network; its formats are",
        ),
        (["--cut", "nms"], "--cut nms: a landmark network has no boxes"),
        (["--size", "32"], "--size: a landmark network takes 17 alone"),
        (["--format", "onnx", "--fixed-size"], "--fixed-size: a landmark network has one size already"),
    ),
)
def test_exports_that_a_landmark_network_has_not(place, capsys, words, message):
    assert imported(*FILES, *TASK, "--out", "m") == 0
    capsys.readouterr()
    assert main(["export", "m", *words, "--out", "out"]) == 2
    assert message in capsys.readouterr().err
