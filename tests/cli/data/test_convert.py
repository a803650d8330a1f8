"""data convert: from a path to a folder in another format, and what is said on the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.cli import main
from gluon_yolo.data.registry import WRITERS, open_source
from gluon_yolo.data.synthetic import generate
from tests.data.coco.test_source import add_file, add_image, record
from tests.data.small_data import NAMES, small_data
from tests.data.voc.test_dataset import add


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("shapes") / "data", images=10, size_hw=(64, 96))


@pytest.mark.parametrize("format", ["voc", "coco", "yolo", "record"])
def test_all_parts_are_written(shapes, tmp_path, format, capsys, caplog):
    out = tmp_path / "my out"
    assert main(["data", "convert", str(shapes), "--to", format, str(out)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert f"8 train, 2 val pictures: {out}; train on it: gluon-yolo train --data '" in last
    assert caplog.messages[0] == f"data: Pascal VOC, splits train, trainval, val: {shapes}"
    place = Path(last.rpartition(" --data ")[2].strip("'"))
    found, expected = open_source(place), open_source(shapes)
    for part, count in (("train", 8), ("val", 2)):
        ours, theirs = found.open(found.parts()[part]), expected.open(part)
        assert (len(ours), ours.class_names) == (count, theirs.class_names)
        for index in range(count):
            assert ours.encoded(index) == theirs.encoded(index)
            np.testing.assert_allclose(
                ours.annotations(index).boxes, theirs.annotations(index).boxes, atol=1e-3
            )


def test_chosen_splits_keep_their_names(shapes, tmp_path, capsys):
    words = ["--split", "val", "--split", "trainval", "--link", "--format", "voc"]
    assert main(["data", "convert", str(shapes), "--to", "coco", str(tmp_path / "out"), *words]) == 0
    assert open_source(tmp_path / "out").splits() == ("trainval", "val")
    assert "2 val, 10 trainval pictures" in capsys.readouterr().out
    first = next((tmp_path / "out" / "val").iterdir())
    assert first.samefile(shapes / "JPEGImages" / first.name)


def test_what_is_not_written_is_said(tmp_path, capsys, caplog):
    for name in "ab":
        add_image(tmp_path / "in" / f"{name}.png")
    content = record()
    content["images"].append({"id": 8, "file_name": "b.png"})
    box = content["annotations"][0]
    content["annotations"] += [{**box, "bbox": [5, 5, 0, 2]}, {**box, "iscrowd": 1}]
    add_file(tmp_path / "in" / "x.json", content)
    (tmp_path / "in" / "b.png").write_bytes(b"no picture")
    words = ["data", "convert", str(tmp_path / "in"), "--to", "voc", str(tmp_path / "out")]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert "b.png: cannot read the picture" in error and "--skip-bad" in error
    assert not (tmp_path / "out").exists()
    assert main([*words, "--skip-bad"]) == 0
    lost = "not written: 1 broken box dropped, 1 crowd box left out, 1 picture left out that cannot be used"
    assert caplog.messages[-1] == lost and "1 train pictures" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [["convert", "IN", "--to", "coco", "OUT"], ["pack", "IN", "OUT"], ["dedupe", "IN", "--out", "OUT"]],
)
def test_crowds_and_areas_that_get_lost_are_said(tmp_path, caplog, words):
    """One object has its outline's area, one its box's but for rounding, one none, and there is a crowd."""
    add_image(tmp_path / "in" / "a.png")
    content = record()
    box = content["annotations"][0]
    more = [{"area": 60}, {"area": 120.5}, {}, {"iscrowd": 1, "area": 50}]
    content["annotations"] = [{**box, "bbox": [n, 2, 10, 12], **each} for n, each in enumerate(more)]
    add_file(tmp_path / "in" / "x.json", content)
    places = {"IN": str(tmp_path / "in"), "OUT": str(tmp_path / "out")}
    assert main(["data", *(places.get(word, word) for word in words)]) == 0
    lost = "1 crowd box left out, 1 area of outlines (the boxes' areas count for small, medium and large)"
    assert caplog.messages[-1] == f"not written: {lost}"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        # what the user says, what the answer must name
        (["SHAPES", "--to", "coco", "SHAPES"], "holds something else already; name another folder"),
        (["SHAPES", "--to", "coco", "OUT", "--split", "tset"], "no list tset.txt; there are"),
        (["NOWHERE", "--to", "coco", "OUT"], "NOWHERE: no such file or folder"),
        (["SHAPES", "--to", "coco", "OUT", "--format", "record"], "no .rec file"),
        (["SHAPES", "--to", "coco", "FILE/out"], "cannot be written: Not a directory"),
    ],
)
def test_mistakes(shapes, tmp_path, words, message, capsys):
    places = {"SHAPES": str(shapes), **{name: str(tmp_path / name) for name in ("OUT", "FILE", "NOWHERE")}}
    (tmp_path / "FILE").write_text("")
    for name, place in places.items():
        words = [word.replace(name, place) if word.startswith(name) else word for word in words]
    assert main(["data", "convert", *words]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "OUT").exists()


@pytest.mark.parametrize(
    ("format", "said"),
    [
        ("voc", "divide it: gluon-yolo data split {out} --force"),
        ("record", "split {data}, then pack it anew"),
    ],
)
def test_data_without_validation_is_to_be_divided(tmp_path, format, said, capsys):
    add(tmp_path / "data", "a")
    assert main(["data", "convert", str(tmp_path / "data"), "--to", format, str(tmp_path / "out")]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith(said.format(out=tmp_path / "out", data=tmp_path / "data"))


def test_settings_that_get_lost_are_said(tmp_path, capsys, caplog):
    writer = WRITERS["yolo"](tmp_path / "yolo", NAMES)
    for part in ("train", "val"):
        writer.write(part, small_data(tmp_path / "pictures"))
    file = writer.finish()
    text = (
        "[train-configure]\nepochs=7\n[data-configure]\ntrain=train.txt\nval=val.txt\nnames=category.names\n"
    )
    file.write_text(text)
    for command in (["convert", "--to", "coco"], ["pack"]):
        out = tmp_path / command[0]
        caplog.clear()
        assert main(["data", command[0], str(file), str(out), *command[1:]]) == 0
        assert f"{file}: its settings for training are not in {out}" in caplog.messages


@pytest.mark.parametrize("to", ["voc", "coco", "yolo", "keras"])
def test_a_data_set_that_was_not_written_to_its_end_is_not_read(shapes, tmp_path, to, capsys):
    out = tmp_path / "half"
    assert main(["data", "convert", str(shapes), str(out), "--to", to]) == 0
    (out / ".gluon_yolo").write_text(f"{to} begun\n")  # as after a kill
    assert main(["data", "check", str(out)]) == 2
    assert f"error: {out}: was not written to its end" in capsys.readouterr().err
    assert main(["data", "convert", str(shapes), str(out), "--to", to]) == 0
    assert main(["data", "check", str(out)]) == 0
