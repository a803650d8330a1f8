"""VOCSource: what a folder's lists are for, the order of classes, and what no list names."""

from __future__ import annotations

import logging

import pytest

from gluon_yolo.class_names import VOC_CLASSES
from gluon_yolo.data.voc.source import VOCSource
from gluon_yolo.errors import UserError
from tests.data.voc.test_dataset import add, add_list


@pytest.mark.parametrize(
    ("lists", "parts"),
    [
        ("train val", {"train": "train", "val": "val"}),
        ("train val trainval", {"train": "train", "val": "val"}),
        ("train val trainval test", {"train": "trainval", "val": "test"}),
        ("train val test", {"train": "train", "val": "val", "test": "test"}),
        ("train test", {"train": "train", "val": "test"}),
        ("trainval test", {"train": "trainval", "val": "test"}),
        ("trainval", {"train": "trainval"}),
        ("test", {"train": "test"}),  # without a division
        ("default", {"train": "default"}),
        ("mine yours", {"train": "mine,yours"}),
        ("trainval val", {"val": "val"}),  # trainval has val within it
    ],
)
def test_parts(tmp_path, lists, parts):
    add(tmp_path, "a")
    for name in lists.split():
        add_list(tmp_path, name, "a\n")
    source = VOCSource(tmp_path)
    assert source.parts() == parts and source.splits() == tuple(sorted(lists.split()))
    assert VOCSource.recognises(tmp_path)


def test_without_lists(tmp_path):
    for number in range(9):
        add(tmp_path, str(number))
    source = VOCSource(tmp_path)
    assert (source.splits(), source.parts()) == (("all",), {"train": "all"})
    add(tmp_path, "9")
    assert source.splits() == ("all", "train", "val")
    assert source.parts() == {"train": "train", "val": "val"}
    assert [len(source.open(split)) for split in ("all", "train", "val", "train,val")] == [10, 9, 1, 10]


def test_lists_of_one_class_are_no_splits(tmp_path):
    add(tmp_path, "a")
    add(tmp_path, "b 1")
    for name, text in {"train": "a\n", "cat_train": "a  1\n", "val": "b 1\n"}.items():
        add_list(tmp_path, name, text)
    assert VOCSource(tmp_path).splits() == ("train", "val")


def test_a_devkit_is_one_data_set(tmp_path):
    for year in ("VOC2007", "VOC2012"):
        add(tmp_path / year, year)
        add_list(tmp_path / year, "trainval", year)
    add(tmp_path / "VOC2007", "t")
    add_list(tmp_path / "VOC2007", "test", "t")
    source = VOCSource(tmp_path)
    assert source.parts() == {"train": "trainval", "val": "test"}
    assert [len(source.open(split)) for split in source.parts().values()] == [2, 1]


class TestClasses:
    @pytest.fixture
    def root(self, tmp_path):
        add(tmp_path, "a", class_name="wasp")
        add(tmp_path, "b", class_name="bee")
        add_list(tmp_path, "train", "a\n")
        add_list(tmp_path, "val", "b\n")
        return tmp_path

    def test_are_those_of_the_splits_sorted(self, root):
        source = VOCSource(root)
        assert source.class_names(["train"]) == ("wasp",)
        assert source.class_names(["train", "val"]) == source.open("val").class_names == ("bee", "wasp")

    def test_a_file_orders_them(self, root):
        (root / "classes.txt").write_text("wasp\nant\nbee\n")
        assert VOCSource(root).class_names(["val"]) == ("wasp", "ant", "bee")

    @pytest.mark.parametrize(
        ("text", "why"), [("bee\n", "lacks the class 'wasp'"), ("bee\n\nwasp\n", "line 2 is empty")]
    )
    def test_a_file_that_does_not_fit_is_ignored_aloud(self, root, text, why, caplog):
        (root / "classes.txt").write_text(text)
        with caplog.at_level(logging.WARNING, "gluon_yolo"):
            assert VOCSource(root).class_names(["train", "val"]) == ("bee", "wasp")
        assert "classes.txt: " in caplog.text and why in caplog.text and "ignored" in caplog.text

    def test_vocs_own_are_in_the_order_of_published_weights(self, tmp_path):
        for name in sorted(VOC_CLASSES):
            add(tmp_path, name, class_name=name)
        assert VOCSource(tmp_path).class_names(["all"]) == VOC_CLASSES


def test_strays(tmp_path):
    for stem in ("listed", "lonely", "unlisted", "bare", "day1/deep"):
        add(tmp_path, stem)
    add_list(tmp_path, "train", "listed\nbare\n")
    (tmp_path / "JPEGImages" / "lonely.jpg").unlink()
    (tmp_path / "Annotations" / "bare.xml").unlink()  # listed: opening the split tells
    add(tmp_path, "unlabelled")
    (tmp_path / "Annotations" / "unlabelled.xml").unlink()
    (tmp_path / "Annotations" / "._hidden.xml").write_bytes(b"\0")
    found = [
        (finding.kind, finding.file.rpartition("/")[2], finding.severity)
        for finding in VOCSource(tmp_path).strays()
    ]
    assert found == [
        ("stray-label", "lonely.xml", "warning"),
        ("unused-picture", "deep.jpg", "warning"),
        ("missing-label", "unlabelled.jpg", "warning"),
        ("unused-picture", "unlisted.jpg", "warning"),
    ]


def test_strays_without_lists(tmp_path):
    for stem in ("a", "b", "c"):
        add(tmp_path, stem)
    (tmp_path / "JPEGImages" / "a.jpg").rename(tmp_path / "JPEGImages" / "other.jpg")
    xml = tmp_path / "Annotations" / "a.xml"
    xml.write_text(xml.read_text().replace("a.jpg", "other.jpg"))  # found by the name that the label gives
    (tmp_path / "Annotations" / "b.xml").unlink()
    (tmp_path / "JPEGImages" / "c.jpg").unlink()  # an error of opening
    assert [(finding.kind, finding.file) for finding in VOCSource(tmp_path).strays()] == [
        ("missing-label", str(tmp_path / "JPEGImages" / "b.jpg"))
    ]


def test_what_is_no_voc_folder(tmp_path):
    (tmp_path / "annotations").mkdir()
    (tmp_path / "images").mkdir()
    assert not VOCSource.recognises(tmp_path)  # no XML: COCO may have such folders
    assert not VOCSource.recognises(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no such folder"):
        VOCSource(tmp_path / "nowhere").splits()
