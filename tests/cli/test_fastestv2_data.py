"""Yolo-FastestV2's ``.data`` file decides network, size, anchors and names in train, eval and demo."""

from __future__ import annotations

import cv2
import pytest

from gluon_yolo.cli import main
from gluon_yolo.data.registry import WRITERS
from tests.data.small_data import NAMES, small_data
from tests.random_model import random_image

ANCHORS = "6,8, 12,14, 20,22, 30,28"


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """Return a .data file as in the documentation, beside its lists."""
    folder = tmp_path_factory.mktemp("fastest")
    writer = WRITERS["yolo"](folder / "out", NAMES)
    for split in ("train", "val"):
        writer.write(split, small_data(folder / "pictures"))
    path = writer.finish()
    keys = {
        **{"epochs": 1, "steps": "150,250", "batch_size": 2, "learning_rate": 0.001, "pre_weights": "None"},
        **{"width": 96, "height": 64, "anchor_num": 2, "anchors": f"{ANCHORS} # anchor bias"},
    }
    path.write_text(path.read_text() + "\n" + "".join(f"{key}={value}\n" for key, value in keys.items()))
    return path


@pytest.fixture(scope="module")
def weights(described, tmp_path_factory):
    """Train with the file, and return the best weights."""
    prefix = tmp_path_factory.mktemp("runs")
    words = ["--save-prefix", f"{prefix}/", "--gpus", "", "--pretrained-base", "no"]
    assert main(["train", "--data", str(described), *words]) == 0
    (run,) = prefix.iterdir()
    assert run.name == "yolo_fastestv2_custom-1"
    log = (run / "log.txt").read_text()
    assert "input 64x96" in log and "anchors: 4" in log and "(objectness" in log and ", box " in log
    return run / "weights" / "best.params"


def test_eval(described, weights, tmp_path, capsys):
    words = ["--weights", str(weights), "--json", str(tmp_path / "scores.json")]
    assert main(["eval", "--data", str(described), *words]) == 0
    assert "input 64x96" in capsys.readouterr().out


def test_demo_needs_no_images_of_the_data(described, weights, tmp_path, capsys):
    text = "\n".join(
        line for line in described.read_text().splitlines() if not line.startswith(("train", "val"))
    )
    moved = described.with_name("moved.data")
    moved.write_text(f"{text}\ntrain=/nowhere/train.txt\nval=/nowhere/val.txt\n")
    cv2.imwrite(str(tmp_path / "a.png"), random_image(50, 70))
    words = ["--weights", str(weights), "--out", str(tmp_path / "out"), str(tmp_path / "a.png")]
    assert main(["demo", "--data", str(moved), *words]) == 0
    assert cv2.imread(str(tmp_path / "out" / "a.png")).shape == (50, 70, 3)
    assert "1 done" in capsys.readouterr().out


def test_weights_must_be_named(described, capsys):
    assert main(["demo", "--data", str(described), "a.png"]) == 2
    assert main(["eval", "--data", str(described)]) == 2
    assert "names no weights (pre_weights); give them with --weights FILE" in capsys.readouterr().err


def test_data_without_a_network_names_no_model(tmp_path, capsys):
    writer = WRITERS["yolo"](tmp_path / "out", NAMES)
    writer.write("val", small_data(tmp_path / "pictures"))
    assert main(["eval", "--data", str(writer.finish())]) == 2
    assert "name one model: --model PATH" in capsys.readouterr().err
