"""Trainings of seconds: a narrow network on a handful of small drawn images."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gluon_yolo.cli import main
from gluon_yolo.data.synthetic import generate
from gluon_yolo.inference.model_files import weights_of
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.training.checkpoint import Checkpoint
from gluon_yolo.training.metrics_csv import MetricsCSV

ROOT = Path(__file__).resolve().parents[1]
DOOR = [sys.executable, str(ROOT / "train_yolo3_mobilenet.py")]
NAME = "yolo3_mobilenet0.25_custom"
BATCH_SIZE, BATCHES = 4, 3
RANDOM_SHAPE = shlex.split(
    '--network mobilenet0_25 --gpus "" --data-shape 64 --pretrained-base no '
    f"--batch-size {BATCH_SIZE} --log-interval 1 --save-interval 2"
)
SMALL = [*RANDOM_SHAPE, "--no-random-shape"]


def draw_data(folder: Path) -> Path:
    """Draw ``BATCHES`` batches of images to train on, and three images to validate on."""
    return generate(folder / "shapes", images=15, size_hw=(96, 96))


def start_run(data: Path, out: Path, *flags: str, base: Sequence[str] = SMALL) -> tuple[int, Path]:
    """Train in this process; return the exit status and the run's folder."""
    status = main(["train", "--data-root", str(data), "--save-prefix", f"{out}/", *base, *flags])
    return status, out / f"{NAME}-1"


def parameters(run: Path) -> dict[str, np.ndarray]:
    """Return the parameters that a run saved last."""
    arrays = mx.nd.load(str(weights_of(run / "last")))
    return {name: array.asnumpy() for name, array in arrays.items()}


def rows(run: Path) -> list[dict[str, str]]:
    """Return the rows of a run's metrics without what depends on the machine's speed."""
    timed = ("seconds", "pictures_per_second")
    found = MetricsCSV(run / "metrics.csv").rows()
    return [{name: cell for name, cell in row.items() if name not in timed} for row in found]


def assert_equal_runs(one: Path, other: Path) -> None:
    """Compare what two runs saved last, their rows, and their callbacks' states."""
    expected, found = parameters(one), parameters(other)
    assert expected.keys() == found.keys()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    assert rows(other) == rows(one)
    progress = [Checkpoint(run / "weights").read() for run in (one, other)]
    assert progress[0] == progress[1]
