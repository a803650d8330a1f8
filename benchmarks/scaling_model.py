"""How far a training scales: a model of a step on many GPUs, from measured times and bytes.

The model adds up what a step waits for:

- the arithmetic of one GPU's share of the batch, as measured on one;
- the sum of the gradients. In a ring each GPU sends and receives 2 (n - 1) / n times their bytes; of several
  hosts each host's network carries that once. It goes on beside the backward pass; the rest is waited for;
- the messages that nothing goes on beside: two for each batch norm with SyncBN, and the one with the losses.
  Each costs 2 log2(n) times the latency (a tree), and its few bytes.

It does not know of slow hosts, of other jobs on the network, of a file system that all read from, nor whether
a batch of that size still trains as well. A number that is not given is measured here, on this CPU, and is
labelled so: give those of a GPU for a forecast of GPUs.

Run it as: python benchmarks/scaling_model.py [--network NAME] [--size N] [--images N] [--step-ms X]
[--decode-ms X] [--gradient-mb X] [--norms N] [--channels N] [--gpus 8,64,512] [--gpus-per-host N]
[--network-gbit X] [--link-gbyte X] [--latency-us X] [--beside X]
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

GOAL = 0.9  # of the speed that n GPUs would have without messages
MOST = 1 << 16  # GPUs


@dataclasses.dataclass(frozen=True)
class Training:
    """What is measured of one GPU.

    Args:
        step_s: seconds of a step of its share.
        images: of its share.
        gradient_bytes: of a step.
        norms: batch norms that are joined over all GPUs; 0 without SyncBN.
        channels: of these norms, together.
        decode_s: seconds of one core for one image.
    """

    step_s: float
    images: int
    gradient_bytes: float
    norms: int
    channels: int
    decode_s: float

    @property
    def cores(self) -> float:
        """CPU cores that a GPU needs for its images."""
        return self.decode_s * self.images / self.step_s


@dataclasses.dataclass(frozen=True)
class Machines:
    """What the GPUs are connected by.

    Args:
        per_host: GPUs of a host.
        network: bytes a second of a host's network, each way.
        link: bytes a second of a GPU within a host, each way.
        latency_s: seconds of a message from one GPU to another.
        beside: the part of a step beside which gradients are sent: the backward pass, but for its beginning.
    """

    per_host: int = 8
    network: float = 12.5e9
    link: float = 200e9
    latency_s: float = 5e-6
    beside: float = 0.5

    def bandwidth(self, gpus: int) -> float:
        """Return the bytes a second of the slowest part of a ring of so many."""
        return self.link if gpus <= self.per_host else min(self.link, self.network)


def ring_bytes(training: Training, gpus: int) -> float:
    """Return the bytes that each GPU sends in a step for the sum of the gradients."""
    return 2 * (gpus - 1) / gpus * training.gradient_bytes


def unhidden_s(training: Training, machines: Machines, gpus: int) -> float:
    """Return the seconds of the messages of a step that nothing goes on beside."""
    if gpus == 1:
        return 0.0
    # Forward: count, mean and squares of every GPU to every other. Backward: two sums. One for the losses.
    moved = 4 * (2 * training.channels + training.norms) * gpus + 2 * 4 * 2 * training.channels
    messages = 2 * training.norms + 1
    return messages * 2 * math.log2(gpus) * machines.latency_s + moved / machines.bandwidth(gpus)


def step_s(training: Training, machines: Machines, gpus: int) -> float:
    """Return the seconds of a step on so many GPUs."""
    sending = ring_bytes(training, gpus) / machines.bandwidth(gpus)
    waited = max(0.0, sending - machines.beside * training.step_s)
    return training.step_s + waited + unhidden_s(training, machines, gpus)


def efficiency(training: Training, machines: Machines, gpus: int) -> float:
    """Return the speed of so many GPUs, relative to that many times one GPU's."""
    return training.step_s / step_s(training, machines, gpus)


def needed_bandwidth(training: Training, machines: Machines, gpus: int) -> float:
    """Return the bytes a second for :data:`GOAL`; infinite where the latencies alone take too long."""
    allowed = training.step_s * (1 / GOAL - 1)

    def is_enough(bandwidth: float) -> bool:
        even = dataclasses.replace(machines, link=bandwidth, network=bandwidth)
        return step_s(training, even, gpus) - training.step_s <= allowed

    low, high = 1e3, 1e15
    if not is_enough(high):
        return math.inf
    for _ in range(200):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def most_gpus(training: Training, machines: Machines) -> int:
    """Return the largest power of two of GPUs that reach :data:`GOAL`."""
    gpus = 1
    while 2 * gpus <= MOST and efficiency(training, machines, 2 * gpus) >= GOAL:
        gpus *= 2
    return gpus


def table(training: Training, machines: Machines, gpus: list[int]) -> list[str]:
    """Return the lines of the table."""
    lines = [
        f"{'GPUs':>6}{'images a step':>15}{'MB sent by each':>17}{'GB/s for 90 %':>15}{'step ms':>10}"
        f"{'efficiency':>12}{'images/s':>11}{'cores for data':>16}"
    ]
    for number in gpus:
        bandwidth = needed_bandwidth(training, machines, number)
        needed = "none is enough" if math.isinf(bandwidth) else f"{bandwidth / 1e9:.2f}"
        seconds = step_s(training, machines, number)
        lines.append(
            f"{number:6}{number * training.images:15,}{ring_bytes(training, number) / 1e6:17.1f}"
            f"{needed:>15}{1e3 * seconds:10.1f}"
            f"{efficiency(training, machines, number):12.1%}{number * training.images / seconds:11,.0f}"
            f"{number * training.cores:16,.1f}"
        )
    return lines


def end(training: Training, machines: Machines) -> str:
    """Return the line that says how far a training scales, and what stops it."""
    most = most_gpus(training, machines)
    if most == MOST:
        return f"90 % up to {most:,} GPUs, where this model ends"
    beyond = 2 * most
    sending = step_s(training, machines, beyond) - training.step_s - unhidden_s(training, machines, beyond)
    why = (
        "the sum of the gradients"
        if sending > unhidden_s(training, machines, beyond)
        else "messages of SyncBN"
    )
    return (
        f"90 % up to {most:,} GPUs; with {beyond:,} it is {efficiency(training, machines, beyond):.1%}: {why}"
    )


def main() -> int:
    """Measure what is not given, and print the tables with and without SyncBN."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", default="yolo3_mobilenet1.0_voc")
    parser.add_argument("--size", type=int, default=416, help="side of the square input, in pixels")
    parser.add_argument("--images", type=int, default=8, help="of a GPU's share of a step")
    parser.add_argument(
        "--step-ms", type=float, help="of a step of one GPU; measured on this CPU if not given"
    )
    parser.add_argument("--decode-ms", type=float, help="of a core for an image; measured here if not given")
    parser.add_argument("--gradient-mb", type=float, help="of a step; counted if not given")
    parser.add_argument("--norms", type=int, help="batch norms; counted if not given")
    parser.add_argument("--channels", type=int, help="of all batch norms; counted if not given")
    parser.add_argument("--gpus", default="8,64,512", help="numbers of GPUs, with commas between")
    parser.add_argument("--gpus-per-host", type=int, default=8)
    parser.add_argument("--network-gbit", type=float, default=100.0, help="of a host, each way")
    parser.add_argument(
        "--link-gbyte", type=float, default=200.0, help="of a GPU within a host, each way, a second"
    )
    parser.add_argument("--latency-us", type=float, default=5.0, help="of a message between two GPUs")
    parser.add_argument(
        "--beside", type=float, default=0.5, help="part of a step beside which gradients are sent"
    )
    args = parser.parse_args()
    training, labels = measured(args)
    machines = Machines(
        args.gpus_per_host,
        args.network_gbit * 1e9 / 8,
        1e9 * args.link_gbyte,
        args.latency_us / 1e6,
        args.beside,
    )
    gpus = [int(word) for word in args.gpus.split(",")]
    print(f"{args.network} at {args.size}x{args.size}, {args.images} images a GPU and step")
    print(
        f"step {1e3 * training.step_s:.1f} ms ({labels['step']}); gradients "
        f"{training.gradient_bytes / 1e6:.1f} MB; data {1e3 * training.decode_s:.2f} ms of a core an image "
        f"({labels['decode']}): {training.cores:.2f} cores a GPU"
    )
    print(
        f"hosts of {machines.per_host} GPUs, {args.network_gbit:g} Gbit/s a host, {args.link_gbyte:g} GB/s a "
        f"GPU within, {args.latency_us:g} us a message"
    )
    for name, each in (
        ("SyncBN", training),
        ("no SyncBN", dataclasses.replace(training, norms=0, channels=0)),
    ):
        print(f"\n{name}")
        print("\n".join(table(each, machines, gpus)))
        print(end(each, machines))
    return 0


def measured(args: argparse.Namespace) -> tuple[Training, dict[str, str]]:
    """Return the given numbers, and the others measured here, with a label of each origin."""
    labels = {"step": "as given", "decode": "as given"}
    step_ms, decode_ms = args.step_ms, args.decode_ms
    sizes = (args.gradient_mb, args.norms, args.channels)
    if step_ms is None or None in sizes:
        counted, seconds = count(args.network, args.size, args.images, step_ms is None)
        sizes = tuple(own if given is None else given for given, own in zip(sizes, counted))
        if step_ms is None:
            step_ms, labels["step"] = 1e3 * seconds, "measured on this CPU, which is no GPU"
    if decode_ms is None:
        decode_ms, labels["decode"] = 1e3 * decode_seconds(args.size), "measured on this CPU, one thread"
    gradient_mb, norms, channels = sizes
    return Training(step_ms / 1e3, args.images, 1e6 * gradient_mb, norms, channels, decode_ms / 1e3), labels


def count(network: str, size: int, images: int, timed: bool) -> tuple[tuple[float, int, int], float]:
    """Return the MB of gradients, the batch norms and their channels; and the seconds of a step here."""
    import numpy as np

    from gluon_yolo.assigners import COLUMNS
    from gluon_yolo.data.loading.collate import Batch
    from gluon_yolo.models import zoo
    from gluon_yolo.pytorch.batch_norm import batch_norms
    from gluon_yolo.training.torch_engine.step import TorchStep

    net = (
        zoo.build(network, norm="sync")
        if network.endswith(("_voc", "_coco"))
        else zoo.build(network, "abc", norm="sync")
    )
    net.initialize_weights(seed=0)
    step = TorchStep(net)
    layers = list(batch_norms(step.module))
    gradient_mb = sum(4 * each.numel() for each in step.module.parameters()) / 1e6
    seconds = []
    for number in range(4 if timed else 0):
        pixels = np.random.default_rng(number).integers(0, 256, (images, size, size, 3), dtype=np.uint8)
        targets = np.zeros((images, 8, COLUMNS), np.float32)
        began = time.perf_counter()
        step(Batch(pixels, targets, [""] * images, [0] * images, (size, size)), 1e-6)
        seconds.append(time.perf_counter() - began)
    middle = statistics.median(seconds[1:]) if timed else math.nan
    return (gradient_mb, len(layers), sum(each.gamma.numel() for each in layers)), middle


def decode_seconds(size: int) -> float:
    """Return the seconds of one thread for an image of 640x480: read, augmented, drawn, matched."""
    from gluon_yolo.data.loading.loader import TrainLoader
    from gluon_yolo.data.registry import open_source
    from gluon_yolo.data.synthetic import generate
    from gluon_yolo.data.transforms import augmentation
    from gluon_yolo.spec import DetectionSpec

    with tempfile.TemporaryDirectory() as folder:
        source = open_source(generate(Path(folder) / "shapes", images=64, size_hw=(480, 640)))
        names = source.class_names(("train",))
        loader = TrainLoader(
            source.open("train"), augmentation("yolo3"), DetectionSpec(names), 8, [(size, size)], workers=0
        )
        list(loader.epoch(0))
        began = time.perf_counter()
        shown = sum(len(batch.images) for epoch in (1, 2) for batch in loader.epoch(epoch))
        return (time.perf_counter() - began) / shown


if __name__ == "__main__":
    sys.exit(main())
