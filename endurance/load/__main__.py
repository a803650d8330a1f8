"""Load: eight threads on one predictor, loader workers that are killed, four trainings at once.

a runtime   10,000 calls from eight threads: what one thread gives, with other options, sizes and new
            predictors between; "auto" is many threads and processes that load a model at once
processes   the loader's workers killed by SIGKILL during 1,000 batches; "threads": an error in an image
trainings   four at once: each has a quarter of half of its speed alone, or more

    python -m endurance.load [--calls N] [--batches N] [--minutes N] [--only NAME,NAME] [--seed S] [--out DIR]
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from endurance.flags import chosen, parser_of, shares
from endurance.jobs import OLD, ROOT
from endurance.load.threads import ANSWER, STALL, STALLED
from endurance.load.trainings import LEAST, WAYS, compare

RUNTIMES = ("mxnet", "onnxruntime", "openvino", "ncnn", "mnn", "torch", "opencv", "tflite")
FORMATS = "symbol,onnx,openvino,ncnn,mnn,tflite,caffe"
WORKERS = ("processes", "threads")
NAMES = (*RUNTIMES, "auto", *WORKERS, "trainings")
COPIES = 80  # of each picture: a sampler of many names is larger than a pipe's buffer
STARTS = 5  # processes in which all threads load a model at once
LONG = 86_400.0  # seconds, where there is no limit
TOGETHER = 60.0  # seconds of a measurement of trainings


def main() -> int:
    """Load each part, print a row each, and return 1 if there was a fault."""
    parser = parser_of(__doc__, "/tmp/endurance-load", NAMES)
    parser.add_argument("--calls", type=int, default=10_000, metavar="N", help="of a runtime")
    parser.add_argument("--batches", type=int, default=1_000, metavar="N", help="of each kind of workers")
    args = parser.parse_args()
    names, out = chosen(parser, args.only, NAMES), Path(args.out)
    shutil.rmtree(out, ignore_errors=True)
    prepare(out, names)
    faults = 0
    print(f"{'':14}{'':12}{'of these':>40}{'other bits':>12}{'longest s':>11}{'faults':>8}", flush=True)
    for name, until in shares(names, args.minutes):
        left = LONG if until is None else max(1.0, until - time.perf_counter())
        if name == "trainings":
            found = trainings(out, left)
        elif name in WORKERS:
            words = [str(out / "data"), name, str(args.batches), str(left), str(args.seed)]
            found = row(name, "batches", child("workers", words, out, left))
        else:
            found = runtime(name, out, args.calls, left, args.seed)
        for text in found:
            print(f"    {text}", flush=True)
        faults += len(found)
    print(f"{faults} faults" if faults else "no faults")
    return 1 if faults else 0


def prepare(out: Path, names: Sequence[str]) -> None:
    """Copy data of which there is much, and export the model for all runtimes."""
    shutil.copytree(OLD / "data", out / "data")
    for image in sorted((out / "data" / "images" / "train").iterdir()):
        label = out / "data" / "labels" / "train" / f"{image.stem}.txt"
        for number in range(COPIES if set(names) & set(WORKERS) else 0):
            shutil.copy(image, image.with_name(f"{image.stem}-{number}{image.suffix}"))
            shutil.copy(label, label.with_name(f"{label.stem}-{number}.txt"))
    if not set(names) - {*WORKERS, "trainings"}:
        return
    words = ["export", str(OLD / "run"), "--format", FORMATS, "--out", str(out / "model"), "--name", "tiny"]
    done = subprocess.run(
        [sys.executable, "-m", "gluon_yolo", *words], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"the model cannot be exported: {done.stderr}")


def runtime(name: str, out: Path, calls: int, left: float, seed: int) -> list[str]:
    """Load and call a model by one runtime; print a row, and return the faults."""
    faults = []
    for start in range(STARTS if left == LONG else 1):
        # Threads of one process, and of "auto" those of two processes, which share a cache that is empty.
        words = [str(out / "model"), name, "0", str(left), str(seed)]
        faults += child("threads", words, out / f"{name}-{start}", left, 2 if name == "auto" else 1)["faults"]
    words = [str(out / "model"), name, str(calls), str(left), str(seed)]
    return [*faults, *row(name, "calls", child("threads", words, out / name, left))]


def child(module: str, words: Sequence[str], place: Path, left: float, count: int = 1) -> dict[str, Any]:
    """Run a process of its own, or several at once; return the answer of the last, and all faults."""
    place.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", f"endurance.load.{module}", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GLUON_YOLO_CACHE": str(place / "cache")}
    started = [
        subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(count)
    ]
    answer: dict[str, Any] = {}
    faults: list[str] = []
    for process in started:
        try:
            text = process.communicate(timeout=None if left == LONG else left + 2 * STALL)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            text = process.communicate()[0]
        lines = [line for line in text.splitlines() if line.startswith(ANSWER)]
        if lines and not process.returncode:
            answer = json.loads(lines[-1][len(ANSWER) :])
            faults += answer["faults"]
            continue
        (place / "output.txt").write_text(text)
        stalled = "nothing went on; all stacks" if process.returncode in (1, STALLED) else "its output"
        faults.append(f"ended with {process.returncode}: {stalled} are in {place / 'output.txt'}")
    return {"counts": {}, "longest": 0.0, **answer, "faults": faults}


def row(name: str, of: str, found: dict[str, Any]) -> list[str]:
    """Print the row of a part; return its faults."""
    counts, faults = dict(found["counts"]), found["faults"]
    others, bits = counts.pop(of, 0), counts.pop("other bits", 0)
    counts.pop("faults", None)
    shown = ("errors", "new", "size") if of == "calls" else ("killed", "errors", "unharmed")
    parts = ", ".join(f"{counts.get(key, 0)} {key}" for key in shown)
    shown_bits = f"{bits} ({found['largest']:.1g})" if bits else "0" if of == "calls" else ""
    print(
        f"{name:14}{others:>7} {of:8}{parts:>36}{shown_bits:>12}{found['longest']:>11.1f}{len(faults):>8}",
        flush=True,
    )
    return faults


def trainings(out: Path, left: float) -> list[str]:
    """Compare trainings at once with one alone; print a row for each way of waiting, and return faults."""
    seconds = TOGETHER if left == LONG else max(5.0, left / len(WAYS) / 4)
    faults = []
    for number, (name, way) in enumerate(WAYS.items()):
        load = os.getloadavg()[0]
        found = compare(out / f"way-{number}", way, seconds)
        parts = " ".join(f"{part:.2f}" for part in found.parts)
        print(
            f"{'trainings':14}{name:22}{found.alone:6.2f} steps/s alone; of that each of four has {parts} "
            f"(least {LEAST:.3f}; load {load:.1f})",
            flush=True,
        )
        if not way and min(found.parts) < LEAST:
            faults.append(f"{min(found.parts):.2f} of the speed alone, expected {LEAST:.3f} or more")
    return faults


if __name__ == "__main__":
    sys.exit(main())
