"""data dedupe: which images are there twice, which is kept, and the data without the others."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import pytest

from gluon_yolo.cli import main
from gluon_yolo.data.registry import open_source
from gluon_yolo.data.synthetic import generate


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Ten scenes; one of train again, byte by byte, with no objects; one of val in train, compressed anew."""
    root = generate(tmp_path / "data", images=10)
    images, labels = root / "JPEGImages", root / "Annotations"
    for extension, folder in ((".jpg", images), (".xml", labels)):
        shutil.copy(folder / f"scene_00000{extension}", folder / f"again{extension}")
        shutil.copy(folder / f"scene_00004{extension}", folder / f"small{extension}")
    (labels / "again.xml").write_text("<annotation><filename>again.jpg</filename></annotation>")
    image = cv2.imread(str(images / "scene_00004.jpg"))
    cv2.imwrite(str(images / "small.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 40])
    with (root / "ImageSets" / "Main" / "train.txt").open("a") as file:
        file.write("again\nsmall\n")
    return root


def test_lists(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = data.parent / "groups.json"
    assert main(["data", "dedupe", str(data), "--json", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    first, label, second, small, count, place, hint = [
        line.replace(f"{data}/JPEGImages/", "") for line in lines
    ]
    assert first.startswith("train: scene_00000.jpg (objects: ")
    assert label == "  train: again.jpg: the same bytes; its label has other objects: 0"
    assert second.startswith("train: small.jpg") and small == "  val: scene_00004.jpg: the same picture"
    assert place == f"the groups are in {out}" and hint.endswith("data_once")
    assert count == "2 of 12 pictures are copies, in 2 groups, 1 of them over several parts"
    groups = json.loads(out.read_text())
    assert [[entry["kept"] for entry in group] for group in groups] == [[True, False], [True, False]]
    assert main(["data", "dedupe", str(data), "--identical"]) == 0
    assert "1 of 12 pictures are copies, in 1 group" in capsys.readouterr().out


def test_writes_the_data_without_copies(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = data.parent / "once"
    assert main(["data", "dedupe", str(data), "--out", str(out), "--link"]) == 0
    assert f"10 pictures in {out}; train on it: gluon-yolo train --data {out}" in capsys.readouterr().out
    source = open_source(out)
    names = {part: {Path(data.name(i)).stem for i in range(len(data))} for part, data in
             ((part, source.open(split)) for part, split in source.parts().items())}  # fmt: skip
    assert names["val"] == {"scene_00009"} and {"small", "scene_00000"} < names["train"]
    assert "again" not in names["train"]
    assert main(["data", "dedupe", str(out)]) == 0
    assert "0 of 10 pictures are copies" in capsys.readouterr().out


def test_refuses_before_it_reads(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "dedupe", str(data), "--out", str(data)]) == 2
    assert main(["data", "dedupe", str(data), "--out", str(data / "once")]) == 2
    assert "lies in the data itself" in capsys.readouterr().err


def test_the_hint_finds_the_same_copies(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(data)
    (data.parent / "data_once").mkdir()
    classes = sorted(open_source(data).class_names(("train", "val")))[:2]
    words = ["dedupe", ".", "--format", "voc", "--only", classes[0], "--split", "train"]
    assert main(["data", *words, "--identical"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    hint = f"dedupe . --format voc --only {classes[0]} --split train --identical --link --out ../data_once_2"
    assert last == f"the data without them: gluon-yolo data {hint}"
    assert main(["data", *hint.split()]) == 0
    out = capsys.readouterr().out
    assert "1 of 10 pictures are copies, in 1 group" in out and "9 pictures in ../data_once_2" in out


def test_the_place_that_a_hint_names_is_not_within_the_data(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "convert", str(data), "--to", "coco", str(data.parent / "coco")]) == 0
    for path, place in (("coco/annotations/instances_train.json", "coco_once"), ("data", "data_once")):
        monkeypatch.chdir(data.parent)
        capsys.readouterr()
        assert main(["data", "dedupe", path, "--identical"]) == 0
        assert (
            capsys.readouterr()
            .out.splitlines()[-1]
            .endswith(f"dedupe {path} --identical --link --out {place}")
        )
    assert main(["data", "dedupe", str(data)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(f"--out {data.parent}/data_once")


def test_a_division_keeps_copies_together(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in ("0", "1", "2"):
        assert main(["data", "split", str(data), "--val", "0.4", "--seed", seed, "--force"]) == 0
        source = open_source(data)
        train = source.open("train")
        stems = {Path(train.name(index)).stem for index in range(len(train))}
        for pair in (("scene_00000", "again"), ("scene_00004", "small")):
            assert len(stems & set(pair)) in (0, 2)
        assert main(["data", "check", str(data)]) == 0
