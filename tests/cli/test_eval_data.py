"""``eval`` of a run without ``--data`` uses the run's validation data, or tells that it is gone."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest

from gluon_yolo.cli import eval as command
from gluon_yolo.cli import main
from gluon_yolo.cli.flags.train import DEFAULTS
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.predictor import Predictor
from tests.cli.test_eval import SPEC, bright_squares
from tests.cli.test_eval import data as data  # noqa: PLC0414 - the fixture

pytest.importorskip("pycocotools")


@pytest.fixture
def run(tmp_path_factory, data, monkeypatch) -> Path:
    """Return a run whose validation data is the list ``val``."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    (folder / "weights").mkdir(parents=True)
    (folder / "weights" / "best.params").write_bytes(b"")
    ModelRecord("run", "toy", SPEC, (96, 128)).write(folder / "model.json")
    keep(folder, data=str(data), val_split="val")
    seeing = Predictor(bright_squares, SPEC, (96, 128), score_threshold=0.01)
    monkeypatch.setattr(command, "open_predictor", lambda args: seeing)
    return folder


def keep(folder: Path, **flags: object) -> None:
    kept = {**DEFAULTS, "dataset": None, "format": "voc", **flags}
    (folder / "args.json").write_text(json.dumps(kept))


def scored(capsys, *words: object) -> dict:
    assert main(["eval", *map(str, words), "--json", "scores.json"]) == 0, capsys.readouterr().err
    return json.loads(Path("scores.json").read_text())


@pytest.mark.parametrize("place", ["", "weights/best.params", "model.json"])
def test_its_own_validation_part(run, data, place, capsys, caplog, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with caplog.at_level(logging.INFO):
        numbers = scored(capsys, "--model", run / place)
    assert numbers["pictures"] == 3 and numbers["VOC_mAP50"] == 1
    assert f"no --data is given: scored on what the run was validated on, {numbers['data']}" in caplog.text
    assert numbers["data"] == f"{data.name} val"


def test_what_is_given_counts_more(run, data, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (data / "ImageSets" / "Main" / "other.txt").write_text("a\n")
    assert scored(capsys, "--model", run, "--val-split", "other")["pictures"] == 1
    files = ["--annotations", data / "instances.json", "--images", data / "JPEGImages"]
    assert scored(capsys, "--model", run, *files)["data"] != scored(capsys, "--model", run)["data"]


def test_the_format_and_the_classes_that_it_kept(run, data, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "names").write_text("star\nsquare\n")
    keep(
        run, format=None, dataset="voc", data_root=str(data), val_split="val", classes=str(tmp_path / "names")
    )
    assert list(scored(capsys, "--model", run)["per_class"]) == ["star", "square"]


def test_data_that_is_gone(run, data, capsys):
    shutil.move(data / "ImageSets", data / "gone")
    assert main(["eval", "--model", str(run)]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"It is what {run} was validated on; name the data to score on with --data PATH" in said
    keep(run, data=str(data / "nowhere"), val_split="test")
    assert main(["eval", "--model", str(run)]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"error: {run}: was validated on {data / 'nowhere'}, split test, and there is nothing now; "
        "name the data to score on with --data PATH"
    )


def test_a_class_that_there_is_not_is_told_by_the_flag(run, capsys):
    assert main(["eval", "--model", str(run), "--only", "fly"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: --only fly: there is no such class; ")
    assert f". It is what {run} was validated on; name the data to score on with --data" in error


def test_a_model_that_was_not_trained_here(run, capsys, monkeypatch):
    """An imported model has no settings: the published data is the default."""
    (run / "args.json").unlink()
    monkeypatch.setattr("gluon_yolo.data.opening._standard_place", lambda dataset: pytest.fail(dataset))
    with pytest.raises(pytest.fail.Exception, match="voc"):
        main(["eval", "--model", str(run)])
