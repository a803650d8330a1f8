"""Label statistics of hand-made data."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.data.dataset import ListedImages
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.detections import Detections
from gluon_yolo.report.labels import LabelStatistics, label_section
from gluon_yolo.report.page import Chart, Facts, Table

pytest.importorskip("bokeh", reason="Bokeh is not installed: pip install '.[report]'")


def data(*boxes, names=("cat", "dog"), title="mine train") -> ListedImages:
    """Return images of 200x100 pixels, one for each list of (x1, y1, x2, y2, class id)."""
    truths = []
    for rows in boxes:
        columns = np.array(rows, dtype=np.float32).reshape(-1, 5)
        truths.append(Detections(columns[:, :4], columns[:, 4]))
    count = len(truths)
    files = [f"{i}.jpg" for i in range(count)]
    return ListedImages(names, files, [(100, 200)] * count, truths, DatasetReport(title))


def test_sizes_and_places_are_shares_of_the_image():
    statistics = LabelStatistics.of(data([(0, 0, 200, 100, 0), (150, 75, 200, 100, 1)], []))
    assert statistics.places.sum() == statistics.sizes.sum() == 2
    # The centre of the whole image; and x 175 of 200, y 87.5 of 100: cell 21 of 24, 0-based.
    assert np.argwhere(statistics.places).tolist() == [[12, 12], [21, 21]]
    # The largest cell; and a quarter of each side, of 24 steps from 0.004 to 1: 24 * (1 - ln 4 / ln 250) is
    # 17.97.
    assert np.argwhere(statistics.sizes).tolist() == [[17, 17], [23, 23]]
    assert statistics.counts.per_class == {"cat": 1, "dog": 1}


@pytest.mark.parametrize("boxes", [[[]], [[], []]])
def test_data_without_objects(boxes):
    statistics = LabelStatistics.of(data(*boxes))
    assert statistics.places.sum() == 0
    section = label_section([statistics])
    assert any(isinstance(part, Chart) for part in section.parts)


def test_the_section_counts_each_part_and_shows_the_most_frequent_classes():
    names = [f"class {i}" for i in range(1000)]
    train = LabelStatistics.of(data([(0, 0, 9, 9, 7), (0, 0, 9, 9, 7), (0, 0, 9, 9, 3)], names=names))
    val = LabelStatistics.of(data([(0, 0, 9, 9, 3)], names=names, title="mine val"))
    section = label_section([train, val])
    tables = [part for part in section.parts if isinstance(part, Table)]
    assert [row[:2] for row in tables[0].rows] == [("mine train", "1"), ("mine val", "1")]
    assert tables[-1].folded and tables[-1].rows[:2] == [("class 7", "2", "0"), ("class 3", "1", "1")]
    assert len(tables[-1].rows) == 1000
    bars = next(part for part in section.parts if isinstance(part, Chart))
    assert "the 40 most frequent of 1000 classes" in bars.title and len(bars.table.rows) == 40
    (facts,) = (part for part in section.parts if isinstance(part, Facts))
    assert facts.rows[1][1] == "200x100 (1)"


def test_without_data_the_section_is_left_out():
    assert label_section([]).parts == []
