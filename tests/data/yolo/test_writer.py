"""YOLOWriter: the round trip, here and in the programs that read the format."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import yaml

from gluon_yolo.data.synthetic import CLASS_NAMES, generate
from gluon_yolo.data.voc.dataset import open_voc
from gluon_yolo.data.yolo.source import YOLOSource
from gluon_yolo.data.yolo.writer import YOLOWriter
from gluon_yolo.errors import UserError
from tests.data.small_data import replace_truth


def write(out, splits, copy=True):
    writer = YOLOWriter(out, next(iter(splits.values())).class_names)
    for split, dataset in splits.items():
        writer.write(split, dataset, copy)
    return writer.finish()


def assert_same(back, dataset):
    assert back.class_names == dataset.class_names
    assert len(back) == len(dataset)
    for i in range(len(dataset)):
        assert Path(back.name(i)).name == Path(dataset.name(i)).name
        np.testing.assert_array_equal(back.annotations(i).boxes, dataset.annotations(i).boxes)
        np.testing.assert_array_equal(back.annotations(i).class_ids, dataset.annotations(i).class_ids)
        assert back.size_hw(i) == dataset.size_hw(i)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    root = generate(tmp_path_factory.mktemp("drawn") / "voc", images=10, size_hw=(96, 128))
    return {split: open_voc(root, split, CLASS_NAMES) for split in ("train", "val")}


@pytest.fixture(scope="module")
def written(drawn, tmp_path_factory):
    return write(tmp_path_factory.mktemp("written") / "my set", drawn)


def test_bccd_comes_back_exactly(shared_data, tmp_path):
    dataset = open_voc(shared_data / "bccd" / "BCCD", "trainval", check_images=False)
    path = write(tmp_path / "bccd", {"trainval": dataset}, copy=False)
    source = YOLOSource(path)
    assert source.parts() == {"train": "train"}
    back = source.open("train")
    assert_same(back, dataset)
    assert back.report.boxes == 3941
    assert back.report.issues == []
    assert source.orphans() == []
    assert back.encoded(7) == dataset.encoded(7)


def test_files(written, drawn):
    root = written.parent
    assert written.name == "my set.data"
    assert written.read_text().splitlines()[:4] == [
        f"classes={len(CLASS_NAMES)}",
        "train=train.txt",
        "valid=val.txt",
        "names=category.names",
    ]
    assert (root / "category.names").read_text() == "".join(
        f"{name}\n" for name in drawn["train"].class_names
    )
    first = Path(drawn["train"].name(0)).name
    assert (root / "train.txt").read_text().splitlines()[0] == f"train/{first}"
    assert (root / "train" / first).read_bytes() == drawn["train"].encoded(0)
    assert yaml.safe_load((root / "data.yaml").read_text()) == {
        "train": "train",
        "val": "val",
        "names": dict(enumerate(drawn["train"].class_names)),
    }


@pytest.mark.parametrize("name", ["my set.data", "data.yaml", "train.txt", "."])
def test_every_way_in(written, drawn, name):
    source = YOLOSource(written.parent / name)
    assert source.parts() == {"train": "train", "val": "val"}
    for split, dataset in drawn.items():
        assert_same(source.open(split), dataset)
    assert source.settings() == {}


@pytest.mark.parametrize(
    "label_of",
    [
        lambda line: line.split(".")[0] + ".txt",  # Yolo-FastestV2
        lambda line: line[: line.rindex(".")] + ".txt",  # AlexeyAB's darknet and its successor
        lambda line: line.replace("images", "labels", 1).replace(".jpg", ".txt"),  # the original darknet
    ],
)
def test_others_find_the_labels_from_its_folder(written, drawn, monkeypatch, label_of):
    monkeypatch.chdir(written.parent)
    for line in Path("train.txt").read_text().splitlines():
        assert os.path.isfile(line)
        assert os.path.isfile(label_of(line))


def test_difficult_marks_are_said_to_be_lost(drawn, tmp_path, caplog):
    dataset = open_voc(Path(drawn["train"].annotation_paths[0]).parent.parent, "train")
    truth = dataset.annotations(0)
    replace_truth(dataset, 0, truth.replace(difficult=np.ones(len(truth), dtype=bool)))
    write(tmp_path / "out", {"train": dataset})
    assert f"have no mark for difficult: {len(truth)} lost it" in caplog.text


def test_names_of_splits(drawn, tmp_path, caplog):
    """More splits than a description has keys for, and names that are invalid in a path."""
    caplog.set_level("INFO", "gluon_yolo")
    splits = {"2007_trainval,v1.0": drawn["train"], "test": drawn["val"], "tiny": drawn["val"]}
    path = write(tmp_path / "out", splits)
    assert path.read_text().splitlines()[1:3] == ["train=2007_trainval_v1_0.txt", "valid=test.txt"]
    assert "tiny.txt: written, but no description has a key for more lists" in caplog.text
    assert_same(YOLOSource(path).open("train"), drawn["train"])
    assert_same(YOLOSource(tmp_path / "out" / "tiny.txt").open("train"), drawn["val"])


def test_other_classes(drawn, tmp_path):
    with pytest.raises(ValueError, match="expected the classes"):
        YOLOWriter(tmp_path / "out", ["dog"]).write("train", drawn["train"])


@pytest.mark.parametrize("name", ["", " ", "cat ", "a\nb"])
def test_class_name_that_no_file_holds(tmp_path, name):
    with pytest.raises(UserError, match=r"cannot be a line of a \.names file"):
        YOLOWriter(tmp_path / "out", ["dog", name])
    assert not (tmp_path / "out").exists()
