"""Lines of keras-yolo3's lists: valid lines and their meaning, and invalid ones."""

from __future__ import annotations

import pytest

from gluon_yolo.data.keras.lines import has_boxes, names_images, read_line
from gluon_yolo.data.quality.report import BadFile


@pytest.mark.parametrize(
    ("text", "image", "boxes"),
    [
        ("p.jpg 1,2,30,40,0 5,6,7.5,8,11", "p.jpg", [((1, 2, 30, 40), 0), ((5, 6, 7.5, 8), 11)]),
        ("  a b/p 1.JPG\t1,2,3,4,0 \n", "a b/p 1.JPG", [((1, 2, 3, 4), 0)]),
        ("C:\\data\\p.png -1,2e1,.5,4.,7", "C:\\data\\p.png", [((-1, 20, 0.5, 4), 7)]),
        ("p.jpg", "p.jpg", []),
        ("11,2,3,4,0.jpg 1,2,3,4,0", "11,2,3,4,0.jpg", [((1, 2, 3, 4), 0)]),
    ],
)
def test_lines(text, image, boxes):
    line = read_line("train.txt", 3, text)
    assert (line.number, line.image, list(line.boxes)) == (3, image, boxes)
    assert list(line.written) == text.split()[len(image.split()) :]


@pytest.mark.parametrize(
    ("text", "got"),
    [
        ("p.jpg 1,2,3,4", "'p.jpg 1,2,3,4'"),  # no class
        ("p.jpg 1,2,3,4,0 5,6,7,8", "'5,6,7,8'"),
        ("p.jpg 1,2,3,4,0 5, 6,7,8,0", "'5,'"),
        ("p.jpg 1,2,3,4,cat", "'p.jpg 1,2,3,4,cat'"),
        ("p.jpg 1,2,3,4,-1", "'p.jpg 1,2,3,4,-1'"),
        ("p 1,2,3,4,0", "'p'"),
        ("1,2,3,4,0", "''"),
    ],
)
def test_no_lines(text, got):
    with pytest.raises(BadFile) as caught:
        read_line("train.txt", 3, text)
    assert str(caught.value).startswith("train.txt: line 3: expected a picture and boxes x1,y1,x2,y2,class")
    assert f"got {got} in " in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "boxes", "images"),
    [
        ("a.txt", "p.jpg 1,2,3,4,0\n", True, True),
        ("a.txt", "p.jpg\n\nq.jpg 1,2,3,4,0\n", True, True),
        ("a.list", "p.jpg\nq.jpg\n", False, True),
        ("a.txt", "0 0.5 0.5 0.1 0.1\n", False, False),
        ("a.txt", "", False, False),
        ("a.md", "p.jpg 1,2,3,4,0\n", False, False),
    ],
)
def test_what_is_such_a_list(tmp_path, name, text, boxes, images):
    (tmp_path / name).write_text(text)
    assert (has_boxes(tmp_path / name), names_images(tmp_path / name)) == (boxes, images)
    assert not has_boxes(tmp_path / "none.txt")
