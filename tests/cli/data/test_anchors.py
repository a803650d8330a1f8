"""The command data anchors: what it prints and writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from gluon_yolo.cli import main
from gluon_yolo.data import anchors
from gluon_yolo.data.synthetic import generate
from gluon_yolo.data.voc.dataset import open_voc


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return generate(tmp_path_factory.mktemp("data") / "shapes", 20, (64, 96))


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_nine_beside_yolov3s(data, tmp_path, capsys):
    assert main(["data", "anchors", str(data)]) == 0
    lines = capsys.readouterr().out.splitlines()
    sizes = anchors.box_sizes(open_voc(data, "train"), (416, 416))
    found = anchors.find_anchors(sizes, 9)
    iou = anchors.mean_best_iou(sizes, found)
    assert lines[0] == f"9 anchors at 416x416: {anchors.format_anchors(found)}"
    assert lines[1].split() == ["anchors", "mean", "best", "IoU", "recall"]
    assert lines[2].split() == ["found", "9", f"{iou:.3f}", f"{anchors.recall(sizes, found):.3f}"]
    assert lines[3].split()[:2] == ["YOLOv3's", "9"] and float(lines[3].split()[2]) < iou
    assert lines[4] == "written to anchors9.txt; train with them: --anchors anchors9.txt --data-shape 416"
    assert (tmp_path / "anchors9.txt").read_text() == f"{anchors.format_anchors(found)}\n{iou:.6f}\n"


def test_flags(data, tmp_path, capsys):
    words = "--num 6 --size 64x96 --letterbox --split val --seed 3 --out mine.txt --anchors".split()
    assert main(["data", "anchors", str(data), *words, "8,8, 16,16"]) == 0
    lines = capsys.readouterr().out.splitlines()
    sizes = anchors.box_sizes(open_voc(data, "val"), (64, 96))  # the images have this size
    found = anchors.find_anchors(sizes, 6, 3)
    assert anchors.read_anchors("mine.txt").tolist() == found.tolist()
    given = anchors.mean_best_iou(sizes, anchors.parse_anchors("8,8, 16,16"))
    assert lines[3].split()[:4] == ["those", "given", "2", f"{given:.3f}"]
    assert lines[-1].endswith("--anchors mine.txt --data-shape 64x96")

    words[words.index("--out") + 1] = "again.txt"
    assert main(["data", "anchors", str(data), *words, "mine.txt"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split()[1:] == lines[3].split()[2:]  # compared with themselves


@pytest.mark.parametrize(
    "words, said",
    [
        ("--num 2", "--num 2: expected 3 or more"),
        ("--num 9999", "9999 anchors cannot be found: the data has boxes of"),
        ("--seed -1", "--seed -1: expected 0 or more"),
        ("--size 100", "--size 100: both sides must be multiples of 32"),
        ("--size big", "--size 'big': expected pixels as 416"),
        ("--anchors 1,2,3", "anchors '1,2,3': expected widths and heights"),
        ("--anchors none.txt", "none.txt: cannot read the anchors"),
        ("--out none/a.txt", "none/a.txt: cannot be written"),
        ("--split tarin", ""),
    ],
)
def test_what_cannot_be_meant(data, capsys, words, said):
    assert main(["data", "anchors", str(data), *words.split()]) == 2
    assert f"error: {said}" in capsys.readouterr().err


def test_somebodys_file_is_not_written_over(data, tmp_path, capsys):
    (tmp_path / "anchors9.txt").write_text("dear diary\n")
    assert main(["data", "anchors", str(data)]) == 2
    assert "error: anchors9.txt: holds something else than anchors" in capsys.readouterr().err
    assert (tmp_path / "anchors9.txt").read_text() == "dear diary\n"
