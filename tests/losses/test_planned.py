"""The losses as planned graphs at the size of a training, against float64: values and gradients.

Other tests in this folder compare small cases with NumPy. Here there are thousands of anchors, many objects,
some of them with the same anchor, padding rows, and one to eighty classes.
"""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.assigners import assign
from gluon_yolo.data.loading.collate import pad_targets
from gluon_yolo.detections import Detections
from gluon_yolo.losses import make_loss
from gluon_yolo.models import zoo
from gluon_yolo.models.head_layout import head_layout_of
from gluon_yolo.mxnet_compat import gluon, nd
from gluon_yolo.spec import DetectionSpec
from tests import own_process
from tests.float64 import block_error

# oneDNN's log_softmax is exact to 4e-6 per value, which is the whole class loss of a single class.
TOLERANCE = 3e-4


class OfMaps(gluon.HybridBlock):
    """A loss with fixed targets, whose only inputs are the maps.

    Args:
        spec: of the loss.
        box_loss: of :data:`gluon_yolo.spec.BOX_LOSSES`.
        targets: (B, M, 12).
    """

    def __init__(self, spec: DetectionSpec, box_loss: str, targets: np.ndarray):
        super().__init__()
        self.loss = make_loss(spec, box_loss, 0.02)
        with self.name_scope():
            self.targets = self.params.get_constant("targets", nd.array(targets))

    def hybrid_forward(self, F, *maps, targets):
        return tuple(self.loss(*maps, targets))


def planned(
    network: str, classes: int, box_loss: str, size_hw: tuple[int, int], batch_size: int, objects: int
) -> tuple[float, str]:
    spec = zoo.entry(zoo.canonical(network)).spec
    spec = DetectionSpec(**{**vars(spec), "class_names": tuple(f"class {i}" for i in range(classes))})
    rng = np.random.default_rng(classes)
    rows = []
    for count in rng.integers(0, objects + 1, batch_size):
        centres = rng.uniform(0, 1, (count, 2)) * size_hw[::-1]
        sides = rng.uniform(8, 0.7 * min(size_hw), (count, 2))
        boxes = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1)
        boxes[1::4] = boxes[: len(boxes[1::4])]  # these match the anchors of others
        weights = rng.uniform(0.1, 1, count)
        rows.append(assign(Detections(boxes, rng.integers(0, classes, count)), weights, spec, size_hw))
    targets = pad_targets(rows)
    rule = head_layout_of(spec)
    maps = [
        rng.normal(0, 1, (batch_size, rule.channels(count, classes), size_hw[0] // s, size_hw[1] // s))
        for count, s in zip(spec.anchors_per_level, spec.strides)
    ]

    def make() -> gluon.Block:
        block = OfMaps(spec, box_loss, targets)
        block.initialize()
        return block

    return block_error(make, maps, hybridize=True)


@pytest.mark.parametrize(
    ("network", "classes", "box_loss", "size_hw", "batch_size", "objects"),
    [
        ("mobilenet1.0", 20, "yolo3", (416, 416), 4, 40),
        ("mobilenet1.0", 1, "yolo3", (320, 352), 8, 3),
        ("mobilenet1.0", 80, "yolo3", (96, 160), 2, 100),
        ("mobilenet1.0", 3, "giou", (224, 224), 4, 20),
        ("mobilenet1.0", 3, "diou", (224, 224), 4, 20),
        ("mobilenet1.0", 3, "ciou", (224, 224), 4, 20),
        ("fastestv2", 80, "ciou", (352, 352), 8, 30),
        ("fastestv2", 1, "giou", (320, 192), 4, 60),
        ("fastestv2", 4, "diou", (64, 64), 1, 5),
    ],
)
def test_planned_losses(network, classes, box_loss, size_hw, batch_size, objects):
    apart, where = own_process.call(planned, network, classes, box_loss, size_hw, batch_size, objects)
    assert apart < TOLERANCE, f"{where} is {apart:.1e} off"
