"""Plan: one log line on the epochs of a training."""

from __future__ import annotations

from gluon_yolo.text import counted
from gluon_yolo.training.config import TrainConfig


def plan(config: TrainConfig, batches: int, images: int, validated: int) -> str:
    """Return a line with the images and batches of an epoch, and the length of the training.

    Args:
        config: of the run.
        batches: of an epoch.
        images: number of training images.
        validated: number of validation images.
    """
    size, shown = config.batch_size, batches * config.batch_size
    noun = "training picture" if images == 1 else "training pictures"
    of = f"{shown:,} of {images:,} {noun}"
    if shown == images:
        of = f"{'the' if images == 1 else 'all'} {images:,} {noun}"
    elif shown > images:  # fewer images than a batch: they are repeated in the same order
        times, rest = divmod(shown, images)
        each = "the" if images == 1 else "each of"
        of = f"{each} {images:,} {noun} {times:,}{f' or {times + 1:,}' if rest else ''} times"
    epoch = f"an epoch: {counted(batches, 'batch', form=',')} of {size}, {of}"
    every = "each epoch" if config.val_interval == 1 else f"every {config.val_interval} epochs"
    epochs = counted(config.epochs, "epoch", "epochs", form=",")
    training = f"the training: {epochs}, {counted(config.epochs * batches, 'batch', form=',')}"
    on = counted(validated, "picture", form=",")
    return f"{epoch}; {training}; validated after {every} on {on}"
