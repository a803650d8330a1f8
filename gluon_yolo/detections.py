"""Detections: the one record for boxes, of ground truth and of results alike."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Detections:
    """Boxes of one image with their classes, validated when made.

    Args:
        boxes: (N, 4) float32 corners ``x1, y1, x2, y2`` in pixels of the image they accompany.
        class_ids: (N,) integers, indices into the class names in force.
        scores: (N,) float32; None for plain ground truth. Training transforms carry each object's mixup
            weight here.
        difficult: (N,) bool; None where the data set has no such mark.

    Raises:
        ValueError: when lengths disagree, a box is not finite, or a box has its corners swapped.
    """

    boxes: np.ndarray
    class_ids: np.ndarray
    scores: np.ndarray | None = None
    difficult: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Normalise dtypes and check the record."""
        boxes = np.asarray(self.boxes, dtype=np.float32)
        if boxes.size == 0:
            boxes = boxes.reshape(0, 4)
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(f"boxes: expected shape (N, 4), got {boxes.shape}")
        if not np.isfinite(boxes).all():
            raise ValueError("boxes: expected finite numbers")
        if (boxes[:, 2:] < boxes[:, :2]).any():
            raise ValueError("boxes: expected x2 >= x1 and y2 >= y1")
        self._set("boxes", boxes)
        self._set("class_ids", self._column("class_ids", np.int64))
        if self.scores is not None:
            self._set("scores", self._column("scores", np.float32))
        if self.difficult is not None:
            self._set("difficult", self._column("difficult", np.bool_))

    def _set(self, name: str, value: np.ndarray) -> None:
        object.__setattr__(self, name, value)

    def _column(self, name: str, dtype: Any) -> np.ndarray:
        column = np.asarray(getattr(self, name), dtype=dtype)
        if column.shape != (len(self.boxes),):
            raise ValueError(f"{name}: expected shape ({len(self.boxes)},), got {column.shape}")
        return column

    @classmethod
    def empty(cls, scored: bool = False) -> Detections:
        """Return a record of no boxes; ``scored`` gives it an empty score column."""
        return cls(np.zeros((0, 4)), np.zeros(0), np.zeros(0) if scored else None)

    @classmethod
    def concatenate(cls, records: Sequence[Detections]) -> Detections:
        """Return the boxes of all records, in order; where some have a column, the others get 1, or False."""
        columns: dict[str, np.ndarray] = {}
        for name, missing in (("scores", np.float32(1)), ("difficult", np.bool_(False))):
            if any(getattr(record, name) is not None for record in records):
                parts = [getattr(record, name) for record in records]
                parts = [
                    np.full(len(record), missing) if part is None else part
                    for part, record in zip(parts, records)
                ]
                columns[name] = np.concatenate(parts)
        boxes = np.concatenate([record.boxes for record in records])
        return cls(boxes, np.concatenate([record.class_ids for record in records]), **columns)

    def __len__(self) -> int:
        """Return the number of boxes."""
        return len(self.boxes)

    def __getitem__(self, index: Any) -> Detections:
        """Return the boxes that a mask, an index array or a slice picks; every column follows."""
        scores = None if self.scores is None else self.scores[index]
        difficult = None if self.difficult is None else self.difficult[index]
        return Detections(self.boxes[index], self.class_ids[index], scores, difficult)

    def replace(self, **columns: Any) -> Detections:
        """Return a copy with the named columns replaced."""
        return dataclasses.replace(self, **columns)
