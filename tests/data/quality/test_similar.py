"""Similar images: the same image in other files, and different images."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gluon_yolo.data.dataset import ImageFiles
from gluon_yolo.data.quality.report import BadFile, DatasetReport
from gluon_yolo.data.quality.similar import groups, look_at
from gluon_yolo.data.synthetic import draw_scene
from gluon_yolo.detections import Detections


def scene(seed, size_hw=(300, 400)):
    return draw_scene(np.random.default_rng(seed), size_hw)[0]


def scaled(image, scale):
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def jpeg(image, quality=92):
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def png(image):
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()


def grouped(folder, files, **options):
    """Write the files, and return for each the first that it equals."""
    names, sizes = [], []
    for number, data in enumerate(files):
        (folder / str(number)).write_bytes(data)
        names.append(str(folder / str(number)))
        sizes.append(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape[:2])
    data = ImageFiles(("a",), names, sizes, [Detections.empty()] * len(names), DatasetReport("files"))
    return groups(look_at([(data, index) for index in range(len(data))], "looking"), **options).tolist()


@pytest.mark.parametrize("seed", range(3))
def test_the_same_image_in_other_files(tmp_path, seed):
    image, large = scene(seed), scene(seed + 50, (900, 1300))
    files = [jpeg(image), jpeg(image), png(image), jpeg(image, 25), jpeg(scaled(image, 0.5), 80)]
    files += [jpeg(large), jpeg(scaled(large, 0.4)), png(large)]
    assert grouped(tmp_path, files) == [0, 0, 0, 0, 0, 5, 5, 5]
    assert grouped(tmp_path, files, identical_only=True) == [0, 0, 2, 3, 4, 5, 6, 7]


def test_other_images(tmp_path):
    image = scene(3)
    moved = image.copy()
    moved[100:130, 200:230] = (250, 20, 20)  # an object appeared before a fixed camera
    brighter = np.clip(image.astype(int) + 30, 0, 255).astype(np.uint8)
    wide = cv2.resize(image, (600, 300))
    others = [image, moved, brighter, image[:, ::-1], np.ascontiguousarray(image[20:, 20:]), wide]
    assert grouped(tmp_path, [png(other) for other in others]) == [0, 1, 2, 3, 4, 5]
    assert grouped(tmp_path, [png(scene(seed)) for seed in range(30)]) == list(range(30))


def test_images_without_contrast_are_compared_by_their_bytes(tmp_path):
    grey = np.full((80, 80, 3), 100, dtype=np.uint8)
    other = grey.copy()
    other[40, 40] = 103
    assert grouped(tmp_path, [png(grey), png(other), png(grey)]) == [0, 1, 0]


def test_by_way_of_others(tmp_path):
    """A looks like B, and B has C's bytes."""
    image = scene(4)
    assert grouped(tmp_path, [jpeg(image, 30), jpeg(image), png(image), jpeg(image)]) == [0] * 4


def darkened(image, number):
    return np.clip(image * (1 - 0.006 * number), 0, 255).astype(np.uint8)


def test_frames_of_a_slow_video(tmp_path):
    """Each frame looks like the one before it; the last does not look like the first."""
    files = [png(darkened(scene(3), number)) for number in range(20)]
    assert grouped(tmp_path, files) == [0] * 20
    first = grouped(tmp_path, files, chained=False)
    assert len(set(first)) > 3 and first == sorted(first) and all(first[each] == each for each in first)


def test_each_is_like_the_first_of_its_group(tmp_path):
    image = scene(3)
    files = [png(darkened(image, n)) for n in (0, 2, 4, 6)] + [jpeg(image), png(darkened(image, 4))]
    pairs = {}
    for one, two in ((0, 1), (0, 2), (1, 2), (2, 3)):
        (tmp_path / f"{one}{two}").mkdir()
        pairs[one, two] = grouped(tmp_path / f"{one}{two}", [files[one], files[two]])[1] == 0
    assert pairs == {(0, 1): True, (0, 2): False, (1, 2): True, (2, 3): True}
    assert grouped(tmp_path, files, chained=False) == [0, 0, 2, 2, 0, 2]
    assert grouped(tmp_path, files) == [0] * 6


def test_whether_images_agree_is_asked(tmp_path):
    files = [jpeg(scene(4)), png(scene(4)), jpeg(scene(4)), png(scene(4))]
    asked = []

    def agree(one, two):
        asked.append((one, two))
        return False

    assert grouped(tmp_path, files, chained=False, agree=agree) == [0, 1, 0, 1]
    assert asked == [(0, 1)]  # equal bytes are not compared again


def test_what_cannot_be_read_is_like_nothing():
    bad = BadFile("a.jpg", "gone", "missing-picture")
    assert groups([bad, bad]).tolist() == [0, 1]
    assert groups([]).tolist() == []
