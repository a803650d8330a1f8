"""ImageGrids: saves images of training batches and of validations."""

from __future__ import annotations

from gluon_yolo.drawing.write import write_image
from gluon_yolo.evaluation.image_grids import batch_grid
from gluon_yolo.training.callbacks.base import Callback, TrainerView

SHOWN_BATCHES = 3


class ImageGrids(Callback):
    """Writes ``train-batch-N.jpg`` for the first batches, and ``validation.jpg`` for every validation."""

    def on_step_begin(self, trainer: TrainerView) -> None:
        """Write the images of a batch with the boxes that the losses get."""
        number = trainer.metric_logger.done
        if trainer.epoch == trainer.config.start_epoch and number < SHOWN_BATCHES and trainer.batch:
            image = batch_grid(trainer.batch, trainer.net.spec.class_names)
            write_image(trainer.folder.images / f"train-batch-{number}.jpg", image)

    def on_validation_end(self, trainer: TrainerView) -> None:
        """Write the validation images with their detections."""
        if trainer.validation_images is not None:
            write_image(trainer.folder.images / "validation.jpg", trainer.validation_images)
