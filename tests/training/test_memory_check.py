"""Memory check: a training against the free memory, with an estimate of round numbers."""

from __future__ import annotations

import math

import pytest

from gluon_yolo.system.memory import Memory
from gluon_yolo.training.memory_check import Wanted, check, smaller
from gluon_yolo.training.memory_estimate import Footprint
from tests.printed import printed, refused

MB, MACHINE = 1_000_000, "this machine"


class Estimate:
    """An estimate of 100 MB, and for each image 1 MB per 1,024 pixels; 1.5 times that for several sizes.

    Args:
        validated: MB per 1,024 pixels of the validation size.
        val_size_hw: the default validation size.
    """

    def __init__(self, validated=0, val_size_hw=(0, 0)):
        self.validated, self.val_size_hw = validated, val_size_hw

    def at(self, sizes_hw, val_size_hw=None):
        area = max(map(math.prod, sizes_hw))
        fixed = 100 + self.validated * math.prod(val_size_hw or self.val_size_hw) / 1024
        return Footprint(fixed * MB, area / 1024 * MB * (1.5 if len(set(sizes_hw)) > 1 else 1))


def wanted(batch_size: int, *sizes: tuple[int, int], data_shape=(320, 320), devices: int = 1) -> Wanted:
    return Wanted(batch_size, sizes or (data_shape,), data_shape, 32, devices, bool(sizes))


def test_the_largest_batch_within_some_memory():
    footprint = Footprint(100 * MB, 100 * MB)
    assert footprint.of(4) == 500 * MB
    assert [footprint.batch_within(memory * MB) for memory in (99, 199, 200, 1049)] == [0, 0, 1, 9]
    assert [footprint.batch_within(memory * MB, 4) for memory in (499, 500, 899, 900)] == [0, 4, 4, 8]
    assert Memory(1150, 0, MACHINE).fits(1000) and not Memory(1149, 9000, MACHINE).fits(1000)


@pytest.mark.parametrize(
    "training, free, swap, said",
    [
        # 0.1 GB and 0.1 GB an image: 8 images need 0.9 GB, and 1.15 times that must be free
        (
            wanted(8),
            1040,
            0,
            "memory: about 0.9 GB for a batch of 8 at 320x320; there is 1.0 GB on this machine",
        ),
        (
            wanted(8),
            1000,
            0,
            "this training may be killed: it needs about 0.9 GB for a batch of 8 at 320x320; "
            "there is 1.0 GB on this machine. What fits: --batch-size 7",
        ),
        (
            wanted(8),
            600,
            500,
            "this training will wait for the disk: it needs about 0.9 GB for a batch of 8 at 320x320; "
            "there is 0.6 GB and 0.5 GB of swap on this machine. What fits: --batch-size 4",
        ),
    ],
)
def test_what_fits_and_what_is_in_doubt(training, free, swap, said):
    assert printed(check(training, Estimate(), Memory(free * MB, swap * MB, MACHINE))) == said


@pytest.mark.parametrize(
    "training, free, advice",
    [
        (wanted(64), 1150, "--batch-size 9"),
        (wanted(64, devices=4), 1150, "--batch-size 8"),
        # 608x608 with several sizes: 541.5 MB an image
        (wanted(64, (320, 320), (608, 608)), 1150, "--batch-size 1"),
        (wanted(64, (320, 320), (608, 608)), 700, "--data-shape 320 --random-shapes 320 --batch-size 5"),
        # not even one image of 320x320, 200 MB: 288x288 needs 181 MB
        (wanted(2), 209, "--data-shape 288 --batch-size 1"),
        (
            wanted(4, data_shape=(320, 640), devices=2),
            350,
            "--data-shape 224x448 --batch-size 2",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_what_does(training, free, advice):
    memory = Memory(free * MB, 0, MACHINE)
    with refused("memory: this training would be killed: it needs about ") as caught:
        check(training, Estimate(), memory)
    assert printed(caught.value).endswith(f"on this machine. What fits: {advice}")
    words = dict(zip(advice.split()[::2], advice.split()[1::2]))
    if list(words) == ["--batch-size"]:
        assert memory.fits(Estimate().at(training.sizes_hw).of(int(words["--batch-size"])))


def test_what_fits_is_validated_at_its_own_size():
    """Validation at 2048 needs 4.1 GB, at 1024 1 GB, which leaves memory for one image of 1 GB."""
    estimate, memory = Estimate(1, (2048, 2048)), Memory(2500 * MB, 0, MACHINE)
    with refused("What fits: --data-shape 1024 --batch-size 1$"):
        check(wanted(8, data_shape=(2048, 2048)), estimate, memory)
    # a much smaller size leaves memory for more images, but the requested batch size is the limit
    with refused("What fits: --data-shape 64 --random-shapes 64 --batch-size 2$"):
        check(wanted(2, (999, 999), data_shape=(64, 64)), estimate, Memory(300 * MB, 0, MACHINE))


def test_where_nothing_fits_it_says_so():
    with refused("No size fits: end other programs, or take a smaller --network"):
        check(wanted(2), Estimate(), Memory(100 * MB, 0, MACHINE))


@pytest.mark.parametrize(
    "size_hw, expected",
    [
        ((160, 160), [(128, 128), (96, 96)]),
        ((96, 96), []),
        ((128, 256), [(128, 224), (96, 192), (64, 160), (64, 128), (64, 96)]),
    ],
)
def test_smaller_sizes_keep_the_proportions(size_hw, expected):
    found = smaller(size_hw, 32)
    assert found == expected and all(side % 32 == 0 for size in found for side in size)
