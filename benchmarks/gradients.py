"""A training step of every network by both engines on the CPU, against PyTorch's in float64.

Images and boxes are BCCD's. A row is a network, its weights and an engine; its numbers are the largest over
the box losses.

maps       largest difference of a raw map, over its largest value
losses     largest difference of a loss, over the largest of all
gradients  norm of the difference of all parameters' gradients together, over the norm of float64's
worst      the same of the parameter with the largest one, and its name

Weights are the network's own trained ones, or drawn where there are none. Norms use the stored statistics.

moved      every channel is moved off the kink of its activation, by the smallest step after which no value is
           within a ten-thousandth of its standard deviation: two images of 160x224
as it is   trained weights, unchanged: two images of 416x416; at a kink float32 decides otherwise than float64
batch      trained weights, and norms by the batch's statistics, which increase rounding: the same two images

The rows of float64 are float64 itself after a change of every weight by 1e-7 at random, the largest of three:
what any engine loses in a network that is badly conditioned. The script returns 1 where an engine is wrong:
where a moved network is off by more than 1e-3, or 5e-3 if that change alone is 1e-4.

Run it as: python benchmarks/gradients.py [--data DIR] [--kinds KIND ...] [--] [NAME ...]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("GLUON_YOLO_DATA", ROOT.parent / "shared" / "data"))
sys.path.insert(0, str(ROOT))  # for what the tests have of this

from tests.judged_networks import NETWORKS  # noqa: E402
from tests.pytorch.judged_engines import (  # noqa: E402
    ENGINES,
    ILL_CONDITIONED,
    ILL_CONDITIONED_LIMIT,
    LIMIT,
    Errors,
    Judged,
)

KINDS = {
    "moved": {"size_hw": (160, 224)},
    "as it is": {"size_hw": (416, 416), "moved": False},
    "batch": {"size_hw": (416, 416), "moved": False, "held": False},
}
ROW = "{:19}{:9}{:9}{:>9}{:>9}{:>11}{:>9}  {}"


def rows(name: str, kind: str, data: Path) -> list[tuple[str, Errors]]:
    """Return who computed, and the largest distances over the box losses."""
    judged = Judged(name, data, **KINDS[kind])
    apart: dict[str, list[Errors]] = {engine: [] for engine in ENGINES}
    for box_loss in judged.box_losses:
        for engine in ENGINES:
            apart[engine].append(judged.errors(engine, box_loss))
    found = [(engine, largest(each)) for engine, each in apart.items()]
    return [*found, ("float64", judged.conditioning(judged.box_losses[-1]))]


def largest(each: list[Errors]) -> Errors:
    """Return the largest of each number, and the parameter of the worst."""
    numbers = [max(values) for values in zip(*((e.maps, e.losses, e.together, e.worst) for e in each))]
    return Errors(*numbers, max(each, key=lambda errors: errors.worst).name)


def main() -> int:
    """Print the table; return 1 where a gradient is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NETWORKS)} (default: all)")
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="the shared data")
    parser.add_argument("--kinds", nargs="*", choices=list(KINDS), default=list(KINDS), help="of weights")
    args = parser.parse_args()
    print(ROW.format("network", "weights", "by", "maps", "losses", "gradients", "worst", "the worst"))
    wrong, spawn = [], multiprocessing.get_context("spawn")
    for name in args.names or NETWORKS:
        for kind in args.kinds:
            if kind != "moved" and NETWORKS[name][1] is None:
                continue
            with ProcessPoolExecutor(1, mp_context=spawn) as pool:  # gives its memory back
                found = pool.submit(rows, name, kind, args.data).result()
            for who, apart in found:
                numbers = (f"{number:.1e}" for number in apart[:4])
                print(ROW.format(name, kind, who, *numbers, apart.name), flush=True)
            limit = ILL_CONDITIONED_LIMIT if found[-1][1].worst > ILL_CONDITIONED else LIMIT
            wrong += [f"{name} ({who})" for who, e in found if kind == "moved" and not e.worst < limit]
    print(f"wrong: {', '.join(wrong)}" if wrong else "all agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
