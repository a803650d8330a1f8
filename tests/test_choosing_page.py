"""docs/choosing.md: its tables are those of the measurements that are kept."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import choosing  # noqa: E402


def test_the_tables_are_written_from_the_measurements():
    page = choosing.PAGE.read_text(encoding="utf-8")
    kept = json.loads(choosing.KEPT.read_text())
    assert choosing.with_tables(page, kept) == page
    assert [choice.name for choice in choosing.CHOICES if choice.name not in kept] == []


def test_a_row_has_the_fastest_runtime_for_each_number_of_threads():
    times = {"mxnet": {"MB": 1, "ms": [9.0, 5.0]}, "ncnn": {"MB": 1, "ms": [8.0, 120.0]}}
    one = {"parameters": 250_000, "flops": 2_500_000_000, "processor": "x", "runtimes": times}
    rows = choosing.family({"Yolo-FastestV2": one})
    assert rows[1][2:5] == ["0.25 M", "2.5", "8 (ncnn) and 5 (mxnet)"]
    assert choosing.runtimes({"Yolo-FastestV2": one}) == [
        ["network", "mxnet", "ncnn"],
        ["Yolo-FastestV2, 352", "9, 5", "8, 120"],
    ]
