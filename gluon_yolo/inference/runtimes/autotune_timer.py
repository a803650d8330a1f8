"""Measure a runtime's call times for a model in a separate process.

Runtimes in one process slow each other down: each has its own threads, which spin while they wait or pin the
caller's thread to one core (measured: ncnn ten times slower after OpenVINO has run). The process stays alive,
so that several candidates can take turns, and ends with its parent.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gluon_yolo.errors import message_of
from gluon_yolo.inference.decode import RawMaps
from gluon_yolo.inference.model_path import read_model
from gluon_yolo.inference.runtimes import registry
from gluon_yolo.inference.runtimes.registry import Network
from gluon_yolo.nms import SHOWN_SCORE
from gluon_yolo.system import interpreter

SECONDS = 0.12  # for the calls of a turn
MOST_CALLS = 20
PAUSE = 0.05  # seconds before a turn: threads of the previous one may still spin (ONNX Runtime's do for 0.03)
PATIENCE = 600.0  # timeout in seconds
GREY = 127
ANSWER = "stopwatch: "  # prefix of an answer: some runtimes print lines of their own


class CallTimer:
    """A process that loads a model in a runtime, and measures its calls.

    Args:
        runtime: a name of ``RUNTIMES``.
        file: path of the model.
        size_hw: height and width of the image in pixels.
        gpu: index of a GPU; None is the CPU.

    Raises:
        RuntimeError: the model does not load or run; the message is that of the process.
    """

    def __init__(self, runtime: str, file: Path, size_hw: tuple[int, int], gpu: int | None = None) -> None:
        words = [runtime, str(file), *map(str, size_hw), *([] if gpu is None else [str(gpu)])]
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            interpreter.module(__name__, *words),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            errors="replace",
            env=interpreter.environment(),
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    def turn(self) -> list[float]:
        """Return the milliseconds of some calls, from pixels to boxes.

        Raises:
            RuntimeError: a call failed, or the process ended; the message is that of the process.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write("turn\n")
            self._process.stdin.flush()
        except OSError:
            pass  # the process has ended, which _answer() reports
        return self._answer()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            try:
                if stream is not None:
                    stream.close()
            except OSError:
                pass  # unsent input of a process that has ended

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(ANSWER):
                self._lines.put(line[len(ANSWER) :])
        self._lines.put(None)

    def _answer(self) -> list[float]:
        try:
            line = self._lines.get(timeout=PATIENCE)
        except queue.Empty:
            raise RuntimeError(f"gave no answer within {PATIENCE:.0f} s") from None
        if line is None:
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip().splitlines()
            raise RuntimeError(said[-1] if said else f"its process ended with {self._process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["milliseconds"]


def calls(network: Network, size_hw: Sequence[int]) -> list[float]:
    """Return the milliseconds of some calls of a network, from pixels to boxes.

    The first call, which starts threads, is dropped, unless calls take so long that this does not matter.
    """
    pixels = np.full((1, *size_hw, 3), GREY, dtype=np.uint8)
    spent = [_call(network, pixels)]
    if spent[0] < SECONDS:
        spent.clear()
    while not spent or (sum(spent) < SECONDS and len(spent) < MOST_CALLS):
        spent.append(_call(network, pixels))
    return [seconds * 1e3 for seconds in spent]


def _call(network: Network, pixels: np.ndarray) -> float:
    """Return the seconds of a call."""
    begin = time.perf_counter()
    given = network(pixels)
    if isinstance(given, RawMaps):
        given.above(SHOWN_SCORE, 0)
    return time.perf_counter() - begin


def main(runtime: str, file: str, height: str, width: str, gpu: str | None = None) -> None:
    """Load the model, then measure a turn for each input line; print answers and errors as JSON."""
    path, size_hw = Path(file), (int(height), int(width))
    try:
        record, _ = read_model(path)
        network = registry.load(runtime, record, path.parent, None if gpu is None else int(gpu))
        calls(network, size_hw)  # the first call plans the graph
        _say(milliseconds=[])
        for _ in sys.stdin:
            time.sleep(PAUSE)
            _say(milliseconds=calls(network, size_hw))
    except Exception as error:  # whatever the runtime's package raises
        said = message_of(error)
        _say(error=said.strip() or type(error).__name__)


def _say(**answer: object) -> None:
    print(f"\n{ANSWER}{json.dumps(answer)}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
