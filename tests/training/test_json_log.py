"""A file with one JSON object a line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gluon_yolo.errors import NotWritten
from gluon_yolo.training.json_log import JSONLog


def test_what_is_not_finite_is_null_and_every_line_is_strict_json(tmp_path):
    log = JSONLog(tmp_path / "log.jsonl")
    log.append(
        {
            "loss": float("nan"),
            "losses": {"box": float("inf"), "class": np.float32(0.5)},
            "list": [1, -np.inf],
        }
    )
    log.append({"name": "grün", "count": np.int64(3), "flag": True, "none": None})
    lines = (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()
    strict = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    assert strict == [
        {"loss": None, "losses": {"box": None, "class": 0.5}, "list": [1, None]},
        {"name": "grün", "count": 3, "flag": True, "none": None},
    ]
    assert log.records() == strict


def test_keep_removes_records_and_an_unfinished_line(tmp_path):
    path = tmp_path / "log.jsonl"
    log = JSONLog(path)
    for step in range(4):
        log.append({"step": step})
    with path.open("a") as file:
        file.write('{"step": 4, "lo')
    log.keep(lambda record: record["step"] < 2)
    assert path.read_text() == '{"step": 0}\n{"step": 1}\n'


def test_keep_makes_no_file(tmp_path):
    JSONLog(tmp_path / "log.jsonl").keep(lambda _: True)
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written(tmp_path):
    with pytest.raises(
        NotWritten, match="log.jsonl: cannot be written: .*; free space there or allow writing"
    ):
        JSONLog(tmp_path / "gone" / "log.jsonl").append({})
