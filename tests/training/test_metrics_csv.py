"""metrics.csv: what a run's numbers are, and what is said of a file that is none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.training.metrics_csv import MetricsCSV

ROWS = "epoch,total,AP\n0,1.5,\n1,1.25,0.5\n"


def test_a_line_that_a_kill_left_unfinished_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(ROWS + "2,1.1")
    assert [row["epoch"] for row in MetricsCSV(path).rows()] == ["0", "1"]


def test_a_new_column_has_empty_cells_before(tmp_path: Path) -> None:
    metrics = MetricsCSV(tmp_path / "metrics.csv")
    metrics.append({"epoch": 0, "total": 2.0})
    metrics.append({"epoch": 1, "total": 1.0, "AP": 0.5})
    assert metrics.rows() == [
        {"epoch": "0", "total": "2", "AP": ""},
        {"epoch": "1", "total": "1", "AP": "0.5"},
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (ROWS.encode().replace(b"1.5", b"\xb5"), "can't decode byte 0xb5"),
        (ROWS.replace("epoch", "e").encode(), "no column epoch"),
        (ROWS.replace("\n1,", "\n1.5,").encode(), "invalid literal for int"),
        (
            ROWS.replace("\n1,", "\n1" + "0" * 400 + ",").encode(),
            "line 3 has the epoch 1000",
        ),
        (ROWS.replace("\n1,", "\n-1,").encode(), "line 3 has the epoch -1)"),
        (ROWS.replace("1,1.25,0.5", "1,1.25").encode(), "line 3 has not 3 cells"),
        (ROWS.replace("0.5", "0.5,7").encode(), "line 3 has not 3 cells"),
    ],
    ids=["bytes", "heading", "epoch", "far", "below 0", "short", "long"],
)
def test_damage_is_named_with_its_file(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "metrics.csv"
    path.write_bytes(content)
    for use in (
        MetricsCSV(path).rows,
        lambda: MetricsCSV(path).append({"epoch": 2}),
        lambda: MetricsCSV(path).keep_before(1),
    ):
        with pytest.raises(UserError, match=re.escape(why)) as caught:
            use()
        assert str(caught.value).startswith(f"{path}: cannot be read as a run's numbers (")
    assert path.read_bytes() == content
