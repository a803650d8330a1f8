"""The time of a training sample, from an image file to pixels and targets, beside GluonCV's.

    python benchmarks/data_pipeline.py [--data-root BCCD] [--size 416] [--rounds 5]

The images are BCCD's (640x480 JPEG) if available, else drawn ones. Both sides decode the same files, augment
them with GluonCV's YOLOv3 preset, and make the targets, in one process and one thread, in turns. Then: mosaic
and other augmentations; reading packed records; images per second by the number of workers, threads and
processes, on one core and on all; and the bytes that a sample takes from worker to batch.
"""

from __future__ import annotations

import argparse
import os
import pickle
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
from alive import alive

from gluon_yolo.data.dataset import Dataset, ImageFiles
from gluon_yolo.data.loading.loader import TrainLoader
from gluon_yolo.data.loading.sampler import Job, Sampler
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.data.recordio.source import RecordSource
from gluon_yolo.data.recordio.writer import RecordWriter
from gluon_yolo.data.synthetic import generate
from gluon_yolo.data.transforms import augmentation
from gluon_yolo.data.voc.dataset import open_voc
from gluon_yolo.spec import DetectionSpec

IMAGES = 96  # of the data set, in a timed round
Sample = Callable[[int, int], object]  # a round's number and an image's: makes its sample
CLASSES = 20  # what the bytes are told for: GluonCV's dense targets grow with them
BCCD = (
    Path(os.environ.get("GLUON_YOLO_DATA", Path(__file__).resolve().parents[2] / "shared/data")) / "bccd/BCCD"
)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, default=BCCD, metavar="DIR", help="in VOC layout")
    parser.add_argument("--size", type=int, default=416, metavar="N")
    parser.add_argument("--rounds", type=int, default=5, metavar="R", help="of which the medians are told")
    args = parser.parse_args()
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as folder:
        dataset = _dataset(args.data_root, Path(folder))
        records = _packed(dataset, Path(folder) / "packed")
        size_hw = (args.size, args.size)
        print(f"{dataset.report.title}: {IMAGES} pictures of {len(dataset)}, to {args.size}, one thread")
        ratio = _one_worker(_sides(dataset, records, size_hw), IMAGES, args.rounds)
        photographs = _photographs(dataset, Path(folder))
        print(f"\n{len(photographs)} photographs of 12 megapixels")
        _one_worker(_both(photographs, size_hw), len(photographs), args.rounds)
        _workers(dataset, size_hw)
        _bytes(dataset, size_hw)
    print(f"ratio {ratio:.2f}x (GluonCV's transform with targets over ours, milliseconds a picture)")
    return 0


def _dataset(root: Path, folder: Path) -> Dataset:
    if root.is_dir():
        return open_voc(root, "trainval")
    return open_voc(generate(folder / "drawn", images=120), "trainval")


def _packed(dataset: Dataset, folder: Path) -> Dataset:
    writer = RecordWriter(folder, dataset.class_names)
    writer.write("train", dataset)
    writer.finish()
    return RecordSource(folder).open("train")


def _photographs(dataset: Dataset, folder: Path) -> Dataset:
    """Return some images as a telephone would have taken them: 4000x3000, with noise."""
    random, paths, truths, size_hw = np.random.default_rng(0), [], [], (3000, 4000)
    for index in range(4):
        small = dataset.image(index)
        large = cv2.resize(small, size_hw[::-1], interpolation=cv2.INTER_CUBIC)
        large = np.clip(large + random.normal(0, 4, large.shape), 0, 255).astype(np.uint8)
        paths.append(str(folder / f"photograph-{index}.jpg"))
        cv2.imwrite(paths[-1], large, [cv2.IMWRITE_JPEG_QUALITY, 90])
        scale = np.tile([size_hw[1] / small.shape[1], size_hw[0] / small.shape[0]], 2)
        truths.append(dataset.annotations(index).replace(boxes=dataset.annotations(index).boxes * scale))
    return ImageFiles(dataset.class_names, paths, [size_hw] * 4, truths, DatasetReport("photographs"))


def _both(dataset: Dataset, size_hw: tuple[int, int]) -> dict[str, Sample]:
    return {
        "ours, GluonCV's preset": _ours(dataset, "yolo3", size_hw),
        "GluonCV, its preset": _gluoncv(dataset, size_hw),
    }


def _sides(dataset: Dataset, records: Dataset, size_hw: tuple[int, int]) -> dict[str, Sample]:
    return {
        **_both(dataset, size_hw),
        "ours, the preset, from packed records": _ours(records, "yolo3", size_hw),
        "ours, light": _ours(dataset, "light", size_hw),
        "ours, mosaic of four, preset": _ours(dataset, "mosaic(probability=1),yolo3", size_hw),
        "ours, mosaic of four, light": _ours(dataset, "mosaic(probability=1),light", size_hw),
        "ours, turned and sheared": _ours(dataset, "color,affine(degrees=10,shear_degrees=5),flip", size_hw),
        "ours, letterbox only": _ours(dataset, "letterbox", size_hw),
    }


def _one_worker(sides: dict[str, Sample], count: int, rounds: int) -> float:
    """Time one sample after the other, the sides by turns; return the second side's time over the first's."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(rounds + 1):  # the first warms up
        for name, sample in sides.items():
            start = time.perf_counter()
            for index in range(count):
                sample(turn, index)
            if turn:
                times[name].append(1e3 * (time.perf_counter() - start) / count)
    print("milliseconds a picture, median of rounds (fastest .. slowest)")
    for name, seen in times.items():
        print(f"  {name:40} {statistics.median(seen):7.2f}   ({min(seen):.2f} .. {max(seen):.2f})")
    ours, theirs = list(times)[:2]
    return statistics.median(times[theirs]) / statistics.median(times[ours])


def _ours(dataset: Dataset, augment: str, size_hw: tuple[int, int]) -> Sample:
    sampler = Sampler(dataset, augmentation(augment), DetectionSpec(dataset.class_names))
    out = np.empty((*size_hw, 3), dtype=np.uint8)
    return lambda turn, index: sampler(Job(turn, index % len(dataset), 0, False, size_hw), out)


def _gluoncv(dataset: Dataset, size_hw: tuple[int, int]) -> Sample:
    """Return GluonCV's way of a sample, as its train_yolo3.py's loader works it out in a worker."""
    from peers import import_gluoncv

    mx, gluoncv = import_gluoncv()
    from gluoncv.data.transforms.presets.yolo import YOLO3DefaultTrainTransform

    net = gluoncv.model_zoo.get_model(
        "yolo3_mobilenet1.0_custom", classes=list(dataset.class_names), pretrained_base=False
    )
    net.initialize()
    transform = YOLO3DefaultTrainTransform(size_hw[1], size_hw[0], net)

    def sample(turn: int, index: int) -> object:
        truth = dataset.annotations(index % len(dataset))
        label = np.concatenate([truth.boxes, truth.class_ids[:, None]], axis=1).astype(np.float32)
        parts = transform(mx.image.imread(dataset.name(index % len(dataset))), label)
        for part in parts:
            part.wait_to_read()
        return parts

    return sample


def _workers(dataset: Dataset, size_hw: tuple[int, int]) -> None:
    """Print images a second by number and kind of workers, on one core and on all."""
    cores = sorted(os.sched_getaffinity(0))
    print("\npictures a second, GluonCV's preset with targets, batches of 8, best of 3 epochs")
    for used in sorted({1, len(cores)}):
        os.sched_setaffinity(0, cores[:used])
        for kind in ("thread", "process"):
            line = [f"{workers} {_rate(dataset, size_hw, kind, workers):5.0f}" for workers in (1, 2, 4)]
            print(f"  {used} {'core ' if used == 1 else 'cores'}  {kind + ' workers':16} {'   '.join(line)}")
    os.sched_setaffinity(0, cores)


def _rate(dataset: Dataset, size_hw: tuple[int, int], kind: str, workers: int) -> float:
    spec = DetectionSpec(dataset.class_names)
    rates = []
    with TrainLoader(
        dataset, augmentation("yolo3"), spec, 8, [size_hw], workers=workers, worker_type=kind
    ) as loader:
        next(iter(loader.epoch(9)))  # starts the workers
        for epoch in range(3):
            start = time.perf_counter()
            count = sum(len(batch.names) for batch in loader.epoch(epoch))
            rates.append(count / (time.perf_counter() - start))
    return max(rates)


def _bytes(dataset: Dataset, size_hw: tuple[int, int]) -> None:
    """Print what a sample takes from worker to batch, with ours and with GluonCV's targets."""
    spec = DetectionSpec(tuple(f"class {number}" for number in range(CLASSES)))
    sampler = Sampler(dataset, augmentation("yolo3"), spec)
    out = np.empty((*size_hw, 3), dtype=np.uint8)
    jobs = (Job(0, index, 0, False, size_hw) for index in range(min(IMAGES, len(dataset))))
    answers = [len(pickle.dumps(sampler(job, out))) for job in jobs]
    cells = sum((size_hw[0] // stride) * (size_hw[1] // stride) * 3 for stride in spec.strides)
    float32, columns = 4, 1 + 2 + 2 + 2 + CLASSES  # objectness, centre, scale, weights, classes
    print(f"\nbytes a sample from worker to batch, {CLASSES} classes")
    print(f"  ours      pixels {out.nbytes / 1e6:.3f} MB, targets {statistics.mean(answers) / 1e6:.4f} MB")
    pixels, targets = out.size * float32, cells * columns * float32
    print(f"  GluonCV   pixels {pixels / 1e6:.3f} MB, targets {targets / 1e6:.3f} MB")


if __name__ == "__main__":
    sys.exit(alive(main))
