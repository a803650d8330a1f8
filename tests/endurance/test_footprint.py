"""Whether memory, handles or threads grow, by footprints that are written by hand."""

from __future__ import annotations

import subprocess
import threading

import numpy as np
import pytest

from endurance.footprint import Footprint, faults, footprint, growth, processes_in, windows

MB = 1 << 20
COUNT = 50


def footprints(own, handles=lambda at: 7, threads=lambda at: 3, children=lambda at: 0) -> list[Footprint]:
    """Return footprints of a process with 100 MiB of files' pages, by functions of their place."""
    return [
        Footprint(10 * at, 100 * MB + own(at), own(at), handles(at), threads(at), children(at))
        for at in range(COUNT)
    ]


@pytest.mark.parametrize(
    "own",
    [
        lambda at: 100 * MB,
        lambda at: min(at, 9) * 20 * MB,  # the warm-up is the first fifth
        lambda at: (100 + 40 * (at % 5)) * MB,  # garbage that is collected at each fifth footprint
        lambda at: 100 * MB + (900 * MB if at == 48 else 0),  # one peak
        lambda at: (300 - at) * MB,
        lambda at: 100 * MB + at * MB // 5,  # 8 MiB of 204 from the middle of the one window to the other
    ],
)
def test_flat(own):
    assert faults(footprints(own)) == []


def test_growth_is_of_the_medians_over_all_that_is_resident():
    seen = footprints(lambda at: (100 + at) * MB)
    first, last = windows(seen)
    assert [one.units for one in first] == list(range(100, 200, 10))
    assert [one.units for one in last] == list(range(400, 500, 10))
    # Medians at 14.5 and 44.5, of which the first is 100 + 114.5 MiB resident.
    assert growth(seen) == pytest.approx(30 / 214.5)
    # 30 MiB in the 300 units from the one window to the other
    assert faults(seen) == ["memory grows by 14.0 %, 104858 bytes a unit"]


@pytest.mark.parametrize("kind", ["handles", "threads", "children"])
def test_one_more_of_what_is_constant_is_a_fault(kind):
    assert faults(footprints(lambda at: 100 * MB, **{kind: lambda at: 4 + (at >= 30)})) == [
        f"{kind} grow from 4 to 5"
    ]
    assert faults(footprints(lambda at: 100 * MB, **{kind: lambda at: 4 + (at == 45)})) == []


def test_too_few_footprints():
    with pytest.raises(ValueError, match="expected 10 footprints, got 9"):
        windows(footprints(lambda at: MB)[:9])


def test_processes_that_work_in_a_folder(tmp_path):
    assert processes_in(tmp_path) == []
    child = subprocess.Popen(["sleep", "30"], cwd=tmp_path)
    assert processes_in(tmp_path, 0.1) == [f"process {child.pid}: sleep 30 "]
    child.kill()
    assert processes_in(tmp_path, 10.0) == []  # a zombie has no folder
    child.wait()


def test_footprint_of_this_process(tmp_path):
    before = footprint(0)
    assert before.resident >= before.own > 10 * MB
    held = np.ones(64 * MB, np.uint8)
    with open(tmp_path / "file", "w"), open(tmp_path / "other", "w"):
        ended = threading.Event()
        thread = threading.Thread(target=ended.wait)
        thread.start()
        after = footprint(1)
        ended.set()
        thread.join()
    assert 60 * MB < after.own - before.own < 70 * MB
    assert (after.handles, after.threads) == (before.handles + 2, before.threads + 1)
    assert held.all()
