"""Frames and Predictor.stream: what demo goes through, one image after the other, from Python."""

from __future__ import annotations

import threading

import cv2
import pytest

from gluon_yolo.data.images.read import read_image
from gluon_yolo.errors import UserError
from gluon_yolo.inference.frames import read_frames
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.spec import DetectionSpec
from tests.cli.fake_demo import NAMES, make_images, three_boxes
from tests.cli.test_demo import write_video
from tests.inference.stream_servers import files, running


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def predictor():
    return Predictor(three_boxes, DetectionSpec(NAMES), (96, 96), score_threshold=0.5)


def readers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "gluon_yolo-read"]


def test_images_and_videos_in_order(folder, predictor):
    make_images(folder, "in/a.png", "in/c.png")
    write_video("in/b.avi", frames=3)
    found = list(predictor.stream("in"))
    assert [(frame.source, frame.number) for frame, _ in found] == [
        ("in/a.png", None),
        *(("in/b.avi", number) for number in range(3)),
        ("in/c.png", None),
    ]
    assert (found[0][0].image == read_image("in/a.png")).all()
    for frame, detections in found:
        assert detections == predictor(frame.image) and detections.names() == ["square", "star/blue"]
    assert not readers()


@pytest.mark.parametrize("way", ["path", "pattern", "several"])
def test_sources_of_every_kind(folder, way):
    make_images(folder, "in/a.png", "in/b.png")
    words = {"path": folder / "in", "pattern": "in/*.png", "several": ["in/a.png", folder / "in" / "b.png"]}
    assert [frame.source[-5:] for frame in read_frames(words[way])] == ["a.png", "b.png"]


def test_a_video_that_is_not_seen_to_its_end(folder, predictor):
    """Its thread ends with the iteration."""
    write_video("b.avi", frames=60)
    assert [frame.number for frame, _ in predictor.stream("b.avi", frames=2)] == [0, 1]
    frames = predictor.stream("b.avi")
    next(frames)
    assert readers()
    frames.close()
    assert not readers()


def test_an_image_by_its_url(folder, predictor):
    make_images(folder, "a.png")
    with running(files(folder)) as port:
        ((frame, detections),) = predictor.stream(f"http://127.0.0.1:{port}/a.png")
    assert (frame.image == read_image("a.png")).all() and frame.number is None and len(detections) == 2


def test_what_cannot_be_read(folder, predictor, caplog):
    make_images(folder, "in/a.png", "in/c.png")
    (folder / "in" / "b.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="in/b.png: "):
        list(predictor.stream("in"))
    seen = [frame.source for frame, _ in predictor.stream(["in", "nowhere"], skip_bad=True)]
    assert seen == ["in/a.png", "in/c.png"]
    assert "left out: in/b.png: " in caplog.text and "nowhere: no such file" in caplog.text


@pytest.mark.parametrize("skip_bad", [False, True])
def test_nothing_is_said_at_once(folder, predictor, skip_bad):
    """And not with the first image."""
    with pytest.raises(UserError, match="nowhere: no such file, folder or webcam index"):
        predictor.stream("nowhere", skip_bad=skip_bad)


def test_a_webcam_that_is_not_there(folder, predictor, monkeypatch):
    opened = []
    monkeypatch.setattr(cv2, "VideoCapture", lambda place: opened.append(place) or Closed())
    with pytest.raises(UserError, match="webcam 7: cannot be opened"):
        list(predictor.stream(7))
    assert opened == [7]


class Closed:
    def isOpened(self) -> bool:
        return False
