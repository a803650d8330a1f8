"""TiledDataset: which tiles there are, what they show, and what is read."""

from __future__ import annotations

import pickle

import cv2
import numpy as np
import pytest

from gluon_yolo.data.dataset import ImageFiles, ListedImages
from gluon_yolo.data.images.read import decode_image
from gluon_yolo.data.quality.report import BadFile, DatasetReport
from gluon_yolo.data.tiled_dataset import TiledDataset
from gluon_yolo.data.tiles import Tiling
from gluon_yolo.detections import Detections
from gluon_yolo.errors import SettingError
from tests.random_model import random_image

TWO = Tiling((100, 100), 0.2)  # an image of 180x100 has two tiles, from 0 and from 80


class Images(ListedImages):
    """A data set of arrays; it counts how often an image is decoded."""

    def __init__(self, images, truths, crowds=None):
        sizes = [image.shape[:2] for image in images]
        names = [f"folder/{number}.v2.png" for number in range(len(images))]
        super().__init__(("a", "b"), names, sizes, truths, DatasetReport("images"))
        self.images, self.the_crowds, self.decoded = images, crowds or {}, []

    def image(self, index, reduction=1):
        self.decoded.append(index)
        return self.images[index]

    def crowds(self, index):
        return self.the_crowds.get(index, Detections.empty())


def one(boxes, class_ids=None, size_hw=(100, 180), **options):
    """Return the tiles of one image."""
    truth = Detections(boxes, np.zeros(len(boxes)) if class_ids is None else class_ids)
    return TiledDataset(Images([random_image(*size_hw)], [truth]), TWO, **options)


@pytest.mark.parametrize(
    ("box", "visible", "left", "right"),
    [
        ((10, 20, 30, 40), 0.3, [(10, 20, 30, 40)], []),  # in one tile
        ((85, 20, 95, 40), 0.3, [(85, 20, 95, 40)], [(5, 20, 15, 40)]),  # in both
        ((70, 20, 110, 40), 0.75, [(70, 20, 100, 40)], [(0, 20, 30, 40)]),  # three quarters in each
        ((70, 20, 110, 40), 0.76, [], []),
        ((60, 20, 100, 40), 0.6, [(60, 20, 100, 40)], []),  # half of it in the other
        ((60, 20, 100, 40), 0.5, [(60, 20, 100, 40)], [(0, 20, 20, 40)]),
        ((0, 0, 180, 100), 0.5, [(0, 0, 100, 100)], [(0, 0, 100, 100)]),  # larger than a tile
        ((60, 20, 80.5, 40), 0.0, [(60, 20, 80.5, 40)], []),  # half a pixel is no box
        ((60, 20, 90, 40), 1.0, [(60, 20, 90, 40)], []),
    ],
)
def test_boxes(box, visible, left, right):
    tiles = one([box], visible=visible, empty=0)
    found = {tiles.name(i): tiles.annotations(i).boxes.tolist() for i in range(len(tiles))}
    expected = {"folder/0.v2_0_0": left, "folder/0.v2_80_0": right}
    assert found == {name: [list(row) for row in rows] for name, rows in expected.items() if rows}


def test_what_is_counted_and_kept_of_an_object():
    truth = Detections(
        [[10, 20, 30, 40], [60, 20, 100, 40], [0, 40, 180, 60]], [1, 0, 1], difficult=[1, 0, 0]
    )
    tiles = TiledDataset(Images([random_image(100, 180)], [truth]), TWO, visible=0.6)
    assert [tiles.name(i) for i in range(len(tiles))] == ["folder/0.v2_0_0"]
    assert tiles.annotations(0) == truth[:2] and tiles.class_names == ("a", "b")
    assert (tiles.dropped_parts, tiles.lost_objects, tiles.report.boxes) == (1, 1, 2)


def test_tiles_without_objects():
    """Ten images of two tiles: one has an object in the left tile, the others have none."""
    images = [random_image(100, 180, seed) for seed in range(10)]
    truths = [Detections([[10, 10, 30, 30]], [0])] + [Detections.empty()] * 9

    def names(**options):
        tiles = TiledDataset(Images(images, truths), TWO, **options)
        assert tiles.empty_tiles == len(tiles) - 1
        return [tiles.name(i) for i in range(len(tiles))]

    assert names(empty=0) == ["folder/0.v2_0_0"]
    assert len(names(empty=1)) == 20 and len(names()) == 1 + 2 and len(names(empty=0.5)) == 1 + 10
    assert names(empty=0.5) == names(empty=0.5) != names(empty=0.5, seed=1)
    assert names(empty=0.5) == sorted(names(empty=0.5), key=lambda name: (name[7], len(name)))  # in order


def test_a_tile_with_a_part_or_a_crowd_alone_is_no_background():
    part = one([[60, 20, 100, 40]], visible=0.6, empty=1)
    assert [part.name(i) for i in range(len(part))] == ["folder/0.v2_0_0"]
    crowds = {0: Detections([[110, 10, 170, 60]], [0])}
    data = Images([random_image(100, 180)], [Detections([[10, 20, 30, 40]], [0])], crowds)
    assert len(TiledDataset(data, TWO, empty=1)) == 1
    assert len(TiledDataset(Images(data.images, [data.annotations(0)]), TWO, empty=1)) == 2


def test_images():
    """Pixels are those of the image; it is decoded once for its tiles, and again when others came between."""
    images = [random_image(100, 180, seed) for seed in range(3)]
    data = Images(images, [Detections([[80, 10, 100, 30]], [0])] * 3)
    tiles = TiledDataset(data, TWO)
    assert len(tiles) == 6 and [tiles.size_hw(i) for i in range(6)] == [(100, 100)] * 6
    for i in range(6):
        left = (0, 80)[i % 2]
        assert (tiles.image(i) == images[i // 2][:, left : left + 100]).all()
        assert (decode_image(tiles.encoded(i), "tile") == tiles.image(i)).all()  # a PNG
    assert data.decoded == [0, 1, 2]
    tiles.image(0)
    assert data.decoded == [0, 1, 2, 0]
    again = pickle.loads(pickle.dumps(tiles))
    assert (again.image(5) == tiles.image(5)).all() and again.annotations(5) == tiles.annotations(5)


def test_a_jpeg_gives_jpegs(tmp_path):
    image = cv2.GaussianBlur(random_image(100, 180), (31, 31), 9)
    cv2.imwrite(str(tmp_path / "a.JPG"), image[:, :, ::-1])
    truth = Detections([[10, 20, 30, 40]], [0])
    files = ImageFiles(("a",), [str(tmp_path / "a.JPG")], [(100, 180)], [truth], DatasetReport("files"))
    data = TiledDataset(files, TWO, empty=1).encoded(1)
    assert data[:2] == b"\xff\xd8"
    assert np.abs(decode_image(data, "tile").astype(int) - image[:, 80:]).mean() < 2


def test_an_image_of_one_tile_is_copied(tmp_path):
    cv2.imwrite(str(tmp_path / "a.jpg"), random_image(90, 100))
    files = ImageFiles(
        ("a",),
        [str(tmp_path / "a.jpg")],
        [(90, 100)],
        [Detections([[10, 20, 30, 40]], [0])],
        DatasetReport("files"),
    )
    assert TiledDataset(files, TWO).encoded(0) == (tmp_path / "a.jpg").read_bytes()
    arrays = Images([random_image(90, 100)], [Detections([[10, 20, 30, 40]], [0])])
    assert (decode_image(TiledDataset(arrays, TWO).encoded(0), "tile") == arrays.images[0]).all()


def test_an_image_that_changed_is_named(tmp_path):
    data = Images([random_image(100, 180)], [Detections([[10, 20, 30, 40]], [0])])
    tiles = TiledDataset(data, TWO)
    data.images[0] = random_image(100, 170)
    for _ in range(2):
        with pytest.raises(BadFile, match="0.v2.png: is 170x100, and its label says 180x100"):
            tiles.encoded(0)


@pytest.mark.parametrize("options", [{"visible": 1.5}, {"empty": -0.1}])
def test_shares_are_shares(options):
    with pytest.raises(SettingError, match=f"^{next(iter(options))} .* must lie within 0 and 1"):
        one([[1, 1, 5, 5]], **options)
