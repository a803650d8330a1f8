"""YOLO labels: valid lines and their meaning, invalid lines, and the round trip."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.data.quality.report import BadFile
from gluon_yolo.data.yolo.label import looks_like_label, read_label, write_label
from gluon_yolo.detections import Detections

SIZE_HW = (480, 640)


def read(tmp_path, text):
    path = tmp_path / "1.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_label(path)


class TestReading:
    @pytest.mark.parametrize(
        ("text", "class_id", "box"),
        [
            ("0 0.5 0.5 0.5 0.25", 0, [160, 180, 480, 300]),
            ("11\t0.25  0.75 0.5 0.5  \r\n", 11, [0, 240, 320, 480]),  # tabs, blanks, Windows line ends
            (b"\xef\xbb\xbf2 1e-1 .5 0.2 1", 2, [0, 0, 128, 480]),  # byte order mark
            ("1 0.1 0.2 0.6 0.2 0.3 0.9", 1, [64, 96, 384, 432]),  # polygon of three corners
            ("1 0 0 1 0 1 1 0 1", 1, [0, 0, 640, 480]),  # of four
            ("3 1.25 0.5 0.5 0.5", 3, [640, 120, 960, 360]),  # outside: this module does not clip
        ],
    )
    def test_line(self, tmp_path, text, class_id, box):
        (thing,) = read(tmp_path, text)
        assert thing.class_id == class_id
        np.testing.assert_allclose(thing.box_xyxy(SIZE_HW), box, atol=1e-5)

    def test_blank_lines_count(self, tmp_path):
        things = read(tmp_path, "\n0 0.5 0.5 0.1 0.1\n  \n1 0.5 0.5 0.1 0.2\n\n")
        assert [(thing.number, thing.class_id) for thing in things] == [(2, 0), (4, 1)]
        assert things[1].written == "0.5 0.5 0.1 0.2"
        assert not things[1].is_polygon

    def test_empty(self, tmp_path):
        assert read(tmp_path, "") == ()
        assert read(tmp_path, "\n \n") == ()

    def test_polygon_is_said_shortly(self, tmp_path):
        (thing,) = read(tmp_path, "0 0 0 1 0 1 1 0 1")
        assert (thing.is_polygon, thing.written) == (True, "a polygon of 4 corners")

    @pytest.mark.parametrize("line", ["0 nan 0.5 0.1 0.1", "0 0.5 inf 0.1 0.1", "0 0 0 nan 0 1 1"])
    def test_not_finite_passes_through(self, tmp_path, line):
        (thing,) = read(tmp_path, line)
        assert not np.isfinite(thing.box_xyxy(SIZE_HW)).all()

    @pytest.mark.parametrize(
        ("line", "problem"),
        [
            ("0 0.5 0.5 0.1", "got 4 words"),
            ("0 0.5 0.5 0.1 0.1 0.9", "got 6 words"),  # a confidence
            ("0 0 0 1 0 1 1 0", "got 8 words"),  # half a corner
            ("0", "got 1 words"),
            ("x 0.5 0.5 0.1 0.1", "the class id 'x' is no whole number"),
            ("-1 0.5 0.5 0.1 0.1", "the class id '-1' is no whole number"),
            ("1.5 0.5 0.5 0.1 0.1", "the class id '1.5' is no whole number"),
            ("0 0.5 0,5 0.1 0.1", "'0,5' is no number"),
            ("0 0.5 1_0 0.1 0.1", "'1_0' is no number"),
        ],
    )
    def test_broken_line(self, tmp_path, line, problem):
        with pytest.raises(BadFile) as caught:
            read(tmp_path, f"0 0.5 0.5 0.1 0.1\n\n{line}\n")
        assert caught.value.kind == "broken-label"
        assert caught.value.file == str(tmp_path / "1.txt")
        assert caught.value.problem.startswith("line 3: ")
        assert problem in caught.value.problem
        assert repr(line) in caught.value.problem

    def test_long_line_is_cut(self, tmp_path):
        with pytest.raises(BadFile) as caught:
            read(tmp_path, "x " * 500)
        assert len(caught.value.problem) < 250

    def test_no_text(self, tmp_path):
        with pytest.raises(BadFile, match="not UTF-8"):
            read(tmp_path, b"\xff\xd8\xff\xe0")

    def test_missing(self, tmp_path):
        with pytest.raises(BadFile, match="cannot read the label"):
            read_label(tmp_path / "none.txt")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0 0.5 0.5 0.1 0.1", True),
        ("cat 0.5 0.5 0.1 0.1", True),  # a class name instead of an id is an error, but the line is a label's
        ("0 0 0 1 0 1 1", True),
        ("train/1.jpg", False),
        ("12.64,19.39, 37.88,51.48, 55.71,138.31", False),  # anchors
        ("This data set has 300 pictures", False),
        ("", False),
    ],
)
def test_looks_like_label(line, expected):
    assert looks_like_label(line) is expected


class TestWriting:
    def round_trip(self, tmp_path, size_hw, boxes):
        path = tmp_path / "1.txt"
        class_ids = np.arange(len(boxes)) % 7
        write_label(path, size_hw, Detections(boxes, class_ids))
        things = read_label(path)
        assert [thing.class_id for thing in things] == class_ids.tolist()
        return np.array([thing.box_xyxy(size_hw) for thing in things], dtype=np.float64)

    def test_text(self, tmp_path):
        write_label(tmp_path / "1.txt", SIZE_HW, Detections([[160, 180, 480, 300], [0, 0, 1, 480]], [0, 4]))
        assert (tmp_path / "1.txt").read_bytes() == (
            b"0 0.500000000000 0.500000000000 0.500000000000 0.250000000000\n"
            b"4 0.000781250000 0.500000000000 0.001562500000 1.000000000000\n"
        )

    def test_no_objects(self, tmp_path):
        write_label(tmp_path / "1.txt", SIZE_HW, Detections.empty())
        assert (tmp_path / "1.txt").read_bytes() == b""

    @pytest.mark.parametrize("size_hw", [(480, 640), (333, 997), (7, 12000), (1, 1)])
    def test_whole_pixels_come_back_exactly(self, tmp_path, size_hw):
        random = np.random.default_rng(0)
        width, height = size_hw[1], size_hw[0]
        x = np.sort(random.integers(0, width + 1, (500, 2)), axis=1)
        y = np.sort(random.integers(0, height + 1, (500, 2)), axis=1)
        boxes = np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1).astype(np.float32)
        back = self.round_trip(tmp_path, size_hw, boxes)
        np.testing.assert_array_equal(back, boxes)  # in float64 even

    def test_others_come_back_to_a_millionth(self, tmp_path):
        random = np.random.default_rng(1)
        corners = np.sort(random.uniform(0, 1, (500, 2, 2)), axis=1).reshape(-1, 4) * (640, 480, 640, 480)
        boxes = corners.astype(np.float32)
        assert np.abs(self.round_trip(tmp_path, SIZE_HW, boxes) - boxes).max() < 1e-6
