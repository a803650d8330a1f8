"""Process workers: other processes make samples in parallel, and draw them into shared memory."""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import shutil
import signal
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import islice
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from typing import Any

import cv2
import numpy as np

from gluon_yolo.data.loading.sampler import Job
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.system import interpreter

Make = Callable[[Job, np.ndarray], np.ndarray]

_SECONDS_TO_END = 3.0
SHARED = "/dev/shm"


class ProcessWorkers:
    """Worker processes that run as long as this object exists, and end with it or with its process.

    A worker receives a job through its pipe and sends the sample's targets; the pixels, most of a sample's
    bytes, are in shared memory. Workers are started by "spawn", not by fork: a fork copies locks of mxnet's
    threads in any state. Jobs are dealt in turn, so answers arrive in order. A worker ends when its pipe
    closes, so none survives a parent that was killed.

    ``make`` goes through the pipe too. As an argument of the process, Python would write it to a pipe whose
    other end it has open itself: where a worker dies before it has read all, that waits for ever.

    Args:
        make: makes a sample. Its exceptions must be picklable, as those of
            :class:`gluon_yolo.data.loading.sampler.Sampler` are; it is pickled itself.
        workers: number of processes.
        ahead: maximum number of samples that are finished or in progress besides the consumer's.
        sample_bytes: size of the largest sample's pixels.

    Raises:
        UserError: there is no room for the shared memory, or a worker died while it started.
    """

    def __init__(self, make: Make, workers: int, ahead: int, sample_bytes: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._sample_bytes = sample_bytes
        self._slots = max(ahead, workers)
        check_room(self._slots * sample_bytes)
        pickled = pickle.dumps(make)
        # Memory without a name in the file system: it is freed with the last process that uses it.
        self._memory = context.RawArray("B", self._slots * sample_bytes)
        self._pixels = np.frombuffer(self._memory, dtype=np.uint8)
        self._workers = []
        for number in range(workers):
            parent_end, worker_end = context.Pipe()
            process = context.Process(
                target=_serve,
                args=(worker_end, self._memory, sample_bytes),
                name=f"gluon_yolo-loader-{number}",
                daemon=True,
            )
            with interpreter.safe_path():
                process.start()
            worker_end.close()
            self._workers.append((process, parent_end))
        for number in range(workers):  # after all have started: sending waits until a worker reads
            self._send(number, pickled)

    @property
    def pids(self) -> list[int]:
        """The workers' process ids; empty after :meth:`close`, or after one of them died."""
        return [process.pid or 0 for process, _ in self._workers]

    def run(
        self, jobs: Iterable[tuple[Job, np.ndarray]]
    ) -> Generator[tuple[np.ndarray, np.ndarray], None, None]:
        """Yield each job's array, filled with its pixels, and its targets (M, 12), in order.

        Args:
            jobs: each with an array (H, W, 3) uint8 for its pixels; read ahead of their use.

        Raises:
            UserError: a worker died, or an image cannot be read.
            RuntimeError: another error happened with an image.
        """
        source = enumerate(jobs)
        pending: deque[tuple[int, np.ndarray]] = deque()

        def send(count: int) -> None:
            for number, (job, out) in islice(source, count):
                self._send(number, pickle.dumps((job, number % self._slots)))
                pending.append((number, out))

        try:
            send(self._slots)
            while pending:
                number, out = pending.popleft()
                answer = self._receive(number)
                if isinstance(answer, Exception):
                    raise answer
                np.copyto(out, self._slot(number % self._slots, out.shape))
                send(1)
                yield out, answer
        finally:
            self._drain([number for number, _ in pending])

    def _drain(self, numbers: Iterable[int]) -> None:
        """Wait for jobs in progress, whose answers would mix with those of the next epoch."""
        for number in numbers:
            if self._workers:  # empty after one died
                with contextlib.suppress(UserError):
                    self._receive(number)

    def close(self) -> None:
        """End the workers, and wait until they have ended."""
        for _, connection in self._workers:
            connection.close()
        for process, _ in self._workers:
            process.join(_SECONDS_TO_END)
            if process.is_alive():
                process.kill()
                process.join()
        self._workers = []

    def _slot(self, number: int, shape: tuple[int, ...]) -> np.ndarray:
        return _slot(self._pixels, number, self._sample_bytes, shape)

    def _send(self, number: int, message: bytes) -> None:
        _, connection = self._workers[number % len(self._workers)]
        try:
            connection.send_bytes(message)
        except OSError as error:
            raise self._died(number) from error

    def _receive(self, number: int) -> Any:
        """Return the next answer of the worker with a job, without a time limit unless the worker dies."""
        process, connection = self._workers[number % len(self._workers)]
        wait([connection, process.sentinel])
        try:
            if connection.poll():
                return connection.recv()
        except (OSError, EOFError) as error:
            raise self._died(number) from error
        raise self._died(number)

    def _died(self, number: int) -> UserError:
        """End all workers, and return the error about the one that died."""
        process, _ = self._workers[number % len(self._workers)]
        process.join(_SECONDS_TO_END)
        code, pid = process.exitcode, process.pid
        self.close()
        what = f"ended with status {code}, see what it printed"
        if code is not None and code < 0:
            what = f"was killed by {signal.Signals(-code).name}"
        if code in (-signal.SIGKILL, -signal.SIGBUS):  # SIGBUS when shared memory is full
            what += ", as the system does when memory runs out"
        return SettingError(
            f"a process that prepares pictures (number {pid}) {what}. Give fewer of them (-j), smaller "
            "pictures, or threads ({worker_type} thread), which share one memory"
        )


def check_room(size: int, places: Sequence[str | None] = (SHARED, None)) -> None:
    """Check that there is room for shared memory; without room, the first write to it kills the process.

    Args:
        size: in bytes.
        places: the folders in which Python creates it, in order of preference; None is the folder of
            temporary files.

    Raises:
        UserError: there is no room.
    """
    free = {}
    for place in (place or tempfile.gettempdir() for place in places):
        with contextlib.suppress(OSError):
            free[place] = shutil.disk_usage(place).free
    if free and size > max(free.values()):
        rooms = " and ".join(f"{room / 1e6:.0f} MB in {place}" for place, room in free.items())
        raise SettingError(
            f"the processes that prepare pictures share {size / 1e6:.0f} MB, and there is room for {rooms}. "
            "Give threads ({worker_type} thread), a smaller {batch_size}, or room (docker run --shm-size)"
        )


def _slot(pixels: np.ndarray, number: int, sample_bytes: int, shape: tuple[int, ...]) -> np.ndarray:
    start = number * sample_bytes
    return pixels[start : start + int(np.prod(shape))].reshape(shape)


def _serve(connection: Connection, memory: Any, sample_bytes: int) -> None:
    """Run a worker: read what makes samples from the pipe, then make those of its jobs until it closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; only the parent reacts
    cv2.setNumThreads(0)
    pixels = np.frombuffer(memory, dtype=np.uint8)
    # A pipe holds few bytes. If this thread sent the answers, the worker could wait for its parent to read
    # one, while the parent waits for the worker to read a job.
    answers: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_send_all, args=(connection, answers), daemon=True).start()
    messages = _messages(connection)
    make: Make | None = next(messages, None)
    for job, slot in messages:
        assert make is not None
        try:
            answer: Any = make(job, _slot(pixels, slot, sample_bytes, (*job.size_hw, 3)))
        except Exception as error:
            answer = error
        answers.put(pickle.dumps(answer))


def _messages(connection: Connection) -> Iterator[Any]:
    """Yield what the parent sends, until it closes the pipe."""
    while True:
        try:
            message = connection.recv_bytes()
        except (EOFError, OSError):
            return
        yield pickle.loads(message)


def _send_all(connection: Connection, answers: SimpleQueue[bytes]) -> None:
    """Send the answers of the queue until the pipe is closed."""
    with contextlib.suppress(OSError):
        while True:
            connection.send_bytes(answers.get())
