"""``demo`` of streams: results, breaks, the end of a stream; no password is printed."""

from __future__ import annotations

import json
import os
import re
import threading
import weakref

import pytest

from gluon_yolo.cli import main
from gluon_yolo.cli.demo_results import Found
from gluon_yolo.data.images.read import read_image
from gluon_yolo.inference import streams
from gluon_yolo.inference.inputs import ResultNames
from gluon_yolo.inference.predictor import Predictor
from tests.cli.fake_demo import three_boxes, use
from tests.cli.test_demo import count_frames, results
from tests.inference.stream_servers import files, free_port, http_server, jpeg, mjpeg, rtsp, running
from tests.inference.test_streams import write_video


@pytest.fixture(autouse=True)
def quick(tmp_path, monkeypatch):
    """Shorten the pauses."""
    monkeypatch.chdir(tmp_path)
    use(monkeypatch)
    defaults = list(streams.StreamReader.__init__.__defaults__)
    assert defaults[-2] == streams.PAUSES
    monkeypatch.setattr(streams.StreamReader.__init__, "__defaults__", (*defaults[:-2], (0.01, 0.02), 1.0))


def demo(*words: object) -> int:
    return main(["demo", "--model", "m", "--timeout", "1", *map(str, words)])


def test_a_stream_that_comes_back_and_ends(tmp_path, capsys):
    with running(mjpeg([range(4), range(4, 7)])) as port:
        url = f"http://127.0.0.1:{port}/video.cgi"
        assert demo(url, "--reconnect", 2, "--json", "found.json") == 0
    said = capsys.readouterr()
    line, ended, last = said.out.splitlines()
    assert line.startswith(f"{url}: 7 frames, 21 objects (square 7, star/blue 7, circle 7); pre-process ")
    assert ended == (
        f"{url}: ended: it broke off after 7 frames, and 2 tries to open it again brought nothing"
    )
    assert last.startswith("1 done, 21 objects; results are in demo_out and found.json")
    assert [line for line in said.err.splitlines() if line.startswith("warning: ")][:2] == [
        f"warning: {url}: broke off after 4 frames; trying again in 0.01 s (1 of 2)",
        f"warning: {url}: is back",
    ]
    (name,) = results(tmp_path)
    assert name == f"127.0.0.1_{port}_video.mp4" and count_frames(tmp_path / "demo_out" / name) == 7
    records = json.loads((tmp_path / "found.json").read_text())
    assert {record["image"] for record in records} == {url} and records[-1]["frame"] == 6


def test_frames_and_a_password_that_nobody_sees(tmp_path, capfd):
    with running(rtsp([range(20)], password="secret")) as port:
        url = f"rtsp://me:secret@127.0.0.1:{port}/live?token=secret"
        words = ["--frames", 5, "--json", "found.json", "--save-txt", "--save-crops"]
        assert demo(url, *words, "--classes-only", "square") == 0
        assert demo(url.replace("me:secret", "me:secret2")) == 1
    said = capfd.readouterr()
    assert f"rtsp://me:***@127.0.0.1:{port}/live?token=***: 5 frames, 5 objects" in said.out
    assert ": ended: --frames 5\n" in said.out
    names = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")]
    for text in (said.out, said.err, (tmp_path / "found.json").read_text(), *names):
        assert "secret" not in text
    assert f"error: rtsp://me:***@127.0.0.1:{port}/live?token=***: cannot be opened: 127.0.0.1" in said.err
    assert f"demo_out/labels/127.0.0.1_{port}_live/000004.txt" in names


@pytest.mark.parametrize("name", ["a.jpg", "snapshot"])
def test_an_image(tmp_path, capsys, name):
    (tmp_path / name).write_bytes(jpeg(5))
    with running(files(tmp_path, password="secret")) as port:
        assert demo(f"http://me:secret@127.0.0.1:{port}/{name}") == 0
    said = capsys.readouterr().out
    assert re.match(rf"http://me:\*\*\*@127.0.0.1:{port}/{name}: 3 objects \(", said)
    (result,) = results(tmp_path)
    assert result.endswith(".jpg") and read_image(tmp_path / "demo_out" / result).shape == (96, 128, 3)


@pytest.mark.parametrize("ranges", [False, True])
def test_a_video(tmp_path, capsys, ranges):
    """From a server with support of ranges, and from one without, such as Python's own."""
    write_video(tmp_path / "a.mp4", 12)
    with running(files(tmp_path, ranges=ranges)) as port:
        url = f"http://127.0.0.1:{port}/a.mp4"
        assert demo(url) == 0
    said = capsys.readouterr()
    assert f"{url}: 12 frames, 36 objects" in said.out and f"{url}: ended: it is at its end\n" in said.out
    (name,) = results(tmp_path)
    assert name == f"127.0.0.1_{port}_a.mp4" and count_frames(tmp_path / "demo_out" / name) == 12


def test_streams_that_are_not_there(tmp_path, capsys):
    """Each gives a message, and the image between them is processed."""
    (tmp_path / "a.jpg").write_bytes(jpeg(5))
    port = free_port()
    bad = [f"rtsp://127.0.0.1:{port}/live", f"http://127.0.0.1:{port}/live", "ftp://127.0.0.1/live"]
    assert demo(bad[0], "a.jpg", *bad[1:]) == 1
    said = capsys.readouterr()
    errors = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert [error.split(": ")[1] for error in errors] == [bad[2], bad[0], bad[1]]
    assert "no stream that can be opened; known are rtsp, rtsps, rtmp, rtmps, http," in errors[0]
    assert said.out.splitlines()[-1].startswith("1 done, 3 objects; 3 could not be read")


@pytest.mark.parametrize("words", [[], ["--json", "found.json"], ["--save-crops"]])
def test_an_endless_stream_is_not_kept_in_memory(tmp_path, monkeypatch, words):
    """Detections and crop names of a frame are not in memory some frames later."""
    written = (folder := tmp_path / "demo_out") / "crops"
    seen, alive, named = [], [], []

    def call(self, image):
        found = Predictor.__call__(self, image)
        seen.append((weakref.ref(found.class_ids), weakref.ref(found.boxes)))
        alive.append(sum(any(each() is not None for each in refs) for refs in seen))
        return found

    def place(self, *args, **options):
        named.append(len(self._taken))
        return ResultNames.place(self, *args, **options)

    watched = type("Watched", (Predictor,), {"__call__": call})
    monkeypatch.setattr("tests.cli.fake_demo.Predictor", watched)
    monkeypatch.setattr("gluon_yolo.cli.demo.ResultNames", type("Names", (ResultNames,), {"place": place}))
    use(monkeypatch)
    with running(mjpeg([range(30)])) as port:
        assert demo(f"http://127.0.0.1:{port}/live", "--reconnect", 0, *words) == 0
    assert len(alive) == 30 and max(alive) <= 10
    assert max(named) <= 2 and (not written.exists() or len(list(written.rglob("*.jpg"))) == 90)
    if "--json" in words:
        assert len(json.loads((tmp_path / "found.json").read_text())) == 90
    assert not list(folder.rglob("*.part"))


def test_records_go_to_their_file_as_they_come(tmp_path):
    """As UTF-8, with JSON escapes for invalid bytes; the file is complete after the block or an error."""
    path = tmp_path / "new" / "found.json"
    with pytest.raises(KeyboardInterrupt), Found(path) as found:
        for number in range(3000):
            found.add([{"image": "ä\udcff", "frame": number}])
        assert (tmp_path / "new" / "found.json.part").stat().st_size > 50_000 and not path.exists()
        raise KeyboardInterrupt
    assert path.read_text(encoding="utf-8").splitlines()[1] == '{"image": "ä\\udcff", "frame": 0},'
    assert json.loads(path.read_text(encoding="utf-8"))[-1] == {"image": "ä\udcff", "frame": 2999}
    assert len(found) == 3000 and os.listdir(tmp_path / "new") == ["found.json"]
    with Found(path) as none:
        none.add([])
    assert path.read_text() == "[\n\n]\n"


def test_ctrl_c_ends_a_stream_as_a_matter_of_course(tmp_path, capsys, monkeypatch):
    calls = []

    def interrupted(pixels):
        calls.append(1)
        if len(calls) == 5:  # the first is the warm-up
            raise KeyboardInterrupt
        return three_boxes(pixels)

    use(monkeypatch, interrupted)
    with running(mjpeg([range(30)])) as port:
        assert demo(f"http://127.0.0.1:{port}/live") == 0
    said = capsys.readouterr().out
    assert "/live: 3 frames, 9 objects" in said and "/live: ended: Ctrl-C\n" in said
    assert count_frames(tmp_path / "demo_out" / results(tmp_path)[0]) == 3


def test_two_streams_of_one_host(tmp_path):
    with running(mjpeg([range(3), range(3)])) as port:
        urls = [f"http://127.0.0.1:{port}/live?camera={number}" for number in (1, 2)]
        assert demo(*urls, urls[0], "--reconnect", 0) == 0
    assert results(tmp_path) == [f"127.0.0.1_{port}_live.mp4", f"127.0.0.1_{port}_live_2.mp4"]


def test_a_server_that_says_nothing(capsys):
    """It waits for ``--timeout``, which may be long for cameras that start slowly."""
    over = threading.Event()
    with running(http_server(lambda handler: over.wait(5))) as port:
        assert demo(f"http://127.0.0.1:{port}/live", "--timeout", 0.2) == 1
    over.set()
    assert "/live: cannot be opened: timed out\n" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["0", "nan", "inf", "1e7", "86401"])
def test_a_timeout_that_nothing_can_wait(capsys, wrong):
    assert demo("rtsp://127.0.0.1:1/live", "--timeout", wrong) == 2
    said = capsys.readouterr().err
    assert said == f"error: --timeout {float(wrong)}: must lie within 0.1 and 86400.0\n"


def test_the_longest_timeout_works(tmp_path, capsys):
    (tmp_path / "a.jpg").write_bytes(jpeg(5))
    with running(files(tmp_path)) as port, running(mjpeg([range(3)])) as live:
        words = (f"http://127.0.0.1:{port}/a.jpg", f"http://127.0.0.1:{live}/live", "--reconnect", 0)
        assert demo(*words, "--timeout", 86400, "--frames", 10**30) == 0
    write_video(tmp_path / "b.mp4", 3)
    with streams.StreamReader(str(tmp_path / "b.mp4"), True, seconds=float("inf")) as video:
        assert len(list(video)) == 3
