"""Drawing: what is asked for is on the picture, nothing else is touched, matplotlib serves curves alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.structures import Detections
from gluon_yolo.visualize import colour_of, draw, plot_curves, sheet
from tests.child import python

NAMES = ("cat", "straßenbahn", "犬")


def blank(height: int = 120, width: int = 160) -> np.ndarray:
    return np.full((height, width, 3), 90, dtype=np.uint8)


def test_draws_boxes_on_a_copy() -> None:
    picture = blank()
    drawn = draw(picture, Detections([[30, 40, 100, 90]], [0]), NAMES, labels=False)
    assert (picture == 90).all()
    changed = np.argwhere((drawn != 90).any(axis=2))
    assert np.abs([*changed.min(axis=0), *changed.max(axis=0)] - np.array([40, 30, 90, 100])).max() <= 1
    assert tuple(drawn[40, 60]) == colour_of(0) and tuple(drawn[65, 65]) == (90, 90, 90)


@pytest.mark.parametrize("box", [[0, 0, 9, 9], [150, 110, 160, 120], [-50, -50, 400, 400], [80, 60, 80, 60]])
@pytest.mark.parametrize("class_id", [0, 1, 2])
def test_labels_stay_in_the_picture(box: list[float], class_id: int) -> None:
    bare = draw(blank(), Detections([box], [class_id], [0.87]), NAMES, labels=False)
    labelled = draw(blank(), Detections([box], [class_id], [0.87]), NAMES)
    assert labelled.shape == (120, 160, 3)
    assert (labelled != bare).any(axis=2).sum() > 300  # the whole plate, not a corner of it


def test_leaves_out_what_scores_low_and_draws_the_best_on_top() -> None:
    box = [30, 40, 100, 90]
    drawn = draw(blank(), Detections([box, box, box], [0, 1, 2], [0.9, 0.5, 0.1]), NAMES, 0.3, labels=False)
    assert tuple(drawn[40, 60]) == colour_of(0)
    nothing = draw(blank(), Detections([box], [0], [0.2]), NAMES, score_threshold=0.3)
    assert (nothing == 90).all()
    assert (draw(blank(), Detections.empty(scored=True), NAMES) == 90).all()


def test_lines_grow_with_the_picture() -> None:
    box = np.array([[0.2, 0.2, 0.8, 0.8]])
    small = draw(blank(100, 100), Detections(box * 100, [0]), NAMES, labels=False)
    large = draw(blank(2000, 2000), Detections(box * 2000, [0]), NAMES, labels=False)
    assert (large[1000] != 90).any(axis=1).sum() > 3 * (small[50] != 90).any(axis=1).sum()


def test_colours_of_a_hundred_classes_differ() -> None:
    assert len({colour_of(i) for i in range(100)}) > 95
    near = [np.abs(np.subtract(colour_of(i), colour_of(j))).sum() for i in range(8) for j in range(i)]
    assert min(near) > 60


def test_sheet_shows_each_picture_whole() -> None:
    pictures = [np.full((60, 80, 3), 10 * i, dtype=np.uint8) for i in range(1, 4)]
    laid_out = sheet([*pictures, np.full((30, 30, 3), 40, dtype=np.uint8)], columns=3, gap=4)
    assert laid_out.shape == (4 + 2 * 64, 4 + 3 * 84, 3)
    for i in range(3):
        assert (laid_out[4:64, 4 + 84 * i : 84 + 84 * i] == 10 * (i + 1)).all()
    assert (laid_out[68:128, 14:74] == 40).all() and (laid_out[68:128, 4:14] == 127).all()
    assert sheet(pictures[:1]).shape == (68, 88, 3)
    with pytest.raises(ValueError, match="at least one"):
        sheet([])


HEADER = "epoch,lr,objectness,centre,scale,class,total,VOC07_mAP50,VOC_mAP50,seconds,pictures_per_second\n"


@pytest.mark.parametrize(
    "rows",
    [
        "",  # stopped before the first epoch's end
        "0,0.001,90,8,4,9,111,,,12.5,40\n",  # never validated
        "0,0.001,90,8,4,9,111,,,12.5,40\n1,0.001,20,6,3,4,33,0.41,0.40,12.5,40\n2,0.0001,10,5,2,3,20,0.62,0.64,12,41\n",
    ],
)
def test_plots_curves(rows: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(HEADER + rows)
    plot_curves(tmp_path / "metrics.csv", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_importing_does_not_import_matplotlib_or_mxnet() -> None:
    code = "import sys, gluon_yolo.visualize; print('matplotlib' in sys.modules, 'mxnet' in sys.modules)"
    answer = python("-c", code)
    assert answer.stdout.split() == ["False", "False"]
