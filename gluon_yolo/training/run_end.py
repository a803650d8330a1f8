"""Run end: what is said of a training that ends before its last epoch, and Diverged, which may end it."""

from __future__ import annotations

import logging
import shlex

from gluon_yolo.training.checkpoint import Checkpoint
from gluon_yolo.training.run_dir import RunFolder
from gluon_yolo.training.state import Progress

log = logging.getLogger("gluon_yolo")


class Diverged(Exception):
    """A loss or the weights are not finite. The message says which, without the place in the training."""


def at(progress: Progress) -> str:
    """Return a position of a training as text."""
    return f"epoch {progress.epoch}, batch {progress.batch}"


def failed(what: str, progress: Progress, checkpoint: Checkpoint) -> str:
    """Return where and why a training failed, and what is saved of it."""
    kept = "nothing was saved before"
    if checkpoint.exists():
        kept = f"{checkpoint.last} keeps the state of {at(checkpoint.read())}"
    return f"{at(progress)}: {what}. Training stopped; {kept}"


def log_stopped(by: str, progress: Progress, folder: RunFolder) -> None:
    """Log that a signal or a callback stopped a training, and the command that goes on with it."""
    command = f"gluon-yolo train --resume {shlex.quote(str(folder.path))}"
    log.info("stopped by %s at %s; go on with: %s", by, at(progress), command)


def log_ended(reason: str, progress: Progress, epochs: int, learning_rate: float) -> None:
    """Log that a training ended with a whole epoch before its last one.

    Args:
        reason: why.
        progress: after the epoch.
        epochs: that the training was to have.
        learning_rate: of its last step.
    """
    of = f"epoch {progress.epoch - 1}, the {progress.epoch}. of {epochs}"
    log.info("ended after %s: %s; the rate was %.3g by then", of, reason, learning_rate)


def log_rolled_back(what: str, where: Progress, to: Progress, factor: float, tries: int, last: int) -> None:
    """Log that a training goes back to its last checkpoint, with a lower learning rate.

    Args:
        what: is not finite.
        where: the position at which it was found.
        to: the position of the checkpoint.
        factor: of the learning rate from now on.
        tries: the number of times that the run was rolled back.
        last: how often it may be.
    """
    log.warning(
        "%s: %s. Rolled back to the weights of %s; from there on %g of the learning rate; try %d of %d",
        *(at(where), what, at(to), factor, tries, last),
    )


def log_more_epochs(before: int, now: int, progress: Progress, last_rate: float, next_rate: float) -> None:
    """Log what becomes of the learning rate where a run is given other epochs than it had.

    Args:
        before: the epochs that it had.
        now: the epochs that it has.
        progress: where it goes on.
        last_rate: learning rate of the last step.
        next_rate: learning rate of the next step.
    """
    log.info(
        "%d epochs in the place of %d: the learning rate is that of a training of %d epochs, at %s: "
        "%.3g, after %.3g at the last step",
        *(now, before, now, at(progress), next_rate, last_rate),
    )
