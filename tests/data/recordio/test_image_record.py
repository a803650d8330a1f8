"""Labels of records: mxnet unpacks those written, and all widths are read."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from gluon_yolo.data.recordio.image_record import HEADER, RecordLabel, encode_label, label_count
from gluon_yolo.detections import Detections
from gluon_yolo.mxnet_compat import mx


def label(*numbers):
    return RecordLabel(np.array(numbers, dtype=np.float32))


class TestWritten:
    def test_by_hand(self):
        truth = Detections([[10, 20, 100, 50]], [2], difficult=[True])
        numbers = (4, 6, 200, 100, 2, 0.05, 0.2, 0.5, 0.5, 1)
        assert encode_label(truth, (100, 200), 17) == struct.pack("<IfQQ10f", 10, 0, 17, 0, *numbers)

    def test_mxnet_unpacks_it(self):
        truth = Detections([[0, 0, 50, 100], [20, 30, 40, 80]], [1, 0])
        header, rest = mx.recordio.unpack(encode_label(truth, (100, 200), 5) + b"picture")
        assert (header.flag, header.id, header.id2, rest) == (16, 5, 0, b"picture")
        expected = [4, 6, 200, 100, 1, 0, 0, 0.25, 1, 0, 0, 0.1, 0.3, 0.2, 0.8, 0]
        np.testing.assert_array_equal(header.label, np.array(expected, dtype=np.float32))

    def test_an_image_without_objects(self):
        """It has one padding row, because mxnet refuses a label without rows."""
        data = encode_label(Detections.empty(), (30, 40), 0)
        values = np.frombuffer(data, dtype="<f4", offset=HEADER.size)
        np.testing.assert_array_equal(values, [4, 6, 40, 30, -1, 0, 0, 1, 1, 0])
        assert len(RecordLabel(values).class_ids) == 0


class TestRead:
    @pytest.mark.parametrize(
        ("numbers", "size_hw", "difficult"),
        [
            ((2, 5, 1, 0.1, 0.2, 0.3, 0.4), None, False),  # mxnet's shortest label
            ((2, 6, 1, 0.1, 0.2, 0.3, 0.4, 1), None, True),  # as mxnet-ssd writes it
            ((4, 5, 64, 48, 1, 0.1, 0.2, 0.3, 0.4), (48, 64), False),  # as in GluonCV's tutorial
            ((4, 6, 64, 48, 1, 0.1, 0.2, 0.3, 0.4, 0), (48, 64), False),  # as this package writes it
            ((3, 5, 9, 1, 0.1, 0.2, 0.3, 0.4), None, False),  # one number of extra header
            ((6, 8, 64, 48, 0, 0, 1, 0.1, 0.2, 0.3, 0.4, 1, 7, 8), (48, 64), True),  # more of everything
            ((4, 5, 0.5, 48, 1, 0.1, 0.2, 0.3, 0.4), None, False),  # an extra header without a valid size
        ],
    )
    def test_widths(self, numbers, size_hw, difficult):
        found = label(*numbers)
        assert found.size_hw == size_hw
        assert found.class_ids.tolist() == [1] and found.difficult.tolist() == [difficult]
        np.testing.assert_allclose(found.corners, [[0.1, 0.2, 0.3, 0.4]], rtol=1e-6)

    @pytest.mark.parametrize("numbers", [(2, 5), (4, 6, 64, 48), (4, 5, 64, 48, -1, 0, 0, 0, 0)])
    def test_no_objects(self, numbers):
        assert label(*numbers).corners.shape == (0, 4)

    def test_padding_is_left_out(self):
        found = label(2, 5, -1, 0, 0, 1, 1, 3, 0.1, 0.2, 0.3, 0.4, -1, -1, -1, -1, -1)
        assert found.class_ids.tolist() == [3]

    @pytest.mark.parametrize(
        ("numbers", "message"),
        [
            ((), "is it of classification"),
            ((7,), "is it of classification"),
            ((1, 5, 0, 0, 0, 1), "6 numbers, the first 1 and 5, are no label of boxes"),
            ((2, 4, 1, 0.1, 0.2, 0.3), "the first 2 and 4,"),
            ((2, 5, 1, 0.1, 0.2, 0.3), "6 numbers, the first 2 and 5,"),
            ((9, 5, 1, 0.1, 0.2, 0.3, 0.4), "the first 9 and 5,"),
            ((2.5, 5, 1, 0.1, 0.2, 0.3, 0.4), "the first 2.5 and 5,"),
            ((float("nan"), 5, 1, 0.1, 0.2, 0.3, 0.4), "the first nan and 5,"),
            ((2, float("inf"), 1, 0.1, 0.2, 0.3, 0.4), "the first 2 and inf,"),
            ((2, 5, 1.5, 0, 0, 1, 1), "object 1 has the class id 1.5, which is no whole number"),
            ((2, 5, 1, 0, 0, 1, 1, float("nan"), 0, 0, 1, 1), "object 2 has the class id nan"),
            ((2, 5, float("inf"), 0, 0, 1, 1), "object 1 has the class id inf"),
            ((2, 5, 1e30, 0, 0, 1, 1), "class id 1e\\+30, which is no whole number below 1,000,000"),
            ((2, 5, 1e6, 0, 0, 1, 1), "class id 1e\\+06, which"),
        ],
    )
    def test_no_label_of_boxes(self, numbers, message):
        with pytest.raises(ValueError, match=message):
            label(*numbers)

    def test_header_cut_short(self):
        with pytest.raises(ValueError, match="23 bytes are fewer than an image record's header"):
            label_count(bytes(23))
        assert label_count(struct.pack("<IfQQ", 16, 0, 0, 0)) == 16


def back_and_forth(boxes, size_hw):
    data = encode_label(Detections(boxes, np.zeros(len(boxes))), size_hw, 0)
    return RecordLabel(np.frombuffer(data, dtype="<f4", offset=HEADER.size)).boxes_px(size_hw)


class TestRoundTrip:
    @pytest.mark.parametrize("size_hw", [(480, 640), (333, 500), (1, 8191), (7919, 8192), (6007, 30011)])
    def test_whole_pixels_come_back_exactly(self, size_hw):
        rng = np.random.default_rng(0)
        corners = rng.integers(0, np.array(size_hw * 2)[::-1] + 1, (2000, 4))
        corners = np.concatenate(
            [np.minimum(corners[:, :2], corners[:, 2:]), np.maximum(*np.split(corners, 2, 1))], 1
        )
        np.testing.assert_array_equal(back_and_forth(corners, size_hw), corners)

    def test_others_to_a_thousandth_and_only_once(self):
        rng = np.random.default_rng(1)
        corners = np.sort(rng.random((2000, 2, 2)) * (640, 480), axis=1).reshape(-1, 4).astype(np.float32)
        once = back_and_forth(corners, (480, 640))
        assert 0 < np.abs(once - corners).max() <= 2.5e-4 + 1e-6
        np.testing.assert_array_equal(back_and_forth(once.astype(np.float32), (480, 640)), once)
