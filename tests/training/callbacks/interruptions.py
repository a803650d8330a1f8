"""What interrupts a training: a callback that acts at one moment, and what it does."""

from __future__ import annotations

from gluon_yolo import Callback


class Doing(Callback):
    """Calls a function at one hook of the second epoch; at its second batch if it is a hook of a step."""

    def __init__(self, hook: str, action) -> None:
        self.action, self.is_step, self.ended = action, "step_" in hook, 0
        setattr(self, hook, self.act)

    def act(self, trainer):
        done = trainer.metric_logger.done
        if trainer.epoch == 1 and (not self.is_step or done == 2):
            self.action(trainer)

    def on_train_end(self, trainer):
        self.ended += 1


def stop(trainer) -> None:
    trainer.should_stop = True


def fail(_trainer) -> None:
    raise ValueError("no luck")
