"""DetectionSpec: the properties of a detector that decode, assigner, loss, export and inference share."""

from __future__ import annotations

import dataclasses
from math import inf
from typing import Any

import numpy as np

Anchors = tuple[tuple[tuple[float, float], ...], ...]

# Box losses: "auto" chooses by the box coding, "yolo3" trains centre and size apart, the rest are IoU losses.
BOX_LOSSES = ("auto", "yolo3", "giou", "diou", "ciou")

# Overlap from which on every anchor answers for an object, with the assigner ``overlap``: iou_thresh of
# darknet's published cfgs, such as yolov4.cfg.
LEAST_IOU = 0.213

# YOLOv3's nine COCO anchors (Redmon & Farhadi 2018, section 2.3), width and height in input pixels.
DEFAULT_ANCHORS: Anchors = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)


@dataclasses.dataclass(frozen=True)
class BackboneForm:
    """What ImageNet weights need that differs from the architecture's own backbone.

    Args:
        activation: of the backbone's cells, a key of :data:`gluon_yolo.models.layers.ACTIVATIONS`; empty is
            the architecture's own.
        mean: of each colour channel, for pixels scaled to 0..1; empty is the architecture's own.
        std: standard deviation of each colour channel, for pixels scaled to 0..1; empty as for ``mean``.
        divisor: of which all widths are multiples; 0 is the architecture's own widths.

    Raises:
        ValueError: mean or deviation is not of three channels, a deviation is not positive, or the divisor is
            negative.
    """

    activation: str = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    divisor: int = 0

    def __post_init__(self) -> None:
        """Convert sequences to tuples of floats, and check them."""
        mean, std = tuple(map(float, self.mean)), tuple(map(float, self.std))
        if (len(mean), len(std)) not in ((0, 0), (3, 3)) or not all(number > 0 for number in std):
            raise ValueError(f"backbone: expected mean and std of three channels, got {mean} and {std}")
        if self.divisor < 0:
            raise ValueError(f"backbone: expected a divisor of 0 or more, got {self.divisor}")
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "std", std)

    def __str__(self) -> str:
        """Return what differs, for a log."""
        words = [self.activation] if self.activation else []
        for name, values in (("mean", self.mean), ("std", self.std)):
            words += [f"{name} {' '.join(f'{value:g}' for value in values)}"] if values else []
        words += [f"widths in multiples of {self.divisor}"] if self.divisor else []
        return ", ".join(words)


@dataclasses.dataclass(frozen=True)
class DetectionSpec:
    """Classes, anchors and box coding of a detector: the one record that all its parts read.

    Args:
        class_names: C names, in the order of the class channels.
        anchors: per level a tuple of (width, height) in input pixels; levels by ascending stride.
        strides: input pixels per cell of each level, ascending.
        box_coding: name of the box coding (:mod:`gluon_yolo.models.box_coder`).
        score_rule: what a raw map holds, and how it gives scores (:mod:`gluon_yolo.models.head_layout`).
        assigner: which anchors match an object in training (:mod:`gluon_yolo.assigners`).
        ignore_iou: a prediction whose IoU with a ground-truth box exceeds this is not a negative.
        xy_scales: per level, the range of a centre in cells: 1 is the cell itself, 1.1 adds a twentieth of a
            cell on each side (Bochkovskiy et al. 2020, section 3.4; darknet's ``scale_x_y``). Empty is 1 for
            all levels.
        size_divisor: input sides must be multiples of this, for a network that downsamples by more than
            the largest stride inside; 0 is the largest stride.
        backbone: how the backbone differs from the architecture's own.

    Raises:
        ValueError: levels disagree, anchors are not positive and finite, or class names are empty or
            repeated.
    """

    class_names: tuple[str, ...]
    anchors: Anchors = DEFAULT_ANCHORS
    strides: tuple[int, ...] = (8, 16, 32)
    box_coding: str = "yolo3"
    score_rule: str = "objectness_times_class"
    assigner: str = "best_shape"
    ignore_iou: float = 0.7
    xy_scales: tuple[float, ...] = ()
    size_divisor: int = 0
    backbone: BackboneForm = BackboneForm()

    def __post_init__(self) -> None:
        """Convert nested sequences to tuples, and check all fields."""
        if isinstance(self.class_names, str):
            raise ValueError(
                f"class_names: expected a sequence of names, got the string {self.class_names!r}"
            )
        names = tuple(str(name) for name in self.class_names)
        anchors = tuple(tuple((float(w), float(h)) for w, h in level) for level in self.anchors)
        strides = tuple(int(stride) for stride in self.strides)
        xy_scales = tuple(float(scale) for scale in self.xy_scales) or (1.0,) * len(strides)
        if not names or len(set(names)) != len(names):
            raise ValueError(f"class_names: expected distinct names, got {names}")
        if len(anchors) != len(strides):
            raise ValueError(f"anchors: expected {len(strides)} levels (one per stride), got {len(anchors)}")
        if not strides or strides[0] < 1 or list(strides) != sorted(set(strides)):
            raise ValueError(f"strides: expected ascending, from 1 up, got {strides}")
        if not all(level and all(0 < w < inf and 0 < h < inf for w, h in level) for level in anchors):
            raise ValueError(f"anchors: expected at least one per level, all positive, got {anchors}")
        if len(xy_scales) != len(strides) or not all(1 <= scale < inf for scale in xy_scales):
            raise ValueError(f"xy_scales: expected {len(strides)} numbers from 1 up, got {xy_scales}")
        if int(self.size_divisor) != self.size_divisor or self.size_divisor < 0:
            raise ValueError(f"size_divisor: expected a whole number from 0 up, got {self.size_divisor}")
        if not 0 < self.ignore_iou <= 1:
            raise ValueError(f"ignore_iou: expected within (0, 1], got {self.ignore_iou}")
        object.__setattr__(self, "class_names", names)
        object.__setattr__(self, "anchors", anchors)
        object.__setattr__(self, "strides", strides)
        object.__setattr__(self, "xy_scales", xy_scales)

    @property
    def num_classes(self) -> int:
        """The number of classes C."""
        return len(self.class_names)

    @property
    def num_levels(self) -> int:
        """The number of raw maps."""
        return len(self.strides)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The names of the raw maps, as outputs of exported files."""
        return tuple(f"raw_{level}" for level in range(self.num_levels))

    @property
    def anchors_per_level(self) -> tuple[int, ...]:
        """The anchors per cell A of each level."""
        return tuple(len(level) for level in self.anchors)

    @property
    def max_stride(self) -> int:
        """The number of pixels of which input sides must be multiples."""
        return max(self.strides[-1], self.size_divisor)

    @property
    def flat_anchors(self) -> np.ndarray:
        """All anchors (sum of A, 2) as width, height in input pixels, level by level."""
        return np.array([wh for level in self.anchors for wh in level], dtype=np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return a dict of strings, numbers and tuples, which JSON can hold.

        An architecture's own backbone is not in it, so that versions without this field read the record.
        """
        record = dataclasses.asdict(self)
        if self.backbone == BackboneForm():
            del record["backbone"]
        return record

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> DetectionSpec:
        """Rebuild the spec from the dict of :meth:`to_dict`, also after a round trip through JSON."""
        return cls(**{**record, "backbone": BackboneForm(**record.get("backbone", {}))})
