"""Data flags: the data that they open, the defaults, and the errors."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from gluon_yolo.class_names import VOC_CLASSES
from gluon_yolo.cli import main
from gluon_yolo.cli.flags.data import (
    add_data_arguments,
    add_source_arguments,
    classes_of,
    request_of,
    source_of,
)
from gluon_yolo.data import opening
from gluon_yolo.data.opening import log_reports
from gluon_yolo.data.registry import WRITERS
from gluon_yolo.data.synthetic import generate
from gluon_yolo.errors import UserError
from tests.data.small_data import MANY_CLASSES, NAMES, small_data
from tests.printed import refused


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_data_arguments(parser)
    return parser.parse_args(list(words))


def open_datasets(args: argparse.Namespace, **needed: bool):
    return opening.open_datasets(request_of(args), **needed)


def write_voc(folder: Path, lists: dict[str, list[str]], classes: list[str]) -> None:
    """Write VOC's layout; image n has one object of class n."""
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name, stems in lists.items():
        (folder / "ImageSets" / "Main" / f"{name}.txt").write_text("".join(f"{stem}\n" for stem in stems))
    stems = sorted({stem for stems in lists.values() for stem in stems})
    for number, (stem, class_name) in enumerate(zip(stems, classes)):
        cv2.imwrite(
            str(folder / "JPEGImages" / f"{stem}.png"), np.full((40, 50, 3), 9 * number, dtype=np.uint8)
        )
        (folder / "Annotations" / f"{stem}.xml").write_text(
            f"<annotation><filename>{stem}.png</filename><size><width>50</width><height>40</height></size>"
            f"<object><name>{class_name}</name><bndbox><xmin>3</xmin><ymin>4</ymin><xmax>20</xmax><ymax>30</ymax>"
            "</bndbox></object></annotation>"
        )


@pytest.mark.parametrize(
    ("lists", "words", "expected"),
    [
        # lists in the folder, flags, (training images, validation images)
        ({"train": ["a"], "val": ["b"]}, [], (1, 1)),
        ({"train": ["a"], "val": ["b"], "trainval": ["a", "b"]}, [], (1, 1)),
        ({"train": ["a"], "val": ["b"], "trainval": ["a", "b"], "test": ["c"]}, [], (2, 1)),
        ({"train": ["a", "b"], "test": ["c"]}, [], (2, 1)),
        ({"train": ["a"], "val": ["b"], "mine": ["b", "c"]}, ["--val-split", "val,mine"], (1, 2)),
    ],
)
def test_voc_splits(
    tmp_path: Path, lists: dict[str, list[str]], words: list[str], expected: tuple[int, int]
) -> None:
    write_voc(tmp_path, lists, ["ant", "bee", "cat"])
    train, val, _ = open_datasets(parsed("--data-root", str(tmp_path), *words))
    assert train is not None and val is not None
    assert (len(train), len(val)) == expected


def test_class_names_are_of_both_parts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_voc(tmp_path, {"train": ["a"], "val": ["b"]}, ["bee", "Bee"])
    train, val, names = open_datasets(parsed("--data-root", str(tmp_path)))
    assert names == ("Bee", "bee") and train.class_names == val.class_names == names
    assert "'Bee' and 'bee' differ in case" in caplog.text
    assert open_datasets(parsed("--data-root", str(tmp_path)), need_val=False)[1:] == (None, ("bee",))


def test_vocs_own_classes_are_in_the_order_of_published_weights(tmp_path: Path) -> None:
    stems = [f"{i:02d}" for i in range(20)]
    write_voc(tmp_path, {"train": stems[1:], "val": stems[:1]}, list(reversed(VOC_CLASSES)))
    assert open_datasets(parsed("--data-root", str(tmp_path)))[2] == VOC_CLASSES


def test_class_file_rules(tmp_path: Path) -> None:
    write_voc(tmp_path, {"train": ["a"], "val": ["b"]}, ["bee", "ant"])
    (tmp_path / "names.txt").write_text("wasp\nbee\nant\n")
    words = ["--data-root", str(tmp_path), "--classes", str(tmp_path / "names.txt")]
    train, _, names = open_datasets(parsed(*words))
    assert names == ("wasp", "bee", "ant") and train.annotations(0).class_ids.tolist() == [1]
    (tmp_path / "names.txt").write_text("bee\n")
    with refused(r"b\.xml.*ant"):
        open_datasets(parsed(*words))


def test_warns_of_images_in_both_parts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_voc(tmp_path, {"train": ["a", "b"], "val": ["b"]}, ["ant", "bee"])
    for words in (["--skip-bad"], ["--val-split", "val"]):
        log_reports(*open_datasets(parsed("--data-root", str(tmp_path), *words))[:2])
        assert "1 of 1 validation pictures are training pictures too" in caplog.text
        caplog.clear()


def test_refuses_some_images_in_both_parts(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A part of the images in both is a mistake in a list; identical splits are intended."""
    write_voc(tmp_path, {"train": ["a", "b"], "val": ["b", "c"]}, ["ant", "bee", "cat"])
    words = parsed("--data-root", str(tmp_path))
    with refused(r"1 of 2 validation pictures are training pictures too, such as .*b\.png;"):
        open_datasets(words)
    write_voc(tmp_path, {"train": ["a", "b"], "val": ["a", "b"]}, ["ant", "bee"])
    log_reports(*open_datasets(words)[:2])
    assert "2 of 2 validation pictures are training pictures too" in caplog.text


def write_coco(folder: Path, named: dict[str, list[str]], images: list[str]) -> None:
    """Write these images, each with its own grey, and COCO files that name them as in ``named``."""
    for grey, name in enumerate(images):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), np.full((40, 50, 3), 9 * grey, dtype=np.uint8))
    for split, names in named.items():
        content = {
            "images": [{"id": n, "file_name": name} for n, name in enumerate(names)],
            "annotations": [{"id": 1, "image_id": 0, "category_id": 9, "bbox": [1, 2, 10, 20]}],
            "categories": [{"id": 9, "name": "bee"}],
        }
        (folder / f"{split}.json").write_text(json.dumps(content))


def test_written_paths_that_land_on_one_file(tmp_path: Path) -> None:
    """The splits had two folders, of which one exists."""
    named = {split: [f"/home/u/{split}/{n}.png" for n in "ab"] for split in ("train", "val")}
    write_coco(tmp_path, named, ["images/a.png", "images/b.png"])
    words = ["--data", str(tmp_path)]
    with pytest.raises(
        UserError,
        match=r"2 of 2 validation pictures are training pictures too, such as .*images/a.png \(the "
        r"training part names the folder /home/u/train, the validation part /home/u/val; both were found in "
        r".*/images\)",
    ):
        open_datasets(parsed(*words))
    for flags in (["--skip-bad"], ["--val-split", "val"]):
        assert len(open_datasets(parsed(*words, *flags))[1]) == 2
    write_coco(tmp_path, {"train": named["train"], "val": named["train"]}, [])
    assert len(open_datasets(parsed(*words))[1]) == 2  # identical lists are intended
    write_coco(tmp_path, {"train": ["a.png", "b.png"]}, [])
    with refused("part names the folder .*/images, the validation part /home/u/train; b"):
        open_datasets(parsed(*words))


@pytest.mark.parametrize(("copies", "shared"), [(["b"], 1), (["b", "c"], 2)])
def test_a_copy_under_another_name_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, copies: list[str], shared: int
) -> None:
    write_voc(tmp_path, {"train": ["a", "d"], "val": ["b", "c"]}, ["ant", "bee", "cat", "dog"])
    images = tmp_path / "JPEGImages"
    for copy, name in zip(copies, "ad"):
        (images / f"{copy}.png").write_bytes((images / f"{name}.png").read_bytes())
    log_reports(*open_datasets(parsed("--data-root", str(tmp_path)))[:2])
    message = f"{shared} of 2 validation pictures are training pictures too; the scores will flatter ("
    assert message in caplog.text and "a.png)" in caplog.text


def test_a_part_that_is_a_copy_of_the_other_is_meant_so(
    homes: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log_reports(*open_datasets(parsed("--data", str(homes / "record")))[:2])
    assert "4 of 4 validation pictures are training pictures too; the scores will flatter" in caplog.text


def test_a_link_is_the_same_image(tmp_path: Path) -> None:
    write_voc(tmp_path, {"train": ["a", "c"], "val": ["b"]}, ["ant", "bee", "cat"])
    (tmp_path / "JPEGImages" / "b.png").unlink()
    (tmp_path / "JPEGImages" / "b.png").symlink_to("a.png")
    with refused("1 of 1 validation pictures are training pictures too"):
        open_datasets(parsed("--data-root", str(tmp_path)))


def test_classes_alone_and_by_other_names(tmp_path: Path) -> None:
    write_voc(tmp_path, {"train": ["a", "b"], "val": ["c"]}, ["sofa", "bee", "sofa"])
    (tmp_path / "coco.names").write_text("person\ncouch\nbee\n")
    (tmp_path / "map.txt").write_text("bee = insect\n")
    words = ["--data-root", str(tmp_path)]
    coco = ["--classes", str(tmp_path / "coco.names")]
    for more, expected in (
        (["--only", "sofa"], ("sofa",)),
        (["--only", " bee , sofa"], ("bee", "sofa")),
        (coco, ("person", "couch", "bee")),
        ([*coco, "--only", "couch"], ("couch",)),
        (["--class-map", str(tmp_path / "map.txt")], ("insect", "sofa")),
    ):
        train, val, names = open_datasets(parsed(*words, *more))
        assert names == train.class_names == val.class_names == expected
        assert [name for name, count in val.report.per_class.items() if count] in (["sofa"], ["couch"])
    for more in (["--only", "bee", "--only", "sofa"], ["--only", "bee,", "--only=,sofa"]):
        assert open_datasets(parsed(*words, *more))[2] == ("bee", "sofa")
    with refused("--only: names no class; give names with commas between"):
        open_datasets(parsed(*words, "--only", ","))


def test_a_comma_in_the_name_of_a_class() -> None:
    assert classes_of(parsed("--only", r"ant\, red, bee", "--only", r"a\,b")).only == (
        "ant, red",
        "bee",
        "a,b",
    )


def test_coco_layout(tmp_path: Path) -> None:
    (tmp_path / "annotations").mkdir()
    for grey, split in enumerate(("train2017", "val2017")):
        (tmp_path / split).mkdir()
        cv2.imwrite(str(tmp_path / split / "1.png"), np.full((40, 50, 3), grey, dtype=np.uint8))
        content = {
            "images": [{"id": 5, "file_name": "1.png", "width": 50, "height": 40}],
            "annotations": [{"id": 1, "image_id": 5, "category_id": 9, "bbox": [1, 2, 10, 20]}],
            "categories": [{"id": 9, "name": "bee"}, {"id": 4, "name": "wasp"}],
        }
        (tmp_path / "annotations" / f"instances_{split}.json").write_text(json.dumps(content))
    train, val, names = open_datasets(parsed("--dataset", "coco", "--data-root", str(tmp_path)))
    assert names == ("wasp", "bee") and (len(train), len(val)) == (1, 1)
    assert val.annotations(0).boxes.tolist() == [[1, 2, 11, 22]]


@pytest.mark.parametrize("dataset", ["voc", "coco"])
def test_says_where_the_standard_data_would_be(
    dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    with refused(rf"datasets.{dataset}: no such folder.*--data-root"):
        open_datasets(parsed("--dataset", dataset))


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    """Write the same images for training and validation in every format."""
    data = small_data(tmp_path / "pictures")
    for name in MANY_CLASSES:
        writer = WRITERS[name](tmp_path / name, NAMES)
        writer.write("train", data)
        writer.write("val", data)
        writer.finish()
    return tmp_path


@pytest.mark.parametrize("format", MANY_CLASSES)
def test_data_of_every_format(homes: Path, format: str) -> None:
    path = str(homes / format)
    # VOC has one folder of images for all splits, so those of the second are copies with other names.
    again = ["--skip-bad"] if format == "voc" else []
    for words in (["--data", path, *again], ["--data", path, "--format", format, *again]):
        train, val, names = open_datasets(parsed(*words))
        assert names == train.class_names == val.class_names == NAMES
        np.testing.assert_array_equal(train.annotations(0).boxes, [[3, 4, 20, 30], [0, 0, 50, 40]])
        assert (len(train), len(val)) == (4, 4)
    only = open_datasets(parsed("--data", path, "--val-split", "train"), need_train=False)
    assert only[0] is None and len(only[1]) == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--data", "D", "--data-root", "D"],
            "name the data once: --data PATH, or --dataset with --data-root",
        ),
        (["--data", "D", "--dataset", "voc"], "name the data once"),
        (["--format", "coco", "--data-root", "D"], "--format says what --data PATH is"),
        (["--data", "nowhere"], "nowhere: no such file or folder"),
        (["--data-root", "nowhere"], "nowhere: no such folder"),
        (["--dataset", "coco", "--data-root", "nowhere"], "nowhere: no such file or folder"),
    ],
)
def test_data_is_named_once(words: list[str], message: str) -> None:
    with refused(message):
        open_datasets(parsed(*words))


def test_data_without_a_validation_part(tmp_path: Path) -> None:
    write_voc(tmp_path, {"train": ["a", "b"]}, ["ant", "bee"])
    message = (
        "no pictures for validation; there is train: hold some out with `gluon-yolo data split .*--val-split"
    )
    for words in (["--data", str(tmp_path)], ["--data-root", str(tmp_path)]):
        with refused(message):
            open_datasets(parsed(*words))
    _, val, _ = open_datasets(parsed("--data", str(tmp_path)), need_train=False)
    assert val is not None and len(val) == 2  # evaluation needs no division
    train, val, _ = open_datasets(parsed("--data", str(tmp_path), "--val-split", "train"))
    assert train is not None and val is not None


def test_records_without_a_validation_part(tmp_path: Path) -> None:
    write_voc(tmp_path / "voc", {"train": ["a", "b"]}, ["ant", "bee"])
    assert main(["data", "pack", str(tmp_path / "voc"), str(tmp_path / "rec")]) == 0
    message = (
        "divide with `gluon-yolo data split` what it was packed from, and pack it anew, or name some with"
    )
    with refused(message):
        open_datasets(parsed("--data", str(tmp_path / "rec")))


def test_data_commands_take_a_path(homes: Path) -> None:
    parser = argparse.ArgumentParser()
    add_source_arguments(parser)
    assert source_of(parser.parse_args([str(homes / "coco")])).format == "coco"
    with refused("expected Annotations/"):
        source_of(parser.parse_args([str(homes / "coco"), "--format", "voc"]))


def test_boxes_in_other_units_stop_a_training_unless_it_is_to_go_on(tmp_path: Path) -> None:
    """YOLO labels in pixels: training on them is useless."""
    root = generate(tmp_path / "drawn", images=10, size_hw=(96, 96))
    assert main(["data", "convert", str(root), "--to", "yolo", str(tmp_path / "yolo")]) == 0
    for label in tmp_path.glob("yolo/*/*.txt"):
        lines = [line.split() for line in label.read_text().splitlines()]
        pixels = [" ".join([line[0], *(str(96 * float(word)) for word in line[1:])]) for line in lines]
        label.write_text("\n".join(pixels))
    with refused(r"\.txt: .* boxes.*many times as large.*Repair: write.*--skip-bad"):
        open_datasets(parsed("--data", str(tmp_path / "yolo")))
    train, _, _ = open_datasets(parsed("--data", str(tmp_path / "yolo"), "--skip-bad"))
    assert train is not None and train.report.boxes == 0


@pytest.mark.parametrize(("split", "warned"), [("train", True), ("test", False)])
def test_the_only_split_is_evaluated_with_a_word(tmp_path, caplog, split, warned):
    write_voc(tmp_path, {split: ["a", "b"]}, ["cat", "cat"])
    _, val, _ = open_datasets(parsed("--data", str(tmp_path)), need_train=False)
    assert val is not None and len(val) == 2
    text = f"{tmp_path}: its only split, train, is taken, which may be what was trained on"
    assert (text in caplog.messages) is warned
    caplog.clear()
    train, _, _ = open_datasets(parsed("--data", str(tmp_path)), need_val=False)
    assert train is not None and not any("only split" in message for message in caplog.messages)
