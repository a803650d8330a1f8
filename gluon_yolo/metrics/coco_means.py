"""COCOMeans: COCO's AP and AP50 of all objects alone, for what is scored often."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from gluon_yolo.metrics.coco_ap import COCOMetric, _index, _mean_known


class COCOMeans(COCOMetric):
    """As :class:`gluon_yolo.metrics.coco_ap.COCOMetric`, but two numbers in the place of twelve.

    pycocotools matches objects once, and not once more for each of three sizes: a third of the time.
    """

    def compute(self) -> dict[str, Any]:
        """Return both numbers over all pictures, and those of every class.

        Returns:
            ``AP`` and ``AP50``, NaN when there is nothing to find, and ``per_class``: ``{name: {"COCO_AP",
            "COCO_AP50"}}``, NaN for a class without objects.
        """
        from pycocotools.cocoeval import COCOeval

        found = _index({**self._truth.dataset, "annotations": self._results})
        with contextlib.redirect_stdout(io.StringIO()):
            judge = COCOeval(self._truth, found, "bbox")
            judge.params.imgIds = sorted(set(self.image_ids))
            judge.params.catIds = sorted(set(self.category_ids))
            judge.params.areaRng, judge.params.areaRngLbl = judge.params.areaRng[:1], ["all"]
            judge.params.maxDets = judge.params.maxDets[-1:]
            judge.evaluate()
            judge.accumulate()
        precision = judge.eval["precision"][:, :, :, 0, 0]  # axes: overlap (0.50 first), recall, category
        per_class = {}
        for category in self.category_ids:
            own = precision[:, :, judge.params.catIds.index(category)]
            name = self._truth.cats[category]["name"]
            per_class[name] = {"COCO_AP": _mean_known(own), "COCO_AP50": _mean_known(own[0])}
        return {"AP": _mean_known(precision), "AP50": _mean_known(precision[0]), "per_class": per_class}
