"""Stratified splitting, and the lists that it writes in each format."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gluon_yolo.data.coco.source import COCOSource
from gluon_yolo.data.registry import WRITERS, open_source
from gluon_yolo.data.split.lists import standing_lists, stratify, write_lists
from gluon_yolo.data.voc.source import VOCSource
from tests.data.coco.test_source import add_file, add_image, record
from tests.data.small_data import NAMES, small_data
from tests.data.voc.test_dataset import add


class TestStratify:
    def test_one_class_is_divided_by_the_shares(self):
        parts = stratify(np.ones((10, 1), bool), (0.7, 0.2, 0.1))
        assert np.bincount(parts).tolist() == [7, 2, 1]

    def test_by_hand(self):
        """Classes a, b of 4 images each and 4 empty ones, halved: each part gets 2 of each."""
        has_class = np.repeat([[1, 0], [0, 1], [0, 0]], 4, axis=0).astype(bool)
        parts = stratify(has_class, (0.5, 0.5), seed=3)
        assert [parts[group : group + 4].sum() for group in (0, 4, 8)] == [2, 2, 2]

    def test_rare_classes_of_crowded_images(self):
        rng = np.random.default_rng(5)
        frequency = np.array([0.9, 0.5, 0.2, 0.05, 0.02])
        has_class = rng.random((2000, 5)) < frequency
        shares = np.array([0.7, 0.2, 0.1])
        parts = stratify(has_class, shares)
        for column in has_class.T:
            found = np.bincount(parts[column], minlength=3)
            assert np.abs(found - column.sum() * shares).max() <= 2
        assert np.abs(np.bincount(parts) - 2000 * shares).max() <= 6
        empty = ~has_class.any(axis=1)
        assert np.abs(np.bincount(parts[empty], minlength=3) - empty.sum() * shares).max() <= 1

    def test_better_than_by_lot(self):
        rng = np.random.default_rng(0)
        has_class = rng.random((300, 6)) < 0.06
        ours = stratify(has_class, (0.8, 0.2))
        wanted = has_class.sum(axis=0) * 0.2
        worst = np.abs(has_class[ours == 1].sum(axis=0) - wanted).max()
        lots = [rng.permutation(300)[:60] for _ in range(50)]
        assert worst < min(np.abs(has_class[lot].sum(axis=0) - wanted).max() for lot in lots)

    def test_groups_stay_together(self):
        rng = np.random.default_rng(2)
        has_class = rng.random((300, 4)) < 0.3
        groups = rng.integers(0, 120, 300)
        parts = stratify(has_class, (0.8, 0.2), groups=groups)
        assert all(len(set(parts[groups == group])) == 1 for group in np.unique(groups))
        assert abs((parts == 1).sum() - 60) <= 3
        for column in has_class.T:
            assert abs(parts[column].sum() - 0.2 * column.sum()) <= 3

    def test_images_alone_are_groups_of_one(self):
        has_class = np.random.default_rng(1).random((100, 3)) < 0.4
        alone = stratify(has_class, (0.8, 0.2), 7, 5 * np.arange(100))
        np.testing.assert_array_equal(alone, stratify(has_class, (0.8, 0.2), 7))

    def test_a_group_as_large_as_the_rest(self):
        parts = stratify(np.ones((10, 1), bool), (0.5, 0.5), groups=np.array([0] * 5 + [1, 2, 3, 4, 5]))
        assert sorted((parts[:5].sum(), parts[5:].sum())) == [0, 5]

    def test_the_seed_decides(self):
        has_class = np.random.default_rng(1).random((100, 3)) < 0.4
        first, again, other = (stratify(has_class, (0.8, 0.2), seed) for seed in (7, 7, 8))
        np.testing.assert_array_equal(first, again)
        assert (first != other).any()


def divided(source, **parts):
    """Return members of a source's images by their file names: ``train="abc"``."""
    names = source.class_names(source.splits())
    found = {}
    for split in source.splits():
        dataset = source.open(split, names)
        for index in range(len(dataset)):
            found[dataset.name(index).rpartition("/")[2][0]] = (dataset, index)
    return {part: [found[letter] for letter in letters] for part, letters in parts.items()}


def opened(source):
    """Return the first letters of the images of each part."""
    names = {part: source.open(split) for part, split in source.parts().items()}
    return {
        part: "".join(dataset.name(i).rpartition("/")[2][0] for i in range(len(dataset)))
        for part, dataset in names.items()
    }


class TestVOC:
    def test_lists(self, tmp_path):
        for stem in ("a", "b", "sub/c", "d"):
            add(tmp_path, stem)
        source = VOCSource(tmp_path)
        assert standing_lists(source) == []
        assert write_lists(source, divided(source, train="ca", val="b", test="d")) == tmp_path
        assert (tmp_path / "ImageSets" / "Main" / "train.txt").read_text() == "sub/c\na\n"
        assert opened(VOCSource(tmp_path)) == {"train": "ca", "val": "b", "test": "d"}

    def test_old_lists_are_put_aside(self, tmp_path):
        folder = tmp_path / "ImageSets" / "Main"
        folder.mkdir(parents=True)
        for stem in "abcd":
            add(tmp_path, stem)
        for name, text in {"trainval": "a\nb\nc\n", "test": "d\n", "mine": "a\n"}.items():
            (folder / f"{name}.txt").write_text(text)
        source = VOCSource(tmp_path)
        assert [file.name for file in standing_lists(source)] == ["test.txt", "trainval.txt"]
        write_lists(source, divided(source, train="abd", val="c"))
        assert {file.name for file in folder.iterdir()} == {
            *("mine.txt", "test.txt.old", "train.txt", "trainval.txt.old", "val.txt")
        }
        assert opened(VOCSource(tmp_path)) == {"train": "abd", "val": "c"}
        for train in ("bcd", "acd", "ad"):  # the first is never lost, and old files do not accumulate
            source = VOCSource(tmp_path)
            write_lists(source, divided(source, train=train, val="a"))
        old = {file.name: file.read_text().split() for file in folder.glob("train.txt.old*")}
        assert old == {"train.txt.old": ["a", "b", "d"], "train.txt.old2": ["a", "c", "d"]}

    def test_of_a_devkit_each_year_gets_its_own(self, tmp_path):
        for year, stems in {"VOC2007": "ab", "VOC2012": "cd"}.items():
            for stem in stems:
                add(tmp_path / year, stem)
        source = VOCSource(tmp_path)
        write_lists(source, divided(source, train="acd", val="b"))
        lists = {file.relative_to(tmp_path).as_posix(): file.read_text() for file in tmp_path.rglob("*.txt")}
        assert lists == {
            "VOC2007/ImageSets/Main/train.txt": "a\n",
            "VOC2007/ImageSets/Main/val.txt": "b\n",
            "VOC2012/ImageSets/Main/train.txt": "c\nd\n",
        }


class TestYOLO:
    @pytest.fixture
    def source(self, tmp_path):
        """Images o(ne), o(ne_2), t(wo), z(ero)."""
        writer = WRITERS["yolo"](tmp_path / "yolo", NAMES)
        writer.write("train", small_data(tmp_path / "pictures"))
        return open_source(writer.finish().parent)

    def test_lists_and_what_names_them(self, source):
        root = source.path
        assert [file.name for file in standing_lists(source)] == ["train.txt", "yolo.data"]
        assert write_lists(source, divided(source, train="tz", val="o")) == root / "split.data"
        assert (root / "train.txt").read_text() == "train/two.JPEG\ntrain/zero v1.5.png\n"
        assert (root / "yolo.data.old").is_file() and (root / "train.txt.old").is_file()
        for place in (root, root / "split.data"):
            again = open_source(place)
            assert again.class_names(()) == NAMES and opened(again) == {"train": "tz", "val": "o"}

    def test_elsewhere(self, source, tmp_path):
        out = tmp_path / "lists"
        assert standing_lists(source, out) == []
        place = write_lists(source, divided(source, train="tz", val="o"), out)
        assert (out / "val.txt").read_text() == f"{source.path}/train/one_2.png\n"
        assert opened(open_source(place)) == {"train": "tz", "val": "o"}
        assert not (source.path / "split.data").exists()


class TestCOCO:
    def content(self, letters, **more):
        content = record()
        content["images"] = [{"id": 10 + i, "file_name": f"{c}.png"} for i, c in enumerate(letters)]
        content["annotations"] = [
            {
                "id": 5 + i,
                "image_id": 10 + i,
                "category_id": 3,
                "bbox": [1, 2, 3 + i, 4],
                "iscrowd": 0,
                **more,
            }
            for i in range(len(letters))
        ]
        return content

    def test_records_stay_as_they_are(self, tmp_path):
        for letter in "abc":
            add_image(tmp_path / "images" / f"{letter}.png")
        whole = self.content("abc", segmentation={"counts": [1, 2], "size": [24, 32]})
        add_file(tmp_path / "all.json", whole)
        source = COCOSource(tmp_path)
        assert standing_lists(source) == []
        assert write_lists(source, divided(source, train="ca", val="b")) == tmp_path
        val = json.loads((tmp_path / "annotations" / "instances_val.json").read_text())
        assert val == {**whole, "images": whole["images"][1:2], "annotations": whole["annotations"][1:2]}
        assert opened(COCOSource(tmp_path)) == {"train": "ac", "val": "b"}  # in the order of their ids
        assert len(standing_lists(source)) == 2

    def test_several_files_become_others(self, tmp_path):
        for split, letters, names in (("train", "abc", ("bee", "wasp")), ("valid", "de", ("wasp", "bee"))):
            for letter in letters:
                add_image(tmp_path / split / f"{letter}.png")
            categories = [{"id": i, "name": name} for i, name in enumerate(names, 3)]
            add_file(
                tmp_path / split / "_annotations.coco.json",
                {**self.content(letters), "categories": categories},
            )
        source = COCOSource(tmp_path)
        before = source.open("valid", ("bee", "wasp")).annotations(0)
        write_lists(source, divided(source, train="ae", val="cd", test="b"))
        again = COCOSource(tmp_path)
        assert again.class_names(again.splits()) == ("bee", "wasp")
        assert opened(again) == {"train": "ae", "val": "cd", "test": "b"}
        after = again.open("val").annotations(1)
        np.testing.assert_array_equal(after.boxes, before.boxes)
        assert (before.class_ids.tolist(), after.class_ids.tolist()) == ([1], [1])
        files = [
            json.loads((tmp_path / "annotations" / f"instances_{p}.json").read_text())
            for p in ("train", "val", "test")
        ]
        assert [image["file_name"] for image in files[0]["images"]] == ["train/a.png", "valid/e.png"]
        ids = [annotation["id"] for file in files for annotation in file["annotations"]]
        assert len(set(ids)) == 5

    def test_a_division_takes_the_place_of_another(self, tmp_path):
        for split, letters in {"train": "ab", "val": "c"}.items():
            for letter in letters:
                add_image(tmp_path / f"{split}2017" / f"{letter}.png")
            add_file(tmp_path / "annotations" / f"instances_{split}2017.json", self.content(letters))
        source = COCOSource(tmp_path)
        write_lists(source, divided(source, train="cb", val="a"))
        assert opened(COCOSource(tmp_path)) == {"train": "cb", "val": "a"}
        assert (tmp_path / "annotations" / "instances_val2017.json.old").is_file()

    def test_elsewhere(self, tmp_path):
        for letter in "ab":
            add_image(tmp_path / "data" / f"{letter}.png")
        add_file(tmp_path / "data" / "all.json", self.content("ab"))
        source = COCOSource(tmp_path / "data" / "all.json")
        place = write_lists(source, divided(source, train="a", val="b"), tmp_path / "lists")
        assert opened(open_source(place)) == {"train": "a", "val": "b"}
        assert not (tmp_path / "data" / "annotations").exists()
