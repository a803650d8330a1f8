"""make_loss: the loss for a spec and a name, and combinations that do not fit."""

from __future__ import annotations

import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.losses import YoloFastestV2Loss, YOLOv3Loss, make_loss
from gluon_yolo.losses.iou import OVERLAPS
from gluon_yolo.spec import BOX_LOSSES, DetectionSpec

YOLO3 = DetectionSpec(("cat", "dog"))
SQUARED = DetectionSpec(("cat", "dog"), box_coding="squared_sigmoid", xy_scales=(2, 2, 2))
BY_CELL = DetectionSpec(
    ("cat", "dog"),
    (((20, 20),), ((80, 80),)),
    (16, 32),
    box_coding="squared_sigmoid",
    score_rule="objectness_times_softmax",
)
PARTS, WHOLE = ("objectness", "centre", "scale", "class"), ("objectness", "box", "class")

CASES = [
    (YOLO3, "auto", YOLOv3Loss, "yolo3", PARTS),
    (YOLO3, "yolo3", YOLOv3Loss, "yolo3", PARTS),
    (YOLO3, "giou", YOLOv3Loss, "giou", WHOLE),
    (SQUARED, "auto", YOLOv3Loss, "ciou", WHOLE),
    (SQUARED, "diou", YOLOv3Loss, "diou", WHOLE),
    (BY_CELL, "auto", YoloFastestV2Loss, "ciou", WHOLE),
    (BY_CELL, "giou", YoloFastestV2Loss, "giou", WHOLE),
]


@pytest.mark.parametrize(("spec", "name", "kind", "box_loss", "names"), CASES)
def test_of_spec_and_name(spec, name, kind, box_loss, names):
    loss = make_loss(spec, name, 0.1)
    assert type(loss) is kind
    assert (loss.box_loss, loss.names, loss.smooth) == (box_loss, names, 0.1)
    assert name in BOX_LOSSES


@pytest.mark.parametrize("spec", [SQUARED, BY_CELL])
def test_yolo3s_box_loss_needs_its_coding(spec):
    message = "box loss 'yolo3': does not fit this network's boxes .box coding squared_sigmoid.* choose from"
    with pytest.raises(UserError, match=message):
        make_loss(spec, "yolo3")


def test_a_box_loss_that_is_not_there():
    message = "box loss 'siou': there is none of that name; choose from auto, yolo3, giou, diou, ciou"
    with pytest.raises(UserError, match=message):
        make_loss(YOLO3, "siou")


@pytest.mark.parametrize("spec", [YOLO3, BY_CELL])
@pytest.mark.parametrize("smooth", [-0.1, 0.6, float("nan")])
def test_a_smoothing_out_of_range(spec, smooth):
    with pytest.raises(ValueError, match="label_smooth: expected 0 to 0.5"):
        make_loss(spec, label_smooth=smooth)


def test_yolo_fastestv2_has_two_levels():
    spec = DetectionSpec(("cat",), (((20, 20),),), (16,), score_rule="objectness_times_softmax")
    with pytest.raises(ValueError, match="expected 2 levels"):
        make_loss(spec)


def test_every_overlap_has_a_name_among_the_box_losses():
    assert set(BOX_LOSSES) == {"auto", "yolo3", *OVERLAPS}
