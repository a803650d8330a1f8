"""ErrorKindsMetric: hand-made cases, a plain derivation of TIDE's costs, and what tidecv gives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gluon_yolo.detections import Detections
from gluon_yolo.evaluation.coco_ap import COCOMetric, is_counted
from gluon_yolo.evaluation.error_kinds import KINDS, SUMS, Cost, ErrorKinds, ErrorKindsMetric
from tests.evaluation.detected_images import CLASSES, Image, detected_images
from tests.evaluation.test_confusion import (
    ANT,
    BEE,
    CAT,
    NONE,
    NOTHING,
    at,
    detections,
    iou,
    objects,
    shared,
    size,
)

FAR = 100.0

# detections; objects; crowds; number of errors by kind; AP50; AP50 lost by kind. What is not named is 0.
# With one object found at rank 2 of 2 the AP is 1/2; with one of two found, 51 of 101 recalls are reached.
HALF = 51 / 101
CASES: dict[str, tuple[Detections, Detections, Detections, dict[str, int], float, dict[str, float]]] = {
    "all right": (detections((at(0), ANT, 0.9)), objects((at(0), ANT)), NOTHING, {}, 1, {}),
    "no detections": (
        NONE, objects((at(0), ANT)), NOTHING,
        {"missed": 1, "false_negatives": 1}, 0, {"missed": 1, "false_negatives": 1},
    ),
    "class": (
        detections((at(1), BEE, 0.9)), objects((at(0), ANT)), NOTHING,
        {"class": 1, "false_positives": 1, "false_negatives": 1}, 0, {"class": 1, "false_negatives": 1},
    ),
    "location": (
        detections((at(4), ANT, 0.9)), objects((at(0), ANT)), NOTHING,
        {"location": 1, "false_positives": 1, "false_negatives": 1}, 0, {"location": 1},
    ),
    "both": (
        detections((at(4), BEE, 0.9)), objects((at(0), ANT)), NOTHING,
        {"both": 1, "missed": 1, "false_positives": 1, "false_negatives": 1}, 0,
        {"missed": 1, "false_negatives": 1},
    ),
    "duplicate": (
        detections((at(0), ANT, 0.9), (at(1), ANT, 0.8), (at(FAR), ANT, 0.7)),
        objects((at(0), ANT), (at(FAR), ANT)), NOTHING,
        {"duplicate": 1, "false_positives": 1}, (51 + 50 * 2 / 3) / 101,
        {"duplicate": 50 / 303, "false_positives": 50 / 303},
    ),
    "background": (
        detections((at(FAR), ANT, 0.9), (at(0), ANT, 0.8)), objects((at(0), ANT)), NOTHING,
        {"background": 1, "false_positives": 1}, 1 / 2, {"background": 1 / 2, "false_positives": 1 / 2},
    ),
    # IoU 1/19 = 0.05 with the object
    "background that touches": (
        detections((at(9), ANT, 0.9), (at(0), ANT, 0.8)), objects((at(0), ANT)), NOTHING,
        {"background": 1, "false_positives": 1}, 1 / 2, {"background": 1 / 2, "false_positives": 1 / 2},
    ),
    "missed": (
        detections((at(0), ANT, 0.9)), objects((at(0), ANT), (at(FAR), ANT)), NOTHING,
        {"missed": 1, "false_negatives": 1}, HALF, {"missed": 1 - HALF, "false_negatives": 1 - HALF},
    ),
    # Both are near the object. When both are right only the better one becomes so, the other one is removed.
    "two for one object": (
        detections((at(4), ANT, 0.9), (at(-4), ANT, 0.8)), objects((at(0), ANT)), NOTHING,
        {"location": 2, "false_positives": 2, "false_negatives": 1}, 0, {"location": 1},
    ),
    # The best claim is the bee's: to mend the place of the ant mends nothing.
    "two kinds for one object": (
        detections((at(1), BEE, 0.9), (at(4), ANT, 0.8)), objects((at(0), ANT)), NOTHING,
        {"class": 1, "location": 1, "false_positives": 2, "false_negatives": 1}, 0, {"class": 1},
    ),
    # Off the place of an object that is found: nothing to find, it is only removed.
    "location of a found object": (
        detections((at(4), ANT, 0.9), (at(0), ANT, 0.8)), objects((at(0), ANT)), NOTHING,
        {"location": 1, "false_positives": 1}, 1 / 2, {"location": 1 / 2, "false_positives": 1 / 2},
    ),
    "difficult": (
        detections((at(0), ANT, 0.9), (at(FAR), ANT, 0.8)),
        objects((at(0), ANT), (at(FAR), ANT), (at(2 * FAR), ANT), difficult=(0, 2)), NOTHING, {}, 1, {},
    ),
    "crowd": (
        detections((at(20), ANT, 0.9), (at(0), ANT, 0.8), (at(20), BEE, 0.7)),
        objects((at(0), ANT)), objects((at(15, 60), ANT)),
        {"background": 1, "false_positives": 1}, 1, {},  # the bee; no bee is annotated
    ),
    # An ignored detection claims no object.
    "on a crowd and near an object": (
        detections((at(4), ANT, 0.9), (at(-4), ANT, 0.8)), objects((at(0), ANT)), objects((at(4, 60), ANT)),
        {"location": 1, "false_positives": 1, "false_negatives": 1}, 0, {"location": 1},
    ),
    # One class is whole, the other has no detection: fixed, it is left out of the mean.
    "a class without detections": (
        detections((at(0), ANT, 0.9)), objects((at(0), ANT), (at(FAR), BEE)), NOTHING,
        {"missed": 1, "false_negatives": 1}, 1 / 2, {"missed": 1 / 2, "false_negatives": 1 / 2},
    ),
}  # fmt: skip


def judged(images: list[Image], class_names: Any = CLASSES) -> ErrorKinds:
    metric = ErrorKindsMetric(class_names, crowds=lambda index: images[index][2])
    for index, (predicted, truth, _) in enumerate(images):
        metric.update(index, predicted, truth)
    return metric.error_kinds()


@pytest.mark.parametrize("case", CASES)
def test_by_hand(case: str) -> None:
    predicted, truth, crowds, counts, ap50, lost = CASES[case]
    errors = judged([(predicted, truth, crowds)])
    kinds = (*KINDS, *SUMS)
    assert {kind: errors.together[kind].count for kind in kinds} == {
        kind: counts.get(kind, 0) for kind in kinds
    }
    assert errors.AP50 == pytest.approx(ap50)
    found = {kind: errors.together[kind].AP50_lost for kind in kinds}
    assert found == pytest.approx({kind: lost.get(kind, 0) for kind in kinds})


def test_no_annotations() -> None:
    """Errors are counted, and nothing can be lost."""
    errors = judged([(detections((at(0), BEE, 0.9)), NOTHING, NOTHING)])
    assert errors.together["background"].count == 1 and errors.per_class["bee"]["background"].count == 1
    assert math.isnan(errors.AP50) and math.isnan(errors.together["background"].AP50_lost)
    assert math.isnan(errors.per_class["bee"]["background"].AP50_lost)
    empty = judged([])
    assert math.isnan(empty.AP50) and empty.together["missed"].count == 0


def test_per_class() -> None:
    """A bee that is named ant: the ant's AP loses a false positive, the bee's an object."""
    predicted = detections((at(FAR), ANT, 0.9), (at(0), ANT, 0.8))
    errors = judged([(predicted, objects((at(0), ANT), (at(FAR), BEE)), NOTHING)])
    assert errors.AP50 == pytest.approx((1 / 2 + 0) / 2)
    assert errors.together["class"] == Cost(1, pytest.approx(3 / 4))
    assert errors.per_class["ant"]["class"] == Cost(1, pytest.approx(1 / 2))
    assert errors.per_class["bee"]["class"] == Cost(0, pytest.approx(1))
    assert errors.per_class["bee"]["false_negatives"] == Cost(1, pytest.approx(1))
    assert errors.per_class["cat"]["class"].count == 0
    numbers = errors.numbers()
    assert numbers["class"] == {"count": 1, "AP50_lost": pytest.approx(3 / 4)}
    assert numbers["per_class"]["bee"]["missed"] == {"count": 0, "AP50_lost": 0}
    assert list(numbers["per_class"]) == ["ant", "bee"]  # no error is of a cat


def test_ties_are_in_the_order_of_the_images() -> None:
    """Two detections of one score: the right one first gives an AP of 1, the wrong one first 1/2."""
    right = (detections((at(0), ANT, 0.5)), objects((at(0), ANT)), NOTHING)
    wrong = (detections((at(0), ANT, 0.5)), NOTHING, NOTHING)
    assert judged([right, wrong]).AP50 == 1 and judged([wrong, right]).AP50 == pytest.approx(1 / 2)


def test_one_class() -> None:
    predicted = detections((at(4), 0, 0.9), (at(FAR), 0, 0.8))
    errors = judged([(predicted, objects((at(0), 0), (at(FAR), 0)), NOTHING)], ("ant",))
    assert errors.AP50 == pytest.approx(HALF / 2)
    assert (
        errors.together["location"]
        == errors.per_class["ant"]["location"]
        == Cost(1, pytest.approx(1 - HALF / 2))
    )


def test_a_thousand_classes() -> None:
    names = [f"class {number}" for number in range(1000)]
    predicted, truth = detections((at(0), 999, 0.9)), objects((at(0), 500))
    errors = judged([(predicted, truth, NOTHING)], names)
    assert errors.together["class"] == Cost(1, 1) and errors.per_class["class 500"]["class"] == Cost(0, 1)


Row = tuple[int, float, bool]  # class, score, right
LEVELS = np.linspace(0, 1, 101).tolist()  # as pycocotools has them: the 36th is above 0.35


def plain(images: list[Image]) -> tuple[float, dict[str, float]]:
    """Return AP50 and the cost of each kind, by lists of detections before and after each fix."""
    right: list[Row] = []
    wrong: list[tuple[str, Row, Row | None]] = []  # kind, as it is, as it is when fixed
    objects_of, unfound, missed = [0] * 3, [0] * 3, [0] * 3
    for predicted, truth, crowds in images:
        regions = list(zip(crowds.boxes.tolist(), crowds.class_ids.tolist()))
        there: list[dict[str, Any]] = []
        for box, class_id, difficult in zip(
            truth.boxes.tolist(), truth.class_ids.tolist(), truth.difficult.tolist()
        ):
            if difficult:
                regions.append((box, class_id))
            else:
                there.append({"box": box, "class": class_id, "found": False, "claimed": False})
        rows = zip(predicted.boxes.tolist(), predicted.class_ids.tolist(), predicted.scores.tolist())
        left = []
        for box, class_id, score in sorted(rows, key=lambda row: -row[2]):
            free = [thing for thing in there if thing["class"] == class_id and not thing["found"]]
            best = max(free, key=lambda thing: iou(box, thing["box"]), default=None)
            if best is not None and iou(box, best["box"]) >= 0.5:
                best["found"] = True
                right.append((class_id, score, True))
            elif not any(
                class_id == its and shared(box, region) >= 0.5 * size(box) for region, its in regions
            ):
                left.append((box, class_id, score))
        for box, class_id, score in left:
            own = [thing for thing in there if thing["class"] == class_id]
            others = [thing for thing in there if thing["class"] != class_id]
            nearest = max(own, key=lambda thing: iou(box, thing["box"]), default=None)
            other = max(others, key=lambda thing: iou(box, thing["box"]), default=None)
            fixed, at_place = None, None
            if nearest is not None and 0.1 <= iou(box, nearest["box"]) <= 0.5:
                kind, at_place = "location", nearest
            elif other is not None and iou(box, other["box"]) >= 0.5:
                kind, at_place = "class", other
            elif any(iou(box, thing["box"]) >= 0.5 for thing in own):
                kind = "duplicate"
            elif all(iou(box, thing["box"]) <= 0.1 for thing in there):
                kind = "background"
            else:
                kind = "both"
            if at_place is not None and not at_place["found"] and not at_place["claimed"]:
                at_place["claimed"] = True
                fixed = (at_place["class"], score, True)
            wrong.append((kind, (class_id, score, False), fixed))
        for thing in there:
            objects_of[thing["class"]] += 1
            unfound[thing["class"]] += not thing["found"]
            missed[thing["class"]] += not thing["found"] and not thing["claimed"]
    as_is = [row for _, row, _ in wrong]
    base = mean_ap(right + as_is, objects_of)
    lost = {}
    for kind in KINDS:
        rows_now = [fixed if its == kind else row for its, row, fixed in wrong]
        counts = [a - b for a, b in zip(objects_of, missed)] if kind == "missed" else objects_of
        lost[kind] = mean_ap(right + [row for row in rows_now if row is not None], counts) - base
    lost["false_positives"] = mean_ap(right + [(row[0], -1.0, False) for row in as_is], objects_of) - base
    found = [a - b for a, b in zip(objects_of, unfound)]
    lost["false_negatives"] = mean_ap(right + as_is, found) - base
    return base, lost


def mean_ap(rows: list[Row], objects_of: list[int]) -> float:
    """Return the mean over the classes of the mean precision at 101 recalls."""
    aps = []
    for class_id, count in enumerate(objects_of):
        points, found = [], 0
        mine = sorted((row for row in rows if row[0] == class_id), key=lambda row: -row[1])
        for rank, (_, _, is_right) in enumerate(mine, 1):
            found += is_right
            points.append((found / count, found / rank))
        aps.append(sum(max((p for r, p in points if r >= level), default=0.0) for level in LEVELS) / 101)
    return sum(aps) / len(aps)


@pytest.mark.parametrize("seed", range(5))
def test_equals_a_plain_derivation(seed: int) -> None:
    images = detected_images(seed)
    errors, (base, lost) = judged(images), plain(images)
    assert errors.AP50 == pytest.approx(base, abs=1e-12) and 0.1 < base < 0.9
    found = {kind: cost.AP50_lost for kind, cost in errors.together.items()}
    assert found == pytest.approx({kind: max(value, 0) for kind, value in lost.items()}, abs=1e-12)
    assert all(errors.together[kind].count for kind in ("class", "location", "background", "missed"))


@pytest.mark.skipif(not is_counted(), reason="pycocotools is not installed")
@pytest.mark.parametrize("seed", range(3))
def test_its_ap_is_cocos(seed: int) -> None:
    """AP50 by pycocotools, with difficult objects and crowds as crowds."""
    images = detected_images(seed)
    annotations: list[dict[str, Any]] = []
    for index, (_, truth, crowds) in enumerate(images):
        for things, marks in ((truth, truth.difficult), (crowds, np.ones(len(crowds), bool))):
            for box, class_id, is_crowd in zip(things.boxes.tolist(), things.class_ids.tolist(), marks):
                bbox = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
                record = {"image_id": index, "category_id": class_id + 1, "iscrowd": int(is_crowd)}
                record.update(id=len(annotations) + 1)
                annotations.append({**record, "bbox": bbox, "area": bbox[2] * bbox[3]})
    categories = [{"id": number, "name": name} for number, name in enumerate(CLASSES, 1)]
    content = {"images": [{"id": i} for i in range(len(images))], "annotations": annotations}
    metric = COCOMetric({**content, "categories": categories})
    for index, (predicted, truth, _) in enumerate(images):
        metric.update(index, predicted, truth)
    assert judged(images).AP50 == pytest.approx(metric.compute()["AP50"], abs=1e-12)


# tidecv 1.0.1, TIDE().evaluate(...) of these images: its AP, then dAP by Cls, Loc, Both, Dupe, Bkg, Miss,
# FalsePos, FalseNeg, all in percent.
TIDECV: dict[int, list[float]] = {
    0: [
        26.117433172,
        1.350161414,
        31.58220584,
        1.028518265,
        0.671982612,
        2.245139928,
        6.48823811,
        18.767055277,
        31.637181575,
    ],
    1: [
        17.870290899,
        5.28166148,
        25.000951353,
        0.777285118,
        0.015530965,
        2.384569429,
        7.572421882,
        22.393735504,
        25.406763365,
    ],
    2: [
        24.988339414,
        7.511301855,
        25.109506253,
        0.969610119,
        0.0,
        6.034524778,
        4.267549943,
        27.156875108,
        20.006391944,
    ],
    3: [
        23.984990761,
        6.350498123,
        29.240187049,
        2.078183001,
        0.203187657,
        4.290927411,
        3.905054196,
        23.539761714,
        27.060398302,
    ],
}
# The same with difficult objects and crowds as ignored regions, and without ``or pred['used'] == None`` in
# its TIDERun._eval_image, by which detections on such regions are errors too.
TIDECV_UNSURE: dict[int, list[float]] = {
    0: [
        19.611858622,
        2.086685182,
        31.677918974,
        1.127612761,
        0.710985066,
        3.901159347,
        3.796296296,
        19.662068771,
        34.34747962,
    ],
    1: [
        12.370501756,
        8.805615856,
        35.000619712,
        0.325755447,
        0.10386753,
        1.996126083,
        2.661810299,
        20.632798574,
        26.14173182,
    ],
    2: [
        17.988342975,
        10.735824819,
        32.436469155,
        2.245774427,
        0.026759433,
        1.5909721,
        4.252793576,
        21.285584418,
        27.046257971,
    ],
    3: [
        20.089298307,
        5.769872919,
        28.762114307,
        1.646336795,
        0.0,
        4.667891698,
        5.432649492,
        18.524563079,
        30.898584364,
    ],
}


@pytest.mark.parametrize("seed", TIDECV)
@pytest.mark.parametrize("unsure", [False, True])
def test_equals_tidecv(seed: int, unsure: bool) -> None:
    errors = judged(detected_images(seed, unsure=unsure))
    found = [errors.AP50, *(errors.together[kind].AP50_lost for kind in (*KINDS, *SUMS))]
    expected = (TIDECV_UNSURE if unsure else TIDECV)[seed]
    # A recall of 7/20 reaches its level 35 / 100, and not COCO's 36th level, 35 * 0.01.
    tolerance = 0.01 if (seed, unsure) == (3, False) else 1e-6
    assert [100 * value for value in found] == pytest.approx(expected, abs=tolerance)


def test_what_is_refused_and_reset() -> None:
    metric = ErrorKindsMetric(CLASSES)
    with pytest.raises(ValueError, match="predicted: expected scores, got None"):
        metric.update(0, objects((at(0), ANT)), NOTHING)
    with pytest.raises(ValueError, match="class ids: expected 0..2, got 3..3"):
        metric.update(0, NONE, objects((at(0), 3)))
    metric.update(0, detections((at(0), CAT, 0.9)), objects((at(0), CAT)))
    assert metric.compute()["errors"]["AP50"] == 1
    metric.reset()
    assert metric.error_kinds().together["background"].count == 0
