"""data show: a sheet of images as they are and as training sees them, and what is refused at once."""

from __future__ import annotations

import cv2
import pytest

from gluon_yolo.cli import main
from gluon_yolo.data.synthetic import generate
from tests.data.voc.test_dataset import add, add_list


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return str(generate(tmp_path_factory.mktemp("show") / "shapes", images=6, size_hw=(64, 96)))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "5 pictures with their boxes, as they are: "),  # all that are for training
        (["--num", "2"], "2 pictures with their boxes, as they are: "),
        (["--split", "val"], "1 picture with its boxes, as they are: "),
        (
            ["--augment", "mosaic,light", "--mixup", "--size", "64x96", "--num", "3"],
            "3 pictures with their boxes, as `--augment mosaic,light` makes them: ",
        ),
    ],
)
def test_a_sheet(data, tmp_path, words, said, capsys):
    out = tmp_path / "sheet.png"
    assert main(["data", "show", data, "--out", str(out), *words]) == 0
    assert capsys.readouterr().out == f"{said}{out}\n"
    assert cv2.imread(str(out)) is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--num", "0"], "--num 0: expected 1 or more"),
        (["--seed", "-1"], "--seed -1: expected 0 or more"),
        (["--mixup"], "--mixup needs --augment"),
        (["--out", "sheet.gif"], "--out sheet.gif: the name must end with .jpg or .png"),
        (["--augment", "nope"], "no augmentation is called 'nope'"),
        (["--size", "100"], "--size 100: both sides must be multiples of 32"),
    ],
)
def test_what_cannot_be_meant_is_said_before_data_is_read(tmp_path, words, said, capsys):
    assert main(["data", "show", str(tmp_path / "nowhere"), *words]) == 2
    assert said in capsys.readouterr().err


def test_no_turned_images(data, capsys):
    assert main(["data", "show", data, "--turned"]) == 2
    assert f"{data}: --turned: not one picture is turned by EXIF" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["show", "anchors"])
def test_data_without_a_part_for_training(tmp_path, command, capsys):
    add(tmp_path, "a")
    for name in ("val", "test"):
        add_list(tmp_path, name, "a\n")
    assert main(["data", command, str(tmp_path)]) == 2
    assert "no pictures for training; there is test, val: name one with --split" in capsys.readouterr().err
