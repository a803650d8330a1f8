"""Ranking: the images by their errors, by hand."""

from __future__ import annotations

import pytest

from gluon_yolo.evaluation.matching import Matching
from gluon_yolo.evaluation.ranking import ImageErrors, Ranking
from tests.evaluation.test_f1 import CLASSES, found, objects

# detections, objects
IMAGES = {
    0: (found((0, 0, 0.9)), objects((0, 0))),  # right
    4: (found((0, 0, 0.9), (1, 1, 0.8)), objects((0, 0), (1, 1))),  # two right
    5: (found(), objects()),  # nothing there, nothing found
    7: (found((0, 0, 0.6)), objects((1, 0))),  # wrong at 0.6, missed
    8: (found((0, 0, 0.7)), objects((1, 0))),  # wrong at 0.7, missed
    9: (found((0, 0, 0.2), (2, 1, 0.3), (3, 1, 0.9)), objects((0, 0), difficult=(0,))),  # wrong at 0.9
    11: (found((5, 0, 0.5)), objects((0, 0), (1, 0), (2, 0))),  # wrong at 0.5, three missed
}


@pytest.fixture
def matching() -> Matching:
    matching = Matching(CLASSES)
    for index in (8, 7, 11, 9, 4, 0, 5):  # images may come in any order
        matching.update(*IMAGES[index], index)
    return matching


def test_by_hand(matching: Matching) -> None:
    ranking = Ranking(matching, 0.3)
    assert [image.index for image in ranking.worst()] == [11, 8, 7, 9, 0, 4, 5]
    assert [image.index for image in ranking.best()] == [4, 0, 5, 9, 7, 8, 11]
    assert ranking.worst(2) == [ImageErrors(11, 0, 1, 3), ImageErrors(8, 0, 1, 1)]
    assert ranking.best(1) == [ImageErrors(4, 2, 0, 0)] and ranking.best(0) == []
    assert ranking.worst(4)[-1] == ImageErrors(9, 0, 1, 0)  # a score of 0.3 is not above it
    assert ranking.worst(1)[0].numbers("a.jpg") == {"picture": "a.jpg", "TP": 0, "FP": 1, "FN": 3}


def test_another_threshold(matching: Matching) -> None:
    """Above 0.65 there is one wrong detection less in image 7, above 0.85 one object is missed in image 4."""
    worst = {image.index: image for image in Ranking(matching, 0.65).worst()}
    assert worst[7] == ImageErrors(7, 0, 0, 1) and worst[8] == ImageErrors(8, 0, 1, 1)
    worst = {image.index: image for image in Ranking(matching, 0.85).worst()}
    assert worst[4] == ImageErrors(4, 1, 0, 1) and worst[9] == ImageErrors(9, 0, 1, 0)


def test_no_images() -> None:
    ranking = Ranking(Matching(CLASSES), 0.3)
    assert ranking.worst() == ranking.best(3) == []
