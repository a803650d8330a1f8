"""Loader workers that are killed: the process that reads batches, and prints a line of JSON.

processes   SIGKILL for one worker or all: while batches are read, while the workers start, between two
            epochs, or just before the loader is closed
threads     an error in a random image; a thread cannot be killed

Each time there is an error with its cause within seconds, or the batches go on as they should; no process, no
thread and no shared memory stays. The loader is used again afterwards.

    python -m endurance.load.workers DATA KIND BATCHES SECONDS SEED
"""

from __future__ import annotations

import faulthandler
import hashlib
import json
import os
import random
import re
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from endurance.load.threads import ANSWER, KEPT, STALL
from gluon_yolo.data.loading.collate import Batch
from gluon_yolo.data.loading.loader import TrainLoader
from gluon_yolo.data.opening import open_datasets
from gluon_yolo.data.request import DataRequest
from gluon_yolo.data.transforms import yolo3_train
from gluon_yolo.errors import UserError
from gluon_yolo.spec import DetectionSpec

SECONDS = 30.0  # from the strike to the error, on a busy machine
EPOCHS, LENGTH = 3, 60  # that are compared, and batches of each
STRIKES = ("reading", "starting", "between", "closing")
ERRORS = (UserError("cut short"), OSError(5, "Input/output error"), MemoryError(), ValueError("no colour"))
MEMORY = Path("/dev/shm")


class Failing:
    """A data set one of whose images cannot be read; of all else it is the data set."""

    def __init__(self, dataset: Any) -> None:
        self.dataset, self.at, self.error = dataset, -1, Exception()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["dataset"], name)

    def __len__(self) -> int:
        return len(self.dataset)

    def image(self, index: int, reduction: int = 1) -> Any:
        """Return an image, or raise the error."""
        if index == self.at:
            raise self.error
        return self.dataset.image(index, reduction)


class Rounds:
    """What is counted over all strikes."""

    def __init__(self, dataset: Any, names: tuple[str, ...], rng: random.Random) -> None:
        self.dataset, self.rng = dataset, rng
        self.spec = DetectionSpec(names)
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self.longest = 0.0
        self.expected = [self._digests(epoch) for epoch in range(EPOCHS)]

    def loader(self, **options: Any) -> TrainLoader:
        """Return a loader."""
        sizes = [(64, 64), (96, 64), (128, 160)]
        return TrainLoader(
            self.dataset, yolo3_train(), self.spec, 4, sizes, seed=1, mixup=True, resize_interval=3, **options
        )

    def fault(self, text: str) -> None:
        """Count a fault, and keep the first ones."""
        self.counts["faults"] += 1
        if len(self.faults) < KEPT:
            self.faults.append(text[:400])

    def read(self, loader: TrainLoader, epoch: int, first: int, count: int) -> None:
        """Read batches and compare them with those that no worker made."""
        batches = loader.epoch(epoch, start_batch=first)
        try:
            for number in range(first, min(first + count, LENGTH)):
                if digest(next(batches)) != self.expected[epoch][number]:
                    self.fault(f"epoch {epoch}, batch {number}: other pixels or targets")
                self.counts["batches"] += 1
                faulthandler.dump_traceback_later(STALL, exit=True)
        finally:
            batches.close()

    def struck(self, strike: str, read: Callable[[], None], cause: Callable[[], str]) -> None:
        """Read until there is an error, or all was read; check the error's cause and its time."""
        try:
            read()
            self.counts["unharmed"] += 1
        except Exception as error:
            seconds = time.perf_counter() - self.at
            self.counts["errors"] += 1
            self.longest = max(self.longest, seconds)
            if not re.search(cause(), str(error)):
                self.fault(f"{strike}: {type(error).__name__} without its cause: {error}")
            elif seconds > SECONDS:
                self.fault(f"{strike}: an error after {seconds:.0f} s")

    at = 0.0  # of the last strike

    def processes(self) -> None:
        """Kill workers of one loader twice, and read on with it."""
        rng = self.rng
        loader = self.loader(workers=rng.randint(1, 4), worker_type="process")
        with loader:
            for strike in rng.sample(STRIKES, 2):
                epoch, first, killed = rng.randrange(EPOCHS), rng.randrange(LENGTH // 2), list[int]()
                self.at = time.perf_counter()

                def kill(delay: float, killed: list[int] = killed) -> None:
                    time.sleep(delay)
                    there = children()
                    chosen = there if rng.random() < 0.3 else there[-1:] if rng.random() < 0.5 else there[:1]
                    self.at = time.perf_counter()
                    for pid in chosen:
                        os.kill(pid, signal.SIGKILL)
                        killed.append(pid)

                def cause(killed: list[int] = killed) -> str:
                    return rf"number ({'|'.join(map(str, killed))})\) was killed by SIGKILL"

                if strike == "starting":
                    loader.close()
                else:
                    self.read(loader, epoch, first, rng.randint(1, 6))
                thread = threading.Thread(target=kill, args=(rng.uniform(0, 1),))
                thread.start()
                if strike in ("between", "closing"):
                    thread.join()
                if strike == "closing":
                    loader.close()
                    self.counts["unharmed"] += 1
                else:
                    self.struck(strike, lambda e=epoch, f=first: self.read(loader, e, f, LENGTH), cause)
                thread.join()
                self.counts["killed"] += len(killed)
                # Of a worker that was killed after its last batch the next epoch tells.
                self.struck("afterwards", lambda e=epoch: self.read(loader, e, 0, 2), cause)
        self.left()

    def threads(self) -> None:
        """Let an image fail, and read on with the same loader."""
        rng, failing = self.rng, self.dataset
        loader = self.loader(workers=rng.randint(1, 4))
        with loader:
            for _ in range(3):
                epoch, first, count = rng.randrange(EPOCHS), rng.randrange(LENGTH // 2), rng.randint(4, 20)
                order = loader._order(epoch)[4 * first : 4 * (first + count)]
                failing.at, failing.error = rng.choice(order), rng.choice(ERRORS)
                name = failing.name(failing.at)
                self.at = time.perf_counter()
                self.counts["killed"] += 1

                def cause(name: str = name, error: Exception = failing.error) -> str:
                    return f"{re.escape(name)}: .*{re.escape(str(error) or type(error).__name__)}"

                self.struck("image", lambda e=epoch, f=first: self.read(loader, e, f, LENGTH), cause)
                failing.at = -1
                self.struck("afterwards", lambda e=epoch: self.read(loader, e, 0, 2), cause)
        self.left()

    def left(self) -> None:
        """Count what a closed loader left behind."""
        end = time.monotonic() + SECONDS
        while (there := children() + loader_threads()) and time.monotonic() < end:
            time.sleep(0.01)
        if there:
            self.fault(f"left running: {there}")
        if more := {path.name for path in MEMORY.iterdir() if path.name.startswith(f"pym-{os.getpid()}")}:
            self.fault(f"left in {MEMORY}: {sorted(more)}")

    def _digests(self, epoch: int) -> list[str]:
        batches = self.loader(workers=0).epoch(epoch)
        return [digest(next(batches)) for _ in range(LENGTH)]


def digest(batch: Batch) -> str:
    """Return a digest of a batch's pixels and targets."""
    return hashlib.sha256(batch.images.tobytes() + batch.targets.tobytes()).hexdigest()


def children() -> list[int]:
    """Return the process ids of workers that run or start, the oldest first."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if b"spawn_main" in words:  # the other one is Python's tracker of resources; a zombie has none
                found.append(int(pid))
    return sorted(found)


def loader_threads() -> list[str]:
    """Return the names of the loader's threads."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("gluon_yolo-loader")]


def main() -> None:
    """Strike until so many batches were read."""
    folder, kind, wanted, seconds, seed = sys.argv[1], *sys.argv[2:6]
    dataset, _, names = open_datasets(DataRequest(data=folder))
    rounds = Rounds(Failing(dataset) if kind == "threads" else dataset, names, random.Random(int(seed)))
    started = time.perf_counter()
    faulthandler.dump_traceback_later(STALL, exit=True)
    while rounds.counts["batches"] < int(wanted) and time.perf_counter() - started < float(seconds):
        getattr(rounds, kind)()
    faulthandler.cancel_dump_traceback_later()
    answer = {"counts": rounds.counts, "longest": rounds.longest, "faults": rounds.faults}
    print(f"{ANSWER}{json.dumps({**answer, 'seconds': time.perf_counter() - started})}", flush=True)


if __name__ == "__main__":
    main()
