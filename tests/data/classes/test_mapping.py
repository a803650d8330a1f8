"""ClassMap: a model's class ids become a data set's, by name; other classes of the model are dropped."""

from __future__ import annotations

import pytest

from gluon_yolo.data.classes.mapping import ClassMap
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError
from tests.evaluation.test_evaluate import Squares  # its classes are square and circle

BOXES = [[0, 0, 1, 1], [1, 1, 2, 2], [2, 2, 3, 3]]


def test_by_name():
    renumbered = ClassMap(("circle", "star", "square"), Squares(1))
    found = renumbered(Detections(BOXES, [0, 1, 2], [0.9, 0.8, 0.7]))
    assert found.class_ids.tolist() == [1, 0] and found.boxes.tolist() == [BOXES[0], BOXES[2]]
    assert found.scores.tolist() == pytest.approx([0.9, 0.7])


def test_nothing_found():
    assert len(ClassMap(("square", "circle"), Squares(1))(Detections.empty(scored=True))) == 0


def test_a_class_that_the_model_does_not_know():
    names = ["square", *map(str, range(9))]
    message = (
        r"mine and squares disagree on the classes: the model knows 10 \(square, 0, .*, 6, and 2 more\), the "
        r"data has 2 \(square, circle\), of which the model does not know circle\. Names must match exactly, "
        r"but for the spellings of VOC, COCO and darknet \(sofa is couch\): say with class_map FILE"
    )
    with pytest.raises(UserError, match=message):
        ClassMap(names, Squares(1), "mine")
