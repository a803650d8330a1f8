"""The cache of autotune, and the load of a machine."""

from __future__ import annotations

import pytest

from gluon_yolo.inference.runtimes import autotune_cache
from gluon_yolo.inference.runtimes.autotune_cache import Choice


def test_load_is_a_share_of_the_cores(monkeypatch):
    monkeypatch.setattr(autotune_cache.os, "getloadavg", lambda: (3.0, 1.0, 0.5), raising=False)
    monkeypatch.setattr(autotune_cache, "physical_cores", lambda: 4)
    assert autotune_cache.load() == 0.75
    monkeypatch.delattr(autotune_cache.os, "getloadavg")
    assert autotune_cache.load() is None


@pytest.mark.parametrize(
    ("load", "steady", "trusted"),
    [(None, True, True), (0.5, True, True), (0.51, True, False), (0.0, False, False)],
)
def test_trusted(load, steady, trusted):
    assert Choice("mnn", {}, 0.0, load, steady).trusted is trusted


def test_written_and_read(tmp_path):
    choice = Choice("mnn", {"mnn": 1.5, "ncnn": 2.0}, 1.8e9, None, False)
    autotune_cache.write(tmp_path / "new" / "choice.json", choice)
    assert autotune_cache.read(tmp_path / "new" / "choice.json") == choice
    assert autotune_cache.read(tmp_path / "none.json") is None
