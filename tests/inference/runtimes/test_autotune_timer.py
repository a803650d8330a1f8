"""CallTimer: its process loads a model, returns times, and ends."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.inference.decode import RawMaps
from gluon_yolo.inference.runtimes import autotune_timer
from gluon_yolo.inference.runtimes.autotune_timer import CallTimer
from gluon_yolo.spec import DetectionSpec

SIZE_HW = (64, 96)


class Clock:
    """A clock that only calls advance."""

    def __init__(self):
        self.seconds = 0.0

    def perf_counter(self):
        return self.seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(autotune_timer, "time", clock)
    return clock


def network_taking(clock, seconds):
    """Return a network whose calls take these seconds, in order; the last one repeats."""
    left = list(seconds)

    def network(pixels):
        assert pixels.shape == (1, *SIZE_HW, 3) and pixels.dtype == np.uint8
        clock.seconds += left.pop(0) if len(left) > 1 else left[0]
        return np.zeros((1, 1, 4), np.float32), np.zeros((1, 1, 1), np.float32)

    return network


@pytest.mark.parametrize(
    ("seconds", "milliseconds"),
    [
        ([0.1, 0.05], [50, 50, 50]),  # the first call starts threads; then as many as fit
        ([0.02, 0.001], [1] * autotune_timer.MOST_CALLS),
        ([0.5], [500]),  # so slow that starting threads does not matter
        ([0.05, 0.4], [400]),
    ],
)
def test_calls_of_a_turn(clock, seconds, milliseconds):
    assert autotune_timer.calls(network_taking(clock, seconds), SIZE_HW) == pytest.approx(milliseconds)


def test_decoding_counts(clock, monkeypatch):
    maps = RawMaps([np.zeros((1, 18, 1, 1), np.float32)] * 3, DetectionSpec(("circle",)))
    monkeypatch.setattr(
        RawMaps, "above", lambda *_: setattr(clock, "seconds", clock.seconds + 0.2), raising=True
    )
    assert autotune_timer.calls(lambda pixels: maps, SIZE_HW) == pytest.approx([200])


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    pytest.importorskip("onnx", reason="package onnx is not installed")
    pytest.importorskip("onnxruntime", reason="package onnxruntime is not installed")
    from gluon_yolo.exporters.api import export
    from tests.random_model import random_detector

    return export(random_detector(), tmp_path_factory.mktemp("model"), ["onnx"], "toy", SIZE_HW).record


def test_a_process_that_stays_alive(model):
    watch = CallTimer("onnxruntime", model, SIZE_HW)
    try:
        turns = [watch.turn(), watch.turn()]
        assert all(turn and all(milliseconds > 0 for milliseconds in turn) for turn in turns)
        watch._process.kill()
        watch._process.wait()
        with pytest.raises(RuntimeError, match="its process ended with -9"):
            watch.turn()
    finally:
        watch.close()


def test_a_model_that_does_not_load(model):
    with pytest.raises(RuntimeError, match="toy is there as onnx, and not as ncnn"):
        CallTimer("ncnn", model, SIZE_HW)


def test_a_process_that_dies_says_its_last_words(model, monkeypatch, tmp_path):
    """As a runtime does when the CPU does not have an instruction."""
    dying = tmp_path / "dying.py"
    dying.write_text("import sys\nsys.stderr.write('one\\nillegal instruction\\n')\nsys.exit(132)\n")
    monkeypatch.setattr(autotune_timer, "__name__", "dying")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="^illegal instruction$"):
        CallTimer("onnxruntime", model, SIZE_HW)


def test_a_process_that_says_nothing_is_given_up(model, monkeypatch, tmp_path):
    (tmp_path / "silent.py").write_text("import sys\nsys.stdin.read()\n")
    monkeypatch.setattr(autotune_timer, "__name__", "silent")
    monkeypatch.setattr(autotune_timer, "PATIENCE", 0.1)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="gave no answer within 0 s"):
        CallTimer("onnxruntime", model, SIZE_HW)


def test_it_ends_with_whoever_started_it(model):
    """Its input closes when its parent ends in any way."""
    watch = CallTimer("onnxruntime", model, SIZE_HW)
    watch._process.stdin.close()
    assert watch._process.wait(timeout=60) == 0
    watch.close()
