"""Sheets show each image whole; matplotlib serves curves alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.visualize.curves import plot_curves
from gluon_yolo.visualize.grid import image_grid
from tests.child import python


def test_sheet_shows_each_image_whole() -> None:
    images = [np.full((60, 80, 3), 10 * i, dtype=np.uint8) for i in range(1, 4)]
    laid_out = image_grid([*images, np.full((30, 30, 3), 40, dtype=np.uint8)], columns=3, gap=4)
    assert laid_out.shape == (4 + 2 * 64, 4 + 3 * 84, 3)
    for i in range(3):
        assert (laid_out[4:64, 4 + 84 * i : 84 + 84 * i] == 10 * (i + 1)).all()
    assert (laid_out[68:128, 14:74] == 40).all() and (laid_out[68:128, 4:14] == 127).all()
    assert image_grid(images[:1]).shape == (68, 88, 3)
    with pytest.raises(ValueError, match="at least one"):
        image_grid([])


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
    code = "import sys, gluon_yolo.visualize.grid; print('matplotlib' in sys.modules, 'mxnet' in sys.modules)"
    answer = python("-c", code)
    assert answer.stdout.split() == ["False", "False"]
