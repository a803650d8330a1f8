"""One training step: this package against GluonCV, same batches, same network, at 416 and batch 8.

A step is targets, network, losses, gradients and update. Each side runs in a separate process with its own
defaults, thread count included. A third process is GluonCV with this package's thread count. They take turns,
a step at a time, so that other load on the machine affects all of them. GluonCV's side is that of its
training script: targets by YOLOV3PrefetchTargetGenerator (which its data workers run on the same cores),
hybridized network with its losses.

Run it as: python benchmarks/train_step.py [--rounds N] [--network NAME] [--size N] [--batch-size N]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from alive import alive
from peers import OURS, THEIRS, THEIRS_OUR_THREADS, Sides, import_gluoncv, serve

NUM_CLASSES = 20
OBJECTS = 14  # of an image, as BCCD's
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
MOMENTUM, WEIGHT_DECAY, LEARNING_RATE = 0.9, 0.0005, 1e-5


def main() -> int:
    """Measure, and print a table and the ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", default="yolo3_mobilenet1.0_voc", help="a detector that GluonCV has too")
    parser.add_argument("--size", type=int, default=416, help="side of the square input, in pixels")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=8, help="steps of each side")
    parser.add_argument("--side", choices=("ours", "gluoncv"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        make = {"ours": our_side, "gluoncv": gluoncv_side}[args.side]
        return serve({"time": make(args)})

    words = ["--network", args.network, "--size", str(args.size), "--batch-size", str(args.batch_size)]
    with Sides(__file__, words) as sides:
        times, threads = sides.take_turns(args.rounds), sides.threads
    print(
        f"{args.network} at {args.size}x{args.size}, batch {args.batch_size}, {args.rounds} steps each; "
        f"threads: {', '.join(f'{name} {count}' for name, count in threads.items())}"
    )
    print(f"{'':28}{'targets ms':>11}{'step ms':>10}{'whole ms':>10}{'pictures/s':>12}{'ours faster':>13}")
    middle = {name: statistics.median(sum(parts) for parts in rows) for name, rows in times.items()}
    for name, rows in times.items():
        parts = [statistics.median(column) for column in zip(*rows)]
        print(
            f"{name:28}{parts[0]:11.1f}{parts[1]:10.0f}{middle[name]:10.0f}"
            f"{1e3 * args.batch_size / middle[name]:12.2f}{middle[name] / middle[OURS]:12.2f}x"
        )
    print(f"at equal threads {middle[THEIRS_OUR_THREADS] / middle[OURS]:.2f}x")
    print(
        f"ratio {middle[THEIRS] / middle[OURS]:.2f}x "
        "(ours over GluonCV, training pictures per second, each side's own defaults)"
    )
    return 0


def batches(args: argparse.Namespace):
    """Yield the same random pixels (B, H, W, 3), boxes (B, M, 4) and ids (B, M) on every side."""
    rng = np.random.default_rng(0)
    while True:
        pixels = rng.integers(0, 256, (args.batch_size, args.size, args.size, 3), dtype=np.uint8)
        sides = rng.uniform(16, args.size / 3, (args.batch_size, OBJECTS, 2))
        corner = rng.uniform(0, 1, sides.shape) * (args.size - sides)
        boxes = np.concatenate([corner, corner + sides], axis=2).astype(np.float32)
        yield pixels, boxes, rng.integers(0, NUM_CLASSES, (args.batch_size, OBJECTS))


def our_side(args: argparse.Namespace):
    """Return this package's step: milliseconds of the targets and of the rest."""
    from gluon_yolo.assigners import assign
    from gluon_yolo.data.loading.collate import Batch, pad_targets
    from gluon_yolo.detections import Detections
    from gluon_yolo.models import zoo
    from gluon_yolo.mxnet_compat import mx, nd
    from gluon_yolo.training.step import TrainStep

    net = zoo.build(args.network)
    net.initialize_weights(seed=0)
    size_hw = (args.size, args.size)
    refuse_too_much(net, size_hw, args.batch_size)
    train = TrainStep(net, [mx.cpu()], MOMENTUM, WEIGHT_DECAY)
    source = batches(args)

    def step() -> list[float]:
        pixels, boxes, ids = next(source)
        begin = time.perf_counter()
        rows = [assign(Detections(b, i), None, net.spec, size_hw) for b, i in zip(boxes, ids)]
        batch = Batch(pixels, pad_targets(rows), [""] * len(rows), [0] * len(rows), size_hw)
        ready = time.perf_counter()
        train(batch, LEARNING_RATE)
        nd.waitall()
        return [(ready - begin) * 1e3, (time.perf_counter() - ready) * 1e3]

    return step


def refuse_too_much(net: Any, size_hw: tuple[int, int], batch_size: int) -> None:
    """End with a line where memory is short, before the system does without one; GluonCV takes more."""
    from gluon_yolo.errors import UserError
    from gluon_yolo.system import memory
    from gluon_yolo.training.memory_check import Wanted, check
    from gluon_yolo.training.memory_estimate import TrainMemory

    there = memory.look()
    try:
        if there is not None:
            wanted = Wanted(batch_size, [size_hw], size_hw, net.spec.max_stride)
            check(wanted, TrainMemory(net, size_hw, objects=OBJECTS), there)
    except UserError as error:
        raise SystemExit(f"error: {error}") from None


def gluoncv_side(args: argparse.Namespace):
    """Return GluonCV's step, as its training script goes it: milliseconds of the targets and of the rest."""
    mx, gluoncv = import_gluoncv()
    from gluoncv.model_zoo.yolo.yolo_target import YOLOV3PrefetchTargetGenerator
    from mxnet import autograd, gluon, nd

    net = gluoncv.model_zoo.get_model(args.network, pretrained_base=False)
    net.initialize()
    blank = nd.zeros((1, 3, args.size, args.size))
    with autograd.train_mode():
        _, anchors, offsets, maps, *_ = net(blank)
    generator = YOLOV3PrefetchTargetGenerator(len(net.classes))
    net.hybridize()
    descent = {"learning_rate": LEARNING_RATE, "momentum": MOMENTUM, "wd": WEIGHT_DECAY}
    trainer = gluon.Trainer(net.collect_params(), "sgd", descent, kvstore="local")
    source = batches(args)

    def step() -> list[float]:
        pixels, boxes, ids = next(source)
        tensors = mx.nd.image.normalize(
            mx.nd.image.to_tensor(nd.array(pixels, dtype="uint8")), mean=MEAN, std=STD
        )
        tensors.wait_to_read()  # its data workers deliver these
        begin = time.perf_counter()
        rows = [
            generator(blank, maps, anchors, offsets, nd.array(b[None]), nd.array(i[None, :, None]))
            for b, i in zip(boxes, ids)
        ]
        targets = [nd.array(boxes), *(nd.concat(*parts, dim=0) for parts in zip(*rows))]
        nd.waitall()
        ready = time.perf_counter()
        with autograd.record():
            losses = net(tensors, *targets)
            total = sum(losses)
        autograd.backward([total])
        trainer.step(args.batch_size)
        [loss.asnumpy() for loss in losses]
        nd.waitall()
        return [(ready - begin) * 1e3, (time.perf_counter() - ready) * 1e3]

    return step


if __name__ == "__main__":
    sys.exit(alive(main))
