"""``train --config``: a file of settings with flags, a run's config.yaml, and errors in a file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.cli import main
from gluon_yolo.training.config import PLAIN_DEFAULTS, TrainConfig
from tests.models.darknet.small import SMALL
from tests.small_training import draw_data, parameters, rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("config")
    draw_data(folder)
    (folder / "net.cfg").write_text(SMALL.replace("[net]\n", "[net]\nmomentum=0.7\n"))
    return folder


@pytest.fixture
def there(folder, monkeypatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def test_flags_count_more_than_the_file_and_the_file_more_than_recipe_and_cfg(there, capsys, caplog):
    (there / "mine.yaml").write_text(
        "network: net.cfg\ndata: shapes\ngpus: ''\nrecipe: small-data\npretrained_base: no\nepochs: 2\n"
        "no-wd: false\nbatch-size: 2\nsave_prefix: mine/\nnum-samples: 4\n"
    )
    assert main(["train", "--config", "mine.yaml", "--epochs", "1", "-j", "0", "--lr-decay-epoch", "1"]) == 0
    args = json.loads((there / "mine" / "net-1" / "args.json").read_text())
    expected = {
        "epochs": 1,
        "num_workers": 0,
        "batch_size": 2,
        "no_wd": False,
        "lr_mode": "cosine",
        "momentum": 0.7,
    }
    assert {name: args[name] for name in expected} == expected
    assert (args["data"], args["network"]) == (str(there / "shapes"), str(there / "net.cfg"))
    assert set(args) == set(PLAIN_DEFAULTS)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("settings of ")]
    assert "--momentum 0.7" in line and line.endswith("; flags that are given count more")
    assert caplog.text.count("--lr-decay-epoch has no effect with --lr-mode cosine") == 1


def test_a_run_is_repeated_by_its_config(there, capsys):
    """It includes what the run found: batch size and input size for the CPU, and anchors."""
    words = ["--network", "net.cfg", "--data", "shapes", "--gpus", "", "--pretrained-base", "no", "-j", "1"]
    words += ["--epochs", "2", "--anchors", "auto", "--save-prefix", "runs/"]
    assert main(["train", *words]) == 0
    assert main(["train", "--config", "runs/net-1/config.yaml"]) == 0
    said = capsys.readouterr().err
    assert said.count("a CPU's defaults: --batch-size 8") == 1
    one, two = (there / "runs" / f"net-{number}" for number in (1, 2))
    expected, found = parameters(one), parameters(two)
    assert rows(one) == rows(two) and len(rows(one)) == 2
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
    assert (one / "args.json").read_bytes() == (two / "args.json").read_bytes()
    assert (one / "config.yaml").read_bytes() == (two / "config.yaml").read_bytes()
    config = TrainConfig.load(one / "config.yaml")
    assert (config.batch_size, config.random_shape, config.name) == (8, False, None)
    assert config.anchors == json.loads((one / "args.json").read_text())["anchors"] and "," in config.anchors


@pytest.mark.parametrize(
    "text, words, said",
    [
        (
            "batchsize: 3",
            "",
            "mine.yaml: line 1: batchsize: there is no such setting; did you mean batch_size?",
        ),
        ("lr: fast", "", "mine.yaml: line 1: lr fast: expected a number"),
        ("lr: -1", "", "mine.yaml: line 1: as --lr -1.0: must be above 0"),
        ("lr: -1", "--lr 0", "--lr 0.0: must be above 0"),
        ("epochs: 3\nfreeze: nose", "", "mine.yaml: line 2: as --freeze nose: nothing in net is called so"),
        ("name: a/b", "", "mine.yaml: line 1: as --name 'a/b': expected a plain file name"),
        ("memory: 0", "", "mine.yaml: line 1: as --memory 0.0: must be above 0"),
        ("recipe: large", "", "mine.yaml: line 1: as --recipe large: choose from auto, small-data"),
        (
            "pretrained_base: no.params",
            "",
            "mine.yaml: line 1: as --pretrained-base no.params: expected auto, ",
        ),
        ("dataset: coco", "--data shapes --anchors 1,2,3", "--anchors: anchors '1,2,3': expected"),
        ("anchors: 1,2,3", "", "mine.yaml: line 1: as --anchors: anchors '1,2,3': expected"),
        ("anchors: none.txt", "", "mine.yaml: line 1: as --anchors: none.txt: cannot read the anchors"),
        ("augment: none,best", "", "mine.yaml: line 1: as --augment 'none,best': no augmentation is called"),
        ("network: mobilenet9", "", "mine.yaml: line 1: as --network: unknown network 'mobilenet9'; did"),
        ("format: coco", "--data shapes --batch-size 0", "--batch-size 0: must be 1 or more"),
        (None, "", "mine.yaml: cannot read the file of settings: No such file or directory"),
    ],
)
def test_mistakes(there, text, words, said, capsys):
    path = there / "mine.yaml"
    path.unlink(missing_ok=True)
    if text is not None:
        path.write_text(text)
    given = ["--config", "mine.yaml", "--gpus", "", "--save-prefix", "none/"]
    given += [] if (text or "").startswith("network") else ["--network", "net.cfg"]
    data = [] if "--data" in words else ["--data", "shapes"]
    assert main(["train", *given, *data, *words.split()]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"error: {said}")
    assert not (there / "none").exists()
