"""The store that processes share, and the watch that ends a process with the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="several processes are torch's engine")

from gluon_yolo.training.processes import watch as watching  # noqa: E402
from gluon_yolo.training.processes.ending import BUG, LOST, Ending, Lost  # noqa: E402
from gluon_yolo.training.processes.guard import Guard  # noqa: E402
from gluon_yolo.training.processes.member import Member  # noqa: E402
from gluon_yolo.training.processes.store import Store  # noqa: E402
from gluon_yolo.training.processes.watch import Watch  # noqa: E402
from tests.waiting import wait_until  # noqa: E402


class Place:
    """A server of the store, and clients of it."""

    def __init__(self) -> None:
        self.server: Any = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        self.port = self.server.port

    def client(self, prefix: str = "run") -> Store:
        return Store("127.0.0.1", self.port, prefix, 5.0)

    def member(self, rank: int, world: int = 2) -> Member:
        return Member(rank, world, rank, world, f"127.0.0.1:{self.port}", "run", "round")

    def go_away(self) -> None:
        self.server = None


@pytest.fixture
def place() -> Iterator[Place]:
    yield Place()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "BEAT_S", 0.05)
    monkeypatch.setattr(watching, "GRACE_S", 0.1)
    monkeypatch.setattr(watching, "START_S", 0.1)


def test_values_of_any_size_are_sent_once_or_kept(place: Place) -> None:
    large = {"boxes": np.arange(3_000_000, dtype=np.float64)}  # 24 MB: torch's store takes 8 MB at once
    sender, receiver = place.client(), place.client()
    sender.send("found", large)
    np.testing.assert_array_equal(receiver.receive("found")["boxes"], large["boxes"])
    assert receiver.get("found") is None and receiver.get("found/0") is None
    sender.send("names", ["a", "b"])
    assert [receiver.receive("names", keep=True) for _ in range(2)] == [["a", "b"], ["a", "b"]]


def test_the_first_value_stays_and_runs_have_their_own(place: Place) -> None:
    one, other = place.client(), place.client()
    assert one.first("end", b"one") == b"one" and other.first("end", b"other") == b"one"
    assert place.client("another run").get("end") is None


def test_a_value_that_will_not_come_is_not_waited_for(place: Place) -> None:
    store = place.client()
    store.is_over = lambda: True
    with pytest.raises(Lost, match="the training ended in another process"):
        store.wait("folder")


def test_a_store_that_is_gone_is_lost(place: Place) -> None:
    store = place.client()
    place.go_away()
    with pytest.raises(
        Lost, match=rf"^the host 127.0.0.1:{place.port}, where the processes meet, does not answer"
    ):
        store.get("end")


@pytest.mark.usefixtures("quick")
def test_an_ending_elsewhere_ends_this_process_if_it_does_not_end_itself(place: Place) -> None:
    said: list[Any] = []
    watch = Watch(place.member(0, world=1), place.client(), 5.0, said.append, said.append)
    watch.start()
    place.client().set("round/end", Ending(BUG, 1, "KeyError: 'anchor'").to_bytes())
    assert wait_until(lambda: len(said) == 2)
    assert said == [Ending(BUG, 1, "KeyError: 'anchor'"), 1] and watch.ending == said[0]
    watch.stop()


@pytest.mark.usefixtures("quick")
def test_a_process_that_ends_by_itself_is_let(place: Place) -> None:
    said: list[Any] = []
    watch = Watch(place.member(0, world=1), place.client(), 5.0, said.append, said.append)
    watch.start()
    assert wait_until(lambda: place.client().get("round/beat/0") is not None)
    watch.stop()
    time.sleep(0.2)
    assert not said and place.client().get("round/beat/0") == watching.DONE


@pytest.mark.usefixtures("quick")
def test_a_silent_neighbour_ends_the_training_and_one_that_is_done_does_not(place: Place) -> None:
    store = place.client()
    store.set("round/place/1", b"host b, pid 7")
    store.set("round/beat/1", watching.DONE)
    said: list[Any] = []
    watch = Watch(place.member(0), place.client(), 0.4, said.append, said.append)
    watch.start()
    time.sleep(0.8)
    assert not said
    store.set("round/beat/1", b"12")
    assert wait_until(lambda: len(said) == 2)
    assert said[0].kind == LOST and said[0].text == "process 1 (host b, pid 7) has not answered for 0 s"
    assert Ending.from_bytes(store.get("round/end") or b"") == said[0]  # for the other processes
    watch.stop()


def test_the_guard_is_late_only_where_nobody_comes_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gluon_yolo.training.processes.guard._ROUND_S", 0.02)
    late = threading.Event()
    guard = Guard(0.1, late.set)
    guard.start()
    for _ in range(10):
        guard.passed()
        time.sleep(0.03)
    assert not late.is_set()
    guard.passed(limit_s=0.3)
    assert not late.wait(0.15) and late.wait(20)
