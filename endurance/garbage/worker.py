"""A child process with its limits: asks it to run commands, and starts another one when it is lost."""

from __future__ import annotations

import json
import os
import queue
import resource
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from endurance.garbage.child import ANSWER

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 10.0  # that a command may take
MEMORY = 2 << 30  # bytes that a command may add
BASE = 6 << 30  # bytes of address space that the libraries take
COMMANDS = 500  # of a process, then a new one: its memory is not what is tested here


class Worker:
    """Runs commands in a child process.

    Args:
        caches: folders that any command may write to.
        seconds: that a command may take.
    """

    def __init__(self, caches: Sequence[Path], seconds: float = SECONDS) -> None:
        self._caches, self._seconds = [str(path) for path in caches], seconds
        self._process: subprocess.Popen[str] | None = None
        self._ran = 0

    def run(self, words: Sequence[str], out: Path) -> dict[str, Any]:
        """Run a command, and return what the child says of it; of a lost child, with ``raised``."""
        if self._process is None or self._ran >= COMMANDS:
            self.close()
            self._start()
        self._ran += 1
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"words": list(words), "out": str(out)}) + "\n")
            self._process.stdin.flush()
            line = self._lines.get(timeout=self._seconds * 12 + 120)
        except (OSError, queue.Empty):
            line = None
        if line is not None:
            return json.loads(line)
        self._process.kill()
        status = self._process.wait()
        self._process = None
        why = "does not even answer a signal" if status == -9 else f"the process ended with {status}"
        return {"status": status, "printed": "", "raised": why, "did": [], "seconds": 0.0, "grown_mb": 0.0}

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _start(self) -> None:
        self._ran = 0
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}

        def limit() -> None:
            resource.setrlimit(resource.RLIMIT_AS, (BASE + MEMORY, BASE + MEMORY))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

        self._process = subprocess.Popen(
            [sys.executable, "-m", "endurance.garbage.child", str(self._seconds), *self._caches],
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
