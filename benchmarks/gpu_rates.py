"""Rates of torch's engine for ``gpu_train.py``: images a second, memory, and where a step's time goes.

Each function takes the arguments of ``gpu_train.py``.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from train_sides import LEARNING_RATE, build

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.loading.collate import Batch
from gluon_yolo.data.loading.loader import TrainLoader
from gluon_yolo.data.transforms import augmentation
from gluon_yolo.system import memory
from gluon_yolo.torch_compat import torch
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.torch_engine.step import TorchStep
from tests.judged_networks import make_batch

ENOUGH = 0.9  # of the synthetic rate, from a data set
BAR = 2000  # images a second of MobileNet1.0 in bfloat16 on one H100
WARM_UP = 3  # steps


def title(network: str) -> str:
    """Return a network's name for a table."""
    return Path(network).stem if network.endswith(".cfg") else network


def new_step(args: argparse.Namespace, network: str, precision: str) -> TorchStep:
    """Return torch's engine with a network of random weights."""
    net = build(network)
    net.initialize_weights(seed=0)
    return TorchStep(net, args.device, precision=precision)


def speed(args: argparse.Namespace, data: Dataset) -> None:
    """Print images a second and the memory, with a synthetic batch and from the data set."""
    print(
        f"\ntraining at {args.size}x{args.size}, batch {args.batch_size}; "
        f"{data.report.title} by {args.workers} workers"
    )
    columns = f"{'synthetic/s':>12}{'memory GB':>11}{'from data/s':>13}{'waiting':>9}"
    print(f"{'network':32}{'precision':10}{columns}")
    for network, precision in itertools.product(args.network, args.precision):
        step = new_step(args, network, precision)
        forget_peak(args)
        synthetic, _ = rate(args, step, itertools.repeat(synthetic_batch(args, step)))
        peak = peak_memory(args) / 1e9
        with make_loader(args, data, step) as loader:
            batches = itertools.chain.from_iterable(map(loader.epoch, itertools.count()))
            from_data, waiting = rate(args, step, batches, loader)
        lines = f"{synthetic:12.1f}{peak:11.2f}{from_data:13.1f}{waiting:9.1%}"
        slow = f"  below {ENOUGH:.0%} of synthetic" if from_data < ENOUGH * synthetic else ""
        print(f"{title(network):32}{precision:10}{lines}{slow}", flush=True)
        if "mobilenet1.0" in network and precision == "bfloat16" and args.gpu is not None:
            reached = "reached" if synthetic >= BAR else "NOT reached, see the operators below"
            print(f"  the bar of {BAR:,} pictures a second: {reached}")


def synthetic_batch(args: argparse.Namespace, step: TorchStep) -> Batch:
    """Return a batch of noise with some objects in each image."""
    size_hw = (args.size, args.size)
    pairs = [make_batch(step.net.spec, size_hw, None, seed) for seed in range(-(-args.batch_size // 2))]
    rows = max(targets.shape[1] for _, targets in pairs)
    padded = [np.pad(t, ((0, 0), (0, rows - t.shape[1]), (0, 0))) for _, t in pairs]
    images = np.concatenate([images for images, _ in pairs])[: args.batch_size]
    names = [""] * args.batch_size
    targets = np.concatenate(padded)[: args.batch_size]
    return Batch(images, targets, names, list(range(args.batch_size)), size_hw)


def make_loader(args: argparse.Namespace, data: Dataset, step: TorchStep) -> TrainLoader:
    """Return the data pipeline of a training with the default augmentation."""
    config = TrainConfig(num_workers=args.workers)
    return TrainLoader(
        data,
        augmentation(config.augment),
        step.net.spec,
        args.batch_size,
        [(args.size, args.size)],
        workers=args.workers,
        worker_type=config.loader_worker_type,
    )


def rate(
    args: argparse.Namespace, step: TorchStep, batches: Iterable[Batch], loader: TrainLoader | None = None
) -> tuple[float, float]:
    """Return images a second, and the share of the time in which the steps waited for the loader."""
    source = iter(batches)
    for _ in range(WARM_UP):
        step(next(source), LEARNING_RATE)
    finish(args)
    begin, waited, images = time.perf_counter(), loader.time_waiting if loader else 0.0, 0
    while time.perf_counter() - begin < args.seconds:
        step(next(source), LEARNING_RATE)
        images += args.batch_size
    finish(args)
    elapsed = time.perf_counter() - begin
    return images / elapsed, (loader.time_waiting - waited) / elapsed if loader else 0.0


def finish(args: argparse.Namespace) -> None:
    """Wait until the GPU has done all its work."""
    if args.gpu is not None:
        torch.cuda.synchronize(args.gpu)


def forget_peak(args: argparse.Namespace) -> None:
    """Begin to measure the largest memory anew."""
    if args.gpu is None:
        memory.forget_peak()
    else:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(args.gpu)


def peak_memory(args: argparse.Namespace) -> float:
    """Return the largest memory since :func:`forget_peak` in bytes: of the GPU, or of the process."""
    return float(memory.peak() or 0) if args.gpu is None else float(torch.cuda.max_memory_allocated(args.gpu))


def profile(args: argparse.Namespace) -> None:
    """Print the operators that take the most time in a few steps."""
    network, precision = args.network[0], args.precision[-1]
    step = new_step(args, network, precision)
    batch = synthetic_batch(args, step)
    for _ in range(WARM_UP):
        step(batch, LEARNING_RATE)
    activities = [torch.profiler.ProfilerActivity.CPU]
    if args.gpu is not None:
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as recorded:
        for _ in range(WARM_UP):
            step(batch, LEARNING_RATE)
        finish(args)
    key = "self_cpu_time_total" if args.gpu is None else "self_device_time_total"
    rows = sorted(recorded.key_averages(), key=lambda row: getattr(row, key), reverse=True)
    total = sum(getattr(row, key) for row in rows) or 1
    print(f"\noperators of a step of {title(network)} in {precision}: share of their time, calls")
    for row in rows[:12]:
        print(f"{getattr(row, key) / total:7.1%}{row.count / WARM_UP:8.1f}  {row.key[:90]}")
