"""Two hosts with networks of their own (namespaces): a host, or the cable between them, is lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="several processes are torch's engine")

from tests.training.processes.hosts_of_a_test import Host, ended, wait_for_rounds  # noqa: E402
from tests.waiting import wait_until  # noqa: E402

MEET = "10.77.0.1:29400"


class Networks:
    """Two networks with a cable between them."""

    def __init__(self) -> None:
        number = os.getpid()
        self.names = [f"gy{number}a", f"gy{number}b"]
        ends = [f"gy{number}x", f"gy{number}y"]
        for name in self.names:
            _ip("netns", "add", name)
        _ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for place, (name, end) in enumerate(zip(self.names, ends), 1):
            _ip("link", "set", end, "netns", name)
            _ip("-n", name, "link", "set", end, "name", "wire")
            _ip("-n", name, "address", "add", f"10.77.0.{place}/24", "dev", "wire")
            _ip("-n", name, "link", "set", "wire", "up")
            _ip("-n", name, "link", "set", "lo", "up")

    def inside(self, place: int) -> list[str]:
        """Return the beginning of a command that runs in a network."""
        return ["ip", "netns", "exec", self.names[place]]

    def cut(self) -> None:
        """Take the cable out: nothing arrives, and nobody is told."""
        _ip("-n", self.names[1], "link", "set", "wire", "down")

    def remove(self) -> None:
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


@pytest.fixture
def networks() -> Iterator[Networks]:
    if not shutil.which("ip") or os.geteuid() != 0:
        pytest.skip("networks of their own need root and ip")
    made = Networks.__new__(Networks)
    try:
        made.__init__()  # type: ignore[misc]
        yield made
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no networks of their own here: {error.stderr.strip()}")
    finally:
        made.remove()


@pytest.mark.slow
def test_hosts_find_each_other_by_the_place_alone(networks: Networks, tmp_path: Path) -> None:
    """The host's name leads nowhere in these networks: the way to the place gives address and interface."""
    hosts = [Host(tmp_path, MEET, "2", processes=2, rounds=10, inside=networks.inside(at)) for at in (0, 1)]
    with ended(*hosts):
        assert [host.wait() for host in hosts] == [0, 0], [host.text for host in hosts]
    assert sorted(host.result["rank"] for host in hosts) == [0, 2]
    assert all(host.result["sums"][-1] == 10.5 for host in hosts)  # 9 and the mean of the ranks 0 to 3


@pytest.mark.slow
def test_a_cable_that_is_cut(networks: Networks, tmp_path: Path) -> None:
    """The host with the place to meet goes on alone; the other one ends with the cause."""
    stays, goes = (
        Host(tmp_path, MEET, "1:2", silence_s=5.0, rounds=300, inside=networks.inside(at)) for at in (0, 1)
    )
    with ended(stays, goes):
        assert wait_until(lambda: bool(stays.workers() and goes.workers()), 300)
        wait_for_rounds(tmp_path, 5)
        networks.cut()
        assert goes.wait() == 75
        assert stays.wait() == 0, stays.text
    assert f"{MEET}, where the hosts meet, does not answer any more" in goes.text
    assert stays.result["world"] == 1 and "has not answered for 5 s" in stays.result["fault"]
    assert stays.result["sums"][-1] == 299.0


@pytest.mark.slow
def test_a_host_that_hangs(networks: Networks, tmp_path: Path) -> None:
    """All its processes are stopped, the connections stay: only the time-out can tell."""
    stays, hangs = (
        Host(tmp_path, MEET, "2", silence_s=5.0, rounds=300, inside=networks.inside(at)) for at in (0, 1)
    )
    with ended(stays, hangs):
        assert wait_until(lambda: bool(stays.workers() and hangs.workers()), 300)
        wait_for_rounds(tmp_path, 5)
        hangs.signal(signal.SIGSTOP, whole=True)
        assert stays.wait() == 75
    error = stays.text.splitlines()[-1]
    assert "has not answered for 5 s" in error and f"fewer than 2 hosts met at {MEET} in 25 s" in error


@pytest.mark.slow
def test_the_place_to_meet_hangs(networks: Networks, tmp_path: Path) -> None:
    """Its machine still answers for its kernel, and the store says nothing more."""
    hangs, other = (
        Host(tmp_path, MEET, "1:2", silence_s=5.0, rounds=300, inside=networks.inside(at)) for at in (0, 1)
    )
    with ended(hangs, other):
        assert wait_until(lambda: bool(hangs.workers() and other.workers()), 300)
        wait_for_rounds(tmp_path, 5)
        hangs.signal(signal.SIGSTOP, whole=True)
        assert other.wait() == 75
        assert not other.workers()
    last = other.text.splitlines()[-1]
    assert f"{MEET}, where the hosts meet, does not answer any more" in last, other.text
