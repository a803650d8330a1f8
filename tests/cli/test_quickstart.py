"""``quickstart``: short in the fast test, at full length in the slow one."""

from __future__ import annotations

import json
import re

import pytest

from gluon_yolo.cli import main, quickstart
from gluon_yolo.errors import UserError


def test_every_step_leaves_its_files_and_a_bad_model_is_called_bad(tmp_path, monkeypatch, capfd):
    tmp_path = tmp_path / "a [x] folder"  # its name is also a glob pattern
    monkeypatch.setattr(quickstart, "IMAGES", 10)
    short = {"--network": "mobilenet0_25", "--data-shape": "64x96", "--epochs": "1", "--warmup-epochs": "0"}
    monkeypatch.setattr(quickstart, "TRAINING", {**quickstart.TRAINING, **short})

    assert main(["quickstart", "--out", str(tmp_path)]) == 1

    out = capfd.readouterr().out
    assert "NOT GOOD ENOUGH, mAP50 and F1 should be above 0.9: mAP50 0." in out.strip().splitlines()[-1]
    (line,) = re.findall(r"^  (score > 0.3: precision .*)$", out, re.MULTILINE)
    assert out.count(line) == 2  # one is from `eval`
    commands = re.findall(r"^\$ gluon-yolo (\w+)", out, re.MULTILINE)
    assert commands == ["synth", "train", "export", "eval", "demo"]
    (run,) = (path.parent for path in tmp_path.glob("*/args.json"))
    assert (run / "weights" / "best.params").is_file()
    assert json.loads((tmp_path / "scores.json").read_text())["VOC_mAP50"] is not None
    assert run.name == "shapes-1"
    written = {path.name.replace("shapes", "", 1) for path in (tmp_path / "model").iterdir()}
    formats = {"-symbol.json": "symbol", ".onnx": "onnx", ".param": "ncnn"}
    assert {kind for ending, kind in formats.items() if ending in written} == {
        kind for kind in formats.values() if quickstart.installed(kind)
    }
    assert [path.name for path in (tmp_path / "pictures").glob("[!.]*")] == ["scene_00004.jpg"]


def test_a_step_that_fails_ends_the_road(tmp_path, capfd):
    with pytest.raises(UserError, match="`eval` did not succeed"):
        quickstart.step("eval", "--model", tmp_path / "nothing")
    assert "nothing" in capfd.readouterr().err


@pytest.mark.slow
def test_the_model_is_good(tmp_path, capfd):
    status = main(["quickstart", "--out", str(tmp_path)])
    assert status == 0, capfd.readouterr().out[-2000:]
