"""docs/python.md: every block of Python runs, one after the other, as it stands on the page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gluon_yolo.weights.darknet_header import Header
from gluon_yolo.weights.darknet_model import save
from tests.child import ROOT, python
from tests.models.darknet import small

PAGE = ROOT / "docs" / "python.md"
_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)

pytest.importorskip("pandas")
pytest.importorskip("PIL")
pytest.importorskip("pycocotools")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


def script(page: str) -> str:
    """Return the blocks of a page as one program whose lines are the page's, for what an error says."""
    lines = [""] * len(page.splitlines())
    for block in _BLOCK.finditer(page):
        first = page.count("\n", 0, block.start(1))
        code = block.group(1).splitlines()
        lines[first : first + len(code)] = code
    return "\n".join(lines) + "\n"


def test_a_script_has_the_blocks_where_they_stand():
    page = "# A\n\n```python\na = 1\nb = a\n```\n\n```\ntext\n```\n\n```python\nc = b\n```\n"
    assert script(page).splitlines() == ["", "", "", "a = 1", "b = a", *[""] * 6, "", "c = b", ""]


@pytest.mark.slow
def test_the_page_runs_from_top_to_bottom(tmp_path: Path) -> None:
    """In a process and a folder of its own; what the text says of files holds."""
    code = script(PAGE.read_text(encoding="utf-8"))
    assert code.count("import gluon_yolo") + code.count("from gluon_yolo") >= 6
    (tmp_path / "page.py").write_text(code, encoding="utf-8")
    work = tmp_path / "work"
    work.mkdir()
    save(small.built(small.SMALL, class_names=["cat", "dog"]), work, "yolov3-tiny", Header())
    (work / "yolov3-tiny.names").rename(work / "coco.names")
    run = (
        f"import sys, runpy; sys.path.insert(0, {str(ROOT)!r}); runpy.run_path({str(tmp_path / 'page.py')!r})"
    )
    printed = python("-c", run, cwd=work).stdout
    for said in (
        "Predictor(model=",
        "4 pictures in ",
        "VOC07 mAP50 ",
        "size: expected multiples of 32, got 100",
    ):
        assert said in printed
    written = {path.name for path in work.iterdir()}
    assert {"drawn.png", "found.json", "scores.json", "runs"} <= written
    assert len(list((work / "seen").iterdir())) == 16
    assert len(list((work / "crops").glob("*/scene_00004_*.png"))) == 3
