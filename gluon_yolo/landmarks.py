"""LandmarkSpec: what a network of face landmarks gives, and which part of an image it takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

TASK = "landmarks"  # in a model's record
OUTPUT = "landmarks"  # of a network: (B, 2 * P), x and y of each point as shares of the crop

# The parts of a face in 106 points, as the networks of JD's 106-point challenge number them: contour from ear
# to ear, brows by their upper and lower edges, eyes with lids and pupils, the nose's bridge, base and sides,
# the lips' outer and inner edges.
GROUPS_106: Mapping[str, tuple[int, ...]] = {
    "contour": tuple(range(33)),
    "brows": (*range(33, 43), *range(64, 72)),
    "eyes": (*range(52, 64), *range(72, 78), 104, 105),
    "nose": (*range(43, 52), *range(78, 84)),
    "mouth": tuple(range(84, 104)),
}


@dataclasses.dataclass(frozen=True)
class LandmarkSpec:
    """Points, input and crop of a landmark network.

    Args:
        num_points: P, the number of points of a face.
        size_hw: height and width of the input in pixels. There is no other.
        groups: indices of the points by the part of the face; empty where the numbering is not known.
        reach: what is cut out about the middle of a face's box: to the left, up, to the right and down, as
            shares of the box's width and height.

    Raises:
        ValueError: a number is not positive, or a group has a point that is not there.
    """

    num_points: int
    size_hw: tuple[int, int]
    groups: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    reach: tuple[float, float, float, float] = (0.55, 0.35, 0.55, 0.55)

    def __post_init__(self) -> None:
        """Convert sequences to tuples, and check them."""
        height, width = map(int, self.size_hw)
        left, up, right, down = map(float, self.reach)
        groups = {str(name): tuple(map(int, points)) for name, points in self.groups.items()}
        if min(self.num_points, height, width) < 1 or not min(left + right, up + down) > 0:
            raise ValueError(f"{self.num_points} points, size {height}x{width}, reach {self.reach}")
        lost = [point for points in groups.values() for point in points if not 0 <= point < self.num_points]
        if lost:
            raise ValueError(f"groups: there is no point {lost[0]} of {self.num_points}")
        object.__setattr__(self, "size_hw", (height, width))
        object.__setattr__(self, "reach", (left, up, right, down))
        object.__setattr__(self, "groups", groups)

    @classmethod
    def of(cls, num_points: int, size_hw: tuple[int, int]) -> LandmarkSpec:
        """Return the spec of a network by its number of points: 106 have groups."""
        return cls(num_points, size_hw, GROUPS_106 if num_points == 106 else {})

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the network's outputs."""
        return (OUTPUT,)

    def crops(self, boxes: np.ndarray, image_hw: Sequence[int]) -> np.ndarray:
        """Return the part of an image that belongs to each face.

        Args:
            boxes: (N, 4) corners x1, y1, x2, y2 of faces in the image's pixels.
            image_hw: height and width of the image.

        Returns:
            (N, 4) whole pixels x1, y1, x2, y2 within the image, rounded down; at least a pixel each.
        """
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        centre, side = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
        left_up, right_down = np.array(self.reach[:2]), np.array(self.reach[2:])
        limit = np.array(image_hw[1::-1])
        first = np.clip(np.trunc(centre - side * left_up), 0, limit - 1)
        last = np.clip(np.trunc(centre + side * right_down), first + 1, limit)
        return np.concatenate([first, last], axis=1).astype(np.int64)

    def points(self, outputs: np.ndarray, crops: np.ndarray) -> np.ndarray:
        """Return points in the image's pixels.

        Args:
            outputs: (N, 2 * P) of the network.
            crops: (N, 4) that it was run on.

        Returns:
            (N, P, 2) float32, x and y.
        """
        shares = np.asarray(outputs, np.float64).reshape(-1, self.num_points, 2)
        first, side = crops[:, None, :2], crops[:, None, 2:] - crops[:, None, :2]
        return (first + shares * side).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return a dict for JSON; the size is with the record's input."""
        groups = {name: list(points) for name, points in self.groups.items()}
        return {"num_points": self.num_points, "groups": groups, "reach": list(self.reach)}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], size_hw: tuple[int, int]) -> LandmarkSpec:
        """Rebuild the spec from the dict of :meth:`to_dict` and the size of the input."""
        return cls(int(record["num_points"]), size_hw, record["groups"], tuple(record["reach"]))
