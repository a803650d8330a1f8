"""Eight threads on one ``Predictor``: the process of one runtime, which prints a line of JSON.

First all threads load the model at once, in a process that has imported no runtime yet. Then each call
takes a predictor and an input at random: the predictor, others of the same network with other options, one
of another size, a new one, or an input that is an error. What one thread gave before is expected, with
``left_out``, which is each thread's own.

    python -m endurance.load.threads MODEL RUNTIME CALLS SECONDS SEED
"""

from __future__ import annotations

import contextlib
import faulthandler
import itertools
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from gluon_yolo import Predictor
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError

THREADS = 8
STALL = 180.0  # seconds without the end of a call: a deadlock
CLOSE = 1e-3  # pixels, and of scores, where a runtime's sums depend on its threads
KEPT = 5  # faults that are told
SIZE = (96, 64)  # another input, where the format takes any
STALLED = 3  # exit status
ANSWER = "answer: "
Result = tuple[list[Detections], tuple[float, ...]]


class Call(NamedTuple):
    """One call, with what one thread gave.

    Args:
        way: the name of the predictor.
        predictor: of it.
        image: its argument.
        expected: detections and ``left_out``.
    """

    way: str
    predictor: Predictor
    image: Any
    expected: Result


class Tally:
    """What the threads count together."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self.largest = 0.0
        self.longest = 0.0
        self._lock = threading.Lock()

    def add(self, name: str, seconds: float, difference: float, fault: str) -> None:
        """Count a call that has ended."""
        with self._lock:
            self.counts["calls"] += 1
            self.counts[name] += 1
            self.counts["other bits"] += difference > 0
            self.counts["faults"] += bool(fault)
            self.largest = max(self.largest, difference)
            self.longest = max(self.longest, seconds)
            if fault and len(self.faults) < KEPT:
                self.faults.append(fault)


def result_of(predictor: Predictor, image: Any) -> Result:
    """Call a predictor; return what it found in each image, and what its limits cut off."""
    found = predictor(image)
    return (list(found) if isinstance(image, list) else [found]), predictor.left_out


def difference(given: Result, expected: Result) -> float:
    """Return the largest difference of boxes and scores, 0 for the same bits; infinite for other objects."""
    if [len(one) for one in given[0]] != [len(one) for one in expected[0]]:
        return float("inf")
    if len(given[1]) != len(expected[1]):
        return float("inf")
    parts = [np.subtract(given[1], expected[1])]
    for one, other in zip(given[0], expected[0]):
        if not np.array_equal(one.class_ids, other.class_ids) or one.class_names != other.class_names:
            return float("inf")
        parts += [(one.boxes - other.boxes).ravel(), one.scores - other.scores]
    return max(float(np.abs(part).max()) for part in parts if part.size) if any(map(np.size, parts)) else 0.0


def pictures(folder: Path) -> list[Path]:
    """Return the pictures in the model's folder of data."""
    return sorted((folder.parent / "data").rglob("*.png"))


def inputs(paths: Sequence[Path]) -> list[Any]:
    """Return files, arrays of several sizes, and lists that are one or two batches."""
    arrays = [cv2.imread(str(path))[:, :, ::-1] for path in paths]
    sized = [
        cv2.resize(array, (48 + 23 * number, 150 - 11 * number)) for number, array in enumerate(arrays[:8])
    ]
    return [*map(str, paths[:6]), *sized, arrays[8:11], [*sized, paths[12]]]


WRONG: tuple[tuple[Any, str], ...] = (
    ("/nowhere/at/all.png", "/nowhere/at/all.png"),
    (np.zeros((3, 40, 40), np.int64), "64"),
    ([np.zeros((40, 40, 3), np.uint8), "/nowhere.jpg"], "/nowhere.jpg"),
    ("not an image", "not an image"),
)


def together(work: Callable[[int], None]) -> list[threading.Thread]:
    """Start the threads, which begin at once."""
    barrier = threading.Barrier(THREADS)

    def begin(number: int) -> None:
        barrier.wait()
        work(number)

    threads = [threading.Thread(target=begin, args=(number,), daemon=True) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    return threads


def watch(threads: Sequence[threading.Thread], progress: Callable[[], int]) -> None:
    """Wait for the threads; end the process with all stacks where nothing goes on."""
    before, since = progress(), time.monotonic()
    while any(thread.is_alive() for thread in threads):
        next(thread for thread in threads if thread.is_alive()).join(0.2)
        if progress() != before:
            before, since = progress(), time.monotonic()
        elif time.monotonic() - since > STALL:
            faulthandler.dump_traceback(all_threads=True)
            os._exit(STALLED)


def load_at_once(folder: Path, runtime: str, image: Any) -> tuple[list[Predictor], list[str]]:
    """Load the model in all threads at once, and call it there; return the predictors and faults."""
    made: list[tuple[Predictor, Result]] = []
    faults: list[str] = []

    def work(number: int) -> None:
        try:
            predictor = Predictor.load(folder, runtime, score_threshold=0.05)
            made.append((predictor, result_of(predictor, image)))
        except BaseException as error:
            faults.append(f"loaded by all threads at once: {type(error).__name__}: {error}")

    watch(together(work), lambda: len(made) + len(faults))
    for predictor, given in made[1:]:
        if predictor.runtime == made[0][0].runtime and difference(given, made[0][1]) > CLOSE:
            faults.append("loaded by all threads at once: they found other objects")
    return [predictor for predictor, _ in made], faults


def predictors(plain: Predictor, folder: Path, runtime: str) -> dict[str, Predictor]:
    """Return predictors of one network with different options, and one of another size where there is one."""
    first = plain.class_names[0]
    made = {
        "plain": plain,
        "agnostic": plain.replace(nms="agnostic", score_threshold=0.3, nms_threshold=0.2),
        "one class": plain.replace(classes_only=[first]),
        "one object": plain.replace(max_detections=1),
        "tiles": plain.replace(tile=32, overlap=0.25, tile_whole=True),
        "batches": plain.replace(batch_size=3),
    }
    with contextlib.suppress(UserError):  # a file of one size
        made["size"] = Predictor.load(folder, runtime, size_hw=SIZE, score_threshold=0.05)
    return made


def loaded(
    calls: Sequence[Call], folder: Path, runtime: str, count: int, seconds: float, seed: int
) -> tuple[Tally, float]:
    """Make calls from all threads; return what was counted, and the seconds."""
    tally, numbers = Tally(), itertools.count()
    plain = [call for call in calls if call.way == "plain"]
    started = time.perf_counter()

    def work(_: int) -> None:
        while (number := next(numbers)) < count and time.perf_counter() - started < seconds:
            rng = np.random.default_rng((seed, number))
            kind, begin = rng.random(), time.perf_counter()
            apart, fault = 0.0, ""
            call = calls[rng.integers(len(calls))] if kind > 0.5 else plain[rng.integers(len(plain))]
            name = call.way
            try:
                if kind > 0.96:
                    name, fault = "errors", wrong_call(call.predictor, rng)
                else:
                    predictor = call.predictor
                    if kind < 0.01:
                        name = "new"
                        predictor = Predictor.load(folder, runtime, score_threshold=0.05)
                    apart = difference(result_of(predictor, call.image), call.expected)
                    fault = f"{name}: {apart:.3g} from one thread's" if apart > CLOSE else ""
            except BaseException as error:
                fault = f"{name}: {type(error).__name__}: {error}"[:300]
            tally.add(name, time.perf_counter() - begin, apart, fault)

    watch(together(work), lambda: tally.counts["calls"])
    return tally, time.perf_counter() - started


def wrong_call(predictor: Predictor, rng: np.random.Generator) -> str:
    """Call a predictor with what is no image; return what is wrong with its error."""
    image, named = WRONG[rng.integers(len(WRONG))]
    try:
        predictor(image)
    except (UserError, ValueError, TypeError) as error:
        return "" if named in str(error) else f"an error that does not name {named}: {error}"
    return f"no error for {named}"


def main() -> None:
    """Load a model by one runtime, and call it from all threads."""
    folder, runtime = Path(sys.argv[1]), sys.argv[2]
    count, seconds, seed = int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])
    given = inputs(pictures(folder))
    made, faults = load_at_once(folder, runtime, given[0])
    answer: dict[str, Any] = {"runtime": made[0].runtime if made else "", "seconds": 0.0}
    if made and count:
        ways = predictors(made[0], folder, runtime)
        calls = [Call(way, one, image, result_of(one, image)) for way, one in ways.items() for image in given]
        if not sum(len(one) for call in calls for one in call.expected[0]):
            faults.append("nothing is found in any picture: this would compare nothing")
        tally, answer["seconds"] = loaded(calls, folder, runtime, count, seconds, seed)
        answer |= {"largest": tally.largest, "longest": tally.longest, "counts": tally.counts}
        faults += tally.faults
    print(f"{ANSWER}{json.dumps({**answer, 'faults': faults})}", flush=True)


if __name__ == "__main__":
    main()
