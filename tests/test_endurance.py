"""The short form of `make endurance`: it ends in time, says what it left out, and fails where a part does."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest

from endurance import __main__ as endurance
from endurance.flags import is_time, shares


def spend(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let time pass only where a test says so, and return the seconds."""
    now = [1000.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def test_time_that_is_not_used_is_there_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    now, seen = spend(monkeypatch), []
    for item, until in shares("abc", 1):
        assert until is not None
        seen.append((item, until - now[0]))
        now[0] += 10
    assert seen == [("a", 20.0), ("b", 25.0), ("c", 40.0)]
    assert [until for _, until in shares("abc", None)] == [None] * 3


def test_what_has_no_time_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now, seen = spend(monkeypatch), []
    for item, _ in shares("abcde", 1):
        seen.append(item)
        now[0] += 35
    assert seen == ["a", "b"]
    assert capsys.readouterr().out == "the time is over: 3 of 5 were left out\n"


def test_another_seed_begins_elsewhere() -> None:
    orders = {"".join(item for item, _ in shares("abcde", 1, seed)) for seed in range(20)}
    assert len(orders) > 10 and all(sorted(order) == list("abcde") for order in orders)
    assert [item for item, _ in shares("abcde", 1, 7)] == [item for item, _ in shares("abcde", 1, 7)]
    assert [item for item, _ in shares("abcde", None, 7)] == list("abcde")


def test_no_work_begins_that_would_end_late(monkeypatch: pytest.MonkeyPatch) -> None:
    now = spend(monkeypatch)
    assert is_time(None, 1e9) and is_time(now[0] + 2, 1) and not is_time(now[0] + 2, 3)


@pytest.mark.parametrize("failing", [(), ("kills",), ("storage", "garbage")])
def test_a_fault_of_a_part_is_one_of_all(
    failing: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now, minutes = spend(monkeypatch), {}

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        part = command[2].split(".")[1]
        minutes[part] = float(command[command.index("--minutes") + 1])
        assert command[command.index("--seed") + 1] == "5"
        now[0] += 70  # each takes longer than it was given
        return subprocess.CompletedProcess(command, int(part in failing))

    monkeypatch.setattr(endurance, "PARTS", ("kills", "storage", "garbage"))
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(sys, "argv", ["endurance", "--minutes", "3", "--seed", "5"])
    assert endurance.main() == int(bool(failing))
    last = capsys.readouterr().out.splitlines()[-1]
    took = (
        "kills, storage, garbage in 210 s" if not failing else "(kills, storage, garbage in 210 s); see above"
    )
    assert last.endswith(took)
    assert last.startswith(f"FAULTS in {', '.join(failing)} " if failing else "no faults: ")
    assert minutes == {"kills": 1.0, "storage": 0.917, "garbage": 0.667}
