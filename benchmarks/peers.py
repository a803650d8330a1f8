"""Peers: processes that do the same work in turns, so that a noisy machine is noisy to all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

WARM_UP = 2
OURS, THEIRS, THEIRS_OUR_THREADS = "ours", "GluonCV", "GluonCV, our threads"


class Sides:
    """Us, GluonCV with its own defaults, and GluonCV with our number of threads.

    Args:
        script: the benchmark's file, which serves a side when called with ``--side ours`` or ``gluoncv``.
        words: the arguments that every side gets.
    """

    def __init__(self, script: str, words: list[str]) -> None:
        from gluon_yolo.cores import physical_cores

        ours = os.environ.get("OMP_NUM_THREADS", str(physical_cores()))
        self.threads = {
            OURS: ours,
            THEIRS: os.environ.get("OMP_NUM_THREADS", "mxnet's own"),
            THEIRS_OUR_THREADS: ours,
        }
        self._workers = {
            OURS: _start(script, "ours", words),
            THEIRS: _start(script, "gluoncv", words),
            THEIRS_OUR_THREADS: _start(script, "gluoncv", words, ours),
        }

    def ask(self, name: str, question: str = "time") -> Any:
        """Have one side answer a question."""
        worker = self._workers[name]
        worker.stdin.write(question + "\n")
        worker.stdin.flush()
        answer = worker.stdout.readline()
        if not answer:
            raise SystemExit(f"{name}: the process ended; its error is printed above")
        return json.loads(answer)

    def take_turns(self, rounds: int) -> dict[str, list[Any]]:
        """Have each side answer ``time`` once a round; return the answers by side."""
        answers: dict[str, list[Any]] = {name: [] for name in self._workers}
        for _ in range(rounds):
            for name in self._workers:
                answers[name].append(self.ask(name))
        return answers

    def __enter__(self) -> Sides:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers.values():
            worker.stdin.close()
            worker.wait()


def serve(answers: dict[str, Callable[[], Any]]) -> int:
    """Be a side: for each question on standard input print its answer as JSON."""
    for _ in range(WARM_UP):
        answers["time"]()
    for line in sys.stdin:
        print(json.dumps(answers[line.strip()]()), flush=True)
    return 0


def _start(script: str, side: str, words: list[str], threads: str | None = None) -> subprocess.Popen:
    environment = {**os.environ, **({"OMP_NUM_THREADS": threads} if threads else {})}
    command = [sys.executable, script, "--side", side, *words]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


def import_gluoncv():
    """Import mxnet and GluonCV with only NumPy's removed names prepared; threads are left to mxnet."""
    from gluon_yolo import numpy_names

    numpy_names.restore()
    import mxnet

    sys.modules.setdefault("torch", None)
    import gluoncv

    return mxnet, gluoncv
