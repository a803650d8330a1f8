"""TrainLoader: batches of images and targets for training, at one size or at several (multi-scale training).

Every random number of training comes from (seed, epoch, image), not from a worker: any number of threads or
processes gives the same batches, and a resumed epoch continues with the same batches. Several training
processes read a share of each batch: their shares in turn are the batch that one process would read.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from gluon_yolo.assigners import assign, rows_per_object
from gluon_yolo.data.loading.collate import Batch, collate
from gluon_yolo.data.loading.processes import ProcessWorkers
from gluon_yolo.data.loading.sampler import SIZE, Assigner, Job, Sampler, image_order
from gluon_yolo.data.loading.share import WHOLE, Share
from gluon_yolo.data.loading.workers import prefetch
from gluon_yolo.data.transforms import Transform
from gluon_yolo.errors import UserError
from gluon_yolo.spec import DetectionSpec

if TYPE_CHECKING:
    from gluon_yolo.data.dataset import Dataset

WORKER_TYPES = ("thread", "process")

# Batches that are finished or in progress while the consumer holds one, so that a slow image does not delay
# the device.
_BATCHES_AHEAD = 2

_OBJECTS = 8  # the objects that targets have room for are a multiple of this


class TrainLoader:
    """Yields the batches of an epoch, prepared ahead by threads or processes.

    All batches are full: the last, short one is left out (other images in each epoch), and a data set smaller
    than a batch is repeated, with other random numbers, until it fills one.

    As a context manager, or after :meth:`close`, it leaves no process running.

    Args:
        dataset: images and annotations.
        transform: its output has the requested size.
        spec: the detector's, for the targets.
        batch_size: B, of the global batch.
        sizes_hw: the (height, width) of batches; one is drawn at random every ``resize_interval`` batches.
        seed: 0 or more.
        workers: number of threads or processes; 0 works in the caller's thread.
        mixup: whether epochs use mixup by default.
        mixup_alpha: both parameters of the Beta distribution of the shares.
        resize_interval: consecutive batches of one size.
        assigner: makes the targets of an image; by default the spec's assigner.
        worker_type: ``thread``: decoding and drawing release Python's lock, and nothing is copied; or
            ``process``, for a user's data sets and transforms that hold the lock.
        share: the part of each global batch that is read and yielded.

    Attributes:
        places: the places in the global batch that a yielded batch has.
        target_rows: the number of target rows of an image is a multiple of this.
        time_waiting: seconds that the consumer has waited for batches, over all epochs.

    Raises:
        UserError: the data set is empty.
        ValueError: a size does not fit the strides, a number is out of range, or the batch has no even share.
    """

    def __init__(
        self,
        dataset: Dataset,
        transform: Transform,
        spec: DetectionSpec,
        batch_size: int,
        sizes_hw: Sequence[tuple[int, int]],
        seed: int = 0,
        workers: int = 2,
        mixup: bool = False,
        mixup_alpha: float = 1.5,
        resize_interval: int = 10,
        assigner: Assigner = assign,
        worker_type: str = "thread",
        share: Share = WHOLE,
    ) -> None:
        if not len(dataset):
            raise UserError("the training data has no pictures: check its folder and the name of its split")
        if batch_size < 1 or seed < 0 or workers < 0 or resize_interval < 1 or mixup_alpha <= 0:
            raise ValueError("expected batch_size, resize_interval >= 1, seed, workers >= 0, mixup_alpha > 0")
        if not sizes_hw or any(side < 1 or side % spec.max_stride for size in sizes_hw for side in size):
            raise ValueError(f"sizes_hw: expected multiples of {spec.max_stride}, got {list(sizes_hw)}")
        if worker_type not in WORKER_TYPES:
            raise ValueError(f"worker_type: expected one of {WORKER_TYPES}, got {worker_type!r}")
        self.dataset = dataset
        self.sampler = Sampler(dataset, transform, spec, seed, mixup_alpha, assigner)
        self.batch_size = batch_size
        self.places = share.places(batch_size)
        self.sizes_hw = [(int(height), int(width)) for height, width in sizes_hw]
        self.seed = seed
        self.workers = workers
        self.worker_type = worker_type
        self.mixup = mixup
        self.resize_interval = resize_interval
        self.target_rows = _OBJECTS * rows_per_object(spec)
        self.time_waiting = 0.0
        self._processes: ProcessWorkers | None = None

    def __enter__(self) -> TrainLoader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the worker processes; the next epoch starts new ones."""
        if self._processes is not None:
            self._processes.close()
            self._processes = None

    def __len__(self) -> int:
        return max(1, len(self.dataset) // self.batch_size)

    def epoch(
        self, epoch: int, start_batch: int = 0, mixup: bool | None = None, mosaic: bool = True
    ) -> Generator[Batch, None, None]:
        """Yield the batches of an epoch, or this process's share of each; closing stops the workers.

        Args:
            epoch: from 0; an epoch always has the same batches.
            start_batch: skips the batches before it, without reading their images.
            mixup: overrides the loader's; None keeps it.
            mosaic: whether a mosaic of the transform is used.

        Raises:
            UserError: an image cannot be read; the message names it.
            RuntimeError: another error happened with an image; the message names it.
        """
        jobs = self._jobs(epoch, start_batch, self.mixup if mixup is None else mixup, mosaic)
        samples = self._samples(jobs)
        order = self._order(epoch)
        with contextlib.closing(samples):
            for number in range(start_batch, len(self)):
                start = time.perf_counter()
                images, targets = zip(*islice(samples, len(self.places)))
                indices = [order[number * self.batch_size + place] for place in self.places]
                names = [self.dataset.name(index) for index in indices]
                batch = collate(images, targets, names, indices, self.target_rows)
                self.time_waiting += time.perf_counter() - start
                yield batch

    def _samples(
        self, jobs: Iterator[tuple[Job, np.ndarray]]
    ) -> Generator[tuple[np.ndarray, np.ndarray], None, None]:
        """Yield each job's pixels and targets in order, computed ahead."""
        ahead = _BATCHES_AHEAD * len(self.places)
        if self.worker_type == "process" and self.workers:
            if self._processes is None or not self._processes.pids:
                sample_bytes = max(3 * height * width for height, width in self.sizes_hw)
                self._processes = ProcessWorkers(self.sampler, self.workers, ahead, sample_bytes)
            return self._processes.run(jobs)
        return prefetch(self._sample, jobs, self.workers, ahead)

    def _sample(self, job: tuple[Job, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        return job[1], self.sampler(*job)

    def _order(self, epoch: int) -> list[int]:
        """Return the indices into the data set of an epoch's batches, in order."""
        order = image_order(self.seed, epoch, len(self.dataset))
        return np.resize(order, len(self) * self.batch_size).tolist()

    def _jobs(
        self, epoch: int, start_batch: int, mixup: bool, mosaic: bool
    ) -> Iterator[tuple[Job, np.ndarray]]:
        """Yield the jobs of this share of an epoch, each with its slice of the batch's array."""
        order = self._order(epoch)
        for number in range(start_batch, len(self)):
            rng = np.random.default_rng((SIZE, self.seed, epoch, number // self.resize_interval))
            size_hw = self.sizes_hw[rng.integers(len(self.sizes_hw))]
            # Samples are drawn into their batch's array, which saves stacking them. Every batch has a new
            # array: mxnet's asynchronous engine may still read the last one.
            images = np.empty((len(self.places), *size_hw, 3), dtype=np.uint8)
            for image, place in zip(images, self.places):
                position = number * self.batch_size + place
                repeat = position // len(self.dataset)
                yield Job(epoch, order[position], repeat, mixup, size_hw, mosaic), image
