"""The heartbeat: a line after a minute of silence, by a clock that the test moves."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Iterator

import pytest

from gluon_yolo.cli import main
from gluon_yolo.progress import heartbeat
from gluon_yolo.progress.bar import Bar, counting
from gluon_yolo.progress.heartbeat import Heartbeat, Task
from gluon_yolo.text import duration

log = logging.getLogger("gluon_yolo")


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def never(end: threading.Event, _seconds: float) -> bool:
    """Wait for the end alone: the thread says nothing, and the test beats by hand."""
    return end.wait()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def beat(clock, caplog) -> Heartbeat:
    caplog.set_level(logging.INFO, "gluon_yolo")
    return Heartbeat(60, clock, never)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [record.getMessage() for record in caplog.records]
    caplog.clear()
    return lines


@pytest.mark.parametrize(
    "seconds, text",
    [
        (0, "0 s"),
        (89.4, "89 s"),
        (90, "2 min"),
        (3600, "60 min"),
        (5400, "1 h 30 min"),
        (47.5 * 3600, "47 h 30 min"),
        (100 * 3600, "4 days 4 h"),
    ],
)
def test_times_are_said_in_two_units(seconds, text):
    assert duration(seconds) == text


def test_a_line_after_each_silent_minute_and_no_other(beat, clock, caplog):
    with Bar(400, "evaluate", "picture", heartbeat=beat) as bar:
        for _ in range(59):
            clock.now += 1
            bar.update(2)
            beat.beat()
        assert said(caplog) == []
        clock.now += 1
        bar.update(2)
        beat.beat()
        assert said(caplog) == ["evaluate: 120 of 400 pictures, 2 min left"]
        beat.beat()
        clock.now += 59
        beat.beat()
        assert said(caplog) == []
        clock.now += 1
        beat.beat()
        assert said(caplog) == ["evaluate: 120 of 400 pictures, 5 min left"]
    clock.now += 600
    beat.beat()
    assert said(caplog) == []


def test_another_line_of_the_log_is_a_sign_of_life_too(beat, clock, caplog):
    with Bar(3, "epoch", "batch", heartbeat=beat):
        clock.now += 50
        log.info("epoch 0 batch 1/3")
        clock.now += 50
        beat.beat()
        assert said(caplog) == ["epoch 0 batch 1/3"]
        clock.now += 10
        beat.beat()
        assert said(caplog) == ["epoch: 0 of 3 batches"]


def test_the_thread_says_it_while_nothing_is_counted(clock, caplog):
    """One step may take minutes: its line does not wait for the next."""
    caplog.set_level(logging.INFO, "gluon_yolo")
    waits: list[float] = []
    enough = threading.Event()

    def minutes(end: threading.Event, seconds: float) -> bool:
        waits.append(seconds)
        if len(waits) > 3:
            enough.set()
            return end.wait()
        clock.now += seconds
        return False

    beating = Heartbeat(60, clock, minutes)
    with beating.working("export"):
        assert enough.wait(60)
    assert said(caplog) == [f"export: at work for {text}" for text in ("60 s", "2 min", "3 min")]
    assert waits == [60, 60, 60, 60]
    assert not [each for each in threading.enumerate() if each.name == "gluon_yolo-heartbeat"]


def test_what_counts_speaks_for_what_does_not(beat, clock, caplog):
    with beat.working("quantize"), Bar(57, "each layer", "layer", heartbeat=beat) as layers:
        layers.update(3)
        with Bar(100, "evaluate", "picture", heartbeat=beat) as images:
            clock.now += 60
            images.update(50)
            beat.beat()
        clock.now += 60
        beat.beat()
    assert said(caplog) == [
        "each layer: 3 of 57 layers, 18 min left; evaluate: 50 of 100 pictures, 60 s left",
        "each layer: 3 of 57 layers, 36 min left",
    ]


def test_the_pace_is_that_of_this_process(beat, clock):
    with Bar(100, "packing", "picture", done=80, heartbeat=beat) as bar:
        clock.now += 30
        assert bar.line(clock()) == "packing: 80 of 100 pictures"
        bar.update(5)
        assert bar.line(clock()) == "packing: 85 of 100 pictures, 2 min left"
        bar.restart("verifying", 10)
        clock.now += 10
        bar.update()
        assert bar.line(clock()) == "verifying: 1 of 10 pictures, 2 min left"
    with Bar(None, "stream", "frame", heartbeat=beat) as bar:
        bar.update(1234)
        assert bar.line(clock()) == "stream: 1,234 frames"
        bar.note = "what it says itself"
        assert bar.line(clock()) == "what it says itself"


def test_nothing_is_said_on_a_terminal_or_of_a_hidden_bar(beat, clock, caplog, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    with Bar(2, "hidden", "picture", shown=False, heartbeat=beat):
        clock.now += 60
        beat.beat()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", Terminal())
        with Bar(2, "drawn", "picture", heartbeat=beat):
            clock.now += 60
            beat.beat()
        assert "drawn" in sys.stderr.getvalue()
    assert said(caplog) == []


def test_counting_counts_and_ends_with_its_loop(monkeypatch):
    bars: list[Task] = []
    monkeypatch.setattr(heartbeat.HEARTBEAT, "begin", bars.append)
    monkeypatch.setattr(heartbeat.HEARTBEAT, "end", lambda bar: bars.append("ended"))
    for item in counting("abc", 3, "letters", "letter"):
        if item == "c":
            break
    assert (bars[0].done, bars[1:]) == (2, ["ended"])


def test_every_command_is_looked_after(monkeypatch, tmp_path, capsys):
    titles: list[str] = []

    class Watched(Heartbeat):
        def begin(self, task: Task) -> None:
            titles.append(task.title)

    monkeypatch.setattr("gluon_yolo.cli.HEARTBEAT", Watched())
    assert main(["synth", str(tmp_path / "shapes"), "--pictures", "5"]) == 0
    assert main(["data", "check", str(tmp_path / "shapes")]) == 0
    assert titles == ["synth", "data", "data check"]


@pytest.fixture(autouse=True)
def _no_filter_is_left() -> Iterator[None]:
    yield
    assert not [each for each in log.filters if isinstance(getattr(each, "__self__", None), Heartbeat)]
