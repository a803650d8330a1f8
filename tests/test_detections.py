"""Detections: normalised and validated when made; every column follows an index; results show themselves."""

from __future__ import annotations

import dataclasses
import json
import pickle
import sys

import numpy as np
import pytest

from gluon_yolo.data.images.read import read_image
from gluon_yolo.detections import Detections
from gluon_yolo.drawing.draw import draw
from gluon_yolo.errors import MissingDependency, NotWritten

BOXES = [[0, 0, 10, 20], [5, 5, 5, 5], [1.5, 2.5, 3.5, 4.5]]


def three() -> Detections:
    return Detections(BOXES, [0, 1, 2], [0.9, 0.5, 0.1], [True, False, True])


def test_lists_become_arrays_of_the_stated_types():
    d = three()
    assert (d.boxes.dtype, d.class_ids.dtype) == (np.float32, np.int64)
    assert d.scores is not None and d.scores.dtype == np.float32
    assert d.difficult is not None and d.difficult.dtype == np.bool_
    np.testing.assert_array_equal(d.boxes, np.array(BOXES, dtype=np.float32))
    assert len(d) == 3


def test_optional_columns_stay_absent():
    d = Detections(BOXES, [0, 1, 2])
    assert d.scores is None and d.difficult is None
    assert d[:1].scores is None and d[:1].difficult is None


@pytest.mark.parametrize(
    "boxes",
    [[], np.zeros((0, 4)), np.zeros(0)],  # as a parser, a mask and a bare array give no boxes
)
def test_no_boxes(boxes):
    d = Detections(boxes, [])
    assert d.boxes.shape == (0, 4) and len(d) == 0


def test_empty_has_scores_on_request():
    assert Detections.empty().scores is None
    scores = Detections.empty(scored=True).scores
    assert scores is not None and scores.shape == (0,)


@pytest.mark.parametrize(
    ("index", "classes"),
    [
        (np.array([True, False, True]), [0, 2]),  # a mask
        (np.array([2, 0]), [2, 0]),  # an order
        (slice(1, None), [1, 2]),
        (np.array([], dtype=int), []),
        (np.zeros(3, dtype=bool), []),
    ],
)
def test_every_column_follows_an_index(index, classes):
    picked = three()[index]
    assert picked.class_ids.tolist() == classes
    np.testing.assert_array_equal(picked.boxes, np.array(BOXES, dtype=np.float32)[index])
    np.testing.assert_array_equal(picked.scores, np.array([0.9, 0.5, 0.1], dtype=np.float32)[index])
    np.testing.assert_array_equal(picked.difficult, np.array([True, False, True])[index])


def test_replace_checks_again_and_leaves_the_original():
    d = three()
    moved = d.replace(boxes=d.boxes + 1)
    np.testing.assert_array_equal(moved.boxes, d.boxes + 1)
    np.testing.assert_array_equal(d.boxes, np.array(BOXES, dtype=np.float32))
    assert moved.class_ids.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="scores"):
        d.replace(scores=[0.5])
    with pytest.raises(dataclasses.FrozenInstanceError):
        d.boxes = BOXES


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([[0, 0, 10]], [0]), r"boxes: expected shape \(N, 4\), got \(1, 3\)"),
        (([0, 0, 10, 10], [0]), r"boxes: expected shape \(N, 4\), got \(4,\)"),
        (([[0, 0, np.nan, 10]], [0]), "boxes: expected finite numbers"),
        (([[0, 0, np.inf, 10]], [0]), "boxes: expected finite numbers"),
        (([[10, 0, 9, 10]], [0]), "boxes: expected x2 >= x1"),
        (([[0, 10, 9, 9]], [0]), "boxes: expected x2 >= x1 and y2 >= y1"),
        (([[0, 0, 9, 9]], [0, 1]), r"class_ids: expected shape \(1,\), got \(2,\)"),
        (([[0, 0, 9, 9]], [[0]]), r"class_ids: expected shape \(1,\), got \(1, 1\)"),
        (([[0, 0, 9, 9]], [0], []), r"scores: expected shape \(1,\), got \(0,\)"),
        (([[0, 0, 9, 9]], [0], None, [True, False]), r"difficult: expected shape \(1,\), got \(2,\)"),
    ],
)
def test_a_wrong_record_is_refused(columns, message):
    with pytest.raises(ValueError, match=message):
        Detections(*columns)


NAMES = ("cat", "dog", "<b>")


def named() -> Detections:
    return Detections(BOXES, [2, 1, 2], [0.9, 0.5, 0.123456], class_names=NAMES)


def test_class_names_follow_what_is_made_of_a_record():
    d = named()
    assert d.names() == ["<b>", "dog", "<b>"]
    for other in (d[1:], d[np.zeros(3, bool)], d.replace(scores=None), pickle.loads(pickle.dumps(d))):
        assert other.class_names == NAMES
    both = Detections.concatenate([three(), d])
    assert both.class_names == NAMES and both.names()[:3] == ["cat", "dog", "<b>"]
    assert Detections.concatenate([three(), three()]).class_names is None
    assert Detections(BOXES, [2, 1, 2], class_names=list(NAMES)).class_names == NAMES
    assert Detections(BOXES, [2, 1, 2]).names() == ["class 2", "class 1", "class 2"]


@pytest.mark.parametrize("class_ids", [[0, 1, 3], [-1, 0, 0]])
def test_each_class_has_a_name_where_names_are_given(class_ids):
    with pytest.raises(ValueError, match="class_ids: expected 0 to 2, got"):
        Detections(BOXES, class_ids, class_names=NAMES)
    with pytest.raises(ValueError, match="records: expected the same class names in all of them"):
        Detections.concatenate([named(), named().replace(class_names=("a", "b", "c"))])


@pytest.mark.parametrize(
    ("other", "equal"),
    [
        (three(), True),
        (three().replace(class_names=NAMES), True),  # they say how to call what is equal
        (three().replace(scores=None), False),
        (three().replace(scores=[0.9, 0.5, 0.2]), False),
        (three()[:2], False),
        ("three", False),
    ],
)
def test_records_are_compared_by_their_columns(other, equal):
    assert (three() == other) is equal and (other == three()) is equal


def test_a_frame():
    frame = named().to_df()
    assert list(frame.columns) == ["x1", "y1", "x2", "y2", "class_id", "class_name", "score"]
    assert frame.iloc[2].tolist() == [1.5, 2.5, 3.5, 4.5, 2, "<b>", np.float32(0.123456)]
    assert list(three()[:0].to_df().columns)[-2:] == ["score", "difficult"]
    assert "score" not in Detections(BOXES, [0, 1, 2]).to_df()


def test_a_frame_without_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingDependency, match="^pandas is not installed: pip install pandas$"):
        three().to_df()


def test_records_in_json(tmp_path):
    """As demo writes them, a line each, to a file whose name may be any bytes."""
    text = named()[1:].to_json(tmp_path / "found.json", image="a\udcff.jpg")
    assert text == (
        '[\n{"image": "a\udcff.jpg", "class": "dog", "score": 0.5, "box": [5.0, 5.0, 5.0, 5.0]},\n'
        '{"image": "a\udcff.jpg", "class": "<b>", "score": 0.12346, "box": [1.5, 2.5, 3.5, 4.5]}\n]\n'
    )
    assert json.loads((tmp_path / "found.json").read_text()) == json.loads(text.replace("\udcff", "\\udcff"))
    plain = Detections(BOXES[:1], [4]).records(frame=7)
    assert plain == [{"frame": 7, "class": "class 4", "box": [0.0, 0.0, 10.0, 20.0]}]
    with pytest.raises(NotWritten, match="nowhere.x.json: cannot be written: No such file or directory"):
        named().to_json(tmp_path / "nowhere" / "x.json")


def test_a_table_for_a_notebook():
    shown = named()._repr_html_()
    assert shown.startswith("<table><caption>3 objects</caption><thead><tr><th>x1</th>")
    row = "".join(
        f"<td>{cell}</td>" for cell in ("1.500", "2.500", "3.500", "4.500", 2, "&lt;b&gt;", "0.123")
    )
    assert f"<tr>{row}</tr></tbody></table>" in shown
    many = Detections.concatenate([three()] * 9)._repr_html_()
    assert "<caption>27 objects, the first 20 of them</caption>" in many and many.count("<tr>") == 21


def test_a_drawing_is_what_draw_makes():
    image = np.full((60, 80, 3), 90, np.uint8)
    before = image.copy()
    d = Detections([[10, 20, 60, 50], [5, 5, 30, 30]], [0, 1], [0.9, 0.4], class_names=NAMES)
    assert (d.plot(image) == draw(image, d, NAMES)).all() and (image == before).all()
    styled = d.plot(image, score_threshold=0.5, labels=False, line_width=3)
    assert (styled == draw(image, d[:1], NAMES, labels=False, line_width=3)).all()
    unnamed = d.replace(class_names=None)
    assert (unnamed.plot(image) == draw(image, d, ("class 0", "class 1"))).all()
    assert (Detections.empty(scored=True).plot(image) == image).all()


@pytest.mark.parametrize("method", ["plot", "save_crops"])
def test_only_an_image_is_drawn_on(method, tmp_path):
    words = [tmp_path] if method == "save_crops" else []
    for image, what in ((np.zeros((9, 9)), r"\(9, 9\) float64"), ("a.jpg", "str")):
        with pytest.raises(ValueError, match=f"expected .H, W, 3. uint8 RGB, got {what}; gluon_yolo.load_im"):
            getattr(three(), method)(*words, image)


def test_crops_overwrite_nothing(tmp_path):
    image = np.arange(600, dtype=np.uint16).astype(np.uint8).reshape(10, 20, 3)
    d = Detections([[2, 3, 5, 7], [0, 0, 20, 10]], [1, 2], [0.9, 0.8], class_names=NAMES)
    first = d.save_crops(tmp_path / "crops", image, stem="a")
    assert [path.relative_to(tmp_path).as_posix() for path in first] == [
        "crops/dog/a_0.png",
        "crops/b/a_1.png",
    ]
    assert (read_image(first[0]) == image[3:7, 2:5]).all() and (read_image(first[1]) == image).all()
    again = d.save_crops(tmp_path / "crops", image[::-1].copy(), stem="a")
    assert [path.name for path in again] == ["a_0_2.png", "a_1_2.png"]
    assert (read_image(first[1]) == image).all() and (read_image(again[1]) == image[::-1]).all()
    unnamed = d.replace(class_names=None).save_crops(tmp_path / "other", image, suffix=".jpg")
    assert [path.relative_to(tmp_path / "other").as_posix() for path in unnamed] == [
        "class 1/image_0.jpg",
        "class 2/image_1.jpg",
    ]
