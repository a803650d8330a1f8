"""WIDER FACE from the command line: trained on from a darknet cfg and from MobileNet0.25, and scored on."""

from __future__ import annotations

import csv
import logging

import pytest

from gluon_yolo.cli import main


def test_a_model_whose_class_has_another_name_is_scored(shared_data, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="gluon_yolo")
    net = shared_data / "darknet" / "yoloface-500k" / "yoloface-500k"
    words = [f"{net}.cfg", f"{net}.weights", "--names", str(shared_data / "darknet" / "face.names")]
    assert main(["import", "darknet", *words, "--out", str(tmp_path / "model")]) == 0
    data = ["--data", str(shared_data / "widerface"), "--val-split", "train", "--fit", "darknet"]
    scores = tmp_path / "scores.json"
    assert main(["eval", "--model", str(tmp_path / "model"), *data, "--json", str(scores)]) == 0
    assert "face is Face, the only class of both" in caplog.text
    assert '"face"' in scores.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("network", ["yoloface-500k", "mobilenet0_25"])
def test_training_learns(shared_data, tmp_path, network):
    cfg = shared_data / "darknet" / network / f"{network}.cfg"
    words = [
        "--network",
        str(cfg) if cfg.exists() else network,
        "--data-shape",
        "256x320",
        "--no-random-shape",
    ]
    data = ["--data", str(shared_data / "widerface"), "--val-split", "train", "--recipe", "small-data"]
    length = ["--epochs", "4", "--val-interval", "4", "--gpus", "", "--save-prefix", f"{tmp_path}/"]
    assert main(["train", *words, *data, *length]) == 0
    (rows,) = [list(csv.DictReader(file.open())) for file in tmp_path.glob("*/metrics.csv")]
    losses = [float(row["total"]) for row in rows]
    assert len(losses) == 4 and losses[-1] < 0.8 * losses[0]
    (log,) = [file.read_text() for file in tmp_path.glob("*/log.txt")]
    assert "anchors: 9, mean best IoU 0.7" in log  # YOLOv3's own, of MobileNet, have 0.605
