"""Transform: one change to a picture and its boxes, and Compose: several in a row, drawn once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from gluon_yolo.data.transforms.view import View
from gluon_yolo.detections import Detections


@dataclasses.dataclass(frozen=True)
class Unread:
    """A picture that nobody has read yet: what is seen of it, and at what scale, is decided before.

    Args:
        size_hw: its height and width in pixels.
        truth: its boxes in pixels; scores, where given, are the objects' mixup weights and stay matched.
        read: returns its pixels (H, W, 3) uint8 RGB, or, asked for a reduction of 2, 4 or 8, a picture whose
            sides are about that much shorter.
    """

    size_hw: tuple[int, int]
    truth: Detections
    read: Callable[[int], np.ndarray]

    @classmethod
    def of(cls, picture: np.ndarray, truth: Detections) -> Unread:
        """Return a picture that is at hand."""
        return cls((picture.shape[0], picture.shape[1]), truth, lambda reduction: picture)


class Transform:
    """A change to a picture and its boxes; a subclass writes :meth:`edit`."""

    def edit(self, view: View, rng: np.random.Generator) -> None:
        """Change ``view``; every random number comes from ``rng``."""
        raise NotImplementedError

    def count(self, rng: np.random.Generator) -> int:
        """Return how many pictures the next sample is made of; asked before :meth:`render`."""
        return 1

    def plan(
        self,
        source_hw: tuple[int, int],
        truth: Detections,
        rng: np.random.Generator,
        size_hw: tuple[int, int],
    ) -> View:
        """Return the settled view of a picture of ``source_hw``; the arguments are :meth:`__call__`'s."""
        view = View(source_hw, truth, size_hw)
        self.edit(view, rng)
        view.settle()
        return view

    def render(
        self,
        pictures: Sequence[Unread],
        rng: np.random.Generator,
        size_hw: tuple[int, int],
        out: np.ndarray | None = None,
    ) -> tuple[np.ndarray, Detections]:
        """Decide what is seen of the pictures, read them no larger than that needs, and draw.

        Args:
            pictures: as many as :meth:`count` said.
            rng: the only source of randomness.
            size_hw: height and width that the resizing transforms end at.
            out: array to draw into; its shape must be what the transform ends at.

        Returns:
            The drawn picture (h, w, 3) uint8, and its boxes in its pixels.
        """
        (picture,) = pictures
        view = View(picture.size_hw, picture.truth, size_hw)
        self.edit(view, rng)
        return draw_view(view, picture, out)

    def __call__(
        self,
        picture: np.ndarray,
        truth: Detections,
        rng: np.random.Generator,
        size_hw: tuple[int, int],
        out: np.ndarray | None = None,
    ) -> tuple[np.ndarray, Detections]:
        """Return the changed picture (h, w, 3) uint8 and its boxes in its pixels.

        Args:
            picture: (H, W, 3) uint8 RGB.
            truth: its boxes in pixels; scores, where given, are the objects' mixup weights and stay matched.
            rng: the only source of randomness.
            size_hw: height and width that the resizing transforms end at.
            out: array to draw into; its shape must be what the transform ends at.
        """
        return self.render([Unread.of(picture, truth)], rng, size_hw, out)


def draw_view(view: View, picture: Unread, out: np.ndarray | None = None) -> tuple[np.ndarray, Detections]:
    """Read a picture at the scale that its view needs, and draw it.

    Args:
        view: of the picture, not settled yet.
        picture: what it is a view of.
        out: array to draw into.

    Returns:
        What was drawn, and the boxes that are seen.
    """
    pixels = picture.read(view.reduction())
    view.adopt((pixels.shape[0], pixels.shape[1]))
    view.settle()
    return view.draw(pixels, out), view.truth()


class Compose(Transform):
    """Several transforms, in order, drawn once.

    Raises:
        ValueError: one puts several pictures together, such as a mosaic: it holds what changes each of them.
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
