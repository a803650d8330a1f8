"""JSONLogger: writes ``log.jsonl``, the numbers of a training for other programs."""

from __future__ import annotations

import time
from typing import Any

from gluon_yolo.training.callbacks.base import Callback, TrainerView
from gluon_yolo.training.json_log import JSONLog

FILE = "log.jsonl"


class JSONLogger(Callback):
    """Appends an object for every ``interval`` steps, and one for each epoch.

    ``{"kind": "step", "time", "epoch", "step", "lr", "loss", "losses", "steps"}`` has the mean losses of the
    last ``steps`` steps. ``{"kind": "epoch", ..., "seconds", "pictures_per_second", "metrics", "best"}`` has
    the mean losses of the epoch; ``metrics`` is empty where the epoch was not validated. ``step`` counts from
    the start of the training, ``epoch`` from 0. ``time`` is UTC.

    An epoch's line is written before its checkpoint. A resumed run removes the lines that its checkpoint does
    not contain, and writes them again.

    Args:
        interval: steps between lines.
    """

    def __init__(self, interval: int) -> None:
        self._interval = interval
        self._sums: dict[str, float] = {}
        self._count = 0
        self._epoch: dict[str, Any] = {}

    def on_train_begin(self, trainer: TrainerView) -> None:
        """Remove the lines of steps and epochs that this process trains again."""
        progress = trainer.progress

        def is_kept(record: dict[str, Any]) -> bool:
            if record.get("kind") == "epoch":
                return record.get("epoch", 0) < progress.epoch
            return record.get("step", 0) <= progress.step

        _log_of(trainer).keep(is_kept)

    def rolled_back(self, trainer: TrainerView) -> None:
        """Drop the lines and the losses after the checkpoint."""
        self.on_train_begin(trainer)
        if type(self).__name__ not in trainer.progress.callbacks:
            self._sums, self._count = {}, 0

    def on_step_end(self, trainer: TrainerView) -> None:
        """Add the losses of a step; write a line where one is due."""
        for name, value in trainer.losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1
        if trainer.progress.step % self._interval:
            return
        losses = {name: value / self._count for name, value in self._sums.items()}
        _log_of(trainer).append({**_head("step", trainer, losses), "steps": self._count})
        self._sums, self._count = {}, 0

    def on_steps_end(self, trainer: TrainerView) -> None:
        """Collect the numbers of the steps; the time then excludes the validation."""
        logger = trainer.metric_logger
        row = logger.row()
        losses = {name: row[name] for name in logger.names}
        timed = {name: row[name] for name in ("seconds", "pictures_per_second")}
        self._epoch = {**_head("epoch", trainer, losses), **timed, "metrics": {}, "best": None}

    def on_validation_end(self, trainer: TrainerView) -> None:
        """Add the scores."""
        result, progress = trainer.result or {}, trainer.progress
        self._epoch["metrics"] = scalars(result)
        self._epoch["best"] = {
            "score_key": trainer.validation.score_key,
            "score": progress.best_score,
            "epoch": progress.best_epoch,
        }

    def on_epoch_end(self, trainer: TrainerView) -> None:
        """Write the line of the epoch."""
        _log_of(trainer).append({**self._epoch, "time": _now()})

    def state_dict(self) -> dict[str, Any]:
        """Return the losses of the steps since the last line."""
        return {"sums": self._sums, "count": self._count} if self._count else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the losses of the steps since the last line."""
        self._sums = {name: float(total) for name, total in state["sums"].items()}
        self._count = int(state["count"])


def scalars(result: dict[str, Any]) -> dict[str, float]:
    """Return the numbers of a validation without those of single classes."""
    plain = {name: value.item() if hasattr(value, "item") else value for name, value in result.items()}
    return {
        name: value
        for name, value in plain.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def _head(kind: str, trainer: TrainerView, losses: dict[str, float]) -> dict[str, Any]:
    return {
        "kind": kind,
        "time": _now(),
        "epoch": trainer.epoch,
        "step": trainer.progress.step,
        "lr": trainer.learning_rate,
        "loss": sum(losses.values()),
        "losses": losses,
    }


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _log_of(trainer: TrainerView) -> JSONLog:
    return JSONLog(trainer.folder.path / FILE)
