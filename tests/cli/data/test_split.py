"""data split: from a path to lists, a table, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from gluon_yolo.cli import main
from gluon_yolo.data.registry import WRITERS, open_source
from gluon_yolo.data.synthetic import draw_scene, generate
from tests.data.small_data import NAMES, small_data
from tests.data.voc.test_dataset import add


def names(source):
    """The images' names of each part."""
    parts = {part: source.open(split) for part, split in source.parts().items()}
    return {part: [Path(data.name(i)).name for i in range(len(data))] for part, data in parts.items()}


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """Twenty drawn images in three formats, all of them for training."""
    root = tmp_path_factory.mktemp("homes")
    source = open_source(generate(root / "shapes", images=20, size_hw=(64, 96)))
    data = source.open("trainval")
    for format in ("voc", "coco", "yolo"):
        writer = WRITERS[format](root / format, data.class_names)
        writer.write("train", data)
        writer.finish()
    return root


def test_the_same_division_in_every_format(homes, capsys):
    divisions = []
    for format in ("voc", "coco", "yolo"):
        assert main(["data", "split", str(homes / format), "--val", "0.25", "--test", "0.1", "--force"]) == 0
        *_, last = capsys.readouterr().out.splitlines()
        assert last.startswith("20 pictures divided; train on them: gluon-yolo train --data ")
        divisions.append(names(open_source(last.rpartition(" ")[2])))
    assert divisions[0] == divisions[1] == divisions[2]
    sizes = {part: len(images) for part, images in divisions[0].items()}
    assert sizes["train"] in (12, 13, 14) and sizes["val"] in (4, 5, 6) and sum(sizes.values()) == 20
    assert len(set().union(*divisions[0].values())) == 20


def write_video(folder, count, others):
    """Frames of a scene that slowly darkens, and images of other scenes."""
    folder.mkdir()
    scene = draw_scene(np.random.default_rng(3), (120, 160))[0]
    images = [np.clip(scene * (1 - 0.006 * n), 0, 255).astype(np.uint8) for n in range(count)]
    images += [draw_scene(np.random.default_rng(50 + n), (120, 160))[0] for n in range(others)]
    for number, image in enumerate(images):
        cv2.imwrite(str(folder / f"{number:03}.png"), image)
        (folder / f"{number:03}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (folder / "classes.txt").write_text("bee\n")
    return folder


def test_one_image_again_and_again_is_divided_all_the_same(tmp_path, caplog):
    folder = tmp_path / "grey"
    folder.mkdir()
    for number in range(10):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((40, 60, 3), 99, np.uint8))
        (folder / f"{number}.txt").write_text(f"0 0.{number + 1:02} 0.5 0.02 0.2\n")
    (folder / "classes.txt").write_text("bee\n")
    assert main(["data", "split", str(folder)]) == 0
    assert "hardly two of the 10 pictures differ, so copies are in several parts" in caplog.text
    sizes = {split: len(open_source(folder).open(split)) for split in ("train", "val")}
    assert sizes == {"train": 8, "val": 2}


@pytest.mark.parametrize(("count", "others", "is_broken"), [(30, 0, True), (30, 2, True), (12, 12, False)])
def test_frames_of_a_video_stay_together_where_a_part_is_left_its_share(
    tmp_path, caplog, count, others, is_broken
):
    root, total = write_video(tmp_path / "video", count, others), count + others
    with caplog.at_level("INFO", logger="gluon_yolo"):
        assert main(["data", "split", str(root)]) == 0
    warned = [message for message in caplog.messages if "look alike one by one" in message]
    said = f"{count} of {total} pictures look alike one by one, as the frames of a video do: too many"
    assert [message.startswith(said) for message in warned] == ([True] if is_broken else [])
    found = (
        f"{total} pictures: {count - 1} show what another does, or nearly so, and stay in its part; copies "
    )
    assert any(
        message.startswith(f"{found}are found by: gluon-yolo data dedupe {root}")
        for message in caplog.messages
    )
    parts = {
        part: {int(name[:3]) for name in stems}
        for part, stems in names(open_source(root / "split.data")).items()
    }
    frames = set(range(count))
    assert all(bool(frames & images) for images in parts.values()) == is_broken
    assert total * 0.1 <= len(parts["val"]) <= total * 0.4


def test_again_gives_the_same_and_another_seed_another(homes):
    found = []
    for words in ([], [], ["--seed", "1"]):
        assert main(["data", "split", str(homes / "voc"), "--force", *words]) == 0
        found.append(names(open_source(homes / "voc")))
    assert found[0] == found[1] != found[2]


def test_the_table_counts_images_and_boxes(tmp_path, capsys):
    writer = WRITERS["coco"](tmp_path / "coco", NAMES)
    writer.write("all", small_data(tmp_path / "pictures"))
    root = writer.finish()
    assert main(["data", "split", str(root), "--val", "0.5"]) == 0
    lines = [line.split("  ") for line in capsys.readouterr().out.splitlines()]
    table = {line[0]: [word.strip() for word in line[1:] if word.strip()] for line in lines[:-1]}
    header, wasp, bee, ant, empty, everything = table.values()
    assert header == ["train pictures", "train boxes", "val pictures", "val boxes"]
    assert ant == ["0"] * 4
    sums = [
        [int(a) + int(b) for a, b in ((row[0], row[2]), (row[1], row[3]))] for row in (wasp, bee, everything)
    ]
    assert sums == [[3, 3], [2, 2], [4, 5]]
    assert sum(map(int, empty)) == 1
    content = json.loads((root / "annotations" / "instances_val.json").read_text())
    assert len(content["images"]) == int(everything[2]) and len(content["annotations"]) == int(everything[3])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--val", "0"], "--val 0.0 --test 0.0: expected shares"),
        (["--val", "0.5", "--test", "0.5"], "expected shares"),
        (["--val", "nan"], "expected shares"),
        (["--seed", "-1"], "--seed -1: must be 0 or more"),
        (["--out", "x"], "the lists of Pascal VOC have their place"),
        ([], "pictures: 1, too few to divide into train, val; add some"),
    ],
)
def test_mistakes(tmp_path, words, message, capsys):
    add(tmp_path, "a")
    assert main(["data", "split", str(tmp_path), *words]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "ImageSets").exists()


def test_a_divided_data_set_is_left_as_it_is(tmp_path, capsys):
    generate(tmp_path / "shapes", images=5, size_hw=(64, 64))
    before = {file: file.read_bytes() for file in (tmp_path / "shapes").rglob("*") if file.is_file()}
    assert main(["data", "split", str(tmp_path / "shapes")]) == 2
    assert "is divided already, by train.txt, val.txt, trainval.txt; with --force" in capsys.readouterr().err
    assert {file: file.read_bytes() for file in before} == before


def test_force_keeps_the_old_lists_under_the_names_that_it_said(tmp_path, capsys):
    data, lists = tmp_path / "shapes", tmp_path / "shapes" / "ImageSets" / "Main"
    generate(data, images=5, size_hw=(64, 64))
    for kept in (
        "train.txt.old, val.txt.old, trainval.txt.old",
        "train.txt.old2, val.txt.old2",
        "train.txt.old2, val.txt.old2, in the place of the last train.txt.old2, val.txt.old2",
    ):
        assert main(["data", "split", str(data)]) == 2
        assert capsys.readouterr().err.endswith(f"a new division is written, and these are kept as {kept}\n")
        before = {part: (lists / f"{part}.txt").read_text() for part in ("train", "val")}
        assert main(["data", "split", str(data), "--force", "--seed", "3"]) == 0
        ending = ".old2" if "old2" in kept else ".old"
        assert {part: (lists / f"{part}.txt{ending}").read_text() for part in before} == before
        capsys.readouterr()


def test_folders_and_descriptions_divide_too(tmp_path, capsys):
    writer = WRITERS["yolo"](tmp_path / "yolo", NAMES)
    for part in ("train", "valid"):
        writer.write(part, small_data(tmp_path / "pictures"))
    writer.finish()
    for file in ("train.txt", "valid.txt", "yolo.data"):
        (tmp_path / "yolo" / file).unlink()
    before = sorted((tmp_path / "yolo").iterdir())
    assert main(["data", "split", str(tmp_path / "yolo"), "--val", "0.5"]) == 2
    assert "yolo: is divided already, into train, val; with --force a new" in capsys.readouterr().err
    assert sorted((tmp_path / "yolo").iterdir()) == before
    assert main(["data", "split", str(tmp_path / "yolo"), "--val", "0.5", "--force"]) == 0
    assert open_source(tmp_path / "yolo").splits() == ("train", "val")
    assert (tmp_path / "yolo" / "split.data").is_file()


def test_records_cannot_be_divided(tmp_path, capsys):
    writer = WRITERS["record"](tmp_path / "record", NAMES)
    writer.write("train", small_data(tmp_path / "pictures"))
    assert main(["data", "split", str(writer.finish())]) == 2
    assert "divide the data first, then pack it" in capsys.readouterr().err


def test_yolo_without_names_takes_those_given(tmp_path, capsys):
    writer = WRITERS["yolo"](tmp_path / "yolo", NAMES)
    writer.write("train", small_data(tmp_path / "pictures"))
    writer.finish()
    folder = tmp_path / "yolo" / "train"
    assert main(["data", "split", str(folder), "--val", "0.5"]) == 2
    assert "no class names" in capsys.readouterr().err
    (tmp_path / "n.txt").write_text("".join(f"{name}\n" for name in NAMES))
    assert main(["data", "split", str(folder), "--val", "0.5", "--classes", str(tmp_path / "n.txt")]) == 0
    assert open_source(folder).class_names(()) == NAMES
