"""Loader: batches of pictures and targets for training.

Every random number of training comes from (seed, epoch, picture), never from a worker: any number of workers
gives the same batches, and a resumed epoch goes on as it would have.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Optional

import numpy as np

from gluon_yolo.assign import assign, pad_targets
from gluon_yolo.data.mixup import mix
from gluon_yolo.data.prefetch import prefetch
from gluon_yolo.data.transforms import Transform
from gluon_yolo.errors import UserError
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.structures import Detections

if TYPE_CHECKING:
    from gluon_yolo.data.dataset import Dataset

Assigner = Callable[[Detections, Optional[np.ndarray], DetectionSpec, "tuple[int, int]"], np.ndarray]

# What a random stream is for; first among its seeds, since to NumPy (1, 2) and (1, 2, 0) are one seed.
_ORDER, _SIZE, _SAMPLE = 1, 2, 3

# Batches finished or in work while the consumer holds one: a slow picture then never stops the device.
_BATCHES_AHEAD = 2


@dataclasses.dataclass(frozen=True)
class Batch:
    """What one training step sees.

    Args:
        pictures: (B, H, W, 3) uint8 RGB; a fresh array, the consumer's to keep.
        targets: (B, M, 12) float32, as :func:`gluon_yolo.assign.pad_targets` stacks them.
        names: B files or record keys; with mixup, of the first of the two pictures.
        indices: B places in the data set.
        size_hw: height and width of the pictures.
    """

    pictures: np.ndarray
    targets: np.ndarray
    names: list[str]
    indices: list[int]
    size_hw: tuple[int, int]


@dataclasses.dataclass(frozen=True)
class _Slot:
    """One sample to make: which picture, the how-manieth of it in this epoch, and where it goes."""

    epoch: int
    index: int
    repeat: int
    mixup: bool
    out: np.ndarray


class TrainLoader:
    """Gives the batches of any epoch, prepared ahead by threads.

    All batches are full: the last, short one is left out (each epoch leaves out others), and a data set
    smaller than a batch is repeated, with other random numbers, until it fills one.

    Args:
        dataset: pictures and truths.
        transform: ends at the size asked for.
        spec: what targets are made for.
        batch_size: B.
        sizes_hw: the (height, width) that batches are drawn in; one is chosen at random every
            ``resize_interval`` batches.
        seed: not negative.
        workers: threads; 0 works in the caller's thread.
        mixup: whether epochs use mixup unless they say otherwise.
        mixup_alpha: both parameters of the Beta distribution that the shares are drawn from.
        resize_interval: batches of one size in a row.
        assigner: makes the targets of a picture.

    Attributes:
        time_waiting: seconds that the consumer has waited for batches, over all epochs.

    Raises:
        UserError: the data set is empty.
        ValueError: a size does not fit the strides, or a number is out of range.
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
    ) -> None:
        if not len(dataset):
            raise UserError("the training data has no pictures: check its folder and the name of its split")
        if batch_size < 1 or seed < 0 or workers < 0 or resize_interval < 1 or mixup_alpha <= 0:
            raise ValueError("expected batch_size, resize_interval >= 1, seed, workers >= 0, mixup_alpha > 0")
        if not sizes_hw or any(side < 1 or side % spec.max_stride for size in sizes_hw for side in size):
            raise ValueError(f"sizes_hw: expected multiples of {spec.max_stride}, got {list(sizes_hw)}")
        self.dataset = dataset
        self.transform = transform
        self.spec = spec
        self.batch_size = batch_size
        self.sizes_hw = [(int(height), int(width)) for height, width in sizes_hw]
        self.seed = seed
        self.workers = workers
        self.mixup = mixup
        self.mixup_alpha = mixup_alpha
        self.resize_interval = resize_interval
        self.assigner = assigner
        self.time_waiting = 0.0

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return max(1, len(self.dataset) // self.batch_size)

    def epoch(self, epoch: int, start_batch: int = 0, mixup: bool | None = None) -> Iterator[Batch]:
        """Yield the batches of an epoch; closing the iterator stops the workers.

        Args:
            epoch: counted from 0; the same epoch is always the same.
            start_batch: leaves out the batches before it, without reading their pictures.
            mixup: in the place of the loader's.

        Raises:
            UserError: a picture cannot be read; names it.
            RuntimeError: anything else went wrong with a picture; names it.
        """
        slots = self._slots(epoch, start_batch, self.mixup if mixup is None else mixup)
        samples = prefetch(self._sample, slots, self.workers, _BATCHES_AHEAD * self.batch_size)
        order = self._order(epoch)
        with contextlib.closing(samples):
            for number in range(start_batch, len(self)):
                start = time.perf_counter()
                pictures, targets = zip(*islice(samples, self.batch_size))
                indices = order[number * self.batch_size : (number + 1) * self.batch_size]
                batch = Batch(
                    pictures=pictures[0].base,  # the array whose slots the samples are
                    targets=pad_targets(list(targets)),
                    names=[self.dataset.name(index) for index in indices],
                    indices=indices,
                    size_hw=pictures[0].shape[:2],
                )
                self.time_waiting += time.perf_counter() - start
                yield batch

    def _order(self, epoch: int) -> list[int]:
        """Return the places in the data set that the epoch's batches take in turn."""
        order = np.random.default_rng((_ORDER, self.seed, epoch)).permutation(len(self.dataset))
        return np.resize(order, len(self) * self.batch_size).tolist()

    def _slots(self, epoch: int, start_batch: int, mixup: bool) -> Iterator[_Slot]:
        order = self._order(epoch)
        for number in range(start_batch, len(self)):
            rng = np.random.default_rng((_SIZE, self.seed, epoch, number // self.resize_interval))
            size_hw = self.sizes_hw[rng.integers(len(self.sizes_hw))]
            # Samples are drawn into their batch's array, which saves stacking them. It is fresh for every
            # batch: the consumer may still hold the last one (an asynchronous engine reads it later).
            pictures = np.empty((self.batch_size, *size_hw, 3), dtype=np.uint8)
            for place in range(self.batch_size):
                position = number * self.batch_size + place
                yield _Slot(epoch, order[position], position // len(self.dataset), mixup, pictures[place])

    def _sample(self, slot: _Slot) -> tuple[np.ndarray, np.ndarray]:
        """Make one sample: the picture in its slot (H, W, 3), and its targets (M, 12)."""
        rng = np.random.default_rng((_SAMPLE, self.seed, slot.epoch, slot.index, slot.repeat))
        picture, truth = self._read(slot.index)
        if slot.mixup and len(self.dataset) > 1:
            share = float(rng.beta(self.mixup_alpha, self.mixup_alpha))
            partner = (slot.index + 1 + int(rng.integers(len(self.dataset) - 1))) % len(self.dataset)
            picture, truth = mix((picture, truth), self._read(partner), share)
        with _naming(self.dataset, slot.index):
            size_hw = (slot.out.shape[0], slot.out.shape[1])
            _, truth = self.transform(picture, truth, rng, size_hw, out=slot.out)
            return slot.out, self.assigner(truth, truth.scores, self.spec, size_hw)

    def _read(self, index: int) -> tuple[np.ndarray, Detections]:
        with _naming(self.dataset, index):
            return self.dataset.picture(index), self.dataset.truth(index)


@contextlib.contextmanager
def _naming(dataset: Dataset, index: int) -> Iterator[None]:
    """Put the picture's name into whatever goes wrong inside, unless it is there."""
    name = dataset.name(index)
    try:
        yield
    except UserError as error:
        if name in str(error):
            raise
        raise UserError(f"{name}: {error}") from error
    except Exception as error:
        raise RuntimeError(f"{name}: {type(error).__name__}: {error}") from error
