"""``gluon_yolo.train``: its result, repeated and resumed runs, and the examples of its page."""

from __future__ import annotations

import json
import logging
import os
import signal
from pathlib import Path

import numpy as np
import pytest

import gluon_yolo
from gluon_yolo.api.train_result import TrainResult
from gluon_yolo.cli import main
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.training import session
from gluon_yolo.training.checkpoint import Checkpoint
from tests.models.darknet.small import SMALL
from tests.small_training import draw_data, parameters, rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return a folder with a data set, and the cfg of a two-layer network without training settings."""
    folder = tmp_path_factory.mktemp("train")
    draw_data(folder)
    (folder / "net.cfg").write_text(SMALL)
    return folder


def settings(folder: Path, prefix: str, **more) -> dict:
    given = {"network": str(folder / "net.cfg"), "data": folder / "shapes", "gpus": "", "batch_size": 4}
    given = {**given, "pretrained_base": "no", "epochs": 2, "log_interval": 1, "num_workers": 1}
    return {**given, "save_prefix": f"{folder}/{prefix}/", **more}


@pytest.fixture(scope="module")
def trained(folder) -> TrainResult:
    return gluon_yolo.train(**settings(folder, "first"))


def test_the_result(trained, folder):
    assert trained.folder == folder / "first" / "net-1"
    progress = Checkpoint(trained.folder / "weights").read()
    assert (trained.best_score, trained.best_epoch) == (progress.best_score, progress.best_epoch)
    assert trained.score_key == progress.score_key and trained.score_key in trained.numbers
    assert trained.trained and trained.stopped is None and trained.best_weights.is_file()
    assert trained.args == json.loads((trained.folder / "args.json").read_text())
    assert list(trained.metrics["epoch"]) == [0, 1] and trained.metrics["total"].notna().all()
    assert [f"{loss:.6g}" for loss in trained.metrics["total"]] == [
        f"{float(row['total']):.6g}" for row in rows(trained.folder)
    ]
    assert str(trained) == (
        f"{trained.folder}: best {trained.score_key} {progress.best_score:.4f} at epoch {progress.best_epoch}"
    )


def test_what_a_notebook_shows(trained, tmp_path):
    shown = trained._repr_html_()
    assert str(trained.folder) in shown and shown.count("<tr") == 3  # a head, and two epochs
    assert "<b" not in TrainResult(tmp_path / "<b>")._repr_html_()


def test_the_predictor_has_the_best_weights(trained, folder):
    predictor = trained.predictor(score_threshold=0.01)
    assert predictor.score_threshold == 0.01 and predictor.spec.class_names[0] == "circle"
    (image, *_) = sorted((folder / "shapes" / "JPEGImages").iterdir())
    assert predictor(str(image)).boxes.shape[1] == 4


def test_without_anything_found_there_is_no_best_threshold(trained):
    """The validation looks for one, and the record has none; what it keeps is in ``test_prepare``."""
    assert trained.numbers["best_F1"] == 0
    assert ModelRecord.read(trained.folder / "model.json").best_threshold is None
    assert trained.predictor().score_threshold == 0.3


def same(one: Path, other: Path) -> bool:
    expected, found = parameters(one), parameters(other)
    equal = all(np.array_equal(found[name], expected[name]) for name in expected)
    return rows(one) == rows(other) and expected.keys() == found.keys() and equal


def test_a_run_is_repeated_from_its_config(trained, folder):
    again = gluon_yolo.train(trained.folder / "config.yaml", save_prefix=f"{folder}/again/")
    assert again.folder == folder / "again" / "net-1" and same(trained.folder, again.folder)
    changed = gluon_yolo.train(gluon_yolo.TrainConfig.load(again.folder / "config.yaml"), seed=1, epochs=1)
    assert changed.folder == folder / "again" / "net-2" and changed.args["seed"] == 1
    assert rows(changed.folder) != rows(trained.folder)[:1]


def test_the_command_does_the_same(trained, folder):
    words = ["--network", str(folder / "net.cfg"), "--data", str(folder / "shapes"), "--gpus", "", "-j", "1"]
    words += ["--batch-size", "4", "--pretrained-base", "no", "--epochs", "2", "--log-interval", "1"]
    assert main(["train", *words, "--save-prefix", f"{folder}/command/"]) == 0
    run = folder / "command" / "net-1"
    assert same(trained.folder, run)
    kept = json.loads((run / "args.json").read_text())
    assert {**kept, "save_prefix": ""} == {**trained.args, "save_prefix": ""}


def test_a_run_that_is_stopped_goes_on_to_the_same(trained, folder):
    class Stopper(logging.Handler):
        def emit(self, record):
            if record.getMessage().startswith("epoch 1 batch 1/3"):
                os.kill(os.getpid(), signal.SIGTERM)

    logger, stopper = logging.getLogger("gluon_yolo"), Stopper()
    logger.addHandler(stopper)
    try:
        stopped = gluon_yolo.train(settings(folder, "stopped"))
    finally:
        logger.removeHandler(stopper)
    assert stopped.stopped == signal.SIGTERM and stopped.numbers is None and stopped.trained
    assert "stopped by SIGTERM" in (stopped.folder / "log.txt").read_text()
    went_on = gluon_yolo.train(resume=stopped.folder)
    assert went_on.stopped is None and went_on.numbers is not None
    assert same(trained.folder, went_on.folder)
    finished = gluon_yolo.train(resume=stopped.folder)
    assert not finished.trained and finished.numbers is None
    assert (finished.best_score, finished.args["epochs"]) == (went_on.best_score, 2)


def test_callbacks_reach_the_training(folder, monkeypatch):
    found = []

    class Recorded(session.Trainer):
        def __init__(self, *given, callbacks=(), **more):
            super().__init__(*given, callbacks=callbacks, **more)
            found.append(callbacks)

    monkeypatch.setattr(session, "Trainer", Recorded)
    mine = gluon_yolo.Callback()
    gluon_yolo.train(**settings(folder, "callbacks", epochs=1), callbacks=[mine])
    assert found == [[mine]]


@pytest.mark.parametrize(
    "given, setting, said",
    [
        (dict(lr=-1), "lr", "lr -1.0: must be above 0"),
        (dict(lr="fast"), "lr", "lr fast: expected a number"),
        (dict(config={"lr": "fast"}), "lr", "lr fast: expected a number"),
        (
            dict(random_shapes=[32], no_random_shape=True),
            "no_random_shape",
            "no_random_shape excludes random_sh",
        ),
        (dict(epoch=3), "", "epoch: there is no such setting; did you mean epochs?"),
        (dict(config={"batchsize": 3}), "", "batchsize: there is no such setting; did you mean batch_size?"),
        (dict(config="absent.yaml"), "", "absent.yaml: cannot read the file of settings: No such file"),
        (dict(resume="absent"), "", "absent: no such run"),
        (
            dict(data_root="D", weights=None),
            "data",
            "name the data once: data PATH, or dataset with data_root",
        ),
        (dict(freeze="nothing"), "freeze", "freeze nothing: nothing in net is called so"),
        (dict(memory=1e-3), "", "memory: this training would be killed: it needs about "),
    ],
)
def test_what_cannot_be_used_names_the_setting(folder, tmp_path, given, setting, said):
    config = given.pop("config", None)
    with pytest.raises(UserError) as caught:
        gluon_yolo.train(config, **settings(tmp_path, "runs", **{"data": str(folder / "shapes"), **given,
                         "network": str(folder / "net.cfg")}))  # fmt: skip
    assert str(caught.value).startswith(said) and "--" not in str(caught.value)
    assert not setting or (isinstance(caught.value, SettingError) and caught.value.setting == setting)
    assert not (tmp_path / "runs").exists()
