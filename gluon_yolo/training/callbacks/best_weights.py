"""BestWeights: saves the parameters of the epoch with the highest score, and their best score threshold."""

from __future__ import annotations

from gluon_yolo.training.callbacks.base import Callback, TrainerView
from gluon_yolo.training.checkpoint import Checkpoint


class BestWeights(Callback):
    """Writes ``weights/best.params``, and ``best_threshold`` of these weights into ``model.json``.

    The checkpoint keeps their score and epoch, in ``Progress``.
    """

    def on_validation_end(self, trainer: TrainerView) -> None:
        """Save the present parameters if they are the best so far."""
        assert trainer.result is not None
        progress = trainer.progress
        score = float(trainer.result[trainer.validation.score_key])
        if progress.best_score is None or score > progress.best_score:
            progress.best_score, progress.best_epoch = score, trainer.epoch
            Checkpoint(trainer.folder.weights).save_best(trainer.net)
            if "best_threshold" in trainer.result:
                trainer.folder.write_best_threshold(float(trainer.result["best_threshold"]))
