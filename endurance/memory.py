"""Memory, file handles, threads and processes over as much work as days bring.

200,000 samples through the loader, by threads and by processes; 100,000 images through a predictor in every
runtime, with one object, and with one that is made anew after each 1,000; 24,000 steps of training, as many
as 2,000 short trainings have, of changing sizes, with each engine, and with one that is made anew. Each is a
process of its own. Behind a warm-up its memory may grow by 5 % of what is resident (medians of two windows),
and nothing else may; at its end no shared memory may be left.

    python -m endurance.memory [--part P | --minutes N] [--only NAME,NAME] [--seed S] [--out DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from endurance.flags import chosen, parser_of, shares
from endurance.footprint import FEWEST, Footprint, faults, footprint, growth, shared_memory, windows
from endurance.jobs import ROOT
from endurance.workloads import WORKLOADS, Workload, export_to

FOOTPRINTS = 100  # of a workload
LEAST_SECONDS = 0.2  # between two footprints, which cost a millisecond


def main() -> int:
    """Do each workload, print a table, and return 1 if something grew."""
    parser = parser_of(__doc__, "/tmp/endurance-memory", list(WORKLOADS))
    parser.add_argument("--part", type=float, default=1.0, metavar="P", help="of each count (default: 1)")
    parser.add_argument("--side", choices=list(WORKLOADS), help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    args = parser.parse_args()
    out = Path(args.out)
    if args.side:
        return side(WORKLOADS[args.side], out, args.seed, args.part, args.seconds)
    export_to(out)
    grown = 0
    print(
        f"{'work':20}{'units':>17}{'minutes':>8}{'MB warm':>9}{'MB end':>8}{'growth':>8}"
        f"{'handles':>8}{'threads':>8}{'faults':>7}"
    )
    for name, until in shares(chosen(parser, args.only, list(WORKLOADS)), args.minutes):
        started = time.perf_counter()
        seconds = None if until is None else max(1.0, until - started)
        seen, found = watch(name, out, args.seed, args.part, seconds)
        print(row(name, seen, (time.perf_counter() - started) / 60, found), flush=True)
        for text in found:
            print(f"    {text}", flush=True)
        grown += len(found)
    print("nothing grew" if not grown else f"{grown} faults")
    return 1 if grown else 0


def watch(
    name: str, folder: Path, seed: int, part: float, seconds: float | None
) -> tuple[list[Footprint], list[str]]:
    """Do a workload in a process of its own; return its footprints and what is wrong."""
    shared = shared_memory()
    words = ["--side", name, "--out", str(folder), "--seed", str(seed), "--part", str(part)]
    words += [] if seconds is None else ["--seconds", str(seconds)]
    done = subprocess.run(
        [sys.executable, "-m", "endurance.memory", *words],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    found = [f"ended with status {done.returncode}"] if done.returncode else []
    seen = [Footprint(*numbers) for numbers in map(json.loads, done.stdout.splitlines())]
    if len(seen) >= FEWEST:
        found += faults(seen)
    more = shared_memory() - shared
    if more:
        found.append(f"shared memory left: {sorted(more)[:3]}")
    return seen, found


def side(work: Workload, folder: Path, seed: int, part: float, seconds: float | None) -> int:
    """Do a part of a workload, for so many seconds at most, and print its footprints."""
    count, done, printed = max(1, int(part * work.count)), 0, 0
    started = last = time.perf_counter()
    for units in work.start(folder, seed):
        done += units
        now = time.perf_counter()
        over = done >= count or (seconds is not None and now > started + seconds)
        due = seconds is not None and now > last + max(LEAST_SECONDS, seconds / FOOTPRINTS)
        if over or due or done * FOOTPRINTS >= (printed + 1) * count:
            print(json.dumps(footprint(done)), flush=True)
            last, printed = now, done * FOOTPRINTS // count
        if over:
            break
    return 0


def row(name: str, seen: Sequence[Footprint], minutes: float, found: Sequence[str]) -> str:
    """Return the line of a workload in the table."""
    units = seen[-1].units if seen else 0
    text = f"{name:20}{f'{units:,} {WORKLOADS[name].unit}':>17}{minutes:>8.1f}"
    if len(seen) < FEWEST:
        return f"{text}{'too few to judge':>25}{'':>16}{len(found):>7}"
    first, last = windows(seen)
    before, after = (statistics.median(one.own for one in window) / 1e6 for window in (first, last))
    text += f"{before:>9.1f}{after:>8.1f}{100 * growth(seen):>7.1f}%"
    return f"{text}{last[-1].handles:>8}{last[-1].threads:>8}{len(found):>7}"


if __name__ == "__main__":
    sys.exit(main())
