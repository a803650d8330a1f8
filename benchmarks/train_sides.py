"""The sides of ``train_step.py``: a training step of this package's engines and of GluonCV.

Each side is a function from the arguments to a step, which returns the milliseconds of the targets and of the
rest: network, losses, gradients and update.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from peers import import_gluoncv

OBJECTS = 14  # of an image, as BCCD's
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
MOMENTUM, WEIGHT_DECAY, LEARNING_RATE = 0.9, 0.0005, 1e-5
Step = Callable[[], "list[float]"]


class Side(NamedTuple):
    """A side.

    Args:
        title: in the table.
        make: returns its step.
        environment: of its process, besides ours.
        own_threads: whether the program chooses the number of threads.
    """

    title: str
    make: Callable[[argparse.Namespace], Step]
    environment: dict[str, str] = {}  # noqa: RUF012
    own_threads: bool = False


def batches(args: argparse.Namespace, classes: int) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield the same random pixels (B, H, W, 3), boxes (B, M, 4) and ids (B, M) on every side."""
    rng = np.random.default_rng(0)
    while True:
        pixels = rng.integers(0, 256, (args.batch_size, args.size, args.size, 3), dtype=np.uint8)
        sides = rng.uniform(16, args.size / 3, (args.batch_size, OBJECTS, 2))
        corner = rng.uniform(0, 1, sides.shape) * (args.size - sides)
        boxes = np.concatenate([corner, corner + sides], axis=2).astype(np.float32)
        yield pixels, boxes, rng.integers(0, classes, (args.batch_size, OBJECTS))


def build(name: str) -> Any:
    """Return a network of the zoo, for VOC where its name has no data set, or of a cfg."""
    from gluon_yolo.models.build import find_architecture

    return find_architecture(name, datasets=("voc",)).build()


def timed(args: argparse.Namespace, net: Any, engine: Any) -> Step:
    """Return the step of an engine (:class:`gluon_yolo.training.engine.Engine`) on a network."""
    from gluon_yolo.assigners import assign
    from gluon_yolo.data.loading.collate import Batch, pad_targets
    from gluon_yolo.detections import Detections
    from gluon_yolo.mxnet_compat import nd

    size_hw = (args.size, args.size)
    source = batches(args, net.spec.num_classes)

    def step() -> list[float]:
        pixels, boxes, ids = next(source)
        begin = time.perf_counter()
        rows = [assign(Detections(b, i), None, net.spec, size_hw) for b, i in zip(boxes, ids)]
        batch = Batch(pixels, pad_targets(rows), [""] * len(rows), [0] * len(rows), size_hw)
        ready = time.perf_counter()
        engine(batch, LEARNING_RATE)
        nd.waitall()
        return [(ready - begin) * 1e3, (time.perf_counter() - ready) * 1e3]

    return step


def by_mxnet(args: argparse.Namespace) -> Step:
    """Return the step of mxnet's engine."""
    from gluon_yolo.mxnet_compat import mx
    from gluon_yolo.training.mxnet_engine.step import TrainStep

    net = build(args.network)
    net.initialize_weights(seed=0)
    refuse_too_much(net, (args.size, args.size), args.batch_size)
    return timed(args, net, TrainStep(net, [mx.cpu()], MOMENTUM, WEIGHT_DECAY))


def by_slow_kernels(args: argparse.Namespace) -> Step:
    """Return the step of mxnet's engine with the kernels that it would take by itself."""
    from gluon_yolo.models.darknet import blocks
    from gluon_yolo.training.mxnet_engine import step

    step.without_mixed_blocks = lambda symbol, shapes: symbol  # type: ignore[assignment]
    step.use_fast_kernels = lambda trainer: None
    blocks._FAST_PADDING = args.size
    return by_mxnet(args)


def by_torch(args: argparse.Namespace) -> Step:
    """Return the step of torch's engine."""
    from gluon_yolo.training.torch_engine.step import TorchStep

    net = build(args.network)
    net.initialize_weights(seed=0)
    return timed(args, net, TorchStep(net, "cpu", MOMENTUM, WEIGHT_DECAY))


def by_torch_in_planes(args: argparse.Namespace) -> Step:
    """Return the step of torch's engine with channels first in memory, as PyTorch has them by default."""
    from gluon_yolo.torch_compat import F, torch

    convolve = F.conv2d
    # The first convolution gets an image with channels last; those behind it keep what they are given.
    F.conv2d = lambda x, weight, *rest: convolve(x.contiguous(), weight.contiguous(), *rest)
    torch.channels_last = torch.contiguous_format
    return by_torch(args)


def by_gluoncv(args: argparse.Namespace) -> Step:
    """Return GluonCV's step, as its training script goes it."""
    mx, gluoncv = import_gluoncv()
    from gluoncv.model_zoo.yolo.yolo_target import YOLOV3PrefetchTargetGenerator
    from mxnet import autograd, gluon, nd

    net = gluoncv.model_zoo.get_model(gluoncv_name(args.network), pretrained_base=False)
    net.initialize()
    blank = nd.zeros((1, 3, args.size, args.size))
    with autograd.train_mode():
        _, anchors, offsets, maps, *_ = net(blank)
    generator = YOLOV3PrefetchTargetGenerator(len(net.classes))
    net.hybridize()
    descent = {"learning_rate": LEARNING_RATE, "momentum": MOMENTUM, "wd": WEIGHT_DECAY}
    trainer = gluon.Trainer(net.collect_params(), "sgd", descent, kvstore="local")
    source = batches(args, len(net.classes))

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


def in_realtime(step: Step) -> Step:
    """Return a step whose threads go before those of all other processes while it runs."""

    def give(policy: int, priority: int) -> None:
        for thread in os.listdir("/proc/self/task"):
            os.sched_setscheduler(int(thread), policy, os.sched_param(priority))

    def wrapped() -> list[float]:
        give(os.SCHED_RR, 1)
        try:
            return step()
        finally:
            give(os.SCHED_OTHER, 0)

    return wrapped


def gluoncv_name(network: str) -> str:
    """Return GluonCV's name of a network of the zoo; empty where it has none."""
    stem = Path(network).name.replace("_voc", "").replace("yolo3_", "")
    known = {"mobilenet1_0": "mobilenet1.0", "mobilenet1.0": "mobilenet1.0", "darknet53": "darknet53"}
    return f"yolo3_{known[stem]}_voc" if stem in known else ""


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


# libgomp's own choice of how threads wait: these are its defaults, and keep the package from setting others.
LIBGOMPS = {"GOMP_SPINCOUNT": "300000"}
SIDES = {
    "mxnet": Side("mxnet", by_mxnet),
    "waiting": Side("mxnet, libgomp's waiting", by_mxnet, LIBGOMPS),
    "passive": Side("mxnet, passive waiting", by_mxnet, {"OMP_WAIT_POLICY": "passive"}),
    "kernels": Side("mxnet, slow kernels", by_slow_kernels),
    "plain": Side("mxnet, both", by_slow_kernels, LIBGOMPS),
    "torch": Side("torch, channels last", by_torch),
    "planes": Side("torch, channels first", by_torch_in_planes),
    "gluoncv": Side("GluonCV, our threads", by_gluoncv),
    "gluoncv-own": Side("GluonCV, its own threads", by_gluoncv, own_threads=True),
}
