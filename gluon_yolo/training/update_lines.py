"""Update lines: what the log says about how weights are updated, beyond plain gradient descent."""

from __future__ import annotations

from gluon_yolo.text import exact
from gluon_yolo.training.config import TrainConfig


def update_lines(config: TrainConfig) -> list[str]:
    """Return log lines; none for settings that are off."""
    lines = []
    if config.optimizer != "sgd":
        lines.append(f"optimizer: AdamW, beta1 {exact(config.momentum)}, weight decay {exact(config.wd)}")
    if config.ema:
        ramp = f", reached slowly, over {exact(config.ema_ramp_up)} updates" if config.ema_ramp_up else ""
        lines.append(
            f"weights: their moving average is validated and saved; decay {exact(config.ema_decay)}{ramp}"
        )
    return lines
