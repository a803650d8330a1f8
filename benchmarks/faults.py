"""Faults of a training by several processes: what each prints, and how long until all go on or end.

Two processes, on one host or on two over loopback, train a small network. Each fault hits them in their
second epoch. The table has the seconds from the fault to the first line about it, to the next batch that is
trained (or to the end of all processes of the host that is looked at), and the line itself. Most of the time
until they go on is that of two Pythons that import mxnet and torch.

Run it as: python benchmarks/faults.py [--only NAME] [--silence SECONDS]
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

FLAGS = (
    "--network mobilenet0_25 --data-shape 96 --pretrained-base no --batch-size 8 --no-random-shape "
    "--epochs 12 --log-interval 1 --save-interval 0 --engine torch"
).split()
ABOUT = re.compile(r"start again|^error:|finishing what is under way")
BATCH = re.compile(r"^epoch \d+ batch")


class Host:
    """A training command; its lines, each with its time."""

    def __init__(self, data: Path, out: Path, *flags: str) -> None:
        command = [
            sys.executable,
            "-m",
            "gluon_yolo",
            "train",
            "--data",
            str(data),
            "--save-prefix",
            f"{out}/",
        ]
        self.lines: list[tuple[float, str]] = []
        self.run = subprocess.Popen(
            [*command, *FLAGS, *flags],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.run.stdout is not None
        for line in self.run.stdout:
            self.lines.append((time.time(), line.rstrip()))

    def workers(self) -> list[int]:
        """Return the processes that train."""
        pids = Path(f"/proc/{self.run.pid}/task/{self.run.pid}/children").read_text().split()
        return [int(pid) for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def first(self, pattern: re.Pattern[str], after: float) -> tuple[float, str] | None:
        """Return the first line after a time that matches."""
        return next((line for line in list(self.lines) if line[0] > after and pattern.search(line[1])), None)

    def whole(self, number: signal.Signals) -> None:
        """Send a signal to the agent and all its processes, as if the machine were gone."""
        os.killpg(self.run.pid, number)


def main() -> int:
    """Draw data, let every fault happen, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=tuple(FAULTS), help="one fault")
    parser.add_argument("--silence", default="10", help="--process-timeout of the trainings, in seconds")
    args = parser.parse_args()
    from gluon_yolo.data.synthetic import generate

    print(f"{'fault':26}{'noticed s':>10}{'went on or ended s':>20}  what was printed")
    with tempfile.TemporaryDirectory() as folder:
        data = generate(Path(folder) / "shapes", images=60, size_hw=(96, 96))
        for name in [args.only] if args.only else FAULTS:
            hosts, strike, watched = FAULTS[name]
            noticed, went_on, text = suffer(data, Path(folder) / name, hosts, strike, watched, args.silence)
            print(f"{name:26}{noticed:>10}{went_on:>20}  {text}", flush=True)
    return 0


def suffer(
    data: Path, out: Path, count: int, strike: Callable[[list[Host]], None], watched: int, silence: str
) -> tuple[str, str, str]:
    """Return a fault's seconds until it is noticed and until its end, and what was printed."""
    out.mkdir()
    common = ["--process-timeout", silence]
    if count == 1:
        hosts = [Host(data, out, "--cpu-devices", "2", *common)]
    else:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            meet = f"127.0.0.1:{probe.getsockname()[1]}"
        both = ["--hosts", "1:2", "--meet", meet, "--run-id", "faults", "--gpus", "", *common]
        hosts = []
        for _ in range(2):  # the first one holds the place to meet
            hosts.append(Host(data, out, *both))
            time.sleep(1)
    try:
        wait(lambda: any(host.first(re.compile("^epoch 1 batch"), 0) for host in hosts))
        host, struck = hosts[watched], time.time()
        workers = host.workers()
        strike(hosts)
        wait(lambda: host.first(ABOUT, struck) is not None or host.run.poll() is not None)
        about = host.first(ABOUT, struck)
        since = about[0] + 0.5 if about else struck
        wait(lambda: host.run.poll() is not None or host.first(BATCH, since) is not None)
        noticed = f"{about[0] - struck:.1f}" if about else "-"
        text = about[1] if about else f"nothing: status {host.run.poll()}"
        if host.run.poll() is None and (on := host.first(BATCH, since)):
            return noticed, f"{on[0] - struck:.1f}", text
        wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
        return noticed, f"{time.time() - struck:.1f} (end)", text
    finally:
        for host in hosts:
            if host.run.poll() is None:
                host.whole(signal.SIGKILL)
            host.run.wait()


def wait(condition: Callable[[], bool], seconds: float = 300.0) -> None:
    """Wait until something is so."""
    until = time.time() + seconds
    while not condition():
        if time.time() > until:
            raise SystemExit("the training neither went on nor ended")
        time.sleep(0.02)


def _kill_worker(number: signal.Signals) -> Callable[[list[Host]], None]:
    return lambda hosts: os.kill(hosts[0].workers()[-1], number)


FAULTS: dict[str, tuple[int, Callable[[list[Host]], None], int]] = {
    "a process is killed": (1, _kill_worker(signal.SIGKILL), 0),
    "a process hangs": (1, _kill_worker(signal.SIGSTOP), 0),
    "the agent is killed": (1, lambda hosts: hosts[0].run.kill(), 0),
    "SIGTERM": (1, lambda hosts: hosts[0].run.terminate(), 0),
    "a host is lost": (2, lambda hosts: hosts[1].whole(signal.SIGKILL), 0),
    "a host hangs": (2, lambda hosts: hosts[1].whole(signal.SIGSTOP), 0),
    "the place to meet is lost": (2, lambda hosts: hosts[0].whole(signal.SIGKILL), 1),
    "the place to meet hangs": (2, lambda hosts: hosts[0].whole(signal.SIGSTOP), 1),
}

if __name__ == "__main__":
    sys.exit(main())
