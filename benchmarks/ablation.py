"""Ablation: trainings that differ in one option, over seeds; mean and spread of their scores.

A plan names its trainings. Each of the data sets, BCCD and raccoon, has two divisions. `choose` is a part of
the training images: it never sees the images that a plan reports on, and options are chosen by it alone.
`report` judges: BCCD trainval to test; raccoon divided 160 / 40 by `data split --seed 0`. Only the last epoch
is validated, so that no epoch is selected by the images that judge. docs/few_images.md has the tables of the
plans that were trained.

Each training is a process of its own, as a user starts it. Its numbers are kept in ablation.jsonl beside this
file, so a second start does what is missing, on any machine. In the same OUT it goes on in the middle of a
training too.

    python benchmarks/ablation.py PLAN [--out DIR] [--data DIR] [--seeds 1,2,3] [--only NAME,NAME]
        [--sets bccd,raccoon] [--threads N] [--results FILE]
    python benchmarks/ablation.py PLAN --table
    python benchmarks/ablation.py page
"""

from __future__ import annotations

import argparse
import csv
import glob
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import page_tables
from ablation_plans import PLANS, Case
from alive import alive
from kept_lines import keep, kept

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("GLUON_YOLO_DATA", ROOT.parent / "shared" / "data"))
SCORES = ("VOC07_mAP50", "AP", "AP50")
KEPT = Path(__file__).with_suffix(".jsonl")
PAGE = ROOT / "docs" / "few_images.md"


def main() -> int:
    """Run what a plan lacks, and print its table; or write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    purposes = "; ".join(f"{name}: {plan.purpose}" for name, plan in PLANS.items())
    parser.add_argument("plan", choices=[*PLANS, "page"], help=purposes)
    parser.add_argument(
        "--out", default="runs/ablation", metavar="DIR", help="data and runs (default: %(default)s)"
    )
    parser.add_argument("--results", default=str(KEPT), metavar="FILE", help="(default: %(default)s)")
    parser.add_argument("--data", default=str(DATA), metavar="DIR", help="with bccd/ and raccoon/")
    parser.add_argument("--seeds", default="1,2,3", metavar="N,N", help="(default: %(default)s)")
    parser.add_argument("--only", metavar="NAME/NAME", help="only these cases, with / between")
    parser.add_argument("--sets", metavar="NAME,NAME", help="only these data sets")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--table", action="store_true", help="print what is there, and train nothing")
    args = parser.parse_args()
    if args.plan == "page":
        PAGE.write_text(
            with_tables(PAGE.read_text(encoding="utf-8"), kept(Path(args.results))), encoding="utf-8"
        )
        print(f"the tables are in {PAGE}")
        return 0
    plan, out = PLANS[args.plan], Path(args.out).resolve()
    names = args.only.split("/") if args.only else [case.name for case in plan.cases]
    unknown = set(names) - {case.name for case in plan.cases}
    if unknown:
        parser.error(f"--only: {args.plan} has no {', '.join(sorted(unknown))}")
    if not args.table:
        cases = [case for case in plan.cases if case.name in names]
        gone = [f"{case.name} ({case.commit})" for case in cases if case.commit]
        if gone:
            print(f"not trained, as options left the package (which commit has them): {', '.join(gone)}")
        make_data(Path(args.data), out / "data")
        write_without_spp(Path(args.data), out / "data")
        for seed in map(int, args.seeds.split(",")):
            for case in cases:
                for data_set in args.sets.split(",") if args.sets else plan.sets:
                    if not case.commit:
                        train(args.plan, case, data_set, seed, out, args)
    print(page_tables.table(rows(args.plan, kept(Path(args.results)))))
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


def write_without_spp(shared: Path, out: Path) -> None:
    """Write Yolo-Fastest's cfg with the windows of its pyramid pooling at one cell, which pools nothing."""
    cfg = shared / "darknet" / "fastest-voc" / "MobileNetV2-YOLO-Fastest-voc.cfg"
    text = re.sub(r"(\[maxpool\]\s+stride=1\s+size=)\d", r"\g<1>1", cfg.read_text(encoding="utf-8"))
    (out / "without-spp.cfg").write_text(text, encoding="utf-8")


def places(division: str, data_set: str, out: Path) -> list[str]:
    """Return the words that name a data set's division."""
    if data_set == "bccd":
        train, judge = ("trainval", "test") if division == "report" else ("train", "val")
        return ["--data", str(out / "data" / "bccd"), "--train-split", train, "--val-split", judge]
    return ["--data", str(out / "data" / ("raccoon" if division == "report" else "raccoon-choose"))]


def train(plan_name: str, case: Case, data_set: str, seed: int, out: Path, args: argparse.Namespace) -> None:
    """Train one of a plan's trainings, if its result is not there yet."""
    plan, results = PLANS[plan_name], Path(args.results)
    key = {"plan": plan_name, "case": case.name, "set": data_set, "seed": seed}
    if any(all(found[name] == value for name, value in key.items()) for found in kept(results)):
        return
    place = out / "runs" / plan_name / data_set / re.sub(r"[^\w.]+", "-", f"{case.name}-{seed}")
    started = next(iter(place.glob("*/weights/last/state.json")), None)
    if started:
        words = ["--resume", str(started.parents[2])]
    else:
        shutil.rmtree(place, ignore_errors=True)
        words = [*places(plan.division, data_set, out), "--gpus", ""]
        words += ["--seed", str(seed), "--save-interval", "0", "--val-interval", "1000000"]
        given = f"{plan.flags} {case.flags}".format(data=args.data, out=out, set=data_set)
        given_words = [glob.glob(word)[0] if "*" in word else word for word in shlex.split(given)]
        words += ["--save-prefix", f"{place}/", *given_words]
    start = time.perf_counter()
    gluon_yolo("train", *words, threads=args.threads)
    (metrics,) = place.glob("*/metrics.csv")
    with metrics.open() as file:
        epochs = list(csv.DictReader(file))
    numbers = {name: float(epochs[-1][name]) for name in SCORES}
    seconds = {
        "steps_s": sum(float(row["seconds"]) for row in epochs),
        "whole_s": time.perf_counter() - start,
    }
    result = {
        **key,
        "flags": case.flags,
        **numbers,
        **{name: round(took, 1) for name, took in seconds.items()},
    }
    keep(results, result)
    scores = "  ".join(f"{name} {value:.4f}" for name, value in numbers.items())
    print(f"{plan_name}: {data_set}, {case.name}, seed {seed}: {scores}", flush=True)


def gluon_yolo(*words: str, threads: int = 2) -> None:
    """Run a command of the package; if it fails, show its errors and end."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "gluon_yolo", *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{shlex.join(command)}\n{done.stderr[-2000:]}")


def with_tables(page: str, found: Sequence[dict]) -> str:
    """Return the page with its tables, one for each plan with a score, written anew."""
    tables = {name: rows(name, found) for name in PLANS if any(one["plan"] == name for one in found)}
    return page_tables.with_tables(page, tables, "benchmarks/ablation.py")


def rows(plan_name: str, found: Sequence[dict]) -> list[list[str]]:
    """Return a plan's table: mean and spread (sample standard deviation) over the seeds of each case."""
    plan = PLANS[plan_name]
    titles = [f"{data_set}, {name}" for data_set in plan.sets for name in ("VOC07 mAP", "AP")]
    cells = [["option", *titles, "seeds"]]
    for case in plan.cases:
        row, seeds = [case.name], []
        for data_set in plan.sets:
            there = [r for r in found if (r["plan"], r["case"], r["set"]) == (plan_name, case.name, data_set)]
            row += [spread([one[name] for one in there]) for name in ("VOC07_mAP50", "AP")]
            seeds.append(len(there))
        if any(seeds):
            cells.append([*row, " and ".join(map(str, dict.fromkeys(seeds)))])
    return cells


def spread(values: Sequence[float]) -> str:
    """Return mean and sample standard deviation in percent; of one value, the value."""
    if not values:
        return "-"
    wide = f" ± {100 * np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
    return f"{100 * np.mean(values):.1f}{wide}"


if __name__ == "__main__":
    sys.exit(alive(main))
