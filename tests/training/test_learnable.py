"""Learnable: errors and warnings before the first epoch about objects that the training cannot see."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from gluon_yolo.data.dataset import ListedImages
from gluon_yolo.data.loading.sampler import image_order
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.data.transforms import augmentation
from gluon_yolo.detections import Detections
from gluon_yolo.errors import NothingToLearn
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.learnable import Learnable
from tests.printed import printed

pytestmark = pytest.mark.usefixtures("command_line_log")

NAMES = ("ant", "bee", "cow")
WIDTH, HEIGHT = 1600, 1200


def dataset(sizes_wh, ids=None, per_image=1, empty=0, difficult=False, names=NAMES) -> ListedImages:
    """Return images of 1600x1200 with one object of each size, and some images without objects at the end."""
    sizes_wh = np.reshape(np.array(sizes_wh, dtype=float), (-1, 2))
    ids = np.arange(len(sizes_wh)) % len(names) if ids is None else np.array(ids)
    truths = []
    for start in range(0, len(sizes_wh), per_image):
        wh = sizes_wh[start : start + per_image]
        corners = np.full((len(wh), 2), 100.0)
        marks = np.full(len(wh), difficult)
        boxes = np.concatenate([corners, corners + wh], axis=1)
        truths.append(Detections(boxes, ids[start : start + per_image], difficult=marks))
    truths += [Detections(np.zeros((0, 4)), [], difficult=[])] * empty
    files = [f"{number}.jpg" for number in range(len(truths))]
    return ListedImages(names, files, [(HEIGHT, WIDTH)] * len(files), truths, DatasetReport("ants train"))


def learnable(data: ListedImages, **settings) -> Learnable:
    values = {"data_shape": (320, 320), "random_shape": False, "augment": "none", "batch_size": 2}
    return Learnable(data, TrainConfig("net", **{**values, **settings}), 32)


def refused(data: ListedImages, **settings) -> str:
    with pytest.raises(NothingToLearn) as caught:
        learnable(data, **settings).refuse()
    return printed(caught.value)


def warned(caplog, data: ListedImages, **settings) -> list[str]:
    found = learnable(data, **settings)
    found.refuse()
    caplog.clear()
    with caplog.at_level(logging.INFO, "gluon_yolo"):
        found.warn()
    return caplog.messages


def test_no_object_at_all():
    assert refused(dataset([], empty=3)) == (
        "ants train: no object in any training picture, so nothing to learn from"
    )
    data = dataset([], empty=3)
    data.report.warn("no-area", "7.xml", "box has no area; dropped", "<object> 1")
    assert "so nothing to learn from; the first finding: 7.xml" in refused(data)


def test_every_object_under_a_pixel():
    """1600x1200 to 320x320: an object of 4x3 pixels becomes 0.8x0.8."""
    said = refused(dataset([(4, 3)] * 5))
    assert said == (
        "ants train: each of its 5 objects is narrower or lower than a pixel at --data-shape 320x320 (0.8 "
        "pixels at most), so nothing to learn from; --data-shape 416 would keep nine of ten"
    )  # at 416 they are 1.04 pixels
    learnable(dataset([(4, 3)] * 5), data_shape=(416, 416)).refuse()
    # long and thin: the shorter side counts
    assert "its object is narrower or lower" in refused(dataset([(900, 3)]))
    # with letterbox: 4 / 5 = 0.8 wide, 3 / 5 = 0.6 high
    assert "(0.6 pixels at most)" in refused(dataset([(4, 3)]), augment="letterbox")
    assert "--data-shape 544 would" in refused(dataset([(4, 3)]), augment="letterbox")
    # both sides of an advised size that is not square grow
    said = refused(dataset([(8, 3)]), data_shape=(160, 320))
    assert "at --data-shape 160x320 (0.4 pixels" in said and "--data-shape 416x800 would" in said
    assert "cut the pictures into tiles around" in refused(dataset([(0.4, 0.3)]))


def test_random_shapes():
    shapes = ((256, 256), (320, 320))
    said = refused(dataset([(4, 3)] * 3), random_shape=True, random_shapes=shapes)
    assert "at the random shapes 256x256 to 320x320 (0.8 pixels at most)" in said
    assert "--data-shape 416 --random-shapes 416 would keep nine of ten" in said
    learnable(dataset([(4, 3)] * 3), random_shape=True, random_shapes=(*shapes, (416, 416))).refuse()


def test_num_samples_that_meet_no_object():
    """The first epoch takes two of twenty images; the images with objects decide."""
    first = image_order(233, 0, 20)[:2].tolist()
    other = next(place for place in range(20) if place not in first)
    for place, ok in ((first[0], True), (other, False)):
        sizes = [(300, 300) if number == place else None for number in range(20)]
        truths = [Detections.empty() if size is None else Detections([[9, 9, 99, 99]], [0]) for size in sizes]
        files = [str(number) for number in range(20)]
        data = ListedImages(NAMES, files, [(HEIGHT, WIDTH)] * 20, truths, DatasetReport("ants train"))
        found = learnable(data, num_samples=2, epochs=1, lr_decay_epoch=())
        if ok:
            found.refuse()
        else:
            said = refused(data, num_samples=2, epochs=1, lr_decay_epoch=())
            assert "no object in the 2 training pictures that --num-samples takes, so nothing" in said
            learnable(data, num_samples=2, epochs=1, lr_decay_epoch=(), mixup=True).refuse()
            learnable(data, num_samples=2, epochs=100).refuse()


@pytest.mark.parametrize("augment", ["none", "letterbox"])
def test_the_rule_is_that_of_the_images_as_drawn(augment):
    transform, rng = augmentation(augment), np.random.default_rng(0)
    kept = []
    for wh in rng.uniform(2, 8, (200, 2)):
        truth = Detections([[100, 100, *(100 + wh)]], [0])
        view = transform.plan((HEIGHT, WIDTH), truth, rng, (320, 320))
        shorter = float(learnable(dataset([wh]), augment=augment)._shorter((320, 320))[0])
        if abs(shorter - 1) > 0.01:  # drawing changes a side by less than a hundredth of it
            kept.append((len(view.annotations()) == 1, shorter >= 1))
    assert len(kept) > 150 and {True, False} == {drawn for drawn, _ in kept}
    assert all(drawn == expected for drawn, expected in kept)


def test_half_of_the_objects_lost(caplog):
    small, large = (4, 3), (40, 30)
    assert warned(caplog, dataset([small] * 3 + [large] * 3, ids=[0, 1, 2] * 2)) == []
    said = warned(caplog, dataset([small] * 6 + [large] * 3, ids=[0, 1, 2] * 3))
    assert said == [
        "ants train: 67 % of the 9 objects are narrower or lower than a pixel at --data-shape 320x320, and "
        "so lost; --data-shape 416 would keep nine of ten"
    ]
    # at one of two sizes all are visible: the mean loss is one half, which is not above the limit
    shapes = {"random_shape": True, "random_shapes": ((320, 320), (416, 416))}
    assert warned(caplog, dataset([small] * 9 + [large] * 3, ids=[0, 1, 2] * 4), **shapes) == []


def test_classes_that_nobody_sees(caplog):
    assert warned(caplog, dataset([(90, 90)] * 2, ids=[0, 2])) == [
        "ants train: no object of class bee in any training picture: what is not seen is not learned"
    ]
    assert warned(caplog, dataset([(90, 90)] * 3 + [(4, 3)], ids=[0, 2, 0, 1])) == [
        "ants train: every object of class bee is narrower or lower than a pixel at --data-shape 320x320"
    ]
    names = tuple(f"c{number}" for number in range(12))
    (said,) = warned(caplog, dataset([(90, 90)], ids=[0], names=names))
    assert "no object of the classes c1, c2, c3, c4, c5, c6, c7, c8 and 3 more in any" in said


def test_difficult_objects_are_trained_on(caplog):
    said = warned(caplog, dataset([(90, 90)] * 3, difficult=True))
    assert said == ["ants train: all objects are marked difficult; they are trained on as any others"]
