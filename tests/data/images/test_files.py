"""The images of a folder, in any letter case of their endings, and the files that are left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.cli.data.check_sheet import _Index, check_sheet
from gluon_yolo.data.images.files import (
    ImageFolder,
    StemFolder,
    files_ending,
    images_below,
    is_image,
    left_out,
)
from gluon_yolo.data.quality.check import check
from gluon_yolo.data.registry import WRITERS, open_source
from gluon_yolo.data.split.lists import standing_lists
from gluon_yolo.data.subset import open_unlabelled
from gluon_yolo.data.voc.xml_file import write_annotation
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError
from tests.data.image_content import jpeg, png

JPEG = jpeg(np.full((24, 32, 3), 99, np.uint8))
READ = "jpg jpeg jpe jfif jif jfi mpo png bmp dib webp tif tiff jp2 j2k ppm pgm pbm pnm pam ras".split()


def write(folder: Path, *names: str, content: bytes = JPEG) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("ending", READ)
def test_endings_of_images(ending):
    assert (
        is_image(f"some/a.b.{ending}") and is_image(f"A.{ending.upper()}") and is_image(f"a.{ending.title()}")
    )
    assert not is_image(f".a.{ending}") and not is_image(f"a{ending}") and not is_image(f"a.{ending}.txt")


def test_files_ending(tmp_path):
    write(tmp_path, "b.YAML", "a.yaml", "c.Yml", "a.yaml.old")
    (tmp_path / "folder.yaml").mkdir()
    assert [file.name for file in files_ending(tmp_path, ".yaml", ".yml")] == ["a.yaml", "b.YAML", "c.Yml"]
    assert files_ending(tmp_path / "none", ".yaml") == []


def test_stems(tmp_path):
    write(tmp_path, "a.XML", "day/b.Xml", "day/b.xmlx", ".c.xml", "a.b.xml")
    labels = StemFolder(str(tmp_path), (".xml",))
    assert labels.find_all("a") == [str(tmp_path / "a.XML")]
    assert labels.find_all("day/b") == [str(tmp_path / "day" / "b.Xml")]
    assert labels.find_all("a.b") == [str(tmp_path / "a.b.xml")]
    assert labels.find_all("c") == labels.find_all("none/a") == []


def test_images_of_a_stem(tmp_path):
    folder = ImageFolder(str(write(tmp_path, "a.JFIF", "a.png", "b.gif", "day/c.HEIC")))
    assert folder.find("a") == [str(tmp_path / "a.png"), str(tmp_path / "a.JFIF")]
    assert folder.find("a", "a.JFIF") == [str(tmp_path / "a.JFIF")]
    assert folder.find("b") == [] and folder.unread("b") == "b.gif"
    assert folder.unread("day/c") == "c.HEIC" and folder.unread("a") is None


def test_what_a_folder_leaves_out_is_counted_by_ending(tmp_path):
    write(
        tmp_path, "a.jpg", "a.txt", "b.gif", "day/c.GIF", "d.heic", ".e.gif", "notes.xyz", content=b"any text"
    )
    assert (
        left_out(tmp_path)
        == f"{tmp_path}: left out: 2 .gif, 1 .heic, which are not read: save them as PNG or JPEG"
    )
    assert left_out(tmp_path, below=False).startswith(f"{tmp_path}: left out: 1 .gif, 1 .heic,")
    assert "left out: 1 .gif, 1 .heic" in left_out(tmp_path, {str(tmp_path / "b.gif")})


def test_images_without_an_images_name_are_counted(tmp_path):
    write(write(tmp_path, "0001", "0002"), "x.dat", content=png(np.zeros((2, 2, 3), np.uint8)))
    assert left_out(tmp_path) == (
        f"{tmp_path}: left out: 2 without an ending (a JPEG by its content), 1 .dat (a PNG by its content): "
        "give them the ending of what they are"
    )
    assert images_below(tmp_path) == []


def test_nothing_is_left_out(tmp_path):
    assert left_out(write(tmp_path, "a.jpg", "a.json", "b.JPE", "b.XML")) == ""


BOX = Detections([[4, 6, 20, 18]], [0])


def voc(root, image="JPEGImages/a.jfif", label="Annotations/a.xml", lists=None):
    write(root, image)
    (root / label).parent.mkdir(parents=True, exist_ok=True)
    write_annotation(root / label, Path(image).name, (24, 32), BOX, ("cat",))
    if lists:
        write(root, f"ImageSets/Main/{lists[0]}", content=lists[1].encode())
    return root


def yolo(root, image="images/a.jfif", label="labels/a.txt", names="a.names"):
    write(root, image)
    write(root, label, content=b"0 0.375 0.5 0.5 0.5\n")
    write(root, names, content=b"cat\n")
    return root


COCO = (
    '{"images": [{"id": 1, "file_name": "a.jfif", "width": 32, "height": 24}],'
    '"categories": [{"id": 1, "name": "cat"}],'
    '"annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [4, 6, 16, 12]}]}'
)


def coco(root, file="annotations/instances_train.json", image="train/a.jfif"):
    write(root, image)
    return write(root, file, content=COCO.replace("a.jfif", Path(image).name).encode())


OPENS = {
    "VOC, .XML": lambda root: voc(root, label="Annotations/a.XML"),
    "VOC, .Xml beside": lambda root: voc(root, "a.PPM.JPE", "a.PPM.Xml"),
    "VOC, a list that names .JFIF": lambda root: voc(root, lists=("train.TXT", "a.JFIF\n")),
    "VOC, a list that names .tif": lambda root: voc(root, "JPEGImages/a.TIF", lists=("train.txt", "a.tif\n")),
    "VOC, a list that names .XML": lambda root: voc(
        root, label="Annotations/a.XML", lists=("train.txt", "a.XML\n")
    ),
    "YOLO, .TXT": lambda root: yolo(root, label="labels/a.TXT"),
    "YOLO, .Txt beside": lambda root: yolo(root, "a.Mpo", "a.Txt"),
    "YOLO, .NAMES": lambda root: yolo(root, names="cats.NAMES"),
    "YOLO, classes.TXT": lambda root: yolo(root, names="classes.TXT"),
    "YOLO, .YAML": lambda root: write(
        yolo(root, names="no"), "data.YAML", content=b"train: images\nval: images\nnames: [cat]\n"
    ),
    "YOLO, .DATA": lambda root: (
        write(yolo(root), "cats.DATA", content=b"train=train.TXT\nnames=a.names\n")
        and write(root, "train.TXT", content=b"images/a.jfif\n")
    ),
    "COCO, .JSON": lambda root: coco(root, "annotations/instances_train.JSON"),
    "COCO, .Json in the split": lambda root: coco(root, "train/_annotations.coco.Json", "train/a.JPE"),
    "COCO, .JSON in the folder": lambda root: coco(root, "train.JSON", "train/a.dib"),
}


@pytest.mark.parametrize("layout", OPENS)
def test_labels_and_images_of_any_letter_case(tmp_path, layout):
    source = open_source(OPENS[layout](tmp_path))
    dataset = source.open("train" if "train" in source.splits() else source.splits()[0])
    assert dataset.class_names == ("cat",)
    assert [truth.tolist() for truth in (dataset.annotations(0).boxes, dataset.annotations(0).class_ids)] == [
        [[4, 6, 20, 18]],
        [0],
    ]
    assert not dataset.report.issues and not source.orphans()


def test_records_of_any_letter_case(tmp_path):
    dataset = open_source(voc(tmp_path / "voc")).open("all")
    writer = WRITERS["record"](tmp_path / "rec", dataset.class_names)
    writer.write("train", dataset)
    writer.finish()
    for name, other in (
        ("train.rec", "train.REC"),
        ("train.idx", "train.Idx"),
        ("classes.names", "classes.NAMES"),
    ):
        (tmp_path / "rec" / name).rename(tmp_path / "rec" / other)
    source = open_source(tmp_path / "rec")
    again = source.open("train")
    assert again.class_names == ("cat",) and again.annotations(0).boxes.tolist() == [[4, 6, 20, 18]]
    assert not source.orphans() and not again.report.notes  # a missing .idx would give a note
    assert open_source(tmp_path / "rec" / "train.REC").splits() == ("train",)
    (tmp_path / "rec" / "other.IDX").write_text("")
    assert [issue.message for issue in source.orphans()] == ["there is no other.rec beside it"]


@pytest.mark.parametrize("to", ["voc", "coco", "yolo"])
def test_images_keep_their_endings_when_they_are_written(tmp_path, to):
    dataset = open_source(voc(tmp_path / "in", "JPEGImages/a.JFIF")).open("all")
    writer = WRITERS[to](tmp_path / "out", dataset.class_names)
    writer.write("train", dataset)
    again = open_source(writer.finish()).open("train")
    assert Path(again.name(0)).name == "a.JFIF" and again.annotations(0).boxes.tolist() == [[4, 6, 20, 18]]


def test_a_label_in_capitals_is_no_stray_and_finds_its_image(tmp_path):
    """`data check --sheet` finds the image of an issue in a label file."""
    root = voc(tmp_path, label="Annotations/a.XML")
    text = (root / "Annotations" / "a.XML").read_text()
    (root / "Annotations" / "a.XML").write_text(text.replace("<xmax>21<", "<xmax>99<"))
    result = check(open_source(root))
    (issue,) = result.issues
    assert issue.kind == "reaches-out" and issue.file.endswith("a.XML")
    assert check_sheet(result).ndim == 3 and _Index(result.parts).name(issue).endswith("a.jfif")


def test_a_division_in_capitals_is_one(tmp_path):
    source = open_source(coco(tmp_path, "annotations/instances_train.JSON"))
    assert [file.name for file in standing_lists(source)] == ["instances_train.JSON"]


LEAVE_OUT = {"VOC": (voc, "JPEGImages"), "YOLO": (yolo, "images"), "COCO": (coco, "train")}


@pytest.mark.parametrize("format", LEAVE_OUT)
def test_readers_note_what_they_leave_out(tmp_path, format):
    make, folder = LEAVE_OUT[format]
    write(make(tmp_path), f"{folder}/b.gif", f"{folder}/c.gif", f"{folder}/d.AVIF")
    source = open_source(tmp_path)
    notes = source.open(source.splits()[0]).report.notes
    expected = f"{tmp_path / folder}: left out: 2 .gif, 1 .avif, which are not read: save them as PNG or JPEG"
    assert expected in notes


def test_a_label_whose_image_is_not_read(tmp_path):
    write(voc(tmp_path, label="Annotations/a.xml"), "JPEGImages/a.heic")
    (tmp_path / "JPEGImages" / "a.jfif").unlink()
    with pytest.raises(
        UserError, match=r"no picture a.jpg \(or .png ...\) in .*; a.heic is there, but .heic is not read"
    ):
        open_source(tmp_path).open("all")


def test_a_list_of_unread_images_says_so(tmp_path):
    write(tmp_path, "a.gif", content=b"GIF89a")
    write(tmp_path, "train.txt", content=b"a.gif\n")
    with pytest.raises(UserError, match="a.gif: is a GIF, which is not read: save it as PNG or JPEG"):
        open_source(tmp_path).open("train", ("cat",))


def test_a_folder_of_unread_images_says_so(tmp_path):
    with pytest.raises(UserError, match="left out: 2 .gif, which are not read: save them as PNG or JPEG"):
        open_source(write(tmp_path, "a.gif", "b.GIF", content=b"GIF89a"))


def test_unlabelled_images(tmp_path, caplog):
    caplog.set_level("INFO", "gluon_yolo")
    assert len(open_unlabelled(write(tmp_path, "a.jfif", "b.gif", "c.MPO"), ("cat",))) == 2
    assert "left out: 1 .gif" in caplog.text
