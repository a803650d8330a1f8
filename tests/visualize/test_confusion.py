"""draw_confusion: names and counts as far as there is room."""

from __future__ import annotations

import io

import numpy as np
import pytest

from gluon_yolo.visualize.confusion import draw_confusion

pytest.importorskip("matplotlib")


@pytest.mark.parametrize(("size", "texts", "ticks"), [(3, 4, 3), (21, 0, 21), (1001, 0, None)])
def test_as_far_as_there_is_room(size: int, texts: int, ticks: int | None) -> None:
    counts = np.zeros((size, size), dtype=np.int64)
    counts[0, 0], counts[0, 1], counts[1, 1], counts[2, 0] = 1200, 1, 7, 3
    labels = [f"class {number}" for number in range(size)]
    figure = draw_confusion(counts, labels, "title")
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["1,200", "1", "7", "3"][:texts]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == labels if ticks else "class 0" not in names
    shares = axes.images[0].get_array()
    assert shares[0, 0] == pytest.approx(1200 / 1201) and shares[1, 1] == 1
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("found as", "truth", "title")
    file = io.BytesIO()
    figure.savefig(file, format="png")
    assert file.getvalue()[:4] == b"\x89PNG"
