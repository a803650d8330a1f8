"""Class map: convert a model's class ids to a data set's, by the names of the classes."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from gluon_yolo.data.classes.read import listed
from gluon_yolo.data.classes.spelling import Spellings
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.detections import Detections
from gluon_yolo.errors import SettingError

logger = logging.getLogger("gluon_yolo")


class ClassMap:
    """Converts a model's class ids, so that its detections can be compared with a data set's annotations.

    A class that has another name in the model is logged. Where both have one class alone, it is the same one,
    whatever its names.

    Args:
        class_names: the model's.
        dataset: a data set with classes that the model has, in any order.
        model: the model's name in messages.
        spellings: other names of classes; None takes the known spellings.

    Raises:
        UserError: the data has a class that the model does not have, or two that are one in the model.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        dataset: Dataset,
        model: str = "the model",
        spellings: Spellings | None = None,
    ) -> None:
        spellings = spellings or Spellings()
        known = {name: spellings.find(name, class_names) for name in dataset.class_names}
        only = ""
        if len(class_names) == len(known) == 1 and None in known.values():  # whatever the two call it
            known, only = dict.fromkeys(known, class_names[0]), ", the only class of both"
        unknown = [name for name, own in known.items() if own is None]
        if unknown:
            raise SettingError(
                f"{model} and {dataset.report.title} disagree on the classes: the model knows "
                f"{len(class_names)} ({listed(class_names)}), the data has {len(dataset.class_names)} "
                f"({listed(dataset.class_names)}), of which the model does not know {listed(unknown)}. "
                "Names must match exactly, but for the spellings of VOC, COCO and darknet (sofa is couch): "
                "say with {class_map} FILE what the data calls otherwise (lines NAME = OTHER NAME), or leave "
                "classes out with {only}"
            )
        places: dict[str, int] = {}
        for class_id, (name, own) in enumerate(known.items()):
            before = places.setdefault(str(own), class_id)
            if before != class_id:
                one = dataset.class_names[before]
                raise SettingError(
                    f"{dataset.report.title}: {one} and {name} are both {own} to {model}: make them one "
                    f"class with {{class_map}} FILE and a line {one if one != own else name} = {own}"
                )
        others = [f"{name} is {own}" for name, own in known.items() if name != own]
        if others:
            logger.info("classes by another name in %s: %s%s", model, ", ".join(others), only)
        self._class_ids = np.array([places.get(name, -1) for name in class_names])
        self._class_names = tuple(dataset.class_names)

    def __call__(self, found: Detections) -> Detections:
        """Return detections with the data's class ids and names; those of other classes are left out."""
        class_ids = self._class_ids[found.class_ids]
        known = class_ids >= 0
        return found[known].replace(class_ids=class_ids[known], class_names=self._class_names)
