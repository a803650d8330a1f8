"""Videos: frames in order and number; messages about invalid files."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.inference.video import VideoReader, VideoWriter
from tests.random_model import random_image


def write_frames(path, frames, fps=10, codec="MJPG"):
    """Write frames with one grey level each, twenty higher than the one before."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, (128, 96))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(np.full((96, 128, 3), 20 * (number % 12), np.uint8))
    writer.release()


def levels(path):
    with VideoReader(path) as video:
        return [round(frame.mean() / 20) for frame in video]


def test_frames_come_in_order(tmp_path):
    write_frames(tmp_path / "a.avi", 10)
    with VideoReader(tmp_path / "a.avi") as video:
        assert (video.frames, video.fps) == (10, 10)
        frames = list(video)
    assert all(frame.shape == (96, 128, 3) and frame.dtype == np.uint8 for frame in frames)
    assert levels(tmp_path / "a.avi") == list(range(10))


def test_what_was_written_is_read_again(tmp_path):
    """Colours keep their order; the file gets its name only at the end."""
    frame = np.zeros((96, 128, 3), np.uint8)
    frame[:, :, 0] = 200
    with VideoWriter(tmp_path / "red.mp4", 25) as writer:
        for _ in range(5):
            writer.write(frame)
        assert not (tmp_path / "red.mp4").exists()
    with VideoReader(tmp_path / "red.mp4") as video:
        (first, *_, last) = list(video)
    assert np.abs(first.astype(int) - frame).max() < 16 and np.abs(last.astype(int) - frame).max() < 16


def test_a_file_that_breaks_off_in_a_frame_gives_the_frames_before(tmp_path):
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (128, 96))
    for seed in range(20):
        writer.write(random_image(96, 128, seed))
    writer.release()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * 0.55)])
    with VideoReader(path) as video:
        frames = list(video)
    assert 5 < len(frames) < 15 and video.frames == 20
    assert np.abs(frames[5].astype(int) - random_image(96, 128, 5)[:, :, ::-1]).mean() < 20


@pytest.mark.parametrize("name", ["a.mp4", "a.avi"])
def test_a_file_that_is_no_video(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(b"")
    with pytest.raises(UserError, match=rf"{name}: cannot be read as a video \(the file is empty\)"):
        VideoReader(path)
    path.write_bytes(b"no video, but something")
    with pytest.raises(UserError, match=rf"{name}: cannot be read as a video \(damaged, cut short, or of"):
        VideoReader(path)


def test_an_mp4_without_its_end(tmp_path):
    """Its index is at the end, and needed to read it."""
    write_frames(tmp_path / "a.mp4", 10, codec="mp4v")
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match="a.mp4: cannot be read as a video"):
        VideoReader(tmp_path / "a.mp4")


def test_no_webcam():
    with pytest.raises(UserError, match="webcam 57: cannot be opened; is it connected, and free"):
        VideoReader(57)
