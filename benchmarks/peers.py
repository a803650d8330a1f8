"""Peers: processes that do the same work in turns, so that a noisy machine is noisy to all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

WARM_UP = 2


class Sides:
    """Us, GluonCV with its own defaults, and GluonCV with our number of threads.

    Args:
        script: the benchmark's file, which serves a side when called with ``--side NAME``.
        words: the arguments that every side gets.
    """

    def __init__(self, script: str, words: list[str]):
        """Start the three processes."""
        from gluon_yolo.cores import physical_cores

        ours = os.environ.get("OMP_NUM_THREADS", str(physical_cores()))
        theirs = os.environ.get("OMP_NUM_THREADS", "mxnet's own")
        self.threads = {"ours": ours, "GluonCV": theirs, "GluonCV, our threads": ours}
        self._workers = {
            "ours": _start(script, "ours", words),
            "GluonCV": _start(script, "gluoncv", words),
            "GluonCV, our threads": _start(script, "gluoncv", words, ours),
        }

    def take_turns(self, rounds: int) -> tuple[dict[str, list], dict[str, str]]:
        """Let each side answer once a round; return the answers by side, and the sides' threads."""
        answers: dict[str, list] = {name: [] for name in self._workers}
        try:
            for _ in range(rounds):
                for name, worker in self._workers.items():
                    answers[name].append(_ask(worker))
        finally:
            for worker in self._workers.values():
                worker.stdin.close()
                worker.wait()
        return answers, self.threads

    @staticmethod
    def serve(work) -> int:
        """Be a side: for each line on standard input, do the work once and print what it returned as JSON."""
        for _ in range(WARM_UP):
            work()
        for _ in sys.stdin:
            print(json.dumps(work()), flush=True)
        return 0


def _start(script: str, side: str, words: list[str], threads: str | None = None) -> subprocess.Popen:
    environment = {**os.environ, **({"OMP_NUM_THREADS": threads} if threads else {})}
    command = [sys.executable, script, "--side", side, *words]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


def _ask(worker: subprocess.Popen):
    worker.stdin.write("go\n")
    worker.stdin.flush()
    answer = worker.stdout.readline()
    if not answer:
        raise SystemExit("a side's process ended; its error is printed above")
    return json.loads(answer)


def import_gluoncv():
    """Import mxnet and GluonCV with only NumPy's removed names prepared; threads are left to mxnet."""
    from gluon_yolo import numpy_names

    numpy_names.restore()
    import mxnet

    sys.modules.setdefault("torch", None)
    import gluoncv

    return mxnet, gluoncv
