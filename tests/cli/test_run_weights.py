"""RUN/best and RUN/last: every command that takes a run uses the named weights."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.cli import main
from gluon_yolo.inference.model_files import weights_of
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.mxnet_compat import mx
from tests.small_training import NAME, draw_data, parameters, start_run


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return draw_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(data, tmp_path_factory) -> Path:
    """Return a run whose best weights detect objects everywhere, and whose last ones are from one epoch."""
    status, run = start_run(data, tmp_path_factory.mktemp("runs"), "--epochs", "1")
    assert status == 0
    arrays = mx.nd.load(str(run / "weights" / "best.params"))
    for name, array in arrays.items():
        if name.startswith("heads") and name.endswith("bias"):
            arrays[name] = array + 9
    mx.nd.save(str(run / "weights" / "best.params"), arrays)
    return run


def count(found) -> int:
    return len(found[0] if isinstance(found, list) else found)


def test_predictor(run, data):
    image = data / "JPEGImages" / "scene_00000.jpg"
    by_name = {which: count(Predictor.load(run / which)(image)) for which in ("", "best", "last")}
    assert by_name[""] == by_name["best"] > by_name["last"]
    weights = run / "last"
    names = json.loads((run / "model.json").read_text())["spec"]["class_names"]
    assert count(Predictor.from_network(NAME, weights, names, size_hw=(64, 64))(image)) == by_name["last"]


def test_demo_and_eval(run, data, tmp_path, capsys):
    found = {}
    for which in ("best", "last"):
        words = ["--model", f"{run}//{which}/", "--json", str(tmp_path / f"{which}.json")]
        assert main(["demo", *words, "--out", str(tmp_path / which), str(data / "JPEGImages")]) == 0
        found[which] = len(json.loads((tmp_path / f"{which}.json").read_text()))
    assert found["best"] > found["last"]
    assert main(["eval", "--model", str(run / "last"), "--data", str(data)]) == 0
    assert "VOC07 mAP50" in capsys.readouterr().out


def test_export_and_summary(run, tmp_path, capsys):
    for which in ("best", "last"):
        assert main(["export", str(run / which), "--out", str(tmp_path / which)]) == 0
    exported = [mx.nd.load(str(next((tmp_path / which).glob("*.params")))) for which in ("best", "last")]
    differ = [name for name in exported[0] if not np.array_equal(*(e[name].asnumpy() for e in exported))]
    assert differ and all("bias" in name for name in differ)
    capsys.readouterr()
    assert main(["summary", str(run / "last")]) == 0
    assert f"{NAME}, one picture of 64 x 64" in capsys.readouterr().out


@pytest.mark.parametrize("flag", ["--weights", "--pretrained", "--pretrained-base"])
def test_train(run, data, tmp_path, capsys, flag):
    words = ["--epochs", "1", "--lr", "1e-12", "--warmup-epochs", "0", flag, str(run / "last")]
    status, fresh = start_run(data, tmp_path, *words)
    assert status == 0
    kind = "backbone" if flag == "--pretrained-base" else "weights"
    assert f"{kind}: {weights_of(run / 'last')}: " in capsys.readouterr().err
    before, after = parameters(run), parameters(fresh)
    place = next(name for name in before if name.startswith("backbone") and name.endswith("weight"))
    np.testing.assert_allclose(after[place], before[place], atol=1e-9)


def test_weights_that_are_not_there(run, data, tmp_path, capsys):
    assert main(["demo", "--model", str(run / "lats"), str(data / "JPEGImages")]) == 2
    assert f"{run}/lats: no such file or folder; give an exported model's folder" in capsys.readouterr().err
