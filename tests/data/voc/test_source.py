"""VOCSource: the parts of a folder's lists, the order of classes, and unused files."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from gluon_yolo.class_names import VOC_CLASSES
from gluon_yolo.data.registry import open_source
from gluon_yolo.data.voc.source import VOCSource
from gluon_yolo.errors import UserError
from tests.data.voc.test_dataset import add, add_list


def test_parts_are_lists(tmp_path):
    add(tmp_path, "a")
    for name in ("val", "yours", "mine"):
        add_list(tmp_path, name, "a\n")
    source = VOCSource(tmp_path)
    assert VOCSource.recognises(tmp_path)
    assert source.splits() == ("mine", "val", "yours")
    assert source.parts() == {"train": "mine,yours", "val": "val"}
    assert len(source.open("train")) == 1  # both lists name it


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

    @pytest.mark.parametrize("place", ["Annotations", "JPEGImages"])
    def test_files_that_disagree(self, root, place):
        (root / "classes.txt").write_text("wasp\nant\nbee\n")
        (root / place / "classes.txt").write_text("wasp\nant\nbee\nfly\n")
        assert VOCSource(root).class_names(["val"]) == ("wasp", "ant", "bee")
        (root / place / "classes.txt").write_text("ant\nwasp\nbee\n")
        both = rf"disagree.*classes\.txt \(3 \(wasp, .*{place}/classes\.txt \(3 \(ant, wasp, bee\)\)"
        with pytest.raises(UserError, match=both):
            VOCSource(root).open("val")

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
    (tmp_path / "Annotations" / "bare.xml").unlink()  # a list names it, so opening the split reports it
    add(tmp_path, "unlabelled")
    (tmp_path / "Annotations" / "unlabelled.xml").unlink()
    (tmp_path / "Annotations" / "._hidden.xml").write_bytes(b"\0")
    found = [
        (issue.kind, issue.file.rpartition("/")[2], issue.severity) for issue in VOCSource(tmp_path).orphans()
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
    xml.write_text(xml.read_text().replace("a.jpg", "other.jpg"))  # found by the file name in the label
    (tmp_path / "Annotations" / "b.xml").unlink()
    (tmp_path / "JPEGImages" / "c.jpg").unlink()  # an error when the split is opened
    assert [(issue.kind, issue.file) for issue in VOCSource(tmp_path).orphans()] == [
        ("missing-label", str(tmp_path / "JPEGImages" / "b.jpg"))
    ]


def add_beside(folder, stem, **settings):
    """Write an image and its annotation into one folder, as labelling tools do."""
    add(folder, stem, **settings)
    for kind, extension in (("JPEGImages", settings.get("extension", ".jpg")), ("Annotations", ".xml")):
        (folder / kind / f"{stem}{extension}").rename(folder / f"{stem}{extension}")
        (folder / kind).rmdir()


def test_annotations_beside_images(tmp_path):
    add_beside(tmp_path, "Größe 1", extension=".JPG", class_name="wasp")
    add_beside(tmp_path, "b.rf.12", class_name="bee")
    (tmp_path / "lonely.png").write_bytes((tmp_path / "b.rf.12.jpg").read_bytes())
    (tmp_path / ".hidden").mkdir()
    add_beside(tmp_path / ".hidden", "x")
    source = VOCSource(tmp_path)
    assert VOCSource.recognises(tmp_path) and source.parts() == {"train": "all"}
    data = source.open("all")
    assert [Path(data.name(i)).name for i in range(len(data))] == ["Größe 1.JPG", "b.rf.12.jpg"]
    assert data.class_names == ("bee", "wasp") and data.annotations(0).boxes.tolist() == [[1, 2, 11, 12]]
    assert [(each.kind, each.file) for each in source.orphans()] == [
        ("missing-label", str(tmp_path / "lonely.png"))
    ]
    add_list(tmp_path, "train", "b.rf.12\n")  # `data split` writes such a list
    add_list(tmp_path, "val", "Größe 1\n")
    assert VOCSource(tmp_path).parts() == {"train": "train", "val": "val"}
    assert not VOCSource.recognises(tmp_path / "ImageSets")


def test_folders_called_as_splits(tmp_path):
    for name in ("train/a", "train/b", "valid/a", "test/c"):
        add_beside(tmp_path / name[:-2], name[-1], class_name=name[0])
    source = VOCSource(tmp_path)
    assert source.parts() == {"train": "train", "val": "val", "test": "test"}
    assert [len(source.open(split)) for split in ("train", "val", "test", "train,val", "all")] == [
        2,
        1,
        1,
        3,
        4,
    ]
    assert source.open("val").name(0) == str(tmp_path / "valid" / "a.jpg")
    assert not source.open("val").report.notes and not source.orphans()
    with pytest.raises(UserError, match="no split 'dev'; there is test, train, val"):
        source.open("dev", ["t", "v"])
    add_beside(tmp_path, "more")  # in no list
    assert VOCSource(tmp_path).splits() == ("all",)


def test_a_copied_annotation_has_no_image(tmp_path):
    for stem in ("a", "b"):
        add(tmp_path, stem)
    copy = tmp_path / "Annotations" / "a (copy).xml"
    copy.write_bytes((tmp_path / "Annotations" / "a.xml").read_bytes())  # its file name is a.jpg
    source = VOCSource(tmp_path)
    data = source.open("all", skip_bad=True)
    assert [Path(data.name(i)).name for i in range(len(data))] == ["a.jpg", "b.jpg"]
    assert [(each.kind, each.file) for each in data.report.issues] == [("missing-picture", str(copy))]
    add_list(tmp_path, "train", "a\nb\n")
    assert [(each.kind, each.file) for each in source.orphans()] == [("stray-label", str(copy))]


def test_what_is_no_voc_folder(tmp_path):
    (tmp_path / "annotations").mkdir()
    (tmp_path / "images").mkdir()
    assert not VOCSource.recognises(tmp_path)  # without XML it may be a COCO data set
    assert not VOCSource.recognises(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no such folder"):
        VOCSource(tmp_path / "nowhere").splits()


class TestListsFromElsewhere:
    @pytest.mark.parametrize(
        "line",
        [
            "/home/u/VOCdevkit/JPEGImages/{}.jpg",
            "C:\\data\\JPEGImages\\{}.jpg",
            "JPEGImages/{}.jpg",
            "/home/u/VOCdevkit/Annotations/{}.xml",
            "./JPEGImages/{0}.jpg ./Annotations/{0}.xml",
            "images/{0}.jpg\tannotations/{0}.xml",
            "/a b/JPEGImages/{0}.jpg /a b/Annotations/{0}.xml",
            "https://host.example/{}.jpg",
        ],
    )
    def test_lines(self, tmp_path, line):
        for stem in ("a", "b 1", "v1.5"):
            add(tmp_path, stem)
        add_list(tmp_path, "train", "".join(f"{line.format(stem)}\n" for stem in ("b 1", "v1.5")))
        dataset = VOCSource(tmp_path).open("train")
        assert [Path(dataset.name(i)).stem for i in range(len(dataset))] == ["b 1", "v1.5"]
        assert all(note.startswith("train.txt names pictures in ") for note in dataset.report.notes)

    def test_annotations_in_folders(self, tmp_path):
        for stem in ("day1/a", "day2/a"):
            add(tmp_path, stem)
        add_list(tmp_path, "train", "/x/JPEGImages/day2/a.jpg\nday1/a\n")
        dataset = VOCSource(tmp_path).open("train")
        assert [Path(name).parent.name for name in dataset.annotation_paths] == ["day2", "day1"]

    def test_two_paths_are_not_one_image(self, tmp_path):
        add(tmp_path, "a")
        add_list(tmp_path, "train", "/monday/a.jpg\n/tuesday/a.jpg\n")
        with pytest.raises(UserError, match="the split names /tuesday/a, but there is no such annotation"):
            VOCSource(tmp_path).open("train")

    def test_lists_of_pairs_beside_the_folders(self, tmp_path):
        """PaddleDetection writes such lists."""
        for stem in ("a", "b", "c"):
            add(tmp_path, stem)
        pairs = {
            name: "".join(f"./JPEGImages/{stem}.jpg ./Annotations/{stem}.xml\n" for stem in stems)
            for name, stems in {"train": "ca", "valid": "b"}.items()
        }
        for name, text in pairs.items():
            (tmp_path / f"{name}.txt").write_text(text)
        (tmp_path / "label_list.txt").write_text("cat\n")
        source = VOCSource(tmp_path)
        assert source.parts() == {"train": "train", "val": "valid"}
        assert [Path(source.open("train").name(i)).stem for i in range(2)] == ["c", "a"]


class TestNothingCanBeRead:
    def test_the_first_fault_is_the_message(self, tmp_path):
        for stem in ("a", "b"):
            add(tmp_path, stem)
            (tmp_path / "Annotations" / f"{stem}.xml").write_text("<annotations/>")
        for read in (VOCSource(tmp_path).open, VOCSource(tmp_path).class_names):
            with pytest.raises(
                UserError,
                match=r"none of its 2 annotations can be read; the first: .*a\.xml: .*<annotations>, exp",
            ):
                read("all" if read.__name__ == "open" else ("all",))

    def test_one_that_can_is_enough(self, tmp_path):
        for stem in ("a", "b"):
            add(tmp_path, stem)
        (tmp_path / "Annotations" / "a.xml").write_text("<annotations/>")
        source = VOCSource(tmp_path)
        assert source.class_names(("all",)) == ("cat",)
        with pytest.raises(UserError, match=r"1 file cannot be used:\n  .*a\.xml: .*<annotations>"):
            source.open("all")


def test_a_test_list_without_files_is_left_out(tmp_path):
    """As in VOC2012, whose test set has names only."""
    add(tmp_path, "a")
    add(tmp_path, "b")
    for name, text in (("train", "a\n"), ("val", "b\n"), ("test", "2008_1\n2008_2\n")):
        add_list(tmp_path, name, text)
    source = VOCSource(tmp_path)
    assert source.parts() == {"train": "train", "val": "val"}
    assert source.left_out() == [
        "test: left out: not one of its 2 names has a label and a picture, such as 2008_1"
    ]
    with pytest.raises(UserError, match="the split names 2008_1, but there is no such annotation"):
        source.open("test", ("cat",))


def moved(root, moves):
    """A data set of two images whose files are elsewhere."""
    for stem in ("a", "b"):
        add(root, stem, class_name={"a": "cat", "b": "dog"}[stem])
    for old, new in moves.items():
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        (root / old).rename(root / new)
    return root


@pytest.mark.parametrize(
    ("moves", "splits"),
    [
        ({"Annotations": "x", "x": "annotations/xmls", "JPEGImages": "images"}, ("all",)),  # Oxford's pets
        ({"Annotations": "labels", "JPEGImages": "data"}, ("all",)),  # FiftyOne
        ({"Annotations": "xmls", "JPEGImages": "images"}, ("all",)),
        ({"Annotations": "annots", "JPEGImages": "Images"}, ("all",)),
        ({"Annotations": "ANNOTATIONS", "JPEGImages": "Jpegimages"}, ("all",)),
        (
            {"Annotations/a.xml": "Annotations/train/a.xml", "Annotations/b.xml": "Annotations/val/b.xml"},
            ("train", "val"),
        ),
        ({"Annotations/a.xml": "Annotations/more/a.xml"}, ("all",)),
        ({"JPEGImages/a.jpg": "JPEGImages/A.JPG", "Annotations/b.xml": "Annotations/B.XML"}, ("all",)),
    ],
)
def test_where_annotations_and_images_may_lie(tmp_path, moves, splits):
    source = open_source(moved(tmp_path, moves))
    assert (source.format, source.splits()) == ("voc", splits)
    dataset = source.open(",".join(splits))
    classes = {
        Path(dataset.name(i)).stem.lower(): dataset.annotations(i).class_ids.tolist() for i in range(2)
    }
    assert classes == {"a": [0], "b": [1]}
    assert source.orphans() == []


def test_a_list_of_annotations_in_folders_below(tmp_path):
    root = moved(tmp_path, {"Annotations": "x", "x": "annotations/xmls"})
    add_list(root, "train", "b\n")
    dataset = VOCSource(root).open("train")
    assert [Path(dataset.name(i)).stem for i in range(len(dataset))] == ["b"]


def test_two_annotations_of_one_stem_in_folders_have_no_flat_image(tmp_path):
    root = moved(
        tmp_path, {"Annotations/a.xml": "Annotations/x/a.xml", "Annotations/b.xml": "Annotations/y/a.xml"}
    )
    with pytest.raises(UserError, match=r"x/a\.xml: there is no picture x/a\.jpg"):
        VOCSource(root).open("all")


@pytest.mark.parametrize("agrees", [True, False])
def test_two_annotations_in_other_letter_case(tmp_path, agrees):
    add(tmp_path, "a")
    text = (tmp_path / "Annotations/a.xml").read_text()
    (tmp_path / "Annotations/a.XML").write_text(text if agrees else text.replace("cat", "dog"))
    source = VOCSource(tmp_path)
    if agrees:
        assert len(source.open("all")) == 1
    else:
        with pytest.raises(UserError, match=r"differs from .*/a\.xml, which is a label of the same picture"):
            source.open("all", ("cat", "dog"))


def test_two_folders_of_annotations(tmp_path):
    add(tmp_path, "a")
    (tmp_path / "annotations").mkdir()
    assert len(open_source(tmp_path).open("all")) == 1  # it is empty
    (tmp_path / "annotations/a.xml").write_text((tmp_path / "Annotations/a.xml").read_text())
    with pytest.raises(
        UserError, match=r"annotations in .*/Annotations and in .*/annotations; move them into"
    ):
        open_source(tmp_path)


def test_lists_of_classes_alone(tmp_path):
    """VoTT writes them: for each class all images of a part, with 1 or -1 behind each."""
    for stem in ("a", "b", "c"):
        add(tmp_path, stem)
    for tag in ("blue", "light_red"):
        add_list(tmp_path, f"{tag}_train", "a.jpg 1\nb.jpg -1\n" if tag == "blue" else "b.jpg 1\n")
        add_list(tmp_path, f"{tag}_val", "c.jpg -1\n")
    source = VOCSource(tmp_path)
    assert source.parts() == {"train": "train", "val": "val"}
    assert [[Path(d.name(i)).stem for i in range(len(d))] for d in map(source.open, ("train", "val"))] == [
        ["a", "b"],
        ["c"],
    ]


def test_folders_of_lists_and_years_in_another_letter_case(tmp_path):
    for year, part in (("voc2007", "train"), ("Voc2012", "val")):
        add(tmp_path / year, "a")
        add_list(tmp_path / year, part, "a\n")
        (tmp_path / year / "ImageSets" / "Main").rename(tmp_path / year / "ImageSets" / "MAIN")
        (tmp_path / year / "ImageSets").rename(tmp_path / year / "imagesets")
    source = open_source(tmp_path)
    assert source.parts() == {"train": "train", "val": "val"}
    assert Path(source.open("val").name(0)).parts[-3] == "Voc2012"
