"""Plan: what an epoch of a training is, and what the whole of it, in a line."""

from __future__ import annotations

from gluon_yolo.engine.settings import TrainSettings
from gluon_yolo.text import counted


def plan(settings: TrainSettings, batches: int, pictures: int, validated: int) -> str:
    """Say what an epoch is, and what the training.

    Args:
        settings: of the run.
        batches: of an epoch.
        pictures: to train on.
        validated: pictures to validate on.
    """
    size, shown = settings.batch_size, batches * settings.batch_size
    of = f"all {pictures:,}" if shown == pictures else f"{shown:,} of {pictures:,}"
    if shown > pictures:
        of = f"{shown:,} times one of {pictures:,}"
    epoch = f"an epoch: {counted(batches, 'batch', form=',')} of {size}, {of} training pictures"
    every = "each epoch" if settings.val_interval == 1 else f"every {settings.val_interval} epochs"
    epochs = counted(settings.epochs, "epoch", "epochs", form=",")
    training = f"the training: {epochs}, {counted(settings.epochs * batches, 'batch', form=',')}"
    on = counted(validated, "picture", form=",")
    return f"{epoch}; {training}; validated after {every} on {on}"
