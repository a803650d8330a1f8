"""Leakage: shared images are found by their bytes, and only images of one size are read."""

from __future__ import annotations

import pytest

from gluon_yolo.data.classes.relabel import Relabelled
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.quality.leakage import shared
from gluon_yolo.data.registry import WRITERS, open_source
from gluon_yolo.data.subset import Subset
from gluon_yolo.data.synthetic import generate


@pytest.fixture(scope="module")
def parts(tmp_path_factory) -> dict[str, dict[str, Dataset]]:
    """The parts of one data set, as files and packed into records."""
    root = tmp_path_factory.mktemp("shapes")
    files = open_source(generate(root / "files", images=10, size_hw=(64, 96)))
    opened = {split: files.open(split) for split in ("train", "val")}
    writer = WRITERS["record"](root / "records", opened["train"].class_names)
    for split, dataset in opened.items():
        writer.write(split, dataset)
    records = open_source(writer.finish())
    return {"files": opened, "records": {split: records.open(split) for split in opened}}


@pytest.mark.parametrize("kind", ["files", "records"])
def test_a_size_is_known_without_reading(parts, kind, monkeypatch):
    dataset = parts[kind]["train"]
    sizes = [len(dataset.encoded(index)) for index in range(len(dataset))]
    monkeypatch.setattr(type(dataset), "encoded", lambda *words: pytest.fail("it was read"))
    assert [dataset.encoded_size(index) for index in range(len(dataset))] == sizes
    chosen = Subset(dataset, [3, 1])
    assert [chosen.encoded_size(index) for index in range(2)] == [sizes[3], sizes[1]]
    names = dataset.class_names
    relabelled = Relabelled(dataset, range(len(names)), names)
    assert relabelled.encoded_size(2) == sizes[2]


@pytest.mark.parametrize("kind", ["files", "records"])
def test_images_of_other_sizes_are_not_read(parts, kind, monkeypatch):
    train, val = parts[kind]["train"], parts[kind]["val"]
    sizes = {train.encoded_size(index) for index in range(len(train))}
    others = [index for index in range(len(val)) if val.encoded_size(index) not in sizes]
    assert others
    monkeypatch.setattr(type(train), "encoded", lambda *words: pytest.fail("it was read"))
    assert shared(train, Subset(val, others)).number == 0


def test_copies_in_records_are_found(parts):
    train = parts["records"]["train"]
    found = shared(Subset(train, [0, 1, 2]), Subset(train, [2, 5]))
    assert found.number == 1 and found.first().startswith(train.name(2))
