"""WiderMetric: Easy, Medium and Hard of an evaluation's images."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import numpy as np

from gluon_yolo.data.classes.read import listed
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.detections import Detections
from gluon_yolo.errors import SettingError
from gluon_yolo.evaluation.matching import Matching
from gluon_yolo.evaluation.voc_ap import area_ap
from gluon_yolo.evaluation.wider.average_precision import Matched, average_precisions, match
from gluon_yolo.evaluation.wider.ground_truth import (
    SETS,
    VALIDATION_IMAGES,
    GroundTruth,
    by_height,
)
from gluon_yolo.text import counted

KEY = "wider"


class WiderMetric:
    """Collect the predictions of images, and compute WIDER FACE's three average precisions.

    Args:
        dataset: the images; their files have WIDER FACE's names.
        ground_truth: the official one; images that it does not have take no part. None takes the
            annotations, and sets by the height of the faces, which approximate the official ones.

    Raises:
        SettingError: the data has several classes, or the ground truth has none of the images.
    """

    def __init__(self, dataset: Dataset, ground_truth: GroundTruth | None = None) -> None:
        self._ground_truth, self._class_names = ground_truth, dataset.class_names
        if len(dataset.class_names) != 1:
            raise SettingError(
                f"{dataset.report.title}: has {len(dataset.class_names)} classes "
                f"({listed(dataset.class_names)}), and Easy, Medium and Hard are of one; name that of faces "
                "with {only}"
            )
        self._stems = [stem_of(dataset, index) for index in range(len(dataset))]
        if ground_truth is not None and not any(stem in ground_truth.images for stem in self._stems):
            example = next(iter(ground_truth.images))
            raise SettingError(
                f"{{wider_ground_truth}} {ground_truth.folder}: has none of the "
                f"{counted(len(dataset), 'picture')} of {dataset.report.title}, such as {dataset.name(0)}; "
                "pictures are found by their files' names, which are those of the validation set, such as "
                f"{ground_truth.events[example]}/{example}.jpg: name that part of the data with {{val_split}}"
            )
        self.reset()

    def reset(self) -> None:
        """Remove all images."""
        self._every = Matching(self._class_names)
        self._matched: list[Matched] = []
        self._faces = np.zeros(len(SETS), dtype=np.int64)

    def update(self, index: int, predicted: Detections, truth: Detections) -> None:
        """Add image ``index`` of the data set; its predictions are of one class."""
        self._every.update(predicted, truth.replace(difficult=None), index)
        if self._ground_truth is None:
            faces = by_height(truth)
        elif self._stems[index] in self._ground_truth.images:
            faces = self._ground_truth.images[self._stems[index]]
        else:
            return
        assert predicted.scores is not None
        self._matched.append(match(predicted.boxes, predicted.scores, faces))
        self._faces += faces.in_set.sum(axis=1)

    def compute(self) -> dict[str, Any]:
        """Return the values over all images.

        Returns:
            ``Easy``, ``Medium`` and ``Hard``, NaN where no face is in a set; and ``wider``: whether they are
            ``approximate``, the number of ``pictures`` that took part, of how many (``of``), the ``faces``
            of each set, and ``AP50`` of every annotated face, those that are marked difficult too.
        """
        every = self._every.together()
        values = dict(zip(SETS, average_precisions(self._matched, self._faces)))
        whole = VALIDATION_IMAGES if self._ground_truth is None else len(self._ground_truth.images)
        about = {
            "approximate": self._ground_truth is None,
            "pictures": len(self._matched),
            "of": whole,
            "faces": dict(zip(SETS, self._faces.tolist())),
            "AP50": area_ap(*every.curve()) if every.truths else float("nan"),
        }
        return {**values, KEY: about, "per_class": {}}


def stem_of(dataset: Dataset, index: int) -> str:
    """Return the name of an image's file without its folders and its ending."""
    return PurePath(dataset.name(index)).stem
