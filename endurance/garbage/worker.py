"""A child process with its limits: asks it to run commands, and starts another one when it is lost."""

from __future__ import annotations

import json
import os
import queue
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from endurance.garbage.child import ANSWER

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 10.0  # that a command may take
COMMANDS = 2000  # of a process, then a new one
RESIDENT = 1200  # MB of a process, then a new one: what it keeps over commands is not what is tested here


class Worker:
    """Runs commands in a child process.

    Args:
        cache: the folder that any command may write to; matplotlib has its own there.
        seconds: that a command may take.
    """

    def __init__(self, cache: Path, seconds: float = SECONDS) -> None:
        self._cache, self._seconds = cache, seconds
        self._process: subprocess.Popen[str] | None = None
        self._ran, self._resident = 0, 0.0

    def run(self, commands: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """Run commands, and yield what the child says of each; of a lost child, with ``raised``.

        All are sent at once: a process that waits for the other one at each file is slow on a busy machine.

        Args:
            commands: what :mod:`endurance.garbage.child` reads.
        """
        left = list(commands)
        while left:
            if self._process is None or self._ran >= COMMANDS or self._resident > RESIDENT:
                self.close()
                self._start()
            assert self._process is not None and self._process.stdin is not None
            try:
                self._process.stdin.write("".join(f"{json.dumps(command)}\n" for command in left))
                self._process.stdin.flush()
            except OSError:
                pass  # it is lost, which the first answer says
            while left and self._process is not None:
                answer = self._answer()
                left = left[1:]
                yield answer

    def _answer(self) -> dict[str, Any]:
        """Return the next answer; that of a lost child after it is ended."""
        assert self._process is not None
        self._ran += 1
        try:
            line = self._lines.get(timeout=self._seconds * 12 + 120)
        except queue.Empty:
            line = None
        if line is not None:
            answer = json.loads(line)
            self._resident = answer["rss_mb"]
            return answer
        self._process.kill()
        status = self._process.wait()
        self._process = None
        why = "does not even answer a signal" if status == -9 else f"the process ended with {status}"
        empty = {"printed": "", "did": [], "wrote": 1, "seconds": 0.0, "grown_mb": 0.0}
        return {"status": status, "raised": why, **empty}

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _start(self) -> None:
        self._ran, self._resident = 0, 0.0
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        environment["MPLCONFIGDIR"] = str(self._cache / "matplotlib")
        environment["GLUON_YOLO_CACHE"] = str(self._cache / "gluon_yolo")

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        self._process = subprocess.Popen(
            [sys.executable, "-m", "endurance.garbage.child", str(self._seconds), str(self._cache)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
            env=environment,
            preexec_fn=limit,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, args=(self._process, self._lines), daemon=True).start()

    @staticmethod
    def _read(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(ANSWER):
                lines.put(line[len(ANSWER) :])
        lines.put(None)
