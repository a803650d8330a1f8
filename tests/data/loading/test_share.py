"""Shares: what several training processes read is the batch of one process, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.data.loading.collate import Batch
from gluon_yolo.data.loading.share import WHOLE, Share
from gluon_yolo.data.transforms import augmentation
from tests.data.loading.test_loader import Memory, loader


def joined(shares: list[Batch]) -> Batch:
    """Return the batch that shares make in turn, with targets padded to the longest share's rows."""
    rows = max(batch.targets.shape[1] for batch in shares)
    padded = [np.pad(each.targets, ((0, 0), (0, rows - each.targets.shape[1]), (0, 0))) for each in shares]
    return Batch(
        np.concatenate([each.images for each in shares]),
        np.concatenate(padded),
        [name for each in shares for name in each.names],
        [index for each in shares for index in each.indices],
        shares[0].size_hw,
    )


@pytest.mark.parametrize("world", [1, 2, 4])
@pytest.mark.parametrize("augment", ["yolo3", "mosaic,light"])
@pytest.mark.parametrize("images", [19, 3])  # the smaller set is repeated to fill a batch
def test_the_shares_are_the_batches_of_one_process(world: int, augment: str, images: int) -> None:
    options = {
        "batch_size": 8,
        "transform": augmentation(augment),
        "sizes_hw": [(64, 64), (96, 64), (32, 96)],
        "resize_interval": 1,
        "seed": 7,
        "mixup": True,
    }
    for epoch, start_batch in ((0, 0), (3, 0), (3, 1)):
        whole = list(loader(Memory(images), workers=0, **options).epoch(epoch, start_batch))
        shares = []
        for rank in range(world):
            one = loader(Memory(images), workers=rank, share=Share(rank, world), **options)
            shares.append(list(one.epoch(epoch, start_batch)))
        assert [len(batches) for batches in shares] == [len(whole)] * world
        for number, expected in enumerate(whole):
            found = joined([batches[number] for batches in shares])
            np.testing.assert_array_equal(found.images, expected.images)
            np.testing.assert_array_equal(found.targets, expected.targets)
            assert (found.names, found.indices) == (expected.names, expected.indices)
            assert all(batches[number].size_hw == expected.size_hw for batches in shares)


def test_a_process_reads_the_images_of_its_share_only() -> None:
    dataset = Memory(16)
    batches = list(loader(dataset, batch_size=8, share=Share(1, 4), transform=augmentation("none")).epoch(0))
    assert sorted(dataset.read) == sorted(index for batch in batches for index in batch.indices)
    assert len(dataset.read) == 4  # two of each batch of eight


def test_places() -> None:
    cases = [
        # rank, world, batch size, places
        (0, 1, 6, [0, 1, 2, 3, 4, 5]),
        (0, 3, 6, [0, 1]),
        (2, 3, 6, [4, 5]),
        (1, 2, 2, [1]),
    ]
    for rank, world, batch_size, places in cases:
        assert list(Share(rank, world).places(batch_size)) == places
    assert WHOLE == Share(0, 1)


@pytest.mark.parametrize(("rank", "world", "batch_size"), [(0, 3, 8), (2, 2, 8), (-1, 2, 8), (0, 4, 2)])
def test_a_share_that_is_none_is_refused(rank: int, world: int, batch_size: int) -> None:
    with pytest.raises(ValueError, match=f"process {rank} of {world}: no even share"):
        loader(Memory(16), batch_size=batch_size, share=Share(rank, world))
