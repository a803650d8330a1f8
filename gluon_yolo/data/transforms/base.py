"""Transform: one change to an image and its boxes, and Compose: several in a row, drawn once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from gluon_yolo.data.transforms.view import View
from gluon_yolo.detections import Detections


@dataclasses.dataclass(frozen=True)
class Unread:
    """An image that nobody has read yet: what is seen of it, and at what scale, is decided before.

    Args:
        size_hw: its height and width in pixels.
        truth: its boxes in pixels; scores, where given, are the objects' mixup weights and stay matched.
        read: returns its pixels (H, W, 3) uint8 RGB, or, asked for a reduction of 2, 4 or 8, an image whose
            sides are about that much shorter.
    """

    size_hw: tuple[int, int]
    truth: Detections
    read: Callable[[int], np.ndarray]

    @classmethod
    def of(cls, image: np.ndarray, truth: Detections) -> Unread:
        """Return an image that is at hand."""
        return cls((image.shape[0], image.shape[1]), truth, lambda reduction: image)


class Transform:
    """A change to an image and its boxes; a subclass writes :meth:`edit`."""

    def edit(self, view: View, rng: np.random.Generator) -> None:
        """Change ``view``; every random number comes from ``rng``."""
        raise NotImplementedError

    def count(self, rng: np.random.Generator) -> int:
        """Return how many images the next sample is made of; asked before :meth:`render`."""
        return 1

    def plan(
        self,
        source_hw: tuple[int, int],
        truth: Detections,
        rng: np.random.Generator,
        size_hw: tuple[int, int],
    ) -> View:
        """Return the settled view of an image of ``source_hw``; the arguments are :meth:`__call__`'s."""
        view = View(source_hw, truth, size_hw)
        self.edit(view, rng)
        view.settle()
        return view

    def render(
        self,
        images: Sequence[Unread],
        rng: np.random.Generator,
        size_hw: tuple[int, int],
        out: np.ndarray | None = None,
    ) -> tuple[np.ndarray, Detections]:
        """Decide what is seen of the images, read them no larger than that needs, and draw.

        Args:
            images: as many as :meth:`count` said.
            rng: the only source of randomness.
            size_hw: height and width that the resizing transforms end at.
            out: array to draw into; its shape must be what the transform ends at.

        Returns:
            The drawn image (h, w, 3) uint8, and its boxes in its pixels.
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
        """Return the changed image (h, w, 3) uint8 and its boxes in its pixels.

        Args:
            image: (H, W, 3) uint8 RGB.
            truth: its boxes in pixels; scores, where given, are the objects' mixup weights and stay matched.
            rng: the only source of randomness.
            size_hw: height and width that the resizing transforms end at.
            out: array to draw into; its shape must be what the transform ends at.
        """
        return self.render([Unread.of(image, truth)], rng, size_hw, out)


def draw_view(view: View, image: Unread, out: np.ndarray | None = None) -> tuple[np.ndarray, Detections]:
    """Read an image at the scale that its view needs, and draw it.

    Args:
        view: of the image, not settled yet.
        image: what it is a view of.
        out: array to draw into.

    Returns:
        What was drawn, and the boxes that are seen.
    """
    pixels = image.read(view.reduction())
    view.adopt((pixels.shape[0], pixels.shape[1]))
    view.settle()
    return view.draw(pixels, out), view.annotations()


class Compose(Transform):
    """Several transforms, in order, drawn once.

    Raises:
        ValueError: one puts several images together, such as a mosaic: it holds what changes each of them.
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
