"""Data check: data sets with every error planted; all are found, and no others."""

from __future__ import annotations

import json
import shutil
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from gluon_yolo.data.dataset import ImageFiles
from gluon_yolo.data.quality.check import check
from gluon_yolo.data.quality.duplicates import shared_images
from gluon_yolo.data.quality.report import ADVICE, DatasetReport
from gluon_yolo.data.quality.statistics import Counts
from gluon_yolo.data.registry import open_source
from gluon_yolo.data.synthetic import draw_scene, generate
from gluon_yolo.data.voc.xml_file import write_annotation
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError

HEIGHT, WIDTH = 48, 64
GOOD = (4, 4, 20, 30)
ERRORS = frozenset(
    "unreadable-picture missing-picture missing-label broken-label unknown-class wrong-size not-finite "
    "swapped-corners no-area outside wrong-units shared-picture stray-label".split()
)


def noise(seed: int, extension: str = ".jpg") -> bytes:
    """Return an image file's bytes; every seed gives another image."""
    image = np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    return cv2.imencode(extension, image)[1].tobytes()


class VOC:
    """A data set in VOC layout that grows image by image; each is added to a list."""

    def __init__(self, root: Path) -> None:
        self.root, self.lists, self.seed = root, {}, 0
        for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
            (root / folder).mkdir(parents=True)

    def add(self, stem, boxes=(GOOD,), name="cat", split="train", size_hw=(HEIGHT, WIDTH)):
        """Add a valid image with boxes in zero-based pixels."""
        self.seed += 1
        self.image(stem).write_bytes(noise(self.seed))
        truth = Detections(np.array(boxes), np.zeros(len(boxes)))
        write_annotation(self.label(stem), f"{stem}.jpg", size_hw, truth, (name,))
        self.lists.setdefault(split, []).append(stem)

    def add_written(self, stem, *boxes, split="train"):
        """Add an image with its boxes as given, valid or not."""
        self.add(stem, [GOOD] * len(boxes), split=split)
        text = self.label(stem).read_text()
        for box in boxes:
            for tag, old, new in zip(("xmin", "ymin", "xmax", "ymax"), GOOD, box):
                text = text.replace(f"<{tag}>{old + 1}<", f"<{tag}> {new} <", 1)
        self.label(stem).write_text(text)

    def image(self, stem, extension=".jpg"):
        return self.root / "JPEGImages" / f"{stem}{extension}"

    def label(self, stem):
        return self.root / "Annotations" / f"{stem}.xml"

    def write_lists(self):
        for split, stems in self.lists.items():
            (self.root / "ImageSets" / "Main" / f"{split}.txt").write_text("\n".join(stems) + "\n")


@pytest.fixture
def voc(tmp_path) -> VOC:
    """Two valid images in each part, of two classes."""
    data = VOC(tmp_path / "voc")
    for number in range(2):
        data.add(f"sound{number}", [GOOD, (30, 10, 64, 48)])
        data.add(f"held{number}", name="dog", split="val")
    return data


def plant_all(voc: VOC) -> set[tuple[str, str, str]]:
    """Plant every error; return the expected issues as (severity, kind, file)."""
    for stem in "text cut10 cut50 cut90 cut2 wide broken lonely absent".split():
        voc.add(stem)
    whole = voc.image("cut10").read_bytes()
    voc.image("text").write_text("no picture")
    for stem, end in (("cut10", 0.1), ("cut50", 0.5), ("cut90", 0.9)):
        voc.image(stem).write_bytes(whole[: int(end * len(whole))])
    voc.image("cut2").write_bytes(voc.image("cut2").read_bytes()[:-2])
    voc.add("png")
    voc.image("png").unlink()
    voc.image("png", ".png").write_bytes(noise(99, ".png")[:-400])
    write_annotation(voc.label("wide"), "wide.jpg", (HEIGHT, 2 * WIDTH), Detections([GOOD], [0]), ("cat",))
    voc.label("broken").write_text(voc.label("broken").read_text()[:-30])
    voc.image("lonely").unlink()
    voc.label("absent").unlink()
    voc.image("unlabelled").write_bytes(noise(98))
    write_annotation(voc.label("stray"), "stray.jpg", (HEIGHT, WIDTH), Detections([GOOD], [0]), ("cat",))
    voc.add("unlisted", split="nowhere")
    del voc.lists["nowhere"]

    voc.add_written("flat", (5, 5, 21, 31), (9, 9, 9, 20))
    voc.add_written("beyond", (5, 5, 21, 31), (80, 5, 90, 31))
    voc.add_written("reaching", (30, 5, 75, 31))
    voc.add_written("nan", (5, 5, "nan", 31), split="val")
    voc.add_written("word", (5, 5, "wide", 31))
    voc.add_written("swapped", (21, 5, 5, 31))
    voc.add_written("double", (9, 9, 30, 30), (5, 5, 21, 31), (9, 9, 30, 30))
    voc.add("upper", name="CAT")
    voc.add("spaced", name="do g", split="val")
    voc.add("leak", split="val")
    shutil.copy(voc.image("sound0"), voc.image("leak"))
    voc.add("again")
    shutil.copy(voc.image("sound1"), voc.image("again"))
    return {
        ("error", "unreadable-picture", "text.jpg"),
        ("error", "unreadable-picture", "cut10.jpg"),
        ("error", "unreadable-picture", "cut50.jpg"),
        ("error", "unreadable-picture", "cut90.jpg"),
        ("error", "unreadable-picture", "cut2.jpg"),
        ("error", "unreadable-picture", "png.png"),
        ("error", "wrong-size", "wide.xml"),
        ("error", "broken-label", "broken.xml"),
        ("error", "missing-picture", "lonely.xml"),
        ("error", "missing-label", "absent.xml"),
        ("error", "missing-label", "unlabelled.jpg"),
        ("error", "stray-label", "stray.xml"),
        ("warning", "unused-picture", "unlisted.jpg"),
        ("error", "no-area", "flat.xml"),
        ("error", "outside", "beyond.xml"),
        ("warning", "reaches-out", "reaching.xml"),
        ("error", "not-finite", "nan.xml"),
        ("error", "not-finite", "word.xml"),
        ("error", "swapped-corners", "swapped.xml"),
        ("warning", "duplicate-box", "double.xml"),
        ("warning", "lookalike-classes", "upper.jpg"),
        ("warning", "lookalike-classes", "spaced.jpg"),
        ("error", "shared-picture", "leak.jpg"),
        ("warning", "shared-picture", "again.jpg"),
    }


def found(result) -> list[tuple[str, str, str]]:
    return sorted((issue.severity, issue.kind, Path(issue.file).name) for issue in result.issues)


def the(result, kind):
    """Return the only issue of a kind."""
    (issue,) = [issue for issue in result.issues if issue.kind == kind]
    return issue


class TestVOC:
    def test_every_planted_fault_is_found_once_and_no_other(self, voc):
        planted = plant_all(voc)
        voc.write_lists()
        before = {path: path.read_bytes() for path in voc.root.rglob("*") if path.is_file()}
        result = check(open_source(voc.root))
        assert found(result) == sorted(planted)
        assert result.errors == sum(severity == "error" for severity, _, _ in planted)
        assert result.warnings == len(planted) - result.errors
        assert [f.severity for f in result.issues] == sorted(f.severity for f in result.issues)
        assert {path: path.read_bytes() for path in voc.root.rglob("*") if path.is_file()} == before

    def test_findings_say_where_and_what(self, voc):
        plant_all(voc)
        voc.write_lists()
        result = check(open_source(voc.root))
        flat = the(result, "no-area")
        assert flat.where == "object 2 (cat, xmin 9 ymin 9 xmax 9 ymax 20)"
        assert flat.box_xyxy == (8, 8, 8, 19) and flat.advice == ADVICE["no-area"]
        double = the(result, "duplicate-box")
        assert double.where.startswith("object 3 (cat, ") and "twice: object 1 (cat, " in double.message
        leak, again = (f for f in result.issues if f.kind == "shared-picture")
        assert leak.message == f"is in val, and the same picture in train: {voc.image('sound0')}"
        assert again.message == f"is in train twice; the same picture: {voc.image('sound1')}"
        upper, spaced = (f for f in result.issues if f.kind == "lookalike-classes")
        assert upper.message.startswith(
            "the class 'CAT' (boxes: 1) differs only in case or blanks from 'cat' ("
        )
        assert upper.box_xyxy == GOOD and "'do g'" in spaced.message and "'dog'" in spaced.message

    def test_a_sound_data_set_has_no_finding(self, voc):
        voc.write_lists()
        result = check(open_source(voc.root))
        assert result.issues == () and result.errors == result.warnings == 0
        assert list(result.parts) == list(result.counts) == ["train", "val"]

    def test_drawn_images_have_no_finding(self, tmp_path):
        assert check(open_source(generate(tmp_path / "shapes", 10, (64, 96)))).issues == ()

    def test_an_image_listed_in_two_splits(self, voc):
        voc.lists["val"].append("sound0")
        voc.write_lists()
        issue = the(check(open_source(voc.root)), "shared-picture")
        assert issue.severity == "error" and issue.file == str(voc.image("sound0"))

    def test_a_fault_in_two_splits_is_one_finding(self, voc):
        voc.add_written("flat", (9, 9, 9, 20))
        voc.lists["val"].append("flat")
        voc.write_lists()
        kinds = [issue.kind for issue in check(open_source(voc.root)).issues]
        assert sorted(kinds) == ["no-area", "shared-picture"]

    def test_classes_can_be_given(self, voc):
        voc.write_lists()
        result = check(open_source(voc.root), ("dog", "cat", "Cat"))
        assert list(result.counts["val"].per_class.items()) == [("dog", 2), ("cat", 0), ("Cat", 0)]
        unused = the(result, "lookalike-classes")
        assert unused.file == str(voc.root) and unused.message.startswith("the class 'Cat' (boxes: 0)")
        with pytest.raises(UserError, match="unknown class 'dog'"):
            check(open_source(voc.root), ("cat",))

    def test_bccd(self, shared_data):
        result = check(open_source(shared_data / "bccd" / "BCCD"))
        assert found(result) == [
            ("error", "no-area", "BloodImage_00338.xml"),
            ("error", "no-area", "BloodImage_00343.xml"),
        ]
        assert [f.where.split(" (")[0] for f in result.issues] == ["object 13", "object 4"]
        assert result.counts["train"].boxes + result.counts["val"].boxes == 4886


class TestYOLO:
    LINE = "0 0.5 0.5 0.25 0.5"

    def add(self, root, part, stem, *lines):
        """Add an image with the lines of its label; without lines it has no label."""
        for folder in ("images", "labels"):
            (root / folder / part).mkdir(parents=True, exist_ok=True)
        (root / "images" / part / f"{stem}.jpg").write_bytes(noise(zlib.crc32(f"{part}/{stem}".encode())))
        if lines:
            (root / "labels" / part / f"{stem}.txt").write_text("".join(f"{line}\n" for line in lines))

    @pytest.fixture
    def root(self, tmp_path) -> Path:
        root = tmp_path / "yolo"
        for part in ("train", "val"):
            self.add(root, part, f"sound_{part}", self.LINE, "1 0.25 0.25 0.5 0.5")
        (root / "data.yaml").write_text("path: .\ntrain: images/train\nval: images/val\nnames: [cat, dog]\n")
        return root

    def test_sound(self, root):
        assert check(open_source(root)).issues == ()

    def test_every_planted_fault_is_found_once_and_no_other(self, root):
        (root / "data.yaml").write_text(
            "path: .\ntrain: images/train\nval: images/val\nnames: [cat, dog, Dog]\n"
        )
        add, line = self.add, self.LINE
        images, labels = root / "images", root / "labels"
        for stem in ("text", "cut"):
            add(root, "train", stem, line)
        (images / "train" / "text.jpg").write_text("no picture")
        whole = (images / "train" / "cut.jpg").read_bytes()
        (images / "train" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
        add(root, "train", "words", line, "1 0.5 0.5 0.25")
        add(root, "train", "unknown", "3 0.5 0.5 0.25 0.5")
        add(root, "train", "bare")
        (labels / "train" / "stray.txt").write_text(f"{line}\n")
        add(root, "train", "flat", line, "0 0.5 0.5 0 0.5")
        add(root, "train", "beyond", "0 1.5 0.5 0.25 0.5")
        add(root, "train", "reaching", "0 0.9 0.5 0.5 0.5")
        add(root, "val", "nan", "0 nan 0.5 0.25 0.5")
        add(root, "train", "swapped", "0 0.5 0.5 -0.25 0.5")
        add(root, "train", "double", line, "1 0.5 0.5 0.25 0.5", line)
        add(root, "val", "lookalike", "2 0.5 0.5 0.25 0.5")
        add(root, "val", "leak", line)
        shutil.copy(images / "train" / "sound_train.jpg", images / "val" / "leak.jpg")
        add(root, "val", "again", line)
        shutil.copy(images / "val" / "sound_val.jpg", images / "val" / "again.jpg")
        result = check(open_source(root))
        assert found(result) == sorted(
            [
                ("error", "unreadable-picture", "text.jpg"),
                ("error", "unreadable-picture", "cut.jpg"),
                ("error", "broken-label", "words.txt"),
                ("error", "unknown-class", "unknown.txt"),
                ("warning", "background-picture", "bare.jpg"),
                ("error", "stray-label", "stray.txt"),
                ("error", "no-area", "flat.txt"),
                ("error", "outside", "beyond.txt"),
                ("warning", "reaches-out", "reaching.txt"),
                ("error", "not-finite", "nan.txt"),
                ("error", "swapped-corners", "swapped.txt"),
                ("warning", "duplicate-box", "double.txt"),
                ("warning", "lookalike-classes", "lookalike.jpg"),
                ("error", "shared-picture", "leak.jpg"),
                ("warning", "shared-picture", "sound_val.jpg"),  # again.jpg comes first
            ]
        )
        assert the(result, "duplicate-box").where.startswith("line 3 (cat, ")
        assert the(result, "broken-label").message.startswith("line 2: ")

    def test_lists_that_name_what_is_not_there(self, root):
        stems = [f"images/train/{stem}.jpg" for stem in ("sound_train", "gone")]
        (root / "train.txt").write_text("".join(f"{stem}\n" for stem in stems))
        (root / "data.yaml").write_text("path: .\ntrain: train.txt\nval: images/val\nnames: [cat, dog]\n")
        self.add(root, "train", "unlisted", self.LINE)
        kinds = [(severity, kind) for severity, kind, _ in found(check(open_source(root)))]
        assert kinds == [("error", "missing-picture"), ("warning", "unused-picture")]


class TestCOCO:
    def test_planted_faults(self, tmp_path):
        """Two splits: one valid, one with an error of each kind that only this format can have."""
        for part, shift in (("train", 0), ("val", 100)):
            (tmp_path / part).mkdir()
            boxes = [[4, 4, 16, 26]] if part == "val" else [[4, 4, 16, 26], [4, 4, 0, 9], [4, 4, 16, 26]]
            for number in range(2):
                (tmp_path / part / f"{number}.jpg").write_bytes(noise(shift + number))
            content = {
                "images": [
                    {"id": 1, "file_name": "0.jpg", "height": HEIGHT, "width": WIDTH},
                    {"id": 2, "file_name": "1.jpg", "height": HEIGHT + shift, "width": WIDTH},
                ],
                "annotations": [
                    {"id": number, "image_id": 1, "category_id": 1, "bbox": box}
                    for number, box in enumerate(boxes, 1)
                ],
                "categories": [{"id": 1, "name": "cat"}],
            }
            (tmp_path / "annotations").mkdir(exist_ok=True)
            (tmp_path / "annotations" / f"instances_{part}.json").write_text(json.dumps(content))
            if part == "val":
                wrong = {"id": 9, "image_id": 3, "category_id": 7, "bbox": [4, 4, 16, 26]}
                (tmp_path / part / "2.jpg").write_bytes(noise(shift + 2))
                content["images"].append({"id": 3, "file_name": "2.jpg"})
                content["annotations"].append(wrong)
                (tmp_path / "annotations" / "instances_val.json").write_text(json.dumps(content))
        (tmp_path / "train" / "left.jpg").write_bytes(noise(50))
        assert found(check(open_source(tmp_path))) == [
            ("error", "no-area", "instances_train.json"),
            ("error", "unknown-class", "instances_val.json"),
            ("error", "wrong-size", "instances_val.json"),
            ("warning", "duplicate-box", "instances_train.json"),
            ("warning", "unused-picture", "left.jpg"),
        ]


def data_of(folder: Path, seeds, truths=None, sizes_hw=None) -> ImageFiles:
    """Return a data set of noise images; a seed of n + 0.5 is image n, rescaled."""
    folder.mkdir()
    paths = []
    for number, seed in enumerate(seeds):
        paths.append(str(folder / f"{number}.jpg"))
        image, _ = draw_scene(np.random.default_rng(int(seed)), (240, 320))
        scaled = image if seed == int(seed) else cv2.resize(image, (240, 180), interpolation=cv2.INTER_AREA)
        cv2.imwrite(paths[-1], scaled)
    truths = truths or [Detections.empty()] * len(paths)
    return ImageFiles(("cat",), paths, sizes_hw or [(8, 8)] * len(paths), truths, DatasetReport("made up"))


class TestSharedImages:
    def test_the_first_place_is_named(self, tmp_path):
        parts = {
            "train": data_of(tmp_path / "a", [1, 2, 1, 1]),
            "val": data_of(tmp_path / "b", [3, 1, 1]),
            "test": data_of(tmp_path / "c", [3, 4]),
        }
        where = [(f.severity, f.file[-7:], f.message.split(": ")[-1][-7:]) for f in shared_images(parts)]
        assert where == [
            ("warning", "a/2.jpg", "a/0.jpg"),
            ("warning", "a/3.jpg", "a/0.jpg"),
            ("error", "b/1.jpg", "a/0.jpg"),
            ("error", "b/2.jpg", "a/0.jpg"),
            ("error", "c/0.jpg", "b/0.jpg"),
        ]

    def test_parts_of_the_very_same_files_are_one_warning(self, tmp_path):
        """As in Ultralytics' VOC.yaml, whose val and test are one folder, or with valid = train.txt."""
        train, val = data_of(tmp_path / "a", [1, 2]), data_of(tmp_path / "b", [3, 4, 5])
        (issue,) = shared_images({"train": train, "val": val, "test": val})
        assert (issue.severity, issue.kind, issue.file) == ("warning", "same-part", val.name(0))
        assert issue.message == "val and test are the same 3 pictures, this one and all others"
        (issue,) = shared_images({"train": train, "val": train})
        assert issue.message == "train and val are the same 2 pictures, this one and all others"
        copies = shared_images({"train": train, "val": data_of(tmp_path / "c", [1, 2])})
        assert [(each.severity, each.kind) for each in copies] == [("error", "shared-picture")] * 2

    def test_an_image_that_is_gone_is_said(self, tmp_path):
        data = data_of(tmp_path / "a", [1, 2])
        (tmp_path / "a" / "1.jpg").unlink()
        (issue,) = shared_images({"train": data, "val": data_of(tmp_path / "b", [2])})
        assert (issue.severity, issue.kind, issue.file[-7:]) == ("error", "missing-picture", "a/1.jpg")

    def test_an_image_that_looks_the_same_in_another_part(self, tmp_path):
        parts = {
            "train": data_of(tmp_path / "a", [1, 1.5, 2.5]),
            "val": data_of(tmp_path / "b", [1.5, 2, 3]),
        }
        found = [(f.severity, f.kind, f.file[-7:], f.message[-7:]) for f in shared_images(parts)]
        assert found == [
            ("error", "shared-picture", "b/0.jpg", "a/1.jpg"),
            ("warning", "similar-picture", "b/1.jpg", "a/2.jpg"),
        ]


class TestCounts:
    def test_by_hand(self, tmp_path):
        # Areas 31 x 32 and 32 x 32, 96 x 95 and 96 x 96: each just below and at a limit.
        boxes = [[0, 0, 31, 32], [0, 0, 32, 32], [0, 0, 96, 95], [0, 0, 96, 96]]
        truths = [Detections(boxes, [0] * 4), Detections.empty(), Detections(boxes[:1], [0])]
        data = data_of(tmp_path / "a", [1, 2, 3], truths, [(100, 200), (100, 200), (120, 120)])
        counts = Counts.of(data)
        assert counts.per_size == {"small": 2, "medium": 2, "large": 1}
        assert counts.image_sizes_hw == {(100, 200): 2, (120, 120): 1}
        assert counts.objects == (0, 1, pytest.approx(5 / 3), 4)
        assert (counts.images, counts.empty_images, counts.boxes) == (3, 1, 5)
        record = json.loads(json.dumps(counts.to_dict()))
        assert record["picture_sizes"] == {"200x100": 2, "120x120": 1}
        assert record["objects_per_picture"] == {"least": 0, "median": 1, "mean": 1.667, "most": 4}

    def test_nothing(self, tmp_path):
        assert Counts.of(data_of(tmp_path / "a", [])).to_dict()["per_size"]["large"] == 0


def test_the_table_of_errors_is_complete():
    """Every kind is an error or a warning by decision: a new kind must be added here."""
    from gluon_yolo.data.quality.check import WARNINGS

    assert ERRORS | WARNINGS == set(ADVICE) and not ERRORS & WARNINGS
