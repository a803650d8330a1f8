"""The page: what is in the file, and what it never has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gluon_yolo.errors import MissingDependency, NotWritten
from gluon_yolo.report.page import Facts, Page, Section, Table
from tests.missing_package import uninstall
from tests.report.small_report import NASTY, every_part

pytest.importorskip("bokeh", reason="Bokeh is not installed: pip install '.[report]'")


def test_text_is_escaped_and_the_scripts_are_not():
    html = every_part(error=NASTY[0]).html()
    assert NASTY[0] not in html and "&lt;/script&gt;&lt;b onclick" in html
    # Bokeh's program, the charts' numbers, and our own: none ends within a name.
    assert html.count("</script>") == len(re.findall(r"<script[ >]", html)) == 3


def test_bokeh_sees_no_tex():
    """It would load MathJax from the network for a class name between dollars."""
    html = every_part().html()
    numbers = html[html.index('id="main"') :]
    drawn = numbers[numbers.index("<script") :]
    assert "frac" in drawn and "$$" not in drawn


def test_a_page_without_charts_has_no_scripts():
    html = Page("T", "S", [Section("a", "A", [Facts([("x", 1)])]), Section("b", "B", [])]).html()
    assert "<script" not in html and len(html) < 20_000
    assert 'href="#a"' in html and 'href="#b"' not in html


@pytest.mark.parametrize("running", [True, False])
def test_only_the_page_of_a_running_training_loads_itself_again(running):
    assert ('http-equiv="refresh"' in every_part(running=running).html()) == running


def test_a_table_is_folded_where_it_is_long():
    html = Page("T", "S", [Section("a", "A", [Table("Long", ("x",), [(1,)], folded=True)])]).html()
    assert re.search(r"<details[^>]*><summary>Long</summary>\s*<div", html)


def test_the_file_is_whole_or_the_old_one_stays(tmp_path: Path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("before")
    monkeypatch.setattr(Page, "html", lambda page: "a" * 1000)
    monkeypatch.setattr("gluon_yolo.atomic_io.flush", _no_room)
    with pytest.raises(NotWritten, match="report.html: cannot be written: No space left"):
        every_part().write(path)
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


def _no_room(_path: Path) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("missing", ["bokeh", "jinja2"])
def test_a_missing_package_is_named_with_its_fix(missing, monkeypatch):
    uninstall(monkeypatch, missing)
    with pytest.raises(MissingDependency) as caught:
        every_part.__globals__["Page"]("T", "S", []).html()
    assert str(caught.value) == f'{missing} is not installed: pip install ".[report]"'
