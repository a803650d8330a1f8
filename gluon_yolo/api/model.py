"""The types that name a model for the functions of the package."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol, Union

from gluon_yolo.inference.predictor import Predictor


class Trained(Protocol):
    """The result of ``train``."""

    @property
    def folder(self) -> Path:
        """The run's folder."""


ModelLike = Union[str, "os.PathLike[str]", Predictor, Trained]


def path_of(model: Any) -> Path:
    """Return the path of a model.

    Args:
        model: a path, or the result of ``train``.
    """
    folder = getattr(model, "folder", model)
    return Path(getattr(folder, "path", folder))
