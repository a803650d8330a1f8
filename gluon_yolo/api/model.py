"""Model: the ways in which a function of the package takes one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol, Union

from gluon_yolo.inference.predictor import Predictor


class Trained(Protocol):
    """What ``train`` returns: it knows its run's folder."""

    @property
    def folder(self) -> Path:
        """The run's folder."""


ModelLike = Union[str, "os.PathLike[str]", Predictor, Trained]


def path_of(model: Any) -> Path:
    """Return a model's path.

    Args:
        model: a path, or what ``train`` returned.
    """
    folder = getattr(model, "folder", model)
    return Path(getattr(folder, "path", folder))
