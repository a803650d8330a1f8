"""Detections: the one record for boxes, of ground truth and of results alike; results show themselves."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo.atomic_io import replacing, writing
from gluon_yolo.tables import frame, html_table, json_list
from gluon_yolo.text import counted

_SIDES = ("x1", "y1", "x2", "y2")
_ROWS_SHOWN = 20  # of a record in a notebook


@dataclasses.dataclass(frozen=True)
class Detections:
    """Boxes of one image with their classes, validated when made.

    Args:
        boxes: (N, 4) float32 corners ``x1, y1, x2, y2`` in pixels of the image they accompany.
        class_ids: (N,) integers, indices into the class names in force.
        scores: (N,) float32; None for plain ground truth. Training transforms carry each object's mixup
            weight here.
        difficult: (N,) bool; None where the data set has no such mark.
        class_names: one name per class id, for people; a Predictor sets them, and ground truth has none.
            They take no part in a comparison.

    Raises:
        ValueError: when lengths disagree, a box is not finite, a box has its corners swapped, or a class id
            has no name among those that are given.
    """

    boxes: np.ndarray
    class_ids: np.ndarray
    scores: np.ndarray | None = None
    difficult: np.ndarray | None = None
    class_names: tuple[str, ...] | None = dataclasses.field(default=None, repr=False)

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
        if self.class_names is not None:
            self._check_names(tuple(self.class_names))

    def _check_names(self, names: tuple[str, ...]) -> None:
        if len(self.class_ids) and not 0 <= self.class_ids.min() <= self.class_ids.max() < len(names):
            raise ValueError(f"class_ids: expected 0 to {len(names) - 1}, got {sorted(set(self.class_ids))}")
        self._set("class_names", names)

    def _set(self, name: str, value: Any) -> None:
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
        """Return the boxes of all records, in order; where some have a column, the others get 1, or False.

        Raises:
            ValueError: two records name their classes differently.
        """
        columns: dict[str, Any] = {}
        for name, missing in (("scores", np.float32(1)), ("difficult", np.bool_(False))):
            if any(getattr(record, name) is not None for record in records):
                parts = [getattr(record, name) for record in records]
                parts = [
                    np.full(len(record), missing) if part is None else part
                    for part, record in zip(parts, records)
                ]
                columns[name] = np.concatenate(parts)
        named = {record.class_names for record in records} - {None}
        if len(named) > 1:
            raise ValueError("records: expected the same class names in all of them")
        columns["class_names"] = named.pop() if named else None
        boxes = np.concatenate([record.boxes for record in records])
        return cls(boxes, np.concatenate([record.class_ids for record in records]), **columns)

    def __len__(self) -> int:
        """Return the number of boxes."""
        return len(self.boxes)

    def __eq__(self, other: object) -> bool:
        """Say whether two records have equal columns; the class names do not count."""
        if not isinstance(other, Detections):
            return NotImplemented
        columns = ("boxes", "class_ids", "scores", "difficult")
        return all(_equal(getattr(self, name), getattr(other, name)) for name in columns)

    def __getitem__(self, index: Any) -> Detections:
        """Return the boxes that a mask, an index array or a slice picks; every column follows."""
        scores = None if self.scores is None else self.scores[index]
        difficult = None if self.difficult is None else self.difficult[index]
        return Detections(self.boxes[index], self.class_ids[index], scores, difficult, self.class_names)

    def replace(self, **columns: Any) -> Detections:
        """Return a copy with the named columns replaced."""
        return dataclasses.replace(self, **columns)

    def names(self) -> list[str]:
        """Return each box's class name: ``class 7`` where the record has no class names."""
        return [self._name(class_id) for class_id in self.class_ids.tolist()]

    def _name(self, class_id: int) -> str:
        return f"class {class_id}" if self.class_names is None else self.class_names[class_id]

    def to_df(self) -> Any:
        """Return a pandas frame with a row for each box, in the record's order.

        Returns:
            ``x1 y1 x2 y2`` in pixels, ``class_id``, ``class_name`` and, as far as the record has them,
            ``score`` and ``difficult``.

        Raises:
            MissingDependency: pandas is not installed.
        """
        return frame(self._columns())

    def _columns(self) -> dict[str, Any]:
        columns: dict[str, Any] = {name: self.boxes[:, side] for side, name in enumerate(_SIDES)}
        columns.update(class_id=self.class_ids, class_name=self.names())
        columns.update({} if self.scores is None else {"score": self.scores})
        return {**columns, **({} if self.difficult is None else {"difficult": self.difficult})}

    def records(self, image: str | None = None, **more: Any) -> list[dict[str, Any]]:
        """Return a plain record for each box, as ``demo`` writes them.

        Args:
            image: the image's name, the record's first entry; None leaves it out.
            **more: what else each record is to hold, such as a video's ``frame``.

        Returns:
            ``{"image", "class", "score", "box": [x1, y1, x2, y2]}`` each, numbers rounded; without
            ``score`` where the record has no scores.
        """
        about = {**({} if image is None else {"image": image}), **more}
        scores = [{}] * len(self) if self.scores is None else [{"score": _rounded(s, 5)} for s in self.scores]
        return [
            {**about, "class": name, **score, "box": [_rounded(side, 2) for side in box]}
            for name, score, box in zip(self.names(), scores, self.boxes)
        ]

    def to_json(self, path: str | os.PathLike[str] | None = None, image: str | None = None) -> str:
        """Return :meth:`records` as JSON, an object a line, and write it to a file where one is named.

        Args:
            path: of the file; None writes none.
            image: the image's name, which each record then begins with.

        Raises:
            NotWritten: the file cannot be written.
        """
        text = json_list(self.records(image))
        if path is not None:
            with writing(Path(path), "name another place"), replacing(Path(path)) as part:
                part.write_text(text, encoding="utf-8", errors="backslashreplace")
        return text

    def plot(
        self,
        image: np.ndarray,
        score_threshold: float = 0.0,
        labels: bool = True,
        scores: bool = True,
        line_width: int | None = None,
    ) -> np.ndarray:
        """Return a copy of the image with a box and a label for each detection, as ``demo`` draws them.

        Args:
            image: (H, W, 3) uint8 RGB, as :func:`gluon_yolo.load_image` reads one.
            score_threshold: detections below it are not drawn.
            labels: False draws the boxes alone.
            scores: False leaves the scores out of the labels.
            line_width: of the boxes, in pixels; None takes what suits the image.

        Returns:
            (H, W, 3) uint8 RGB.

        Raises:
            ValueError: the image has another shape or type.
        """
        from gluon_yolo.drawing.draw import draw

        _check_image(image)
        return draw(image, self, self._all_names(), score_threshold, labels, scores, line_width)

    def save_crops(
        self, folder: str | os.PathLike[str], image: np.ndarray, stem: str = "image", suffix: str = ".png"
    ) -> list[Path]:
        """Write the part of the image in each box to ``FOLDER/CLASS/STEM_NUMBER.png``.

        No file is overwritten: where one has the name, ``_2``, ``_3`` and so on comes behind it.

        Args:
            folder: of all crops; made when absent.
            image: (H, W, 3) uint8 RGB, the one that the boxes are of.
            stem: the image's name, which the files' names begin with.
            suffix: the files' ending, ``.png`` or ``.jpg``.

        Returns:
            The files' paths, in the order of the boxes.

        Raises:
            NotWritten: a file cannot be written.
            ValueError: the image has another shape or type.
        """
        from gluon_yolo.drawing.crops import class_folders, write_crops

        _check_image(image)
        folders = [Path(folder) / name for name in class_folders(self._all_names())]
        return list(write_crops(image, self.boxes, [folders[i] for i in self.class_ids], stem, suffix))

    def _all_names(self) -> Sequence[str]:
        """Return a name for each class id up to the largest."""
        if self.class_names is not None:
            return self.class_names
        return [self._name(class_id) for class_id in range(int(self.class_ids.max(initial=-1)) + 1)]

    def _repr_html_(self) -> str:
        """Return a table of the first boxes, as a notebook shows it."""
        columns = self[:_ROWS_SHOWN]._columns()
        rows = zip(*[[_cell(value) for value in column] for column in columns.values()])
        more = f", the first {_ROWS_SHOWN} of them" if len(self) > _ROWS_SHOWN else ""
        return html_table(list(columns), rows, counted(len(self), "object") + more)


def _equal(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    return one is other if one is None or other is None else np.array_equal(one, other)


def _rounded(number: Any, decimals: int) -> float:
    return round(float(number), decimals)


def _cell(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, np.float32) else str(value)


def _check_image(image: np.ndarray) -> None:
    if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        what = f"{image.shape} {image.dtype}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ValueError(f"image: expected (H, W, 3) uint8 RGB, got {what}; gluon_yolo.load_image gives one")
