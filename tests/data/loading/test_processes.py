"""Process workers: the batches of threads, an error with its cause when one dies, none left running."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from multiprocessing.context import SpawnProcess
from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.data.loading.loader import TrainLoader
from gluon_yolo.data.loading.processes import ProcessWorkers
from gluon_yolo.data.loading.sampler import Job
from gluon_yolo.data.transforms import Mosaic, light_train
from gluon_yolo.errors import UserError
from gluon_yolo.spec import DetectionSpec
from tests.data.loading.test_loader import Memory, assert_equal, loader
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[3]


def is_running(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pids: list[int]) -> list[int]:
    """Return the processes that still exist after much more time than they need to end."""
    wait_until(lambda: not any(map(is_running, pids)))
    return [pid for pid in pids if is_running(pid)]


def test_processes_give_the_batches_of_threads_and_end_with_the_loader() -> None:
    options = {"sizes_hw": [(64, 64), (96, 64)], "resize_interval": 1, "seed": 3, "mixup": True}
    options["transform"] = Mosaic(light_train(), probability=0.5)
    wanted = [list(loader(Memory(17), workers=0, **options).epoch(epoch)) for epoch in (0, 1)]
    with loader(Memory(17), workers=2, worker_type="process", **options) as processes:
        assert_equal(wanted[0], list(processes.epoch(0)))
        pids = processes._processes.pids
        assert len(set(pids)) == 2 and all(map(is_running, pids))
        # An epoch that is left early does not change the next one.
        batches = processes.epoch(0)
        next(batches)
        batches.close()
        assert_equal(wanted[1], list(processes.epoch(1)))
        assert_equal(wanted[1][2:], list(processes.epoch(1, start_batch=2)))
        assert processes._processes.pids == pids
    assert not any(map(is_running, pids))


def test_batches_are_the_consumers_to_keep() -> None:
    with loader(Memory(32), workers=1, worker_type="process") as processes:
        kept = [(batch.images, batch.images.copy()) for batch in processes.epoch(0)]
    for images, copy in kept:
        np.testing.assert_array_equal(images, copy)


def _large_answer(job: Job, out: np.ndarray, names: bytes = b"") -> np.ndarray:
    out[:] = job.index % 256
    return np.full((100, 12), job.index, dtype=np.float32)


def test_neither_jobs_nor_answers_fill_the_pipe() -> None:
    """A pipe holds some 280 jobs or 40 such answers: more waiting ones must not block either side."""
    count = 1000
    jobs = ((Job(0, i, 0, False, (2, 2)), np.empty((2, 2, 3), dtype=np.uint8)) for i in range(count))
    workers = ProcessWorkers(_large_answer, 1, ahead=count, sample_bytes=12)
    found = [(int(pixels[0, 0, 0]), int(targets[0, 0])) for pixels, targets in workers.run(jobs)]
    workers.close()
    assert found == [(i % 256, i) for i in range(count)]


def test_a_killed_worker_is_an_error_with_its_cause_within_seconds() -> None:
    with loader(Memory(400, delay=0.002), workers=2, worker_type="process") as processes:
        batches = processes.epoch(0)
        next(batches)
        pids = processes._processes.pids
        os.kill(pids[1], signal.SIGKILL)
        start = time.monotonic()
        with pytest.raises(UserError, match=rf"number {pids[1]}\) was killed by SIGKILL.*memory.*-j"):
            for _ in batches:
                pass
        assert time.monotonic() - start < 60
        assert wait_until_gone(pids) == []
        # After an error the workers can be used again.
        assert len(next(processes.epoch(1)).names) == 4


def test_a_worker_that_is_killed_while_it_starts_is_an_error_too(monkeypatch) -> None:
    """As an argument of the process, a sampler larger than a pipe's buffer waited for ever for its reader."""
    start = SpawnProcess.start

    def start_and_kill(process: SpawnProcess) -> None:
        start(process)
        os.kill(process.pid, signal.SIGKILL)

    monkeypatch.setattr(SpawnProcess, "start", start_and_kill)
    large = functools.partial(_large_answer, names=bytes(4 << 20))
    with pytest.raises(UserError, match=r"number \d+\) was killed by SIGKILL.*memory.*-j"):
        ProcessWorkers(large, 2, ahead=2, sample_bytes=12)
    assert not [child for child in multiprocessing.active_children() if child.name.startswith("gluon_yolo-")]


def test_errors_name_the_image() -> None:
    cases = [
        # what the image raises, what the consumer gets
        (UserError("cut short"), UserError, r"^folder/005\.jpg: cut short$"),
        (ValueError("no colour"), RuntimeError, r"^folder/005\.jpg: ValueError: no colour$"),
    ]
    for raised, expected, message in cases:
        with loader(Memory(8, {5: raised}), workers=1, worker_type="process") as processes:
            with pytest.raises(expected, match=message):
                list(processes.epoch(0))


SCRIPT = """
import signal, sys, time
sys.path.insert(0, {root!r})
from tests.data.loading.test_loader import Memory, loader
if __name__ == "__main__":
    # A job that a shell has in the background ignores Ctrl-C, and so would its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    processes = loader(Memory(4000, delay=0.001), workers=2, worker_type="process")
    for batch in processes.epoch(0):
        print(*processes._processes.pids, flush=True)
        time.sleep(0.05)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_its_parent(tmp_path: Path, number: signal.Signals) -> None:
    script = tmp_path / "parent.py"
    script.write_text(SCRIPT.format(root=str(ROOT)))
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) == 2 and all(map(is_running, pids)), parent.stderr.read() if not pids else pids
    if number == signal.SIGINT:  # as a terminal does: to the whole group
        os.killpg(parent.pid, number)
    else:
        parent.send_signal(number)
    _, errors = parent.communicate(timeout=120)
    assert wait_until_gone(pids) == []
    # The message is the parent's own, not a worker's.
    assert errors.count("Traceback") == (1 if number == signal.SIGINT else 0), errors


def test_wrong_use_is_said() -> None:
    with pytest.raises(ValueError, match="worker_type: expected one of"):
        TrainLoader(Memory(3), light_train(), DetectionSpec(("a",)), 1, [(64, 64)], worker_type="fork")
