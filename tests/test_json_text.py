"""JSON of any file: lists nested beyond Python's stack are an error of the file, in its readers too."""

from __future__ import annotations

import pytest

from gluon_yolo import json_text
from gluon_yolo.data.coco.json_file import read_content
from gluon_yolo.errors import UserError
from gluon_yolo.inference.model_record import ModelRecord

DEEP = "[" * 100_000


def test_what_is_json_is_read():
    assert json_text.loads('{"a": [1, null]}') == {"a": [1, None]}
    with pytest.raises(ValueError, match="Expecting property name"):
        json_text.loads("{")


@pytest.mark.parametrize("read", (read_content, lambda path: ModelRecord.read(path)))
def test_lists_in_lists_are_damage(read, tmp_path):
    path = tmp_path / "model.json"
    path.write_text(DEEP)
    with pytest.raises(ValueError, match="its lists and objects are nested too deeply"):
        json_text.loads(DEEP)
    with pytest.raises(UserError, match="model.json.*nested too deeply"):
        read(path)
