"""Four trainings at once on the cores of one: how fast each is, as a part of its speed alone.

Speeds are steps a second, from the times in ``RUN/log.jsonl``. They are compared for several ways in which
OpenMP's threads wait for each other (docs/dependencies.md): the package's own, sleeping at once, libgomp's
choice, and one thread a training. Other work on the machine slows both sides; the load is printed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from endurance.jobs import ROOT

AT_ONCE = 4
# Each of four has a quarter of the machine: half of that, for what they disturb each other.
LEAST = 1 / (2 * AT_ONCE)
START = 600.0  # seconds until a training has made its first steps, on a busy machine
TRAINING = (
    "train --network mobilenet0_25 --pretrained-base no --data data --data-shape 160 --no-random-shape "
    "--batch-size 4 --gpus  --epochs 100000 --val-interval 100000 --save-interval 0 --log-interval 1 --jsonl "
    "-j 1 --save-prefix"
).split(" ")
GIVEN = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
WAYS: Mapping[str, Mapping[str, str]] = {
    "as the package sets": {},
    "passive": {"OMP_WAIT_POLICY": "passive"},
    "libgomp's own": {"GOMP_SPINCOUNT": "300000"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}


class Speeds(NamedTuple):
    """Steps a second.

    Args:
        alone: of one training.
        together: of each of several.
    """

    alone: float
    together: Sequence[float]

    @property
    def parts(self) -> list[float]:
        """What each has of the speed alone."""
        return [one / self.alone for one in self.together]


def compare(place: Path, way: Mapping[str, str], seconds: float) -> Speeds:
    """Train alone, then at once, so many seconds each after the first steps."""
    alone = speeds(place / "alone", 1, way, seconds)
    return Speeds(alone[0], speeds(place / "together", AT_ONCE, way, seconds))


def speeds(place: Path, count: int, way: Mapping[str, str], seconds: float) -> list[float]:
    """Return the steps a second of trainings that run at once, over seconds in which all of them step."""
    environment = {name: value for name, value in os.environ.items() if name not in GIVEN}
    environment.update(way, PYTHONPATH=str(ROOT))
    place.mkdir(parents=True)
    started = []
    try:
        for number in range(count):
            words = [sys.executable, "-m", "gluon_yolo", *TRAINING, str(place / f"{number}") + "/"]
            with (place / f"{number}.txt").open("w") as log:
                started.append(
                    subprocess.Popen(words, cwd=place.parents[1], env=environment, stdout=log, stderr=log)
                )
        end = time.monotonic() + START
        while not all(len(steps(place / f"{number}")) > 2 for number in range(count)):
            if time.monotonic() > end or any(one.poll() is not None for one in started):
                said = (place / "0.txt").read_text()[-500:]
                raise RuntimeError(f"a training made no step within {START:.0f} s, or ended: {said}")
            time.sleep(0.5)
        begin = time.time()
        time.sleep(seconds)
        until = time.time()
    finally:
        for one in started:
            one.send_signal(signal.SIGKILL)
            one.wait()
    made = [[at for at in steps(place / f"{number}") if begin <= at <= until] for number in range(count)]
    return [len(times) / (until - begin) for times in made]


def steps(folder: Path) -> list[float]:
    """Return when the steps of the run in a folder ended, in seconds since 1970."""
    found = []
    for file in folder.glob("*/log.jsonl"):
        for line in file.read_text().splitlines():
            try:
                record = json.loads(line)
            except ValueError:  # the line that is being written
                continue
            if record["kind"] == "step":
                found.append(datetime.fromisoformat(record["time"].replace("Z", "+00:00")).timestamp())
    return found
