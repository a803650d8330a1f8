"""The trainer's own callbacks, each with a simulated trainer."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import pytest

from gluon_yolo.training.callbacks import best_weights, csv_logger, curves, snapshots
from gluon_yolo.training.callbacks.base import Callback
from gluon_yolo.training.callbacks.built_in import built_in
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.metrics_csv import MetricsCSV
from gluon_yolo.training.run_dir import RunFolder
from tests.missing_package import uninstall


def test_what_every_training_calls():
    names = [type(callback).__name__ for callback in built_in(TrainConfig("net"))]
    assert names == [
        "KeptFolder",
        "ImageGrids",
        "Profiler",
        "BestWeights",
        "ProgressLog",
        "CSVLogger",
        "Curves",
        "Snapshots",
    ]
    assert all(isinstance(callback, Callback) for callback in built_in(TrainConfig("net")))


class Saved:
    """Replaces ``Checkpoint``; records what is saved."""

    calls: list

    def __init__(self, weights):
        self.weights = weights

    def save_best(self, net):
        self.calls.append(("best", self.weights, net))

    def save_snapshot(self, net, epoch):
        self.calls.append((epoch, self.weights, net))


@pytest.fixture
def calls(monkeypatch):
    Saved.calls = []
    for module in (best_weights, snapshots):
        monkeypatch.setattr(module, "Checkpoint", Saved)
    return Saved.calls


def test_the_best_is_the_first_of_the_highest(calls):
    progress = SimpleNamespace(best_score=None, best_epoch=None)
    validation, folder = SimpleNamespace(score_key="AP"), SimpleNamespace(weights="W")
    best = []
    for epoch, score in enumerate([0.0, 0.25, 0.25, 0.125, 0.5]):
        result = {"AP": score, "AP50": 1 - score}
        trainer = SimpleNamespace(
            epoch=epoch, progress=progress, validation=validation, folder=folder, net=epoch, result=result
        )
        best_weights.BestWeights().on_validation_end(trainer)
        best.append((progress.best_epoch, progress.best_score))
    assert best == [(0, 0.0), (1, 0.25), (1, 0.25), (1, 0.25), (4, 0.5)]
    assert calls == [("best", "W", 0), ("best", "W", 1), ("best", "W", 4)]


def test_the_best_threshold_is_that_of_the_best_weights(calls, tmp_path):
    """NaN, where nothing is found, removes that of earlier weights; the rest of the description stays."""
    folder = RunFolder(tmp_path)
    folder.write_model({"format": 2, "name": "toy"})
    progress = SimpleNamespace(best_score=None, best_epoch=None)
    trainer = SimpleNamespace(
        progress=progress, validation=SimpleNamespace(score_key="AP"), folder=folder, net="N"
    )
    kept = []
    for epoch, (score, threshold) in enumerate([(0.1, 0.25), (0.05, 0.5), (0.2, 0.75), (0.3, float("nan"))]):
        trainer.epoch, trainer.result = epoch, {"AP": score, "best_threshold": threshold}
        best_weights.BestWeights().on_validation_end(trainer)
        model = folder.model()
        kept.append(model.pop("best_threshold", None))
        assert model == {"format": 2, "name": "toy"}
    assert kept == [0.25, 0.25, 0.75, None] and len(calls) == 3


@pytest.mark.parametrize("interval, kept", [(0, []), (1, [0, 1, 2, 3, 4, 5]), (3, [2, 5]), (7, [])])
def test_snapshots(calls, interval, kept):
    callback = snapshots.Snapshots(interval)
    trainer = SimpleNamespace(folder=SimpleNamespace(weights="W"), net="net")

    @contextlib.contextmanager
    def averaged():
        trainer.net = "average"
        yield
        trainer.net = "net"

    trainer.step = SimpleNamespace(averaged=averaged)
    for trainer.epoch in range(6):
        callback.on_epoch_end(trainer)
    assert calls == [(epoch, "W", "average") for epoch in kept] and trainer.net == "net"


def test_a_row_has_the_time_of_the_steps_and_the_scores_of_its_own_validation(tmp_path):
    metrics = MetricsCSV(tmp_path / "metrics.csv")
    times = iter([2.0, 3.0])
    logger = SimpleNamespace(row=lambda: {"total": 1.5, "seconds": next(times)})
    callback = csv_logger.CSVLogger()
    trainer = SimpleNamespace(
        metric_logger=logger,
        folder=SimpleNamespace(metrics=metrics),
        learning_rate=0.25,
        epoch=0,
        result=None,
    )
    callback.on_steps_end(trainer)
    trainer.result = {"AP": 0.5, "by_class": [1, 2]}
    callback.on_validation_end(trainer)
    callback.on_epoch_end(trainer)
    trainer.epoch = 1  # not validated: the result is that of the epoch before
    callback.on_steps_end(trainer)
    callback.on_epoch_end(trainer)
    assert metrics.rows() == [
        {"epoch": "0", "lr": "0.25", "total": "1.5", "seconds": "2", "AP": "0.5"},
        {"epoch": "1", "lr": "0.25", "total": "1.5", "seconds": "3", "AP": ""},
    ]


def curves_of(folder) -> SimpleNamespace:
    metrics = MetricsCSV(folder / "metrics.csv")
    if not metrics.rows():
        metrics.append({"epoch": 0, "lr": 0.1, "total": 2.5})
    return SimpleNamespace(
        folder=SimpleNamespace(path=folder, metrics=metrics),
        validation=SimpleNamespace(score_key="AP"),
    )


def test_curves_are_drawn_after_epochs(tmp_path, caplog):
    pytest.importorskip("matplotlib")
    callback = curves.Curves()
    callback.on_epoch_end(curves_of(tmp_path))
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG") and not caplog.records


def test_without_matplotlib_a_training_goes_on_without_curves(tmp_path, caplog, monkeypatch):
    uninstall(monkeypatch, "matplotlib")
    callback = curves.Curves()
    for _ in range(2):
        callback.on_epoch_end(curves_of(tmp_path))
    why = "curves.png will not be drawn: matplotlib is not installed: pip install matplotlib"
    assert caplog.messages == [why]
    assert not (tmp_path / "curves.png").exists()
