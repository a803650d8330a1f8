"""``train`` on data of other formats: settings of the data's own file, and the validation split."""

from __future__ import annotations

import json
import os

import pytest

from gluon_yolo.cli import main
from gluon_yolo.cli.flags.train import DEFAULTS
from gluon_yolo.data.registry import WRITERS, open_source
from gluon_yolo.training.prepare import validation_of
from tests.cli.test_train_flags import settings_of
from tests.data.small_data import NAMES, small_data


@pytest.mark.parametrize("format", ["voc", "coco", "yolo", "record"])
def test_what_validates(tmp_path, format):
    pytest.importorskip("pycocotools")
    writer = WRITERS[format](tmp_path / "out", NAMES)
    writer.write("val", small_data(tmp_path / "pictures"))
    source = open_source(writer.finish())
    val = source.open(source.splits()[0])
    assert (
        validation_of(val, settings_of(dict(DEFAULTS), "yolo3_mobilenet1.0_custom", 3)).score_key == "fitness"
    )


def test_a_data_file_sets_flags_and_given_ones_count_more(tmp_path, monkeypatch, capsys):
    writer = WRITERS["yolo"](tmp_path / "out", NAMES)
    for split in ("train", "val"):
        writer.write(split, small_data(tmp_path / "pictures"))
    path = writer.finish()
    lines = "epochs=1\nbatch_size=2\nsteps=3,4\nlearning_rate=0.0625\nwidth=96\nheight=64\n"
    path.write_text(path.read_text() + lines)
    monkeypatch.chdir(tmp_path)
    words = [
        "--data",
        os.path.relpath(path),
        "--gpus",
        "",
        "--network",
        "mobilenet0_25",
        "--pretrained-base",
        "no",
    ]
    words += ["--lr", "0.001", "-j", "1", "--save-prefix", "runs/", "--num-samples", "2"]
    assert main(["train", *words]) == 0
    (run,) = (tmp_path / "runs").iterdir()
    flags = json.loads((run / "args.json").read_text())
    kept = (
        "epochs",
        "batch_size",
        "lr_decay_epoch",
        "data_shape",
        "no_random_shape",
        "lr",
        "data",
        "dataset",
    )
    assert [flags[name] for name in kept] == [1, 2, "3,4", "64x96", True, 0.001, str(path), None]
    said = "--epochs 1 --batch-size 2 --lr-decay-epoch 3,4 --data-shape 64x96 --no-random-shape"
    told = f"settings of {path}: {said}; flags that are given count more"
    assert told in capsys.readouterr().err
