"""Boxes drawn on the stored image, not on the upright one, are turned to their place."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.data.loading.sampler import Job, Sampler
from gluon_yolo.data.quality.check import check
from gluon_yolo.data.recordio.file import write_record
from gluon_yolo.data.recordio.image_record import encode_label
from gluon_yolo.data.registry import WRITERS, open_source
from gluon_yolo.data.transforms import augmentation
from gluon_yolo.data.voc.xml_file import write_annotation
from gluon_yolo.data.yolo.label import write_label
from gluon_yolo.detections import Detections
from gluon_yolo.spec import DetectionSpec
from tests.child import python
from tests.data.image_content import chunk, exif, jpeg, png, tiff, webp
from tests.data.images.test_exif import BOXES

STORED_HW = (120, 160)
BOX = (16, 8, 60, 40)  # in the stored image; BOXES has it for the upright one, by orientation
INK = np.array([250, 20, 20])
SIDEWAYS = (5, 6, 7, 8)
FILES = {
    ".jpg": lambda rgb, o: jpeg(rgb, exif(o, ">")),
    ".png": lambda rgb, o: png(rgb, before=chunk(b"eXIf", exif(o))),
    ".webp": lambda rgb, o: webp(rgb, exif(o)),
    ".tif": lambda rgb, o: tiff(rgb, t274=o),
}


def image(orientation, ending=".jpg", size_hw=STORED_HW, scale=1):
    """Return an image, as stored, with a rectangle at BOX."""
    rgb = np.full((size_hw[0] * scale, size_hw[1] * scale, 3), 90, np.uint8)
    x1, y1, x2, y2 = (side * scale for side in BOX)
    rgb[y1:y2, x1:x2] = INK
    return FILES[ending](rgb, orientation)


def share(pixels, box):
    """Return the share of a box that is rectangle, or of the rectangle inside the box, the lower one."""
    ink = np.abs(pixels.astype(int) - INK).max(axis=2) < 60
    x1, y1, x2, y2 = np.round(box).astype(int)
    return min(ink[y1:y2, x1:x2].mean(), ink[y1:y2, x1:x2].sum() / ink.sum())


def voc(root, files, size_hw, box):
    for name, content in files.items():
        (root / "JPEGImages").mkdir(parents=True, exist_ok=True)
        (root / "Annotations").mkdir(exist_ok=True)
        (root / "JPEGImages" / name).write_bytes(content)
        label = root / "Annotations" / f"{Path(name).stem}.xml"
        write_annotation(label, name, size_hw or (0, 0), Detections([box], [0]), ("cat",))
    return root


def coco(root, files, size_hw, box):
    (root / "annotations").mkdir(parents=True)
    (root / "train").mkdir()
    images, annotations = [], []
    x1, y1, x2, y2 = box
    for number, (name, content) in enumerate(files.items(), 1):
        (root / "train" / name).write_bytes(content)
        size = {"height": size_hw[0], "width": size_hw[1]} if size_hw else {}
        images.append({"id": number, "file_name": name, **size})
        bbox = [x1, y1, x2 - x1, y2 - y1]
        annotations.append({"id": number, "image_id": number, "category_id": 1, "bbox": bbox})
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "cat"}]}
    (root / "annotations" / "instances_train.json").write_text(json.dumps(content))
    return root


def record(root, files, size_hw, box):
    root.mkdir()
    with open(root / "train.rec", "wb") as file:
        for key, content in enumerate(files.values()):
            write_record(file, encode_label(Detections([box], [0]), size_hw, key) + content)
    (root / "classes.names").write_text("cat\n")
    return root


def yolo(root, files, size_hw, box):
    root.mkdir()
    for name, content in files.items():
        (root / name).write_bytes(content)
        write_label((root / name).with_suffix(".txt"), size_hw, Detections([box], [0]))
    (root / "a.names").write_text("cat\n")
    return root


def keras(root, files, size_hw, box):
    root.mkdir()
    for name, content in files.items():
        (root / name).write_bytes(content)
    lines = [f"{name} {','.join(map(str, map(int, box)))},0\n" for name in files]
    (root / "train.txt").write_text("".join(lines))
    (root / "classes.txt").write_text("cat\n")
    return root


SIZED = {"voc": voc, "coco": coco, "record": record}


def opened(root):
    source = open_source(root)
    return source.open(next(iter(source.parts().values())))


@pytest.mark.parametrize("orientation", SIDEWAYS)
@pytest.mark.parametrize("format", SIZED)
def test_labels_that_give_the_stored_size(tmp_path, format, orientation):
    files = {f"{ending[1:]}{ending}": image(orientation, ending) for ending in FILES}
    dataset = opened(SIZED[format](tmp_path / "data", files, STORED_HW, BOX))
    for index in range(len(files)):
        assert dataset.size_hw(index) == (160, 120)
        assert dataset.annotations(index).boxes.tolist() == [[*BOXES[orientation]]]
        assert share(dataset.image(index), dataset.annotations(index).boxes[0]) > 0.9
    assert not dataset.report.issues
    note = next(note for note in dataset.report.notes if "EXIF" in note)
    first = "train.rec: record 0" if format == "record" else "jpg.jpg"
    assert note.startswith(
        "4 pictures turned by EXIF, labelled at the size before turning: the boxes are turned too; "
    )
    assert f"{first}; see whether they fit: gluon-yolo data show " in note and note.endswith(" --turned")


@pytest.mark.parametrize("orientation", SIDEWAYS)
@pytest.mark.parametrize("format", SIZED)
def test_labels_that_give_the_upright_size(tmp_path, format, orientation):
    """They were drawn on the upright image; there is no note."""
    files = {"a.jpg": image(orientation)}
    dataset = opened(SIZED[format](tmp_path / "data", files, (160, 120), BOXES[orientation]))
    assert dataset.annotations(0).boxes.tolist() == [[*BOXES[orientation]]]
    assert not dataset.report.issues and not any("EXIF" in note for note in dataset.report.notes)


UNCLEAR = {
    "upside down": (3, STORED_HW, STORED_HW),
    "mirrored": (2, STORED_HW, STORED_HW),
    "square": (6, (160, 160), (160, 160)),
    "no size": (6, STORED_HW, None),
}


@pytest.mark.parametrize("case", UNCLEAR)
@pytest.mark.parametrize("format", ["voc", "coco", "record", "yolo", "keras"])
def test_labels_that_cannot_tell(tmp_path, format, case):
    """Their boxes are taken as those of the upright image, and a note says so."""
    orientation, size_hw, written_hw = UNCLEAR[case]
    if written_hw is None and format in ("record", "yolo"):
        written_hw = size_hw  # a square size does not distinguish them, and YOLO does not contain it
    files = {"a.jpg": image(1, size_hw=size_hw), "b.jpg": image(orientation, size_hw=size_hw)}
    dataset = opened(
        {**SIZED, "yolo": yolo, "keras": keras}[format](tmp_path / "data", files, written_hw, (4, 6, 20, 30))
    )
    if format == "record" and case == "no size":
        return  # its size distinguishes them
    shares = format == "yolo"
    upright_hw = dataset.size_hw(1)
    expected = np.array([4, 6, 20, 30.0])
    if shares:
        expected *= np.tile(upright_hw[::-1], 2) / np.tile(size_hw[::-1], 2)
    np.testing.assert_allclose(dataset.annotations(1).boxes, [expected], atol=1e-4)
    assert not dataset.report.issues
    (note,) = [note for note in dataset.report.notes if "EXIF" in note]
    assert note.startswith(
        "1 picture turned by EXIF, where no size tells whether the boxes are turned too: they are taken to "
        "be; the first: "
    )


def test_yolos_shares_of_a_sideways_image(tmp_path):
    dataset = opened(yolo(tmp_path / "data", {"a.jpg": image(6)}, (160, 120), BOXES[6]))
    assert dataset.annotations(0).boxes.tolist() == [[*BOXES[6]]]
    assert "1 picture turned by EXIF, where no size tells" in dataset.report.notes[-1]


def test_both_kinds_in_one_data_set_are_told_apart(tmp_path):
    files = {"a.jpg": image(3), "b.jpg": image(8)}
    notes = [
        note for note in opened(voc(tmp_path / "data", files, STORED_HW, BOX)).report.notes if "EXIF" in note
    ]
    assert [note.split(";")[0].split(", ")[-1] for note in notes] == [
        "labelled at the size before turning: the boxes are turned too",
        "unlike others here",
    ]


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("format", SIZED)
def test_a_size_that_is_neither_is_wrong(tmp_path, format, orientation):
    root = SIZED[format](tmp_path / "data", {"a.jpg": image(orientation)}, (64, 48), (4, 6, 20, 30))
    dataset = opened(root)
    (issue,) = dataset.report.issues
    size = "120x160" if orientation == 6 else "160x120"
    assert (issue.kind, issue.message) == ("wrong-size", f"says 48x64, but the picture has {size} pixels")
    if format != "record":  # a record's boxes are relative to the sides
        assert dataset.annotations(0).boxes.tolist() == [[4, 6, 20, 30]]
    assert not issue.advice.startswith("correct") and "correct the size" not in issue.advice


def test_an_image_turned_after_it_was_labelled_is_no_case_of_it(tmp_path):
    """Without EXIF, nothing says how it was turned."""
    dataset = opened(voc(tmp_path / "data", {"a.jpg": image(1)}, (160, 120), BOX))
    assert [issue.kind for issue in dataset.report.issues] == ["wrong-size"]


def test_check_finds_nothing_wrong(tmp_path):
    files = {f"{orientation}.jpg": image(orientation) for orientation in SIDEWAYS}
    result = check(open_source(voc(tmp_path / "data", files, STORED_HW, BOX)))
    assert result.errors == 0 and "4 pictures turned by EXIF" in result.notes[-1]


@pytest.mark.parametrize("to", WRITERS)
@pytest.mark.parametrize("format", SIZED)
def test_what_is_written_reads_back_turned_once(tmp_path, format, to):
    files = {f"{orientation}.jpg": image(orientation) for orientation in BOXES}
    dataset = opened(SIZED[format](tmp_path / "data", files, STORED_HW, BOX))
    writer = WRITERS[to](tmp_path / "out", dataset.class_names)
    writer.write("train", dataset)
    again = opened(writer.finish())
    for index in range(len(files)):
        assert again.encoded(index) == dataset.encoded(index)
        assert again.size_hw(index) == dataset.size_hw(index)
        assert again.annotations(index).boxes.tolist() == dataset.annotations(index).boxes.tolist()
    assert not again.report.issues


@pytest.mark.parametrize("side", [416, 128, 64])  # read in full, at a quarter and at an eighth
@pytest.mark.parametrize("ending", FILES)
def test_samples_are_of_the_same_pixels(tmp_path, ending, side):
    files = {f"{orientation}{ending}": image(orientation, ending, scale=4) for orientation in SIDEWAYS}
    box = tuple(4 * end for end in BOX)
    dataset = opened(coco(tmp_path / "data", files, (480, 640), box))
    sampler = Sampler(dataset, augmentation("letterbox"), DetectionSpec(("cat",)))
    for index in range(len(files)):
        pixels = np.empty((side, side, 3), np.uint8)
        targets = sampler(Job(0, index, 0, False, (side, side)), pixels)
        assert share(pixels, targets[0, 8:12]) > 0.85


def test_the_hint_works_as_it_is(tmp_path):
    """The command of the hint draws the turned images of that split, and no others."""
    files = {"a.jpg": image(1), "b.jpg": image(6), "c.jpg": image(8)}
    root = voc(tmp_path / "my data", files, STORED_HW, BOX)
    (root / "ImageSets" / "Main").mkdir(parents=True)
    (root / "ImageSets" / "Main" / "late.txt").write_text("b\nc\n")
    (root / "ImageSets" / "Main" / "train.txt").write_text("a\nb\n")
    note = open_source(root).open("late").report.notes[-1]
    program, *words = shlex.split(note.rpartition("see whether they fit: ")[2])
    assert (program, words) == ("gluon-yolo", ["data", "show", str(root), "--split", "late", "--turned"])
    done = python("-m", "gluon_yolo", *words, "--out", str(tmp_path / "sheet.png"))
    assert done.stdout.startswith("2 pictures with their boxes, as they are: ")
