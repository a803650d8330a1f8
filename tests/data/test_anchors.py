"""Anchors: found at planted clusters, measured as defined, written to a file, divided into levels."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest

from gluon_yolo.data import anchors
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError
from gluon_yolo.spec import DEFAULT_ANCHORS

ANCHORS_WITH_COMMENTS = (
    "12.64,19.39, 37.88,51.48, 55.71,138.31, 126.91,78.23, 131.57,214.55, 279.92,258.87  # anchor bias\n"
    "0.636158                                                                             # iou\n"
)
SIX = [[12.64, 19.39], [37.88, 51.48], [55.71, 138.31], [126.91, 78.23], [131.57, 214.55], [279.92, 258.87]]


class Boxes:
    """A data set of boxes without images."""

    def __init__(self, *images):
        self._images = [SimpleNamespace(size_hw=hw, truth=boxes) for hw, boxes in images]

    def __len__(self):
        return len(self._images)

    def size_hw(self, index):
        return self._images[index].size_hw

    def annotations(self, index):
        boxes = self._images[index].truth
        return Detections(np.array(boxes), np.zeros(len(boxes)))


def planted(rng, centres, each=60):
    """Return sizes in clusters within 8 % of their centres, shuffled."""
    sizes = np.concatenate([np.array(centre) * rng.uniform(0.92, 1.08, (each, 2)) for centre in centres])
    return rng.permutation(sizes)


def test_sizes_are_those_on_the_input():
    data = Boxes(((100, 200), [[0, 0, 20, 10], [50, 20, 150, 70]]), ((50, 50), [[10, 10, 35, 20]]))
    assert anchors.box_sizes(data, (200, 100)).tolist() == [[10, 20], [50, 100], [50, 40]]
    assert anchors.box_sizes(data, (200, 100), "letterbox").tolist() == [[10, 5], [50, 25], [50, 20]]
    assert anchors.box_sizes(Boxes(), (200, 100)).shape == (0, 2)


class TestQuality:
    # Computed by hand; the first size with the anchors 10x10 and 20x40: 100/200 and 200/800; and so on.
    SIZES = np.array([[10.0, 20], [20, 40], [5, 5], [40, 10]])
    ANCHORS = np.array([[10.0, 10], [20, 40]])

    def test_best_iou(self):
        expected = [100 / 200, 1, 25 / 100, 100 / 400]
        np.testing.assert_allclose(anchors.best_iou(self.SIZES, self.ANCHORS), expected)

    def test_mean(self):
        assert anchors.mean_best_iou(self.SIZES, self.ANCHORS) == pytest.approx(2 / 4)

    @pytest.mark.parametrize(
        "threshold, expected",
        [(0.5, 2 / 4), (0.51, 1 / 4), (0.25, 1), (1, 1 / 4)],  # equal to the threshold counts
    )
    def test_recall(self, threshold, expected):
        assert anchors.recall(self.SIZES, self.ANCHORS, threshold) == expected

    def test_no_boxes_have_no_quality(self):
        assert np.isnan(anchors.recall(np.zeros((0, 2)), self.ANCHORS))
        assert np.isnan(anchors.mean_best_iou(np.zeros((0, 2)), self.ANCHORS))


class TestFindAnchors:
    CENTRES = [[8, 12], [40, 15], [14, 60], [90, 90], [60, 200], [300, 180]]

    @pytest.mark.parametrize("seed", range(4))
    def test_planted_clusters_are_found(self, seed):
        sizes = planted(np.random.default_rng(seed), self.CENTRES)
        found = anchors.find_anchors(sizes, 6, seed)
        np.testing.assert_allclose(found, self.CENTRES, rtol=0.04)  # sorted by area, as CENTRES are
        assert anchors.mean_best_iou(sizes, found) > 0.92 and anchors.recall(sizes, found) == 1

    def test_every_size_is_its_own_anchor(self):
        sizes = np.array([[3.0, 4], [30, 40], [5, 100]] * 7)
        assert anchors.find_anchors(sizes, 3).tolist() == [[3, 4], [5, 100], [30, 40]]

    def test_the_seed_decides(self):
        sizes = np.exp(np.random.default_rng(0).normal(4, 1, (500, 2)))
        one, same, other = (anchors.find_anchors(sizes, 5, seed) for seed in (1, 1, 2))
        assert one.tolist() == same.tolist() != other.tolist()
        assert one.tolist() == np.round(one, 2).tolist()
        assert (np.diff(one.prod(axis=1)) >= 0).all()

    def test_of_many_boxes_a_sample_does(self, monkeypatch):
        monkeypatch.setattr(anchors, "_SAMPLE", 300)
        sizes = planted(np.random.default_rng(0), self.CENTRES, each=500)
        np.testing.assert_allclose(anchors.find_anchors(sizes, 6), self.CENTRES, rtol=0.04)

    def test_far_off_boxes_do_not_pull(self):
        """A mean would be at 28 pixels."""
        sizes = np.array([[10.0, 10]] * 9 + [[190, 190]])
        assert anchors.find_anchors(sizes, 1).tolist() == [[10, 10]]

    @pytest.mark.parametrize("count", [3, 0])
    def test_too_few_different_boxes(self, count):
        said = f"^{count} anchors cannot be found: the data has boxes of 2 different sizes; ask for 1 to 2$"
        with pytest.raises(UserError, match=said):
            anchors.find_anchors(np.array([[10.0, 10], [20, 20]] * 50), count)

    def test_no_boxes(self):
        with pytest.raises(UserError, match="^9 anchors cannot be found: the data has no box$"):
            anchors.find_anchors(np.zeros((0, 2)), 9)

    def test_boxes_of_one_size(self):
        said = "^9 anchors cannot be found: the data has boxes of one size only; ask for 1$"
        with pytest.raises(UserError, match=said):
            anchors.find_anchors(np.full((20, 2), 8.0), 9)


class TestFile:
    def test_document_003s_file_is_read(self, tmp_path):
        path = tmp_path / "anchors6.txt"
        path.write_text(ANCHORS_WITH_COMMENTS)
        assert anchors.read_anchors(path).tolist() == SIX
        assert anchors.named_anchors(str(path)).tolist() == SIX

    def test_round_trip(self, tmp_path):
        path = tmp_path / "a.txt"
        anchors.write_anchors(path, np.array(SIX), 0.636158)
        first, second = ANCHORS_WITH_COMMENTS.splitlines()
        assert path.read_text() == f"{first.split('  #')[0]}\n{second.split()[0]}\n"
        assert anchors.read_anchors(path).tolist() == SIX
        anchors.write_anchors(path, np.array([[0.01, 123456.25]]), 1)  # a file of anchors is overwritten
        assert anchors.read_anchors(path).tolist() == [[0.01, 123456.25]]

    def test_other_files_are_left_alone(self, tmp_path):
        path = tmp_path / "labels.txt"
        path.write_text("cat\ndog\n")
        with pytest.raises(UserError, match="labels.txt: holds something else than anchors"):
            anchors.write_anchors(path, np.array(SIX), 0.6)
        assert path.read_text() == "cat\ndog\n"

    def test_a_place_that_is_not_there(self, tmp_path):
        with pytest.raises(UserError, match="none/a.txt: cannot be written"):
            anchors.write_anchors(tmp_path / "none" / "a.txt", np.array(SIX), 0.6)

    @pytest.mark.parametrize(
        "content, said",
        [
            (b"", "anchors '': expected widths and heights"),
            (b"# nothing\n\n", "anchors '': expected widths"),
            (b"10,13, 16\n", "anchors '10,13, 16': .*; an even count, all above 0"),
            (b"\xff\x00\x01", "cannot read the anchors: not UTF-8"),
        ],
    )
    def test_what_is_no_file_of_anchors(self, tmp_path, content, said):
        path = tmp_path / "a.txt"
        path.write_bytes(content)
        with pytest.raises(UserError, match=f"^{re.escape(str(path))}: {said}"):
            anchors.read_anchors(path)


class TestText:
    @pytest.mark.parametrize("text", ["10,13, 16,30", "10,13,16,30", " 10 13\t16 30 ", "10.0,13e0, 16,30,"])
    def test_lists(self, text):
        assert anchors.parse_anchors(text).tolist() == [[10, 13], [16, 30]]
        assert anchors.named_anchors(text).tolist() == [[10, 13], [16, 30]]

    def test_what_is_formatted_is_read_back(self):
        assert anchors.format_anchors(SIX) == ANCHORS_WITH_COMMENTS.split("  #")[0]
        assert anchors.parse_anchors(anchors.format_anchors(SIX)).tolist() == SIX

    @pytest.mark.parametrize("text", ["", "10", "1,2,3", "0,5", "-1,5", "nan,5", "inf,1", "1,2,x,4"])
    def test_what_is_no_list(self, text):
        with pytest.raises(UserError, match="expected widths and heights with commas between"):
            anchors.parse_anchors(text)

    @pytest.mark.parametrize("text", ["nowhere.txt", "nowhere/anchors9", "AUTO"])
    def test_a_file_that_is_not_there(self, text):
        with pytest.raises(UserError, match=f"^{text}: cannot read the anchors: No such file"):
            anchors.named_anchors(text)


class TestByLevel:
    def test_yolov3s_nine_come_out_as_they_are(self):
        flat = [wh for level in DEFAULT_ANCHORS for wh in level]
        assert anchors.by_level(np.array(flat[::-1], dtype=float), 3) == DEFAULT_ANCHORS

    @pytest.mark.parametrize(
        "count, each", [(3, (1, 1, 1)), (6, (2, 2, 2)), (12, (4, 4, 4)), (10, (4, 3, 3)), (5, (2, 2, 1))]
    )
    def test_division(self, count, each):
        sizes = np.array([[k, 2 * k] for k in range(1, count + 1)], dtype=float)
        levels = anchors.by_level(sizes[::-1], 3)
        assert tuple(map(len, levels)) == each
        assert [wh for level in levels for wh in level] == [tuple(size) for size in sizes.tolist()]

    def test_fewer_than_levels(self):
        with pytest.raises(UserError, match="got 2, but the network has 3 levels"):
            anchors.by_level(np.array([[1.0, 1], [2, 2]]), 3)


class TestRefine:
    """Anchors of each level for the boxes that the network's own anchors assign to it."""

    OWN = (((10.0, 10.0), (20.0, 20.0)), ((100.0, 100.0), (200.0, 200.0)))

    def test_a_level_keeps_its_boxes(self):
        rng = np.random.default_rng(3)
        # The finer level's 20x20 is the best anchor of all but the last; the coarser 100x100 is the last's.
        sizes = planted(rng, [(14, 28), (28, 14), (120, 70), (70, 120)])
        found = anchors.refine_anchors(sizes, self.OWN)
        assert [len(level) for level in found] == [2, 2]
        np.testing.assert_allclose(sorted(found[0]), [(14, 28), (28, 14)], rtol=0.05)
        np.testing.assert_allclose(sorted(found[1]), [(70, 120), (120, 70)], rtol=0.05)

    def test_boxes_of_one_size_stay_in_one_level(self):
        sizes = planted(np.random.default_rng(3), [(14, 28), (28, 14)])
        found = anchors.refine_anchors(sizes, self.OWN)
        np.testing.assert_allclose(sorted(found[0]), [(14, 28), (28, 14)], rtol=0.05)
        assert found[1] == self.OWN[1]
        together = anchors.by_level(anchors.find_anchors(sizes, 4), 2)
        assert together[1] != self.OWN[1]

    def test_too_few_boxes_change_nothing(self):
        assert anchors.refine_anchors(np.array([[30.0, 30]]), self.OWN) == self.OWN
