"""ReadAhead and WriteBehind: order, limits, errors, end of their threads."""

from __future__ import annotations

import threading
import time

import pytest

from gluon_yolo.inference.pipeline import HELD, ReadAhead, WriteBehind
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("gluon_yolo-")] == []


def counting(count, made, error=None):
    """Yield 0, 1, ...; record each, and raise at the end."""
    for number in range(count):
        made.append(number)
        yield number
    if error is not None:
        raise error


def stops_at(items, count):
    """Return whether a thread fills a list up to a length, and then stops."""
    reached = wait_until(lambda: len(items) >= count)
    time.sleep(0.1)
    return reached and len(items) == count


def test_items_come_in_order_out_of_another_thread():
    threads = []

    def items():
        for number in range(50):
            threads.append(threading.current_thread())
            yield number

    with ReadAhead(items()) as ahead:
        assert list(ahead) == list(range(50))
    assert threading.current_thread() not in threads


def test_reading_waits_when_enough_is_there():
    made = []
    with ReadAhead(counting(100, made)) as ahead:
        assert stops_at(made, HELD + 1)  # the thread holds the last one
        assert next(iter(ahead)) == 0
        assert stops_at(made, HELD + 2)


def test_an_error_comes_in_the_place_of_its_item():
    got = []
    with (
        pytest.raises(ValueError, match="worn out"),
        ReadAhead(counting(3, [], ValueError("worn out"))) as it,
    ):
        for item in it:
            got.append(item)
    assert got == [0, 1, 2]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError])
def test_who_stops_early_waits_for_nobody(stop):
    made = []
    with pytest.raises(stop), ReadAhead(counting(10**9, made)) as ahead:
        for item in ahead:
            if item == 5:
                raise stop
    assert len(made) <= 6 + HELD + 1


def test_all_is_written_in_order():
    written = []
    with WriteBehind(lambda item: (time.sleep(0.001), written.append(item))) as behind:
        for number in range(30):
            behind.put(number)
    assert written == list(range(30))


def test_putting_waits_for_room():
    free, written = threading.Event(), []

    def write(item):
        free.wait()
        written.append(item)

    with WriteBehind(write) as behind:
        putting = threading.Thread(target=lambda: [behind.put(number) for number in range(HELD + 5)])
        putting.start()
        time.sleep(0.1)
        assert putting.is_alive() and not written
        free.set()
        putting.join()
    assert written == list(range(HELD + 5))


def test_an_error_of_writing_reaches_who_puts_or_leaves():
    def write(item):
        raise ValueError(f"no room for {item}")

    with pytest.raises(ValueError, match="no room for 0"), WriteBehind(write) as behind:
        for number in range(100):
            behind.put(number)
            time.sleep(0.001)
    with pytest.raises(ValueError, match="no room for 7"), WriteBehind(write) as behind:
        behind.put(7)


@pytest.mark.parametrize("stop, kept", [(KeyboardInterrupt, [0, 1, 2]), (ValueError, [0])])
def test_what_waits_is_written_after_an_interruption_and_dropped_after_an_error(stop, kept):
    began, written = threading.Event(), []

    def write(item):
        began.set()
        # Two items wait after this one. The end follows them when the block is left.
        assert item or wait_until(lambda: behind._queue.qsize() == 3)
        written.append(item)

    with pytest.raises(stop), WriteBehind(write) as behind:
        for number in range(3):
            behind.put(number)
        began.wait()
        raise stop
    assert written == kept
