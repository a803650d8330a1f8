"""Both engines beside each other: trainings of a data set with the recommended recipe, by seeds.

Each training is a process of its own, as a user starts it; the engines take turns, seed by seed. The table
has the scores of the best epoch and of the last one, and the time of the steps and of the whole training,
then the mean and the sample standard deviation over the seeds for each engine.

    python benchmarks/engines.py [--data DIR] [--network NAME|CFG] [--weights FILE] [--seeds 1,2,3]
        [--epochs N] [--threads N] [--engines mxnet,torch] [--out DIR] [-- --any-flag-of-train ...]
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from alive import alive

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("GLUON_YOLO_DATA", ROOT.parent / "shared" / "data"))
SCORES = ("fitness", "AP", "AP50", "VOC07_mAP50")


class Training(NamedTuple):
    """One training's numbers: scores of its best and its last epoch, seconds of its steps and of all."""

    best: tuple[float, ...]
    last: tuple[float, ...]
    steps_s: float
    whole_s: float


def main() -> int:
    """Train by each engine with each seed, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    small = DATA / "darknet" / "nano-voc" / "MobileNetV2-YOLOv3-Nano-voc"
    parser.add_argument("--data", default=str(DATA / "bccd" / "BCCD"), metavar="DIR", help="(default: BCCD)")
    parser.add_argument("--network", default=f"{small}.cfg", metavar="NAME|CFG", help="(default: Nano)")
    parser.add_argument(
        "--weights", default=f"{small}.weights", metavar="FILE", help='to start from, or "" (default: VOC\'s)'
    )
    parser.add_argument("--seeds", default="1,2,3", metavar="N,N", help="(default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=30, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--engines", default="mxnet,torch", metavar="NAMES", help="(default: %(default)s)")
    parser.add_argument("--out", metavar="DIR", help="where the runs are kept (default: nowhere)")
    parser.add_argument("flags", nargs="*", help="further flags of train, behind --")
    args = parser.parse_args()
    engines, seeds = args.engines.split(","), [int(word) for word in args.seeds.split(",")]
    print(f"{Path(args.data).name}, {Path(args.network).stem}, {args.epochs} epochs, {args.threads} threads")
    columns = [*(f"best {name}" for name in SCORES), *(f"last {name}" for name in SCORES)]
    print(f"{'engine':8}{'seed':>14}" + "".join(f"{name:>18}" for name in (*columns, "steps s", "whole s")))
    found: dict[str, list[Training]] = {engine: [] for engine in engines}
    with tempfile.TemporaryDirectory() as scratch:
        for seed in seeds:
            for engine in engines:
                folder = Path(args.out or scratch) / f"{engine}-{seed}"
                found[engine].append(train(engine, seed, folder, args))
                print_row(engine, str(seed), numbers_of(found[engine][-1]))
    for engine in engines:
        rows = [numbers_of(training) for training in found[engine]]
        print_row(engine, "mean", np.mean(rows, axis=0))
        print_row(engine, "spread", np.std(rows, axis=0, ddof=min(1, len(rows) - 1)))
    return 0


def train(engine: str, seed: int, folder: Path, args: argparse.Namespace) -> Training:
    """Train in a process of its own, and read its numbers."""
    words = ["--data", args.data, "--network", args.network, "--recipe", "small-data", "--gpus", ""]
    words += ["--weights", args.weights] if args.weights else ["--pretrained-base", "no"]
    words += ["--engine", engine, "--seed", str(seed), "--epochs", str(args.epochs)]
    words += ["--save-prefix", f"{folder}/", "--save-interval", "0", *args.flags]
    environment = {**os.environ, "OMP_NUM_THREADS": str(args.threads)}
    start = time.perf_counter()
    command = [sys.executable, "-m", "gluon_yolo", "train", *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    whole = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    (metrics,) = folder.glob("*/metrics.csv")
    with metrics.open() as file:
        rows = list(csv.DictReader(file))
    scored = [row for row in rows if row[SCORES[0]]]
    best = max(scored, key=lambda row: float(row[SCORES[0]]))
    ends = [tuple(float(row[name]) for name in SCORES) for row in (best, scored[-1])]
    return Training(*ends, sum(float(row["seconds"]) for row in rows), whole)


def numbers_of(training: Training) -> list[float]:
    """Return the columns of a training."""
    return [*training.best, *training.last, training.steps_s, training.whole_s]


def print_row(engine: str, seed: str, numbers: Sequence[float] | np.ndarray) -> None:
    """Print scores with four digits, and seconds with one."""
    words = [f"{number:18.4f}" for number in numbers[:-2]] + [f"{number:18.1f}" for number in numbers[-2:]]
    print(f"{engine:8}{seed:>14}{''.join(words)}", flush=True)


if __name__ == "__main__":
    sys.exit(alive(main))
