"""This package's data loader beside grain, Google's loader library: the same samples, threads and processes.

    python -m pip install grain        (Python 3.10 or later; not a requirement of this package)
    python benchmarks/loader_library.py [--data-root BCCD]

Both sides shuffle, make each sample with the same Sampler (decode, augment, targets), and stack batches of 8
at 416. Printed are images per second over an epoch, without the first batches.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
from alive import alive

from gluon_yolo.data.loading.collate import pad_targets
from gluon_yolo.data.loading.loader import TrainLoader
from gluon_yolo.data.loading.sampler import Job, Sampler
from gluon_yolo.data.transforms import augmentation
from gluon_yolo.data.voc.dataset import open_voc
from gluon_yolo.spec import DetectionSpec

BATCH, SIZE_HW, SKIPPED = 8, (416, 416), 4
BCCD = (
    Path(os.environ.get("GLUON_YOLO_DATA", Path(__file__).resolve().parents[2] / "shared/data")) / "bccd/BCCD"
)


class Samples:
    """A data set's samples of epoch 0, as grain's random access sources are."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def __len__(self) -> int:
        return len(self._sampler.dataset)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        out = np.empty((*SIZE_HW, 3), dtype=np.uint8)
        return out, self._sampler(Job(0, index, 0, False, SIZE_HW), out)


def stack(samples: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Make a batch of samples."""
    images, targets = zip(*samples)
    return np.stack(images), pad_targets(list(targets))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, default=BCCD, metavar="DIR", help="in VOC layout")
    parser.add_argument("--rounds", type=int, default=3, metavar="R", help="of which the best is told")
    args = parser.parse_args()
    try:
        import grain
    except ImportError:
        print("grain is not installed, so nothing is compared: pip install grain")
        return 0
    cv2.setNumThreads(0)
    dataset = open_voc(args.data_root, "trainval")
    sampler = Sampler(dataset, augmentation("yolo3"), DetectionSpec(dataset.class_names))

    def theirs(kind: str, workers: int) -> Iterator:
        samples = grain.MapDataset.source(Samples(sampler)).seed(0).shuffle()
        threads = grain.ReadOptions(num_threads=workers if kind == "thread" else 1, prefetch_buffer_size=16)
        batches = samples.to_iter_dataset(threads).batch(BATCH, drop_remainder=True, batch_fn=stack)
        if kind == "process":
            batches = batches.mp_prefetch(grain.MultiprocessingOptions(num_workers=workers))
        return iter(batches)

    print("pictures a second, GluonCV's preset with targets, batches of 8 at 416")
    ratios = []
    for kind, workers in (("thread", 1), ("thread", 2), ("process", 1), ("process", 2)):
        rates: dict[str, list[float]] = {"ours": [], "grain": []}
        for _ in range(args.rounds):
            with TrainLoader(
                dataset, sampler.transform, sampler.spec, BATCH, [SIZE_HW], workers=workers, worker_type=kind
            ) as loader:
                rates["ours"].append(_rate(loader.epoch(0)))
            rates["grain"].append(_rate(theirs(kind, workers)))
        ours, grains = max(rates["ours"]), max(rates["grain"])
        ratios.append(ours / grains)
        print(f"  {workers} {kind:8} ours {ours:5.0f}   grain {grains:5.0f}")
    print(f"ratio {min(ratios):.2f}x (ours over grain, in the worst of the four)")
    return 0


def _rate(batches: Iterator) -> float:
    for _ in range(SKIPPED):
        next(batches)
    start, count = time.perf_counter(), 0
    for _ in batches:
        count += BATCH
    return count / (time.perf_counter() - start)


if __name__ == "__main__":
    sys.exit(alive(main))
