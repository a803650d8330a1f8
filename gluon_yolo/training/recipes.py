"""Recipes: sets of training defaults for a purpose."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Training defaults for a purpose.

    Args:
        purpose: in a few words.
        settings: the defaults in plain form (:mod:`gluon_yolo.training.config_forms`).
    """

    purpose: str
    settings: dict[str, Any]


AUTO = "auto"  # whose settings gluon_yolo.training.recipe_auto chooses

RECIPES = {
    AUTO: Recipe("size, batch, epochs, anchors, augmentation and rate chosen from the data, and said", {}),
    "small-data": Recipe(
        "a few hundred pictures of one's own, a few dozen epochs",
        {
            "epochs": 30,
            "batch_size": 4,
            "data_shape": "320",
            "no_random_shape": True,
            "augment": "light",
            "lr_mode": "cosine",
            "warmup_epochs": 2,
            "no_wd": True,
            "lr": 0.0015,
            "anchors": "better",
            "assigner": "better",
        },
    ),
}
