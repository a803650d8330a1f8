"""``demo --landmarks``: the points of each object, drawn and in the JSON, of images and of videos."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from gluon_yolo.cli import demo as command
from gluon_yolo.cli import main
from gluon_yolo.drawing.landmarks import draw_landmarks
from gluon_yolo.inference.face_landmarks import FaceLandmarks
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.inference.video import VideoWriter
from gluon_yolo.spec import DetectionSpec
from tests import caffe_network
from tests.random_model import random_image

pytest.importorskip("google.protobuf", reason="protobuf is not installed")

SPEC = DetectionSpec(("face",))
BOX = np.array([16.0, 24, 48, 72])


@pytest.fixture
def place(tmp_path, monkeypatch, capsys):
    """Change to a folder with a landmark network, ``m``, of four points."""
    caffe_network.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert (
        main(["import", "caffe", "small.prototxt", "small.caffemodel", "--task", "landmarks", "--out", "m"])
        == 0
    )
    capsys.readouterr()
    return tmp_path


@pytest.fixture
def fake_faces(monkeypatch):
    """Let each image have one face; its landmarks come from the small network."""

    def network(pixels):
        boxes = np.tile(BOX.astype(np.float32), (len(pixels), 1, 1))
        return boxes, np.full((len(pixels), 1, 1), 0.9, np.float32)

    monkeypatch.setattr(command, "open_predictor", lambda args: Predictor(network, SPEC, (96, 96)))


def test_demo_finds_and_draws_landmarks(place, capsys, fake_faces):
    capsys.readouterr()
    image = random_image(96, 96)
    cv2.imwrite("a.png", image[:, :, ::-1])
    words = ["demo", "--model", "any", "--landmarks", "m", "a.png", "--json", "found.json", "--hide-labels"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "4 landmarks of each object, runtime: mxnet" in said and "ms, landmarks " in said
    (record,) = json.loads((place / "found.json").read_text())
    wanted = FaceLandmarks.load("m")(image, BOX[None])[0]
    assert record["box"] == BOX.tolist()
    np.testing.assert_allclose(record["landmarks"], wanted, atol=0.006)
    plain = ["demo", "--model", "any", "a.png", "--json", "plain.json", "--hide-labels", "--out", "plain"]
    assert main(plain) == 0
    (without,) = json.loads((place / "plain.json").read_text())
    assert without == {name: value for name, value in record.items() if name != "landmarks"}
    drawn = cv2.imread("demo_out/a.png")[:, :, ::-1]
    assert np.array_equal(drawn, draw_landmarks(cv2.imread("plain/a.png")[:, :, ::-1], wanted[None], {}))


def test_demo_of_a_video(place, capsys, fake_faces):
    with VideoWriter(place / "clip.mp4", 10) as writer:
        for seed in range(3):
            writer.write(random_image(96, 96, seed))
    capsys.readouterr()
    assert main(["demo", "--model", "any", "--landmarks", "m", "clip.mp4", "--json", "found.json"]) == 0
    assert ", landmarks " in capsys.readouterr().out
    records = json.loads((place / "found.json").read_text())
    assert [record["frame"] for record in records] == [0, 1, 2]
    assert all(np.shape(record["landmarks"]) == (4, 2) for record in records)
    assert records[0]["landmarks"] != records[1]["landmarks"]


def test_demo_names_a_landmark_model_that_is_none(place, capsys, fake_faces):
    cv2.imwrite("a.png", random_image(96, 96))
    assert main(["demo", "--model", "any", "--landmarks", "absent", "a.png"]) == 2
    assert "absent: no such file or folder" in capsys.readouterr().err
