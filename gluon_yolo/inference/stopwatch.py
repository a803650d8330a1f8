"""Stopwatch: how long a runtime takes for a model, in a process of its own.

In one process runtimes disturb each other: each brings threads of its own, which wait by spinning or hold the
caller's thread to one core (seen: ncnn ten times slower after OpenVINO had run).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from gluon_yolo.inference import runtimes
from gluon_yolo.inference.decode import RawMaps
from gluon_yolo.inference.model_path import read_model
from gluon_yolo.inference.runtimes import Network

SECONDS = 0.6
CALLS = (3, 60)
GREY = 127
THRESHOLD = 0.3
ANSWER = "stopwatch: "  # before the answer: some runtimes print lines of their own


def measure(runtime: str, file: Path, size_hw: tuple[int, int], gpu: int | None = None) -> float:
    """Start a process that runs an exported model, and return the milliseconds of its shortest call.

    Args:
        runtime: a name of ``RUNTIMES``.
        file: the model's record.
        size_hw: of the picture in pixels.
        gpu: index of a GPU; None runs on the processor.

    Raises:
        RuntimeError: the model does not load or run there, with what its process said.
    """
    place = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join([place, *filter(None, [os.environ.get("PYTHONPATH")])])
    words = [runtime, str(file), *map(str, size_hw), *([] if gpu is None else [str(gpu)])]
    done = subprocess.run(
        [sys.executable, "-m", __name__, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONPATH": paths},
    )
    for line in done.stdout.splitlines():
        if line.startswith(ANSWER):
            answer = json.loads(line[len(ANSWER) :])
            if "error" in answer:
                raise RuntimeError(answer["error"])
            return answer["milliseconds"]
    said = done.stderr.strip().splitlines()
    raise RuntimeError(said[-1] if said else f"its process ended with {done.returncode}")


def shortest(network: Network, size_hw: tuple[int, int]) -> float:
    """Return the milliseconds of the shortest of some calls, after one that plans and wakes threads.

    From pixels to boxes. The shortest, since what else the machine does can only lengthen a call.
    """
    pixels = np.full((1, *size_hw, 3), GREY, dtype=np.uint8)
    _call(network, pixels)
    spent: list[float] = []
    while len(spent) < CALLS[0] or (sum(spent) < SECONDS and len(spent) < CALLS[1]):
        begin = time.perf_counter()
        _call(network, pixels)
        spent.append(time.perf_counter() - begin)
    return min(spent) * 1e3


def _call(network: Network, pixels: np.ndarray) -> None:
    given = network(pixels)
    if isinstance(given, RawMaps):
        given.above(THRESHOLD, 0)


def main(runtime: str, file: str, height: str, width: str, gpu: str | None = None) -> None:
    """Measure, and print the milliseconds, or what went wrong."""
    path = Path(file)
    try:
        record, _ = read_model(path)
        network = runtimes.load(runtime, record, path.parent, None if gpu is None else int(gpu))
        answer: dict[str, object] = {"milliseconds": shortest(network, (int(height), int(width)))}
    except Exception as error:  # whatever the runtime's package raises
        answer = {"error": str(error).strip() or type(error).__name__}
    print(ANSWER + json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
