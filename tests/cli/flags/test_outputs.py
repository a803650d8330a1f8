"""Outputs: checked before a command's work, written at its end."""

from __future__ import annotations

import json
import os

from gluon_yolo.outputs import write_file


def test_names_that_are_no_text_come_back_from_json(tmp_path):
    name = os.fsdecode(b"d\xff\xe9 \xc3\xa4.jpg")
    path = tmp_path / "new" / "found.json"
    write_file("--json", path, json.dumps({"picture": name}, ensure_ascii=False))
    assert path.read_bytes() == b'{"picture": "d\\udcff\\udce9 \xc3\xa4.jpg"}'
    assert os.fsencode(json.loads(path.read_text(encoding="utf-8"))["picture"]) == b"d\xff\xe9 \xc3\xa4.jpg"
