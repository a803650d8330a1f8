"""Class map: a model's class ids as a data set's, by the classes' names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.errors import UserError
from gluon_yolo.structures import Detections

_NAMES_SHOWN = 8


class ClassMap:
    """Renumbers what a model finds, so that it can be held against a data set's ground truth.

    Args:
        class_names: the model's.
        dataset: with classes that the model knows, in any order.
        model: what messages call the model.

    Raises:
        UserError: the data has a class that the model does not know.
    """

    def __init__(self, class_names: Sequence[str], dataset: Dataset, model: str = "the model") -> None:
        unknown = [name for name in dataset.class_names if name not in class_names]
        if unknown:
            raise UserError(
                f"{model} and {dataset.report.title} disagree on the classes: the model knows "
                f"{len(class_names)} ({_listed(class_names)}), the data has {len(dataset.class_names)} "
                f"({_listed(dataset.class_names)}), of which the model does not know {_listed(unknown)}. "
                "Names must match exactly"
            )
        places = {name: class_id for class_id, name in enumerate(dataset.class_names)}
        self._class_ids = np.array([places.get(name, -1) for name in class_names])

    def __call__(self, found: Detections) -> Detections:
        """Return detections with the data's class ids; those of classes that it has not are left out."""
        class_ids = self._class_ids[found.class_ids]
        return found.replace(class_ids=class_ids)[class_ids >= 0]


def _listed(names: Sequence[str]) -> str:
    """Return names with commas between, and how many more there are."""
    more = [f"and {len(names) - _NAMES_SHOWN} more"] if len(names) > _NAMES_SHOWN else []
    return ", ".join([*map(str, names[:_NAMES_SHOWN]), *more])
