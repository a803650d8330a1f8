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


def test_one_class_each_is_the_same(caplog):
    caplog.set_level("INFO", logger="gluon_yolo")
    data = Squares(1)
    data.class_names = ("face",)
    mapped = ClassMap(("Face",), data, "mine")
    assert mapped(Detections(BOXES, [0, 0, 0], [0.9, 0.8, 0.7])).class_ids.tolist() == [0, 0, 0]
    line = "classes by another name in mine: face is Face, the only class of both"
    assert caplog.messages == [line]
    ClassMap(("face",), data, "mine")
    assert caplog.messages == [line]
    with pytest.raises(UserError, match=r"the data has 1 \(face\), of which the model does not know face"):
        ClassMap(("Face", "Head"), data)
