"""The estimate of a training's memory against sums computed by hand for a network of two convolutions."""

from __future__ import annotations

import pytest

from gluon_yolo.training import memory_estimate
from gluon_yolo.training.freeze import freeze
from gluon_yolo.training.memory_estimate import FLOAT, Maps, TrainMemory, beside_the_network
from tests.models.darknet import small

# For one image of 32x64: the network's input, then 8 maps of 16x32 from a convolution, a batch norm and a
# leaky ReLU, each kept for the backward pass, then 14 maps from the head.
PIXELS, MAP, RAW = 3 * 32 * 64, 8 * 16 * 32, 14 * 16 * 32


@pytest.fixture
def net():
    net = small.built(small.SMALL, class_names=["cat", "dog"])
    net.initialize_weights(seed=0)
    return net


def test_what_an_image_is_made_into(net):
    maps = TrainMemory(net, (32, 64)).maps((32, 64))
    assert maps.raw == FLOAT * RAW and maps.anchors == 2 * 16 * 32
    assert maps.largest == FLOAT * max(PIXELS, RAW)
    normalised = maps.kept - FLOAT * (3 * MAP + RAW)  # of the input, only the scaled one is kept
    assert normalised in (0, FLOAT * PIXELS, 2 * FLOAT * PIXELS)
    four = TrainMemory(net, (32, 64)).maps((64, 128))
    assert four == Maps(4 * maps.kept, 4 * maps.largest, 4 * maps.raw, 4 * maps.anchors)


def test_nothing_is_kept_of_what_is_frozen(net):
    whole = TrainMemory(net, (32, 64)).maps((32, 64))
    freeze(net, ["1"])
    frozen = TrainMemory(net, (32, 64)).maps((32, 64))
    assert frozen.kept == FLOAT * RAW and frozen.largest == whole.largest


def test_a_batch_grows_by_images_sizes_devices_objects_and_processes(net, monkeypatch):
    monkeypatch.delenv("MXNET_CPU_TEMP_COPY", raising=False)
    one = TrainMemory(net, (32, 64)).at([(32, 64)])
    assert one.of(5) - one.of(3) == pytest.approx(2 * one.per_image) and one.of(0) == one.fixed > 0
    several = TrainMemory(net, (32, 64)).at([(32, 32), (32, 64)])
    assert 1.1 * one.per_image < several.per_image < 1.2 * one.per_image
    assert TrainMemory(net, (32, 64)).at([(64, 128)]).per_image == pytest.approx(4 * one.per_image)
    validated = TrainMemory(net, (64, 128)).at([(32, 64)])
    assert validated.fixed > one.fixed
    assert TrainMemory(net, (64, 128)).at([(32, 64)], (32, 64)) == one
    assert TrainMemory(net, (32, 64)).at([(32, 64)], (64, 128)) == validated

    crowd = TrainMemory(net, (32, 64), objects=100).at([(32, 64)])
    overlaps = memory_estimate._TRUTHS * FLOAT * 100 * 1024
    assert crowd.per_image - one.per_image == pytest.approx(overlaps)
    beside = TrainMemory(net, (32, 64), beside=beside_the_network(3, 5e6)).at([(32, 64)])
    assert beside.fixed - one.fixed == pytest.approx(3 * 130e6 + 5e6)

    teacher = small.built(small.SMALL, class_names=["cat", "dog"])
    teacher.initialize_weights(seed=1)
    taught = TrainMemory(net, (32, 64), teacher=teacher).at([(32, 64)])
    assert taught.per_image - one.per_image == pytest.approx(2.6 * FLOAT * RAW)
    assert taught.fixed - one.fixed == pytest.approx(2.5 * memory_estimate.weight_bytes(net))

    two = TrainMemory(net, (32, 64), devices=2).at([(32, 64)])
    assert two.fixed > one.fixed and two.per_image == one.per_image
    monkeypatch.setenv("MXNET_CPU_TEMP_COPY", "64")  # as with --syncbn: each device has 60 more copies
    assert TrainMemory(net, (32, 64), devices=2).at([(32, 64)]).fixed > two.fixed
    assert TrainMemory(net, (32, 64)).at([(32, 64)]).fixed == one.fixed
