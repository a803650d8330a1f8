"""Label statistics of a report: how many objects of each class there are, how large, and where."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.quality.statistics import Counts
from gluon_yolo.report.cells import cell_chart
from gluon_yolo.report.charts import bar_chart
from gluon_yolo.report.page import Facts, Part, Section, Table
from gluon_yolo.report.plot import number

_CLASSES_SHOWN = 40
_CELLS = 24  # of a side of a map
_SMALLEST = 0.004  # side of a box, as a share of the image's; the map of sizes begins here
_SIZE_EDGES: Any = np.geomspace(_SMALLEST, 1.0, _CELLS + 1)
_PLACE_EDGES: Any = np.linspace(0.0, 1.0, _CELLS + 1)
_IMAGE_SIZES = 8


@dataclasses.dataclass(frozen=True)
class LabelStatistics:
    """The objects of one part of a data set.

    Args:
        title: of the part, as in messages.
        counts: of images and boxes.
        sizes: (24, 24) objects by height and width as shares of the image's, logarithmic.
        places: (24, 24) objects by the centre's row and column, as shares of the image's sides.
    """

    title: str
    counts: Counts
    sizes: np.ndarray
    places: np.ndarray

    @classmethod
    def of(cls, dataset: Dataset) -> LabelStatistics:
        """Count the objects of a data set."""
        shares = [np.zeros((0, 4))]
        for index in range(len(dataset)):
            boxes = dataset.annotations(index).boxes
            if len(boxes):
                height, width = dataset.size_hw(index)
                shares.append(boxes / np.array([width, height, width, height], dtype=np.float64))
        x1, y1, x2, y2 = np.concatenate(shares).clip(0, 1).T
        sides = (np.maximum(y2 - y1, _SMALLEST), np.maximum(x2 - x1, _SMALLEST))
        sizes = np.histogram2d(*sides, bins=(_SIZE_EDGES, _SIZE_EDGES))[0]
        centres = ((y1 + y2) / 2, (x1 + x2) / 2)
        places = np.histogram2d(*centres, bins=(_PLACE_EDGES, _PLACE_EDGES))[0]
        return cls(dataset.report.title, Counts.of(dataset), sizes.astype(np.int64), places.astype(np.int64))


def label_section(statistics: Sequence[LabelStatistics]) -> Section:
    """Return the section of the labels.

    Args:
        statistics: of each part; the charts show the first one, that of training.
    """
    if not statistics:
        return Section("labels", "Labels", [])
    first = statistics[0]
    counts = first.counts
    common = sorted(counts.per_class, key=lambda name: -counts.per_class[name])
    shown = common[:_CLASSES_SHOWN]
    title = f"Objects of each class, {first.title}"
    if len(shown) < len(common):
        title += f": the {len(shown)} most frequent of {len(common)} classes"
    parts: list[Part | None] = [
        Table(
            "Images and objects",
            ("", "images", "without objects", "left out", "objects", "difficult", "crowds"),
            [_row(each) for each in statistics],
        ),
        bar_chart(title, shown, [counts.per_class[name] for name in shown], "objects"),
        *_maps(first),
        bar_chart("Objects by size in pixels (COCO's)", *_by_size(counts), "objects"),
        _facts(first),
        _class_table(statistics, common),
    ]
    return Section("labels", "Labels", [part for part in parts if part is not None])


def _row(statistics: LabelStatistics) -> tuple[object, ...]:
    counts = statistics.counts
    numbers = (counts.images, counts.empty_images, counts.skipped, counts.boxes, counts.difficult)
    return (statistics.title, *map(number, (*numbers, counts.crowd_boxes)))


def _by_size(counts: Counts) -> tuple[list[str], list[int]]:
    meanings = {"small": "small, under 32x32", "medium": "medium, to 96x96", "large": "large"}
    return [meanings[name] for name in counts.per_size], list(counts.per_size.values())


def _maps(statistics: LabelStatistics) -> tuple[Part, Part]:
    sizes = cell_chart(
        "Sizes of objects",
        statistics.sizes,
        "width / image's width",
        "height / image's height",
        x_edges=_SIZE_EDGES,
        y_edges=_SIZE_EDGES,
        log=True,
    )
    places = cell_chart(
        "Places of objects: their centres",
        statistics.places,
        "x / image's width",
        "y / image's height",
        x_edges=_PLACE_EDGES,
        y_edges=_PLACE_EDGES,
        downwards=True,
    )
    return sizes, places


def _facts(statistics: LabelStatistics) -> Facts:
    least, median, mean, most = statistics.counts.objects
    sizes = list(statistics.counts.image_sizes_hw.items())
    words = [f"{width}x{height} ({count:,})" for (height, width), count in sizes[:_IMAGE_SIZES]]
    more = f", and {len(sizes) - len(words):,} others" if len(sizes) > len(words) else ""
    return Facts(
        [
            ("objects in an image", f"{least} to {most}, median {number(median)}, mean {mean:.1f}"),
            ("sizes of images, width x height", ", ".join(words) + more),
        ]
    )


def _class_table(statistics: Sequence[LabelStatistics], names: Sequence[str]) -> Table:
    rows = [(name, *(number(each.counts.per_class.get(name, 0)) for each in statistics)) for name in names]
    header = ("class", *(each.title for each in statistics))
    return Table("Objects of each class", header, rows, folded=True)
