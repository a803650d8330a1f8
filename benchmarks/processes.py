"""Several processes against one: the same losses and weights, the time of a step, and where it goes.

Each number of processes trains the same network on the same global batches, on this machine's CPU, with
SyncBN: in float64 (the distance of losses and weights from those of one process), then in float32 (time). Two
ways to add gradients up take turns in the same processes: this package's buckets (GradientSum) and torch's
DistributedDataParallel (DDP). The last columns say whether a training that starts anew after half of its
steps ends with the same bits, by either way.

Run it as: python benchmarks/processes.py [--processes 1,2,4] [--steps N] [--network NAME] [--size N]
[--batch-size N]
"""

from __future__ import annotations

import argparse
import functools
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np

CLASSES = tuple("abc")
RATE = 1e-6  # small: a network with random weights amplifies rounding by the step
BUCKETS, DDP = "buckets", "DDP"
Work = dict[str, Any]


def main() -> int:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--processes", default="1,2,4", help="numbers of processes, with commas between")
    parser.add_argument("--steps", type=int, default=6, help="steps of each way")
    parser.add_argument("--network", default="yolo3_mobilenet0.25_custom")
    parser.add_argument("--size", type=int, default=96, help="side of the square input, in pixels")
    parser.add_argument("--batch-size", type=int, default=8, help="images of a step, over all processes")
    args = parser.parse_args()
    from gluon_yolo.training.processes.launch import Launch, launch

    settings = {name: vars(args)[name] for name in ("steps", "network", "size", "batch_size")}
    results = {}
    for world in map(int, args.processes.split(",")):
        results[world] = launch(Launch(world, silence_s=600), functools.partial(measure, **settings))
    one = results[min(results)]
    print(f"{args.network} at {args.size}x{args.size}, batch {args.batch_size}, SyncBN, {args.steps} steps")
    print(
        f"gradients: {one['gradient_bytes'] / 1e6:.2f} MB a step; messages of SyncBN: {one['norms']} each way"
    )
    print(
        f"{'processes':>9}{'threads':>9}{'losses':>11}{'weights':>11}{'step ms':>10}{'with DDP':>10}"
        f"{'pictures/s':>12}{'same bits':>11}{'with DDP':>10}"
    )
    for world, found in results.items():
        losses, weights = (distance(found[what], one[what]) for what in ("losses", "weights"))
        ms = {way: 1e3 * statistics.median(found["seconds"][way]) for way in (BUCKETS, DDP)}
        same = {way: "yes" if found["same"][way] else "no" for way in (BUCKETS, DDP)}
        print(
            f"{world:9}{found['threads']:9}{losses:11.1e}{weights:11.1e}{ms[BUCKETS]:10.1f}{ms[DDP]:10.1f}"
            f"{1e3 * args.batch_size / ms[BUCKETS]:12.2f}{same[BUCKETS]:>11}{same[DDP]:>10}"
        )
    print(
        "losses, weights: largest distance from one process's in float64, relative to the largest number of "
        "each array; same bits: of a training that starts anew after half of its steps, in float32"
    )
    return 0


def distance(found: Work, expected: Work) -> float:
    """Return the largest distance of any array."""
    return max(
        float(np.abs(found[name] - array).max() / max(1e-30, np.abs(array).max()))
        for name, array in expected.items()
    )


def measure(steps: int, network: str, size: int, batch_size: int) -> Work:
    """Train as one of several processes; return what is compared."""
    from gluon_yolo.torch_compat import torch
    from gluon_yolo.training.processes import start

    with start.taking_part({"process_timeout": 600.0}) as processes:
        make = functools.partial(_step, network, processes)
        places = processes.share.places(batch_size)
        exact = make(torch.float64)
        batches = [_batch(exact.net.spec, number, size, batch_size, places) for number in range(steps)]
        losses = np.stack([exact(batch, RATE) for batch in batches])
        exact.share_statistics()
        return {
            "losses": {"all": losses},
            "weights": {name: each.numpy().copy() for name, each in exact.module.state_dict().items()},
            "threads": torch.get_num_threads(),
            "gradient_bytes": sum(4 * each.numel() for each in exact.module.parameters()),
            "norms": sum(type(layer).__name__ == "BatchNorm" for layer in exact.module.modules()),
            "seconds": _times({way: make(torch.float32, way) for way in (BUCKETS, DDP)}, batches),
            "same": {
                way: _is_same_after_a_start(functools.partial(make, torch.float32, way), batches)
                for way in (BUCKETS, DDP)
            },
        }


def _times(ways: dict[str, Any], batches: list[Any]) -> dict[str, list[float]]:
    """Return the seconds of each way's steps, which take turns; the first step of each is not counted."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for number, batch in enumerate([batches[0], *batches]):
        for way, step in ways.items():
            began = time.perf_counter()
            step(batch, RATE)
            if number:
                seconds[way].append(time.perf_counter() - began)
    return seconds


def _is_same_after_a_start(make: Any, batches: list[Any]) -> bool:
    """Return whether a training that starts anew after half of its steps ends with a whole one's weights."""
    whole = make()
    for batch in batches:
        whole(batch, 1e-3)
    first = make()
    half = len(batches) // 2
    for batch in batches[:half]:
        first(batch, 1e-3)
    first.to_net()
    second = make(net=first.net, trainer=first.trainer)
    for batch in batches[half:]:
        second(batch, 1e-3)
    states = [each.module.state_dict() for each in (whole, second)]
    return all(bool((states[0][name] == states[1][name]).all()) for name in states[0])


def _step(
    network: str, processes: Any, dtype: Any, way: str = BUCKETS, net: Any = None, trainer: Any = None
) -> Any:
    """Return a step on a new network, or one that goes on with a network and a trainer."""
    from gluon_yolo.models import zoo
    from gluon_yolo.training.torch_engine.step import TorchStep

    if net is None:
        net = zoo.build(network, CLASSES, norm="sync")
        net.initialize_weights(seed=0)
    step = TorchStep(net, dtype=dtype, processes=processes)
    if trainer is not None:
        step.trainer = trainer
        step.from_net()
    if way == DDP and processes.share.world > 1:
        _use_ddp(step)
    return step


def _use_ddp(step: Any) -> None:
    """Let DDP add the gradients of a step up. It gives their mean, which is made a sum of again."""
    from torch.nn.parallel import DistributedDataParallel

    class Sum:
        def finish(self) -> None:
            for parameter in step.module.parameters():
                parameter.grad.mul_(step.processes.share.world)

    for parameter in step.module.parameters():
        parameter._post_accumulate_grad_hooks.clear()
    step._gradients = Sum()
    step._network = DistributedDataParallel(
        step.module, broadcast_buffers=False, gradient_as_bucket_view=True
    )


def _batch(spec: Any, number: int, size: int, batch_size: int, places: range) -> Any:
    from gluon_yolo.assigners import assign
    from gluon_yolo.data.loading.collate import Batch, pad_targets
    from gluon_yolo.detections import Detections

    rng = np.random.default_rng(number)
    pixels = rng.integers(0, 256, (batch_size, size, size, 3), dtype=np.uint8)
    sides = rng.uniform(12, size / 3, (batch_size, 6, 2))
    corners = rng.uniform(0, 1, sides.shape) * (size - sides)
    boxes = np.concatenate([corners, corners + sides], 2).astype(np.float32)
    ids = rng.integers(0, len(spec.class_names), (batch_size, 6))
    rows = [assign(Detections(boxes[at], ids[at]), None, spec, (size, size)) for at in places]
    return Batch(
        pixels[places.start : places.stop], pad_targets(rows), [""] * len(places), [*places], (size, size)
    )


if __name__ == "__main__":
    sys.exit(main())
