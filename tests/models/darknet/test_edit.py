"""Edits of a cfg for other classes, anchors or inputs: the changes of the text, and no others."""

from __future__ import annotations

import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.models.darknet.detection_spec import make_spec
from gluon_yolo.models.darknet.edit import with_heads, with_input
from gluon_yolo.models.darknet.plan import make_plan
from tests.models.darknet import small
from tests.models.darknet.small import SMALL
from tests.models.darknet.test_network import MIXED


def changes(cfg, other) -> list[tuple[str, str, str]]:
    return [
        (section.name, key, entry.value)
        for section, original in zip(other.sections, cfg.sections)
        for key, entry in section.entries.items()
        if key not in original or original.entries[key].value != entry.value
    ]


def test_other_classes_change_the_heads_alone():
    cfg = small.parsed(MIXED)
    changed = [("convolutional", "filters", "50"), ("yolo", "classes", "20")] * 2
    assert changes(cfg, with_heads(cfg, 20)) == changed


def test_other_anchors():
    """Levels are by ascending stride, which is not the order of the heads in the cfg."""
    cfg = small.parsed(MIXED)
    fine, coarse = ((3, 4.5), (5, 6), (7, 8)), ((30, 40), (50, 60))
    other = with_heads(cfg, anchors=(fine, coarse))
    text = "3,4.5,5,6,7,8,30,40,50,60"
    head = [("yolo", "anchors", text), ("yolo", "num", "5")]
    assert sorted(changes(cfg, other)) == sorted(
        [*head, ("yolo", "mask", "3,4"), *head, ("yolo", "mask", "0,1,2"), ("convolutional", "filters", "21")]
    )
    spec = make_spec(make_plan(other))
    assert spec.anchors == (fine, coarse) and spec.num_classes == 2


def test_other_ranges_of_centres():
    """They are by ascending stride as well: the second [yolo] of the cfg is the finer one."""
    cfg = small.parsed(MIXED)
    other = with_heads(cfg, xy_scales=(2, 1.5))
    assert changes(cfg, other) == [("yolo", "scale_x_y", "1.5"), ("yolo", "scale_x_y", "2")]
    assert make_spec(make_plan(other)).xy_scales == (2, 1.5)


def test_anchors_for_another_number_of_levels():
    with pytest.raises(UserError, match="small.cfg: has 1 levels, but the anchors are for 2"):
        with_heads(small.parsed(SMALL), anchors=(((1, 2),), ((3, 4),)))


def test_a_head_behind_something_else():
    text = SMALL.replace("[yolo]", "[maxpool]\nsize=1\nstride=1\n[yolo]")
    with pytest.raises(UserError, match=r"small.cfg:24: \[yolo\] does not follow a \[convolutional\]"):
        with_heads(small.parsed(text), 3)


@pytest.mark.parametrize(
    ("size_hw", "letterbox", "changed"),
    [
        ((32, 64), False, []),
        ((96, 128), False, [("net", "width", "128"), ("net", "height", "96")]),
        ((32, 64), True, [("net", "letter_box", "1")]),
    ],
)
def test_other_inputs(size_hw, letterbox, changed):
    cfg = small.parsed(SMALL)
    other = with_input(cfg, size_hw, letterbox)
    assert changes(cfg, other) == changed
    plan = make_plan(other)
    assert (plan.image.height, plan.image.width, plan.letterbox) == (*size_hw, letterbox)


def test_no_letterbox_where_the_cfg_had_one():
    cfg = small.parsed(SMALL.replace("channels=3", "channels=3\nletter_box=1"))
    assert changes(cfg, with_input(cfg, (32, 64), False)) == [("net", "letter_box", "0")]
