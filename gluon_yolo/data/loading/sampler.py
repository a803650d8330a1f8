"""Sampler: an index into the data set -> one training sample, its pixels and its targets."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Optional

import numpy as np

from gluon_yolo.assigners import assign
from gluon_yolo.data.transforms import LazyImage, Mosaic, Transform
from gluon_yolo.data.transforms.mixup import mix
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError
from gluon_yolo.spec import DetectionSpec

if TYPE_CHECKING:
    from gluon_yolo.data.dataset import Dataset

Assigner = Callable[[Detections, Optional[np.ndarray], DetectionSpec, "tuple[int, int]"], np.ndarray]

# The use of a random stream. It comes first in the seed, because to NumPy (1, 2) and (1, 2, 0) are equal.
ORDER, SIZE, SAMPLE = 1, 2, 3


@dataclasses.dataclass(frozen=True)
class Job:
    """One sample to make.

    Args:
        epoch: from 0.
        index: the image's index in the data set.
        repeat: how many times the epoch had this image before.
        mixup: whether to mix in another image.
        size_hw: height and width of the sample.
        mosaic: whether the transform may combine several images.
    """

    epoch: int
    index: int
    repeat: int
    mixup: bool
    size_hw: tuple[int, int]
    mosaic: bool = True


class Sampler:
    """Makes training samples; every random number comes from (seed, epoch, image), not from the caller.

    Its state does not change, and it can be pickled: threads and processes may share it.

    Args:
        dataset: images and annotations.
        transform: its output has the requested size.
        spec: the detector's, for the targets.
        seed: 0 or more.
        mixup_alpha: both parameters of the Beta distribution of mixup's shares.
        assigner: makes the targets of an image; by default the spec's assigner.
    """

    def __init__(
        self,
        dataset: Dataset,
        transform: Transform,
        spec: DetectionSpec,
        seed: int = 0,
        mixup_alpha: float = 1.5,
        assigner: Assigner = assign,
    ) -> None:
        self.dataset = dataset
        self.transform = transform
        self._alone = transform.tile if isinstance(transform, Mosaic) else transform
        self.spec = spec
        self.seed = seed
        self.mixup_alpha = mixup_alpha
        self.assigner = assigner

    def __call__(self, job: Job, out: np.ndarray) -> np.ndarray:
        """Make one sample.

        A sample that the transform combines from several images gets no mixup.

        Args:
            job: the sample's description.
            out: (H, W, 3) uint8 to draw its pixels into.

        Returns:
            Its targets (M, 12) float32.

        Raises:
            UserError: an image cannot be read; the message names it.
            RuntimeError: another error happened with an image; the message names it.
        """
        rng = np.random.default_rng((SAMPLE, self.seed, job.epoch, job.index, job.repeat))
        with _naming(self.dataset.name(job.index)):
            transform = self.transform if job.mosaic else self._alone
            count = transform.count(rng)
            if count == 1 and job.mixup and len(self.dataset) > 1:
                images = [self._mixed(job.index, rng)]
            else:
                others = rng.integers(len(self.dataset), size=count - 1).tolist()
                images = [self._lazy_image(index) for index in (job.index, *others)]
            _, truth = transform.render(images, rng, job.size_hw, out)
            return self.assigner(truth, truth.scores, self.spec, job.size_hw)

    def _mixed(self, index: int, rng: np.random.Generator) -> LazyImage:
        """Return an image with another one, drawn at random, mixed in."""
        share = float(rng.beta(self.mixup_alpha, self.mixup_alpha))
        partner = (index + 1 + int(rng.integers(len(self.dataset) - 1))) % len(self.dataset)
        first, second = self._lazy_image(index), self._lazy_image(partner)
        return LazyImage.of(*mix((first.read(1), first.truth), (second.read(1), second.truth), share))

    def _lazy_image(self, index: int) -> LazyImage:
        size_hw = self.dataset.size_hw(index)

        def read(reduction: int) -> np.ndarray:
            with _naming(self.dataset.name(index)):
                image = self.dataset.image(index, reduction)
                _check_size(image, size_hw, reduction)
                return image

        return LazyImage(size_hw, self.dataset.annotations(index), read)


def _check_size(image: np.ndarray, size_hw: tuple[int, int], reduction: int) -> None:
    """Raise UserError when an image does not have the size that its boxes were read for."""
    found_hw = (image.shape[0], image.shape[1])
    reduced = all(abs(found * reduction - side) < reduction for found, side in zip(found_hw, size_hw))
    if found_hw != tuple(size_hw) and not reduced:
        found, known = (f"{width}x{height}" for height, width in (found_hw, size_hw))
        raise UserError(
            f"has {found} pixels (read at 1/{reduction}) where its boxes are for {known}: the file was "
            "changed after the data was opened, or its label gives another size"
        )


def image_order(seed: int, epoch: int, images: int) -> np.ndarray:
    """Return the order of the images in an epoch, a permutation (N,) of their indices."""
    return np.random.default_rng((ORDER, seed, epoch)).permutation(images)


class _Named(RuntimeError):
    """An unexpected error, with the name of the image."""


class _NamedUserError(UserError):
    """A user's error, with the name of the image."""


@contextlib.contextmanager
def _naming(name: str) -> Iterator[None]:
    """Add the image's name to an exception of the block, unless the message has it already."""
    try:
        yield
    except (_Named, _NamedUserError):
        raise
    except UserError as error:
        message = str(error)
        raise _NamedUserError(message if name in message else f"{name}: {message}") from error
    except Exception as error:
        raise _Named(f"{name}: {type(error).__name__}: {error}") from error
