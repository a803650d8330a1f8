"""Streams: frames in order, also after a break; the reason for their end; no real timeouts."""

from __future__ import annotations

import itertools
import threading

import cv2
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.inference.streams import PAUSES, StreamReader
from tests.inference import stream_servers
from tests.inference.stream_servers import files, free_port, grey, mjpeg, number_of, rtsp, running

QUICK = (0.01, 0.02)


def read(url: str, said: list[str] | None = None, frames: int | None = None, **options: object):
    """Return the numbers of a stream's frames, and its reader."""
    say = (said if said is not None else []).append
    with StreamReader(url, say=say, **{"pauses": QUICK, "seconds": 1, **options}) as video:
        return [number_of(frame) for frame in itertools.islice(video, frames)], video


def write_video(path, frames: int, codec: str = "mp4v") -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10, (128, 96))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(grey(number))
    writer.release()


@pytest.mark.parametrize(("serve", "scheme"), [(mjpeg, "http"), (rtsp, "rtsp")])
def test_a_stream_that_breaks_off_and_comes_back(serve, scheme):
    said: list[str] = []
    with running(serve([range(5), range(5, 8)])) as port:
        url = f"{scheme}://127.0.0.1:{port}/live"
        numbers, video = read(url, said, reconnect=2)
    assert numbers == list(range(8)) and video.fps == 25 and video.frames is None
    assert said[:2] == [
        f"{url}: broke off after 5 frames; trying again in 0.01 s (1 of 2)",
        f"{url}: is back",
    ]
    assert said[2] == f"{url}: broke off after 8 frames; trying again in 0.02 s (2 of 2)"
    assert video.ending == "it broke off after 8 frames, and 2 tries to open it again brought nothing"


def test_pauses_grow_and_end():
    said: list[str] = []
    with running(mjpeg([range(3)])) as port:
        read(f"http://127.0.0.1:{port}/live", said, reconnect=4, pauses=(0.01, 0.02, 0.03))
    assert [line.partition("trying again in ")[2] for line in said] == [
        "0.01 s (1 of 4)",
        "0.02 s (2 of 4)",
        "0.03 s (3 of 4)",
        "0.03 s (4 of 4)",
    ]
    assert list(PAUSES) == sorted(PAUSES)


def test_no_try_is_asked_for():
    with running(mjpeg([range(3)])) as port:
        numbers, video = read(f"http://127.0.0.1:{port}/live", reconnect=0)
    assert numbers == [0, 1, 2] and video.ending == "it broke off after 3 frames"


def test_a_server_that_comes_back_on_its_port():
    """The first server is gone when its frames end, and another one takes its place."""
    port, said = free_port(), []
    back = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        if "2 of 9" in line:
            second.append(running(mjpeg([range(3, 6)], port=port)))
            second[0].__enter__()
            back.set()

    second: list = []
    with running(mjpeg([range(3)], port=port)):
        video = StreamReader(f"http://127.0.0.1:{port}/live", reconnect=9, say=say, pauses=QUICK, seconds=1)
    with video:
        numbers = [number_of(frame) for frame in itertools.islice(video, 6)]
    second[0].__exit__(None, None, None)
    assert numbers == list(range(6)) and back.is_set() and said[-1].endswith("is back")


def test_a_stream_that_holds_may_break_off_as_often_again(monkeypatch):
    """After a minute of frames the attempts count from 0 again."""
    monkeypatch.setattr("gluon_yolo.inference.streams.STEADY", 0.0)
    with running(mjpeg([range(3)] * 4)) as port:
        numbers, _ = read(f"http://127.0.0.1:{port}/live", reconnect=1)
    assert numbers == [0, 1, 2] * 4


@pytest.mark.parametrize("ranges", [False, True])
def test_a_video_has_an_end(tmp_path, ranges):
    write_video(tmp_path / "a.mp4", 20)
    with running(files(tmp_path, ranges=ranges)) as port:
        numbers, video = read(f"http://127.0.0.1:{port}/a.mp4", whole=True)
    assert numbers == list(range(20)) and (video.frames, video.fps) == (20, 10)
    assert video.ending == "it is at its end"


def test_a_video_that_breaks_off_is_taken_up_where_it_was(tmp_path):
    write_video(tmp_path / "a.avi", 30, "MJPG")
    said: list[str] = []
    with running(files(tmp_path, broken=1)) as port:
        numbers, video = read(f"http://127.0.0.1:{port}/a.avi", said, whole=True, reconnect=3)
    assert numbers == list(range(30)) and video.ending == "it is at its end"
    assert len(said) == 2 and "trying again in 0.01 s (1 of 3)" in said[0]


def test_udp(tmp_path):
    write_video(tmp_path / "a.ts", 30, "MPG2")
    port, stopped = free_port(), threading.Event()
    sender = stream_servers.send_by_udp((tmp_path / "a.ts").read_bytes(), port, stopped)
    numbers, _ = read(f"udp://127.0.0.1:{port}", frames=8, seconds=5)
    stopped.set()
    sender.join()
    assert len(numbers) == 8 and set(numbers) <= set(range(30))


def test_user_and_password(capfd):
    with running(rtsp([range(3)], password="secret")) as port:
        numbers, _ = read(f"rtsp://me:secret@127.0.0.1:{port}/live", reconnect=0)
        with pytest.raises(
            UserError, match=r"rtsp://me:\*\*\*@.*answers, but gives no video there: are the path"
        ):
            read(f"rtsp://me:secrets@127.0.0.1:{port}/live", reconnect=0)
    assert numbers == [0, 1, 2]
    said = capfd.readouterr()
    assert "secret" not in said.out + said.err


def test_nothing_there(capfd):
    port = free_port()
    for scheme in ("rtsp", "http", "rtmp"):
        url = f"{scheme}://me:secret@127.0.0.1:{port}/live"
        with pytest.raises(UserError, match=rf"me:\*\*\*@127.0.0.1:{port}/live: cannot be opened: .*refused"):
            read(url)
    said = capfd.readouterr()
    assert "secret" not in said.out + said.err


def test_a_stream_without_a_frame():
    with (
        running(mjpeg([[], [], []])) as port,
        pytest.raises(UserError, match="cannot be opened|gives no frame"),
    ):
        read(f"http://127.0.0.1:{port}/live", reconnect=1)


def test_it_stops_within_a_pause():
    """As with Ctrl-C: it does not wait for the end of a pause of an hour."""
    paused = threading.Event()
    numbers: list[int] = []
    with running(mjpeg([range(3)])) as port:
        url = f"http://127.0.0.1:{port}/live"
        with StreamReader(url, say=lambda line: paused.set(), pauses=(3600,), seconds=1) as video:
            thread = threading.Thread(target=lambda: numbers.extend(map(number_of, video)))
            thread.start()
            assert paused.wait(10)
            video.stop()
            thread.join(10)
            assert not thread.is_alive() and numbers == [0, 1, 2] and video.ending == "it was stopped"
