"""Update lines: what the log says about how weights are updated, beyond plain gradient descent."""

from __future__ import annotations

from gluon_yolo.text import exact
from gluon_yolo.training.config import TrainConfig


def update_lines(config: TrainConfig) -> list[str]:
    """Return log lines; none for settings that are off."""
    lines = []
    if config.accumulate > 1:
        most = config.accumulate * config.batch_size
        lines.append(
            f"updates: by the gradients of {config.accumulate} batches, {most} pictures, and of what is left "
            f"at an epoch's end; batch normalisation sees {config.batch_size} pictures at a time"
        )
    if config.optimizer != "sgd":
        lines.append(f"optimizer: AdamW, beta1 {exact(config.momentum)}, weight decay {exact(config.wd)}")
    if config.clip_grad_norm:
        lines.append(f"updates: gradients are shortened to a norm of {exact(config.clip_grad_norm)}")
    if config.ema:
        ramp = f", reached slowly, over {exact(config.ema_ramp_up)} updates" if config.ema_ramp_up else ""
        lines.append(
            f"weights: their moving average is validated and saved; decay {exact(config.ema_decay)}{ramp}"
        )
    return lines
