"""Class balance: images of rare classes are drawn more often, by the repeat factors of LVIS.

Gupta et al. 2019, LVIS, section 5.1: a class that a share f of the images has gets the factor
max(1, sqrt(t / f)), an image the largest factor of its classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gluon_yolo.data.loading.sampler import ORDER

if TYPE_CHECKING:
    from gluon_yolo.data.dataset import Dataset

_SHOWN = 5  # classes in the line for the log


class Balance(NamedTuple):
    """How often the images and classes of a data set are drawn, relative to an image that is not repeated.

    Args:
        of_images: (N,) factors of 1 or more.
        of_classes: (C,) factors of 1 or more; 1 for a class without an image.
        counts: (C,) numbers of images that have the class.
    """

    of_images: np.ndarray
    of_classes: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, dataset: Dataset, threshold: float) -> Balance:
        """Return the repeat factors of a data set.

        Args:
            dataset: images and annotations.
            threshold: the share of the images below which a class is rare.
        """
        classes = [np.unique(dataset.annotations(index).class_ids) for index in range(len(dataset))]
        counts = np.bincount(np.concatenate(classes).astype(np.int64), minlength=len(dataset.class_names))
        shares = np.maximum(counts, 1) / len(dataset)
        of_classes = np.where(counts > 0, np.maximum(1.0, np.sqrt(threshold / shares)), 1.0)
        of_images = np.array([max((of_classes[each] for each in ids), default=1.0) for ids in classes])
        return cls(of_images, of_classes, counts)

    def order(self, seed: int, epoch: int, length: int) -> np.ndarray:
        """Return the images of an epoch in order, (length,) indices.

        An image is there as often as its factor says. The rest of a factor is the probability of one time
        more, which each epoch draws anew. Of the shuffled images ``length`` are taken.
        """
        rng = np.random.default_rng((ORDER, seed, epoch))
        whole = np.floor(self.of_images)
        times = whole + (rng.random(len(whole)) < self.of_images - whole)
        return np.resize(rng.permutation(np.repeat(np.arange(len(whole)), times.astype(np.int64))), length)

    def line(self, class_names: tuple[str, ...]) -> str:
        """Return a line for the log with the rarest classes and their factors."""
        rare = [
            number for number in np.argsort(-self.of_classes, kind="stable") if self.of_classes[number] > 1
        ]
        if not rare:
            return "class balance: no class is that rare; all pictures are drawn equally often"
        shown = ", ".join(
            f"{class_names[number]} (of {self.counts[number]}) {self.of_classes[number]:.3g} times"
            for number in rare[:_SHOWN]
        )
        more = f", and {len(rare) - _SHOWN} more classes" if len(rare) > _SHOWN else ""
        return f"class balance: pictures of rare classes are drawn more often: {shown}{more}"
