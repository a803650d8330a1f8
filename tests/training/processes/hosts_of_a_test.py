"""Hosts of a test: agents on this machine, over loopback, that can be lost, stopped and looked at."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[3]


class Host:
    """An agent and its processes.

    Args:
        folder: as :func:`tests.training.processes.talk.talk` takes it.
        meet: as the setting; empty for one host.
        processes: of this host.
        inside: the beginning of the command, where it runs in a network of its own.
        **talk: further arguments of ``talk``.

    Attributes:
        lines: what it printed: the seconds since the epoch, and the text.
    """

    def __init__(
        self,
        folder: Path,
        meet: str = "",
        hosts: str = "1",
        processes: int = 1,
        restarts: int = 3,
        silence_s: float = 20.0,
        rounds: int = 400,
        inside: Sequence[str] = (),
        run_id: str | None = "test",
        **talk: Any,
    ) -> None:
        settings = {
            "meet": meet,
            "hosts": hosts,
            "run_id": run_id,
            "processes": processes,
            "restarts": restarts,
            "silence_s": silence_s,
            "talk": {"rounds": rounds, "folder": str(folder), **talk},
        }
        command = [*inside, sys.executable, "-m", "tests.training.processes.host", json.dumps(settings)]
        self.folder = folder
        self.lines: list[tuple[float, str]] = []
        self._run = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._run.stdout is not None
        for line in self._run.stdout:
            number, _, text = line.rstrip("\n").partition(" ")
            try:
                self.lines.append((float(number), text))
            except ValueError:
                self.lines.append((time.time(), line.rstrip("\n")))

    @property
    def pid(self) -> int:
        return self._run.pid

    @property
    def text(self) -> str:
        """All that it printed."""
        return "\n".join(text for _, text in self.lines)

    @property
    def result(self) -> dict[str, Any]:
        """What its first process returned."""
        return json.loads(self.lines[-1][1])

    def workers(self) -> list[int]:
        """Return its processes: the children of the agent that talk, and that run."""
        found = []
        for path in self.folder.glob("pid-*"):
            pid, agent = map(int, path.read_text().split())
            if agent == self.pid and is_running(pid):
                found.append(pid)
        return found

    def signal(self, number: signal.Signals, whole: bool = False) -> None:
        """Send a signal to the agent, or, as if the machine were gone, to it and all its processes."""
        if whole:
            os.killpg(self.pid, number)
        else:
            os.kill(self.pid, number)

    def wait(self, seconds: float = 400.0) -> int:
        """Wait for the end of the agent; return its status."""
        status = self._run.wait(seconds)
        self._reader.join(10)
        return status

    def end(self) -> None:
        """Kill what is left."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._run.wait()


@contextlib.contextmanager
def ended(*hosts: Host) -> Iterator[None]:
    """Kill what is left of hosts after the block."""
    try:
        yield
    finally:
        for host in hosts:
            host.end()


def is_running(pid: int) -> bool:
    """Return whether a process runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_for_rounds(folder: Path, rounds: int) -> None:
    """Wait until the processes have done so many rounds."""

    def done() -> bool:
        path = folder / "done"
        return path.exists() and int(path.read_text() or 0) >= rounds

    assert wait_until(done, 300)


def wait_for_place(meet: str) -> None:
    """Wait until a host holds the place to meet: the only one that was started so far."""
    host, _, port = meet.partition(":")

    def held() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((host, int(port))) == 0

    assert wait_until(held, 300)


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
