"""The launcher: what several processes return, and what each end of one of them leads to."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="several processes are torch's engine")

from gluon_yolo.training.processes import launch as launch_module  # noqa: E402
from gluon_yolo.training.processes.hosts import Hosts, Meet  # noqa: E402
from gluon_yolo.training.processes.launch import Launch, launch  # noqa: E402
from gluon_yolo.training.processes.membership import Fault  # noqa: E402
from tests.training.processes.hosts_of_a_test import free_port  # noqa: E402
from tests.training.processes.talk import Unreadable, talk  # noqa: E402

ROOT = Path(__file__).resolve().parents[3]


def run(folder: Path, processes: int = 2, restarts: int = 3, rounds: int = 12, **fate: Any) -> Any:
    """Let some processes talk; return what the first one returns."""
    return launch(
        Launch(processes, restarts=restarts, silence_s=20),
        functools.partial(talk, rounds, str(folder), **fate),
    )


def left_over(folder: Path) -> list[int]:
    """Return which of the processes that ever began still run."""
    pids = [int(path.read_text().split()[0]) for path in folder.glob("pid-*")]
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_processes_work_together_and_the_first_ones_result_is_returned(tmp_path: Path) -> None:
    result = run(tmp_path, processes=3, rounds=4)
    assert result["rank"] == 0
    assert result["sums"] == [1.0, 2.0, 3.0, 4.0]  # the mean of number, number + 1, number + 2
    assert int(result["threads"]) >= 1
    assert not left_over(tmp_path)


def test_a_users_error_ends_all_once_and_is_not_tried_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Unreadable, match=r"^a\.jpg: cannot be read: give skip_bad$") as caught:
        run(tmp_path, victim=1, fate="user")
    assert caught.value.status == 2
    assert (tmp_path / "done").read_text() == "5"
    assert not left_over(tmp_path)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_another_error_is_raised_with_its_process_and_traceback(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ZeroDivisionError, match="^of a callback$") as caught:
        run(tmp_path, victim=1, fate="bug")
    trace = str(caught.value.__cause__)
    assert (
        "in process 1:" in trace
        and "talk.py" in trace
        and 'raise ZeroDivisionError("of a callback")' in trace
    )
    assert capfd.readouterr() == ("", "")
    assert not left_over(tmp_path)


@pytest.mark.parametrize("victim", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_killed_process_is_noticed_and_all_start_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], victim: int
) -> None:
    result = run(tmp_path, victim=victim, fate="SIGKILL")
    assert result["begun"] in (4, 5) and result["sums"][-1] == 11.5  # all twelve rounds, none of them twice
    assert result["fault"].startswith(f"process {victim} of 2 (pid ")
    assert result["fault"].endswith(
        ") was killed by SIGKILL, as the system does when memory runs out (fault 1 of 3)"
    )
    assert [record.getMessage() for record in caplog.records] == [
        f"{result['fault']}; all processes start again from the last checkpoint"
    ]
    assert capfd.readouterr() == ("", "")
    assert not left_over(tmp_path)


@pytest.mark.slow
def test_a_process_that_is_always_killed_ends_the_training(tmp_path: Path) -> None:
    with pytest.raises(Fault, match=r"was killed by SIGUSR1; 1 new start did not help") as caught:
        run(tmp_path, victim=1, fate="SIGUSR1", always=True, restarts=1, rounds=50)
    assert caught.value.status == 75
    assert not left_over(tmp_path)


def test_two_agents_that_both_would_hold_the_place_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both found it free; the slower one joins the faster one's."""
    monkeypatch.setattr(Meet, "is_held_here", lambda self: True)
    start = Launch(1, Hosts.of("2"), Meet.of(f"127.0.0.1:{free_port()}"), silence_s=5)
    held = launch_module._meeting(start, "test")
    joined = launch_module._meeting(start, "test")
    assert held.get_run_id() == joined.get_run_id() == "test"
