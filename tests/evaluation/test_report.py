"""The sections of an evaluation in a report, of hand-made cases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from gluon_yolo.data.dataset import ListedImages
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.detections import Detections
from gluon_yolo.evaluation.coco_ap import COCOMetric
from gluon_yolo.evaluation.details import DetailMetrics, Details
from gluon_yolo.evaluation.evaluate import merge
from gluon_yolo.evaluation.f1 import F1Metric
from gluon_yolo.evaluation.report import evaluation_page, evaluation_sections
from gluon_yolo.evaluation.result import Evaluation
from gluon_yolo.evaluation.voc_ap import VOCMetric
from gluon_yolo.report.page import Chart, Images, Section, Table, Text

pytest.importorskip("bokeh", reason="Bokeh is not installed: pip install '.[report]'")
pytest.importorskip("pycocotools")
LEFT, RIGHT = (5, 5, 25, 35), (40, 10, 60, 40)  # boxes in images of 80x50 pixels


class Grey(ListedImages):
    """Images of one grey."""

    def image(self, index: int, reduction: int = 1) -> np.ndarray:
        return np.full((50, 80, 3), 90 + index, dtype=np.uint8)


def boxes(*rows: tuple, scored: bool = False) -> Detections:
    """Return a record of (box, class id) or (box, class id, score)."""
    corners = np.array([row[0] for row in rows], dtype=np.float32).reshape(-1, 4)
    scores = [row[2] for row in rows] if scored else None
    return Detections(corners, [row[1] for row in rows], scores)


def evaluated(
    truths: Sequence[Sequence[tuple]], found: Sequence[Sequence[tuple]], names: Sequence[str]
) -> tuple[dict, Details]:
    """Return the numbers and the details of annotations and detections by image."""
    count = len(truths)
    records = [boxes(*each) for each in truths]
    files = [f"folder/{i}.jpg" for i in range(count)]
    data = Grey(names, files, [(50, 80)] * count, records, DatasetReport("made"))
    voc = VOCMetric(names)
    detailed = DetailMetrics(data, voc.matching, 0.3)
    metrics = [voc, F1Metric(names, 0.3, matching=voc.matching), COCOMetric.from_dataset(data), detailed]
    for index in range(count):
        for metric in metrics:
            metric.update(index, boxes(*found[index], scored=True), records[index])
    numbers = merge([metric.compute() for metric in metrics])
    about = {"model": "m", "data": "made", "size_hw": [64, 64], "runtime": "mxnet", "seconds": 1.0}
    about.update(pictures=count, pictures_per_second=float(count), score_threshold=0.01)
    about.update(nms_threshold=0.45, nms="class", max_detections=100)
    return {**about, **numbers}, detailed.details(numbers)


def parts(sections: Sequence[Section], key: str, kind: type) -> list:
    (section,) = (each for each in sections if each.key == key)
    return [part for part in section.parts if isinstance(part, kind)]


def usual() -> tuple[dict, Details]:
    """Return three images: all right; one missed and one wrong class; one detection of nothing."""
    truths = [[(LEFT, 0), (RIGHT, 1)], [(LEFT, 0), (RIGHT, 1)], []]
    found = [[(LEFT, 0, 0.9), (RIGHT, 1, 0.8)], [(LEFT, 1, 0.7)], [(RIGHT, 0, 0.6)]]
    return evaluated(truths, found, ("cat", "dog"))


def test_the_sections_of_a_usual_evaluation():
    sections = evaluation_sections(*usual(), about="Of epoch 3.")
    assert [section.key for section in sections] == ["scores", "curves", "confusion", "errors", "worst"]
    assert parts(sections, "scores", Text)[0].text == "Of epoch 3."
    titles = [chart.title for chart in parts(sections, "curves", Chart)]
    assert titles[0] == "Precision over recall" and len(titles) == 4
    names = [name for name, _ in parts(sections, "curves", Chart)[0].legend]
    assert names == ["all together", "cat", "dog"]
    (matrix,) = parts(sections, "confusion", Chart)
    # Rows annotated, columns detected, last ones background: one cat is called a dog, one dog is missed.
    assert [row[1:] for row in matrix.table.rows] == [(1, 1, 0), (0, 1, 1), (1, 0, 0)]
    (pairs,) = parts(sections, "confusion", Table)
    assert [tuple(row) for row in pairs.rows] == [("cat", "dog", 1)]
    (bars,) = parts(sections, "errors", Chart)
    costs = {name: value for name, value in bars.table.rows}
    assert set(costs) == {"class", "location", "both", "duplicate", "background", "missed"}
    assert float(costs["class"]) > 0 and float(costs["location"]) == 0


def test_the_worst_and_the_best_images():
    worst, best = parts(evaluation_sections(*usual()), "worst", Images)
    # F1 is best with the two right detections alone, above a score of 0.75: the others do not count as wrong.
    assert [image.caption for image in worst.images] == ["1.jpg: 0 found, 0 wrong, 2 missed"]
    assert [image.caption for image in best.images] == ["0.jpg: 2 found, 0 wrong, 0 missed"]
    assert worst.images[0].size_hw == (50, 80 * 2 + 6) and worst.images[0].uri.startswith("data:image/jpeg")


CASES = {
    "no annotations": ([[], []], [[(LEFT, 0, 0.9)], []], ("cat", "dog")),
    "no detections": ([[(LEFT, 0)], [(RIGHT, 1)]], [[], []], ("cat", "dog")),
    "nothing at all": ([[]], [[]], ("cat",)),
    "one class": ([[(LEFT, 0)]], [[(LEFT, 0, 0.5)]], ("cat",)),
    "ties": ([[(LEFT, 0), (RIGHT, 0)]], [[(LEFT, 0, 0.5), (RIGHT, 0, 0.5)]], ("cat",)),
    "all right": ([[(LEFT, 0)]], [[(LEFT, 0, 1.0)]], ("cat", "dog")),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_every_case_gives_a_page(case):
    html = evaluation_page(*evaluated(*case)).html()
    assert "Scores of m" in html and ">nan<" not in html.lower()


@pytest.mark.slow
def test_a_thousand_classes_fit_a_page(tmp_path):
    names = [f"class {i}" for i in range(1000)]
    truths = [[(LEFT, i), (RIGHT, (i + 1) % 1000)] for i in range(0, 1000, 2)]
    found = [[(LEFT, i, 0.9), (RIGHT, i, 0.5)] for i in range(0, 1000, 2)]
    numbers, details = evaluated(truths, found, names)
    sections = evaluation_sections(numbers, details)
    assert len(parts(sections, "curves", Chart)[1].legend) == 8
    assert "7 classes with the most objects, of 1000" in parts(sections, "curves", Text)[0].text
    (matrix,) = parts(sections, "confusion", Chart)
    assert "25 classes with the most mistakes, of 1000" in matrix.title and len(matrix.table.rows) == 26
    assert all(table.folded for table in parts(sections, "scores", Table))
    path = Evaluation(numbers, (), details).report(tmp_path / "page.html")
    assert path.stat().st_size < 5e6


def test_numbers_alone_give_no_page(tmp_path):
    with pytest.raises(ValueError, match="details: expected those of gluon_yolo.evaluate"):
        Evaluation(usual()[0]).report(tmp_path / "page.html")
    assert not list(tmp_path.iterdir())
