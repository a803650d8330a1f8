"""EarlyStopping: ends a training whose validation score does not rise any more."""

from __future__ import annotations

from typing import Any

from gluon_yolo.text import counted
from gluon_yolo.training.callbacks.base import Callback, TrainerView


class EarlyStopping(Callback):
    """Ends the training after a number of validations without a better score.

    A score counts as better where it is above the best one so far, as for the best weights. The run then
    counts as finished.

    Args:
        patience: validations without a better score, 1 or more.
    """

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self._waited = 0

    def on_validation_end(self, trainer: TrainerView) -> None:
        """Count the validation; end the training where there are enough of them."""
        progress = trainer.progress
        self._waited = 0 if progress.best_epoch == trainer.epoch else self._waited + 1
        if self._waited >= self._patience:
            trainer.end(
                f"{counted(self._waited, 'validation')} without a better {trainer.validation.score_key} than "
                f"{progress.best_score:.4f} of epoch {progress.best_epoch}"
            )

    def state_dict(self) -> dict[str, Any]:
        """Return the number of validations without a better score."""
        return {"waited": self._waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the number of validations; it starts anew for a run that it had ended, and that goes on."""
        waited = int(state["waited"])
        self._waited = waited if waited < self._patience else 0
