"""The command data check: what it prints, writes and returns."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from gluon_yolo.cli import main
from gluon_yolo.data.synthetic import generate
from tests.data.quality.test_check import VOC, noise, plant_all


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    return generate(tmp_path_factory.mktemp("data") / "shapes", 10, (64, 96))


@pytest.fixture(scope="module")
def broken(tmp_path_factory) -> Path:
    """Every fault that a folder in VOC layout can have."""
    data = VOC(tmp_path_factory.mktemp("data") / "voc")
    for number in range(2):
        data.add(f"sound{number}")
        data.add(f"held{number}", name="dog", split="val")
    plant_all(data)
    for number in range(12):
        data.add_written(f"more{number}", (9, 9, 9, 20))
    data.write_lists()
    return data.root


def test_a_sound_data_set(sound, capsys):
    assert main(["data", "check", str(sound)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{sound} (Pascal VOC)"
    table = {line.split("  ")[0]: line.split()[-2:] for line in lines}
    assert table["pictures"] == ["8", "2"]
    assert "picture sizes of val: 96x64 2" in lines
    assert lines[-1] == (
        "0 errors, 0 warnings; keep the findings with --json check.json, see them with --sheet check.jpg"
    )


def test_a_broken_one(broken, capsys):
    assert main(["data", "check", str(broken)]) == 1
    out = capsys.readouterr().out
    flat = out[out.index("no-area: 13 errors") :].split("\n\n")[0].splitlines()
    assert flat[1].startswith(
        f"  {broken}/Annotations/flat.xml: object 2 (cat, xmin 9 ymin 9 xmax 9 ymax 20)"
    )
    assert len(flat) == 1 + 10 + 2
    assert flat[-2:] == [
        "  ... and 3 more (--all, or --json FILE)",
        "  what to do: delete the box, or draw it anew",
    ]
    assert "shared-picture: 1 error\n" in out and "shared-picture: 1 warning\n" in out
    assert out.splitlines()[-1].startswith("30 errors, 6 warnings; ")


def test_all_shows_all(broken, capsys):
    assert main(["data", "check", str(broken), "--all"]) == 1
    out = capsys.readouterr().out
    assert "more11.xml" in out and "--all" not in out


def test_json(broken, tmp_path, capsys):
    file = tmp_path / "check.json"
    assert main(["data", "check", str(broken), "--json", str(file)]) == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith(f"; all counts and findings: {file}")
    content = json.loads(file.read_text(), parse_constant=pytest.fail)
    assert (content["data"], content["format"]) == (str(broken), "voc")
    assert (content["errors"], content["warnings"], len(content["findings"])) == (30, 6, 36)
    assert set(content["counts"]) == {"train", "val"}
    assert content["counts"]["val"]["per_class"] == {"CAT": 0, "cat": 1, "do g": 1, "dog": 2}
    (found,) = [f for f in content["findings"] if f["file"].endswith("nan.xml")]
    assert found == {
        "severity": "error",
        "kind": "not-finite",
        "file": f"{broken}/Annotations/nan.xml",
        "where": "object 1 (cat, xmin 5 ymin 5 xmax nan ymax 31)",
        "message": "box has a corner that is no finite number; dropped",
        "advice": "correct the numbers of the box, or delete the box",
        "box_xyxy": [4.0, 4.0, None, 30.0],
    }


@pytest.mark.parametrize("name", ["check.jpg", "check.png"])
def test_sheet(broken, tmp_path, capsys, name):
    file = tmp_path / name
    assert main(["data", "check", str(broken), "--sheet", str(file)]) == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith(f"samples of each class: {file}")
    image = cv2.imread(str(file))
    # 36 worst cases, and of four classes six boxes each, or as many as there are: 6 to a row of 240.
    assert image.shape[1] == 6 * 304 + 4 and image.shape[0] > 7 * 240
    red = (image[..., 2] > 200) & (image[..., 1] < 90) & (image[..., 0] < 90)
    assert red.sum() > 2000


def test_sheet_of_a_sound_data_set_and_of_one_without_boxes(sound, tmp_path):
    assert main(["data", "check", str(sound), "--sheet", str(tmp_path / "a.png")]) == 0
    assert cv2.imread(str(tmp_path / "a.png")) is not None
    empty = shutil.copytree(sound, tmp_path / "empty")
    for label in (empty / "Annotations").iterdir():
        text = label.read_text()
        label.write_text(text[: text.index("<object>")] + "</annotation>")
    (tmp_path / "names.txt").write_text("cat\n")
    words = ["--classes", str(tmp_path / "names.txt"), "--sheet", str(tmp_path / "b.png")]
    assert main(["data", "check", str(empty), *words]) == 0
    assert np.unique(cv2.imread(str(tmp_path / "b.png"))).size > 1


@pytest.mark.parametrize(
    "words, said",
    [
        (["--sheet", "check.gif"], "--sheet check.gif: the name must end with .jpg or .png"),
        (["--classes", "none.txt"], "none.txt: cannot read the class names"),
        (["--json", "none/check.json"], "none/check.json: cannot be written: No such file or directory"),
        (["--sheet", "none/check.jpg"], "none/check.jpg: cannot be written: No such file or directory"),
    ],
)
def test_what_cannot_be_meant(sound, capsys, words, said):
    assert main(["data", "check", str(sound), *words]) == 2
    assert f"error: {said}" in capsys.readouterr().err


def test_what_is_no_data(tmp_path, capsys):
    assert main(["data", "check", str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_not_utf8(tmp_path, capsys):
    """Linux has them; nothing of them ends in a traceback."""
    for number in range(2):
        stem = os.fsencode(tmp_path) + b"/b\xe4r%d" % number
        Path(os.fsdecode(stem + b".jpg")).write_bytes(noise(number))
        Path(os.fsdecode(stem + b".txt")).write_text("0 2 2 .1 .1\n")
    (tmp_path / "classes.txt").write_text("bear\n")
    data, report = str(tmp_path), tmp_path / "check.json"
    assert main(["data", "check", data, "--json", str(report)]) == 1
    assert json.loads(report.read_text())["findings"][0]["file"] == f"{data}/b\udce4r0.txt"
    assert main(["data", "convert", data, "--to", "voc", f"{data}-voc"]) == 0
    assert sorted(os.listdir(f"{data}-voc/JPEGImages")) == ["b_r0.jpg", "b_r1.jpg"]
    assert main(["data", "split", data, "--val", "0.5"]) == 2
    assert "the name is not UTF-8, so no list can hold it; rename" in capsys.readouterr().err
