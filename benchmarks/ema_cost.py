"""What ``train --ema`` costs: the update of the average of the weights, beside the rest of a training step.

Both are timed in one process, in turns, to the end of the computation. The table has the medians over the
rounds, and the share that the update adds to the step.

    python benchmarks/ema_cost.py [--network NAME|CFG ...] [--engines mxnet,torch] [--size N] [--batch-size N]
        [--rounds N] [--realtime]

``OMP_NUM_THREADS`` is the number of threads. ``--realtime`` gives each measurement precedence over all other
processes of a busy machine; it needs root.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from alive import alive
from train_sides import MOMENTUM, WEIGHT_DECAY, Step, build, in_realtime, timed
from train_step import NANO

NETWORKS = ("yolo3_mobilenet1.0_voc", *([str(NANO)] if NANO.is_file() else []), "yolo_fastestv2")
WARM_UP = 2  # steps that are not counted


def main() -> int:
    """Measure, and print a row for each network and engine."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", nargs="+", default=NETWORKS, metavar="NAME|CFG")
    parser.add_argument("--engines", default="mxnet,torch", metavar="NAME,NAME")
    parser.add_argument("--size", type=int, default=416, help="side of the square input, in pixels")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--realtime", action="store_true", help="before all other processes")
    args = parser.parse_args()
    print(f"{args.size}x{args.size}, batch {args.batch_size}, medians of {args.rounds} rounds")
    print(f"{'network':28}{'engine':8}{'step ms':>10}{'average ms':>12}{'adds':>8}")
    for network in args.network:
        for engine in args.engines.split(","):
            step, update = sides(argparse.Namespace(**{**vars(args), "network": network}), engine)
            if args.realtime:
                step, update = in_realtime(step), in_realtime(update)
            rows = [(step()[1], update()[0]) for _ in range(args.rounds + WARM_UP)][WARM_UP:]
            whole, own = (statistics.median(column) for column in zip(*rows))
            print(
                f"{Path(network).stem[:27]:28}{engine:8}{whole:10.1f}{own:12.2f}{own / whole:8.2%}",
                flush=True,
            )
    return 0


def sides(args: argparse.Namespace, name: str) -> tuple[Step, Step]:
    """Return the step of an engine without an average, and the update of an average of its weights."""
    from gluon_yolo.mxnet_compat import nd
    from gluon_yolo.training.weight_average import Decay

    net = build(args.network)
    net.initialize_weights(seed=0)
    engine, average = MAKE[name](net, Decay(0.999, 300.0))

    def update() -> list[float]:
        begin = time.perf_counter()
        average.update(1000)
        nd.waitall()
        return [(time.perf_counter() - begin) * 1e3]

    return timed(args, net, engine), update


def by_mxnet(net: Any, decay: Any) -> tuple[Any, Any]:
    """Return mxnet's engine and an average of its weights."""
    from gluon_yolo.mxnet_compat import mx
    from gluon_yolo.training.mxnet_engine.average import MXNetAverage
    from gluon_yolo.training.mxnet_engine.step import TrainStep

    return TrainStep(net, [mx.cpu()], MOMENTUM, WEIGHT_DECAY), MXNetAverage(net, decay)


def by_torch(net: Any, decay: Any) -> tuple[Any, Any]:
    """Return torch's engine and an average of its weights."""
    from gluon_yolo.training.torch_engine.average import TorchAverage
    from gluon_yolo.training.torch_engine.step import TorchStep

    engine = TorchStep(net, "cpu", MOMENTUM, WEIGHT_DECAY)
    return engine, TorchAverage(net, engine.module, decay)


MAKE: dict[str, Callable[[Any, Any], tuple[Any, Any]]] = {"mxnet": by_mxnet, "torch": by_torch}

if __name__ == "__main__":
    sys.exit(alive(main))
