"""Ablation: trainings that differ in one option, over seeds; mean and spread of their scores.

A plan names its trainings. Each of the data sets, BCCD and raccoon, has two divisions. `choose` is a part of
the training images: it never sees the images that a plan reports on, and options are chosen by it alone.
`report` is what docs/training.md shows: BCCD trainval to test; raccoon divided 160 / 40 by `data split --seed
0`. Only the last epoch is validated, so that no epoch is selected by the images that judge.

Each training is a process of its own, as a user starts it. Its numbers are kept in OUT/results.jsonl, and a
second start goes on where the first one ended, in the middle of a training too.

    python benchmarks/ablation.py PLAN [--out DIR] [--data DIR] [--seeds 1,2,3] [--only NAME,NAME]
        [--sets bccd,raccoon] [--threads N]
    python benchmarks/ablation.py PLAN --out DIR --table
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from alive import alive

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("GLUON_YOLO_DATA", ROOT.parent / "shared" / "data"))
SCORES = ("VOC07_mAP50", "AP", "AP50")
SETS = ("bccd", "raccoon")


class Case(NamedTuple):
    """One line of a table: a name, and what its trainings add to the command."""

    name: str
    flags: str


class Plan(NamedTuple):
    """Trainings to compare: each case on each data set, with each seed."""

    purpose: str
    division: str
    flags: str
    cases: Sequence[Case]
    sets: Sequence[str] = SETS


SMALL = "--network mobilenet0_25 --recipe small-data --pretrained-base no --data-shape 224 --epochs 20"
SCRATCH = "--recipe small-data --pretrained-base no"
V1 = (
    "--network mobilenet1_0 --pretrained-base {data}/imagenet/mobilenetv1_100.safetensors --recipe small-data"
)
V2 = (
    "--network mobilenetv2_1_0 --pretrained-base {data}/imagenet/mobilenet_v2-b0353104.pth "
    "--recipe small-data"
)
EMA = "--ema --ema-decay 0.998 --ema-ramp-up 100"
CLIP = "--clip-grad-norm 100"
PLANS = {
    "rates": Plan(
        "the rate of the first update after warm-up, alone and with a limit to the gradient",
        "choose",
        SMALL,
        [
            Case("0.0015", ""),
            Case("0.003", "--lr 0.003"),
            Case("0.006", "--lr 0.006"),
            Case("0.003 clipped at 10", "--lr 0.003 --clip-grad-norm 10"),
            Case("0.003 clipped", f"--lr 0.003 {CLIP}"),
            Case("0.006 clipped", f"--lr 0.006 {CLIP}"),
            Case("AdamW 0.001", "--optimizer adamw --lr 0.001 --wd 0.05"),
            Case("AdamW 0.002", "--optimizer adamw --lr 0.002 --wd 0.05"),
        ],
    ),
    "alone": Plan(
        "each option alone, on a small network",
        "choose",
        SMALL,
        [
            Case("none", ""),
            Case("double rate", "--lr 0.003"),
            Case("half rate", "--lr 0.00075"),
            Case("EMA", EMA),
            Case("EMA short", "--ema --ema-decay 0.99 --ema-ramp-up 100"),
            Case("neighbours", "--assigner neighbours"),
            Case("neighbours half rate", "--assigner neighbours --lr 0.00075"),
            Case("overlap", "--assigner overlap"),
            Case("overlap half rate", "--assigner overlap --lr 0.00075"),
            Case("dynamic", "--assigner dynamic"),
            Case("dynamic half rate", "--assigner dynamic --lr 0.00075"),
            Case("SPP", "--spp"),
            Case("CIoU", "--box-loss ciou"),
            Case("clipping", "--clip-grad-norm 10"),
            Case("AdamW", "--optimizer adamw --lr 0.001 --wd 0.05"),
            Case("cut-out", "--augment light,cutout"),
            Case("mosaic", "--augment mosaic,light"),
            Case("mosaic closed", "--augment mosaic,light --no-mosaic-epochs 5"),
            Case("class balance", "--class-balance 0.5"),
            Case("accumulate 4", "--accumulate 4 --lr 0.003"),
        ],
    ),
    "bars": Plan(
        "30 epochs at 320: the recipes, from scratch and from ImageNet's weights",
        "report",
        "--epochs 30",
        [
            Case("MobileNet1.0 scratch", f"--network mobilenet1_0 {SCRATCH}"),
            Case("MobileNetV2 scratch", f"--network mobilenetv2_1_0 {SCRATCH}"),
            Case("MobileNet1.0 ImageNet", V1),
            Case("MobileNetV2 ImageNet", V2),
        ],
    ),
}


def main() -> int:
    """Run what a plan lacks, and print its table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("plan", choices=PLANS, help="; ".join(f"{k}: {v.purpose}" for k, v in PLANS.items()))
    parser.add_argument(
        "--out", default="runs/ablation", metavar="DIR", help="data, runs and results (default: %(default)s)"
    )
    parser.add_argument("--data", default=str(DATA), metavar="DIR", help="with bccd/ and raccoon/")
    parser.add_argument("--seeds", default="1,2,3", metavar="N,N", help="(default: %(default)s)")
    parser.add_argument("--only", metavar="NAME,NAME", help="only these cases")
    parser.add_argument("--sets", metavar="NAME,NAME", help="only these data sets")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--table", action="store_true", help="print what is there, and train nothing")
    args = parser.parse_args()
    plan, out = PLANS[args.plan], Path(args.out).resolve()
    cases = [case for case in plan.cases if not args.only or case.name in args.only.split(",")]
    sets = args.sets.split(",") if args.sets else plan.sets
    if not args.table:
        make_data(Path(args.data), out / "data")
        for seed in map(int, args.seeds.split(",")):
            for case in cases:
                for data_set in sets:
                    train(args.plan, plan, case, data_set, seed, out, args.threads)
    print_table(args.plan, plan, results(out))
    return 0


def make_data(shared: Path, out: Path) -> None:
    """Write the data sets of both divisions, where they are absent."""
    bccd, raccoon, choose = out / "bccd", out / "raccoon", out / "raccoon-choose"
    if choose.exists():
        return
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(shared / "bccd" / "BCCD", bccd)
    for folder in (raccoon, out / "scratch"):
        for name in ("annotations", "images"):
            shutil.copytree(shared / "raccoon" / name, folder / name)
    (out / "scratch").rename(out / "raccoon-part")
    gluon_yolo("data", "split", str(raccoon), "--seed", "0")
    names = set((raccoon / "ImageSets" / "Main" / "train.txt").read_text().split())
    for file in [*(out / "raccoon-part").glob("*/*")]:
        if file.stem not in names:
            file.unlink()
    gluon_yolo("data", "split", str(out / "raccoon-part"), "--seed", "0")
    (out / "raccoon-part").rename(choose)


def places(division: str, data_set: str, out: Path) -> list[str]:
    """Return the words that name a data set's division."""
    if data_set == "bccd":
        train, judge = ("trainval", "test") if division == "report" else ("train", "val")
        return ["--data", str(out / "data" / "bccd"), "--train-split", train, "--val-split", judge]
    return ["--data", str(out / "data" / ("raccoon" if division == "report" else "raccoon-choose"))]


def train(plan_name: str, plan: Plan, case: Case, data_set: str, seed: int, out: Path, threads: int) -> None:
    """Train one of a plan's trainings, if its result is not there yet."""
    key = {"plan": plan_name, "case": case.name, "set": data_set, "seed": seed}
    if any(all(found[name] == value for name, value in key.items()) for found in results(out)):
        return
    place = out / "runs" / plan_name / data_set / re.sub(r"[^\w.]+", "-", f"{case.name}-{seed}")
    started = next(iter(place.glob("*/weights/last/state.json")), None)
    if started:
        words = ["--resume", str(started.parents[2])]
    else:
        shutil.rmtree(place, ignore_errors=True)
        words = [*places(plan.division, data_set, out), "--gpus", ""]
        words += ["--seed", str(seed), "--save-interval", "0", "--val-interval", "1000000"]
        given = f"{plan.flags} {case.flags}".format(data=DATA, runs=out / "runs", set=data_set, seed=seed)
        words += ["--save-prefix", f"{place}/", *shlex.split(given)]
    start = time.perf_counter()
    gluon_yolo("train", *words, threads=threads)
    (metrics,) = place.glob("*/metrics.csv")
    with metrics.open() as file:
        rows = list(csv.DictReader(file))
    numbers = {name: float(rows[-1][name]) for name in SCORES}
    result = {**key, "flags": case.flags, **numbers, "steps_s": sum(float(row["seconds"]) for row in rows)}
    result["whole_s"] = time.perf_counter() - start
    with (out / "results.jsonl").open("a") as file:
        print(json.dumps(result), file=file)
    scores = "  ".join(f"{name} {value:.4f}" for name, value in numbers.items())
    print(f"{plan_name}: {data_set}, {case.name}, seed {seed}: {scores}", flush=True)


def gluon_yolo(*words: str, threads: int = 2) -> None:
    """Run a command of the package; if it fails, show its errors and end."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "gluon_yolo", *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{shlex.join(command)}\n{done.stderr[-2000:]}")


def results(out: Path) -> list[dict]:
    """Return all results that are there."""
    file = out / "results.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def print_table(plan_name: str, plan: Plan, found: Sequence[dict]) -> None:
    """Print each case's mean and spread (sample standard deviation) over its seeds."""
    print(f"{plan_name}: {plan.purpose}. {plan.flags}; {plan.division}")
    print("| option | data | " + " | ".join(SCORES) + " | seeds | steps s |")
    print("|---|---|" + "---|" * (len(SCORES) + 2))
    for case, data_set, rows in lines(plan_name, plan, found):
        values = np.array([[row[name] for name in SCORES] for row in rows])
        spread = values.std(axis=0, ddof=1) if len(rows) > 1 else np.full(len(SCORES), np.nan)
        cells = [f"{mean:.3f} ± {wide:.3f}" for mean, wide in zip(values.mean(axis=0), spread)]
        seconds = np.mean([row["steps_s"] for row in rows])
        print(f"| {case.name} | {data_set} | {' | '.join(cells)} | {len(rows)} | {seconds:.0f} |")


def lines(plan_name: str, plan: Plan, found: Sequence[dict]) -> Iterator[tuple[Case, str, list[dict]]]:
    """Yield the lines of a plan's table that have a result."""
    for case in plan.cases:
        for data_set in SETS:
            rows = [r for r in found if (r["plan"], r["case"], r["set"]) == (plan_name, case.name, data_set)]
            if rows:
                yield case, data_set, rows


if __name__ == "__main__":
    sys.exit(alive(main))
