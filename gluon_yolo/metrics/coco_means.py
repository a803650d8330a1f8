"""COCOMeans: COCO's AP and AP50 of all objects alone, for what is scored often."""

from __future__ import annotations

from typing import Any

from gluon_yolo.metrics.coco_ap import COCOMetric


class COCOMeans(COCOMetric):
    """As :class:`gluon_yolo.metrics.coco_ap.COCOMetric`, but two numbers in the place of twelve.

    pycocotools matches objects once, and not once more for each of three sizes: a third of the time.
    """

    def compute(self) -> dict[str, Any]:
        """Return ``AP`` and ``AP50`` over all pictures, and ``per_class``, as ``COCOMetric`` does."""
        return self._numbers(self._judged(every_size=False), ("AP", "AP50"))
