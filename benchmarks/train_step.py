"""One training step at 416 and batch 8: this package's engines and GluonCV, same batches, in turns.

A step is targets, network, losses, gradients and update. Each side runs in a process of its own; they take
turns, a step at a time, so that other load on the machine affects all of them. GluonCV's side is that of its
training script: targets by YOLOV3PrefetchTargetGenerator (which its data workers run on the same cores),
hybridized network with its losses. "mxnet, slow kernels" is this package without what keeps oneDNN and SGD
from slow kernels (graph/cpu_layouts.py, the pools of models/darknet/blocks.py, training/mxnet_engine/sgd.py).

The last column is the time of a side over that of mxnet's engine, the median over the rounds: above 1, mxnet
is faster. Where the memory does not hold all sides at once, each is measured beside mxnet alone.

    python benchmarks/train_step.py [--network NAME|CFG ...] [--threads 1,2] [--sides mxnet,torch,...]
        [--size N] [--batch-size N] [--rounds N] [--busy N]

``--busy N`` starts N processes that compute all the while, as other programs would. ``--realtime`` gives
each step precedence over all other processes of a busy machine, almost as on a quiet one; it needs root.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from alive import alive
from peers import Workers, serve
from train_sides import OBJECTS, SIDES, build, gluoncv_name, in_realtime

from gluon_yolo.system import memory
from gluon_yolo.system.cpu import physical_cores

DATA = Path(os.environ.get("GLUON_YOLO_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
NANO = DATA / "darknet/nano-voc/MobileNetV2-YOLOv3-Nano-voc.cfg"
NETWORKS = ("yolo3_mobilenet1.0_voc", *([str(NANO)] if NANO.is_file() else []), "yolo_fastestv2", "darknet53")
USUAL = ("mxnet", "torch", "planes", "gluoncv", "gluoncv-own")
NEIGHBOUR = (
    "import os, numpy\na = numpy.random.rand(300, 300)\n"
    "while os.getppid() != 1:\n    a = a @ a\n    a /= abs(a).max()\n"
)


def main() -> int:
    """Measure, and print a table for each network and number of threads."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", nargs="+", default=NETWORKS, metavar="NAME|CFG")
    parser.add_argument("--threads", default="", metavar="N,N", help="(default: 1 and all cores)")
    parser.add_argument("--sides", default="", metavar="NAMES", help=f"of {', '.join(SIDES)}")
    parser.add_argument("--size", type=int, default=416, help="side of the square input, in pixels")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=8, help="steps of each side")
    parser.add_argument("--busy", type=int, default=0, metavar="N", help="processes that compute beside it")
    parser.add_argument("--realtime", action="store_true", help="each step before all other processes")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        args.network = args.network[0]
        step = SIDES[args.side].make(args)
        return serve({"time": in_realtime(step) if args.realtime else step})
    usual = USUAL if has_torch() else tuple(key for key in USUAL if key not in ("torch", "planes"))
    keys = tuple(args.sides.split(",")) if args.sides else usual
    if unknown := [key for key in keys if key not in SIDES]:
        raise SystemExit(f"error: --sides {unknown[0]}: choose from {', '.join(SIDES)}")
    cores = physical_cores()
    threads = [int(word) for word in args.threads.split(",") if word] or sorted({1, cores})
    with neighbours(args.busy):
        for network in args.network:
            own = [key for key in keys if "gluoncv" not in key or gluoncv_name(network)]
            for count in threads:
                measure(args, network, own, count)
    return 0


def has_torch() -> bool:
    """Return whether torch is installed."""
    from gluon_yolo.pytorch.device import is_installed

    return is_installed()


@contextlib.contextmanager
def neighbours(count: int) -> Iterator[None]:
    """Run processes that compute with one thread each."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    started = [subprocess.Popen([sys.executable, "-c", NEIGHBOUR], env=environment) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


def groups(args: argparse.Namespace, network: str, keys: list[str]) -> list[list[str]]:
    """Return which sides are measured together: all that memory holds, else each beside the first."""
    from gluon_yolo.training.memory_estimate import TrainMemory

    given = dict(os.environ)
    net = build(network)
    os.environ.clear()  # the import of mxnet sets what the sides set, or not
    os.environ.update(given)
    net.initialize_weights(seed=0)
    size_hw = (args.size, args.size)
    one = 1.5 * TrainMemory(net, size_hw, objects=OBJECTS).at([size_hw]).of(args.batch_size)
    there = memory.look()
    if there is None or one * len(keys) < there.free:
        return [keys]
    first, *others = keys
    return [[first, other] for other in others] or [keys]


def measure(args: argparse.Namespace, network: str, keys: list[str], threads: int) -> None:
    """Measure the sides on one network with one number of threads, and print their rows."""
    words = ["--network", network, "--size", str(args.size), "--batch-size", str(args.batch_size)]
    words += ["--realtime"] if args.realtime else []
    busy = f", {args.busy} processes beside it" if args.busy else ""
    print(
        f"{Path(network).stem if network.endswith('.cfg') else network} at {args.size}x{args.size}, "
        f"batch {args.batch_size}, {args.rounds} steps, threads {threads}{busy}"
    )
    print(f"{'':28}{'targets ms':>11}{'step ms':>10}{'whole ms':>10}{'pictures/s':>12}{'over mxnet':>12}")
    shown: set[str] = set()
    for together in groups(args, network, keys):
        commands = {
            key: (
                [str(Path(__file__)), "--side", key, *words],
                {
                    **({} if SIDES[key].own_threads else {"OMP_NUM_THREADS": str(threads)}),
                    **SIDES[key].environment,
                },
            )
            for key in together
        }
        with Workers(commands) as workers:
            times = workers.take_turns(args.rounds)
        base = [sum(row) for row in times[together[0]]]
        for key in together:
            if key in shown:
                continue
            shown.add(key)
            whole = [sum(row) for row in times[key]]
            targets, step = (statistics.median(column) for column in zip(*times[key]))
            middle = statistics.median(whole)
            ratio = statistics.median(mine / first for mine, first in zip(whole, base))
            print(
                f"{SIDES[key].title:28}{targets:11.1f}{step:10.1f}{middle:10.1f}"
                f"{1e3 * args.batch_size / middle:12.2f}{ratio:11.2f}x",
                flush=True,
            )


if __name__ == "__main__":
    sys.exit(alive(main))
