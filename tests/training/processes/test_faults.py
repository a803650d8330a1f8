"""Faults of agents and hosts: who notices, what is printed, and that nothing is left running."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="several processes are torch's engine")

from tests.training.processes.hosts_of_a_test import (  # noqa: E402
    Host,
    ended,
    free_port,
    is_running,
    wait_for_place,
    wait_for_rounds,
)
from tests.waiting import wait_until  # noqa: E402


def test_processes_end_with_their_agent(tmp_path: Path) -> None:
    host = Host(tmp_path, processes=2)
    with ended(host):
        wait_for_rounds(tmp_path, 5)
        workers = host.workers()
        assert len(workers) == 2
        host.signal(signal.SIGKILL)
        assert wait_until(lambda: not any(map(is_running, workers)), 20)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_agent_ends_all_at_one_round(tmp_path: Path, number: signal.Signals) -> None:
    host = Host(tmp_path, processes=2)
    with ended(host):
        wait_for_rounds(tmp_path, 5)
        host.signal(number)
        assert host.wait() == 0
    assert (
        host.text.count(f"{number.name}: finishing what is under way, then saving; once more to quit at once")
        == 1
    )
    assert host.result["stopped"] == number and len(host.result["sums"]) < 400


def test_a_signal_to_all_of_them_is_one_signal(tmp_path: Path) -> None:
    """As a terminal's Ctrl-C, or a scheduler's SIGTERM: agent and processes get it."""
    host = Host(tmp_path, processes=2)
    with ended(host):
        wait_for_rounds(tmp_path, 5)
        host.signal(signal.SIGINT, whole=True)
        assert host.wait() == 0
    assert host.result["stopped"] == signal.SIGINT


@pytest.mark.slow
def test_a_second_signal_ends_everything_at_once(tmp_path: Path) -> None:
    host = Host(tmp_path, processes=2, pause_s=30.0)
    with ended(host):
        wait_for_rounds(tmp_path, 1)
        workers = host.workers()
        for _ in range(2):
            host.signal(signal.SIGINT)
            time.sleep(0.5)
        assert host.wait(20) == 130
        assert not any(map(is_running, workers))


@pytest.mark.slow
def test_a_process_that_hangs_is_ended_after_the_time_out(tmp_path: Path) -> None:
    host = Host(tmp_path, processes=2, silence_s=3.0, rounds=30, victim=1, fate="SIGSTOP")
    with ended(host):
        assert host.wait() == 0
    fault = host.result["fault"]
    assert fault.startswith("process 1 (host ") and fault.endswith(
        ") has not answered for 3 s (fault 1 of 3)"
    )
    assert host.result["begun"] >= 4 and host.result["sums"][-1] == 29.5


@pytest.mark.slow
def test_a_lost_host_is_done_without_where_fewer_are_allowed(tmp_path: Path) -> None:
    meet = f"127.0.0.1:{free_port()}"
    stays = Host(tmp_path, meet, "1:2", rounds=200)
    with ended(stays):
        wait_for_place(meet)
        goes = Host(tmp_path, meet, "1:2", rounds=200)
        with ended(goes):
            assert wait_until(lambda: bool(stays.workers() and goes.workers()), 300)
            wait_for_rounds(tmp_path, 5)
            goes.signal(signal.SIGKILL, whole=True)
            assert stays.wait() == 0
    assert stays.result["world"] == 1 and stays.result["begun"] >= 4
    assert stays.result["sums"][-1] == 199.0  # of one process: the rounds' own numbers


@pytest.mark.slow
def test_a_host_that_comes_later_joins(tmp_path: Path) -> None:
    meet = f"127.0.0.1:{free_port()}"
    first = Host(tmp_path, meet, "1:2", rounds=1500)
    with ended(first):
        wait_for_rounds(tmp_path, 5)
        later = Host(tmp_path, meet, "1:2", rounds=1500)
        with ended(later):
            assert (first.wait(), later.wait()) == (0, 0), first.text + later.text
    for host in (first, later):
        assert (host.result["world"], host.result["fault"]) == (
            2,
            "another host joins" if host is first else "",
        )
    assert "another host joins; all processes start again from the last checkpoint" in first.text
    assert first.result["begun"] >= 5 and first.result["sums"][-1] == 1499.5


def test_without_the_place_to_meet_the_others_end_with_the_cause(tmp_path: Path) -> None:
    meet = f"127.0.0.1:{free_port()}"
    first = Host(tmp_path, meet, "2")
    with ended(first):
        wait_for_place(meet)
        second = Host(tmp_path, meet, "2")
        with ended(second):
            wait_for_rounds(tmp_path, 5)
            first.signal(signal.SIGKILL, whole=True)
            assert second.wait() == 75
    assert f"{meet}, where the hosts meet, does not answer any more" in second.text


@pytest.mark.slow
def test_a_users_error_on_one_host_ends_all_hosts_with_it(tmp_path: Path) -> None:
    meet = f"127.0.0.1:{free_port()}"
    hosts = [Host(tmp_path, meet, "2", run_id=None, victim=1, fate="user") for _ in range(2)]
    with ended(*hosts):
        assert [host.wait() for host in hosts] == [2, 2]
    for host in hosts:
        assert host.text.splitlines()[-1:] == ["error: a.jpg: cannot be read: give skip_bad"]
        assert host.text.count("cannot be read") == 1
