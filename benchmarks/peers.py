"""Processes that do the same work in turns, so that other load on the machine affects all of them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

WARM_UP = 2
ANSWER = "answer: "  # before what is one: some runtimes print lines of their own
OURS, THEIRS, THEIRS_OUR_THREADS = "ours", "GluonCV", "GluonCV, our threads"


class Workers:
    """Processes that each answer questions, one at a time.

    Args:
        commands: by name, the words of the process's command line and what its environment has besides ours.
    """

    def __init__(self, commands: Mapping[str, tuple[Sequence[str], Mapping[str, str]]]) -> None:
        self._workers = {
            name: subprocess.Popen(
                [sys.executable, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, **environment},
            )
            for name, (words, environment) in commands.items()
        }

    def ask(self, name: str, question: str = "time") -> Any:
        """Have one process answer a question."""
        worker = self._workers[name]
        worker.stdin.write(question + "\n")
        worker.stdin.flush()
        for line in worker.stdout:
            if line.startswith(ANSWER):
                return json.loads(line[len(ANSWER) :])
        raise SystemExit(f"{name}: the process ended; its error is printed above")

    def take_turns(self, rounds: int) -> dict[str, list[Any]]:
        """Have each process answer ``time`` once a round; return the answers by name."""
        answers: dict[str, list[Any]] = {name: [] for name in self._workers}
        for _ in range(rounds):
            for name in self._workers:
                answers[name].append(self.ask(name))
        return answers

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers.values():
            with contextlib.suppress(BrokenPipeError):  # of one that ended by itself
                worker.stdin.close()
            worker.wait()


class Sides(Workers):
    """Us, GluonCV with its own defaults, and GluonCV with our number of threads.

    Args:
        script: the benchmark's file, which serves a side when called with ``--side ours`` or ``gluoncv``.
        words: the arguments that every side gets.
    """

    def __init__(self, script: str, words: list[str]) -> None:
        from gluon_yolo.system.cpu import physical_cores

        ours = os.environ.get("OMP_NUM_THREADS", str(physical_cores()))
        self.threads = {
            OURS: ours,
            THEIRS: os.environ.get("OMP_NUM_THREADS", "mxnet's own"),
            THEIRS_OUR_THREADS: ours,
        }
        super().__init__({
            OURS: ([script, "--side", "ours", *words], {}),
            THEIRS: ([script, "--side", "gluoncv", *words], {}),
            THEIRS_OUR_THREADS: ([script, "--side", "gluoncv", *words], {"OMP_NUM_THREADS": ours}),
        })  # fmt: skip


def serve(answers: dict[str, Callable[[], Any]]) -> int:
    """Be a side: for each question on standard input print its answer as JSON."""
    for _ in range(WARM_UP):
        answers["time"]()
    for line in sys.stdin:
        print(ANSWER + json.dumps(answers[line.strip()]()), flush=True)
    return 0


def import_gluoncv():
    """Import mxnet and GluonCV with only NumPy's removed names prepared; threads are left to mxnet."""
    from gluon_yolo import numpy_compat

    numpy_compat.restore()
    import mxnet

    sys.modules.setdefault("torch", None)
    import gluoncv

    return mxnet, gluoncv


class GluonCVDetector:
    """GluonCV's way from an image file to boxes, as its demo goes it; of this package, NumPy's names only.

    Args:
        network: a detector of its zoo.
        weights: a ``.params`` file.
        size: side of the square input, in pixels.
        score_threshold: detections at or below it are left out.
    """

    def __init__(self, network: str, weights: Path, size: int, score_threshold: float) -> None:
        self._mx, gluoncv = import_gluoncv()
        self._net = gluoncv.model_zoo.get_model(network, pretrained_base=False)
        self._net.load_parameters(str(weights))
        self._net.hybridize()
        self._resize = gluoncv.data.transforms.image.imresize
        self._size, self._threshold = size, score_threshold

    def fit(self, picture: str) -> tuple[Any, tuple[int, int]]:
        """Return an image file as the network's input, and the image's width and height."""
        image = self._mx.nd.image
        pixels = self._mx.image.imread(picture)
        height, width = pixels.shape[:2]
        pixels = image.to_tensor(self._resize(pixels, self._size, self._size, interp=9))
        pixels = image.normalize(pixels, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
        return pixels.expand_dims(0), (width, height)

    def network(self, pixels: Any) -> tuple[Any, Any, Any]:
        """Return ids, scores and boxes as arrays: its network decodes and suppresses."""
        return tuple(output[0].asnumpy() for output in self._net(pixels))

    def __call__(self, picture: str) -> list[list[float]]:
        """Return rows of class, score, corners in the image's pixels."""
        pixels, (width, height) = self.fit(picture)
        ids, scores, boxes = self.network(pixels)
        kept = scores[:, 0] > self._threshold
        boxes[:, 0::2] *= width / self._size
        boxes[:, 1::2] *= height / self._size
        rows = zip(ids[kept, 0], scores[kept, 0], boxes[kept].clip(0, [width, height] * 2))
        return [[int(c), float(s), *map(float, box)] for c, s, box in rows]
