"""Transform, a change of an image and its boxes; Compose, several transforms that are drawn once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from gluon_yolo.data.transforms.view import View
from gluon_yolo.detections import Detections


@dataclasses.dataclass(frozen=True)
class LazyImage:
    """An image that is not read yet: its view and its scale are chosen before its pixels are decoded.

    Args:
        size_hw: its height and width in pixels.
        truth: its annotations in pixels; scores, where present, are the objects' mixup weights.
        read: takes a reduction of 1, 2, 4 or 8 and returns the pixels (H, W, 3) uint8 RGB, with sides that
            are about that much shorter.
    """

    size_hw: tuple[int, int]
    truth: Detections
    read: Callable[[int], np.ndarray]

    @classmethod
    def of(cls, image: np.ndarray, truth: Detections) -> LazyImage:
        """Wrap an image (H, W, 3) uint8 RGB that is in memory."""
        return cls((image.shape[0], image.shape[1]), truth, lambda reduction: image)


class Transform:
    """A change of an image and its boxes; a subclass implements :meth:`edit`."""

    def edit(self, view: View, rng: np.random.Generator) -> None:
        """Change ``view``; all random numbers come from ``rng``."""
        raise NotImplementedError

    def count(self, rng: np.random.Generator) -> int:
        """Return the number of images in the next sample; called before :meth:`render`."""
        return 1

    def plan(
        self,
        source_hw: tuple[int, int],
        truth: Detections,
        rng: np.random.Generator,
        size_hw: tuple[int, int],
    ) -> View:
        """Return the settled view of an image of ``source_hw``; for the arguments see :meth:`__call__`."""
        view = View(source_hw, truth, size_hw)
        self.edit(view, rng)
        view.settle()
        return view

    def render(
        self,
        images: Sequence[LazyImage],
        rng: np.random.Generator,
        size_hw: tuple[int, int],
        out: np.ndarray | None = None,
    ) -> tuple[np.ndarray, Detections]:
        """Choose the views of the images, read them at the scale that these need, and draw the sample.

        Args:
            images: as many as :meth:`count` returned.
            rng: the only source of randomness.
            size_hw: output height and width of the resizing transforms.
            out: array to draw into, of the output's shape.

        Returns:
            The drawn image (h, w, 3) uint8 RGB, and its annotations in its pixels.
        """
        (image,) = images
        view = View(image.size_hw, image.truth, size_hw)
        self.edit(view, rng)
        return draw_view(view, image, out)

    def __call__(
        self,
        image: np.ndarray,
        truth: Detections,
        rng: np.random.Generator,
        size_hw: tuple[int, int],
        out: np.ndarray | None = None,
    ) -> tuple[np.ndarray, Detections]:
        """Return the changed image (h, w, 3) uint8 RGB and its annotations in its pixels.

        Args:
            image: (H, W, 3) uint8 RGB.
            truth: its annotations in pixels; scores, where present, are the objects' mixup weights.
            rng: the only source of randomness.
            size_hw: output height and width of the resizing transforms.
            out: array to draw into, of the output's shape.
        """
        return self.render([LazyImage.of(image, truth)], rng, size_hw, out)


def draw_view(view: View, image: LazyImage, out: np.ndarray | None = None) -> tuple[np.ndarray, Detections]:
    """Read an image at the scale that its view needs, and draw it.

    Args:
        view: the view of the image, not settled yet.
        image: the image.
        out: array to draw into.

    Returns:
        The drawn image (h, w, 3) uint8 RGB, and the visible annotations in its pixels.
    """
    pixels = image.read(view.reduction())
    view.rescale_source((pixels.shape[0], pixels.shape[1]))
    view.settle()
    return view.draw(pixels, out), view.annotations()


class Compose(Transform):
    """Several transforms in order, drawn once.

    Raises:
        ValueError: one of them combines several images, such as a mosaic, which takes transforms itself.
    """

    def __init__(self, *transforms: Transform) -> None:
        for transform in transforms:
            if type(transform).render is not Transform.render:
                name = type(transform).__name__
                raise ValueError(f"{name} cannot be one of several; give it the others: {name}(Compose(...))")
        self.transforms = transforms

    def edit(self, view: View, rng: np.random.Generator) -> None:
        """Change ``view`` by each transform in turn."""
        for transform in self.transforms:
            transform.edit(view, rng)
