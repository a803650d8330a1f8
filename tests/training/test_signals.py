"""Stop: the first signal sets a flag, the second one ends the process."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from gluon_yolo.training.signals import Stop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_note(number, capfd):
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with Stop() as stop:
        assert stop.asked is None
        os.kill(os.getpid(), number)
        assert stop.asked is number
        assert signal.getsignal(number) is before[number == signal.SIGTERM]  # restored for the next signal
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before
    said = f"{number.name}: finishing what is under way, then saving; once more to quit at once"
    assert capfd.readouterr().err.strip() == said


def test_a_second_ctrl_c_interrupts():
    # SIGINT is ignored in tests that a shell starts in the background.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        _interrupt_twice()
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt_twice():
    with pytest.raises(KeyboardInterrupt), Stop():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_outside_the_main_thread_nothing_is_heard_and_nothing_breaks():
    heard = []

    def enter():
        with Stop() as stop:
            heard.append(stop.asked)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert heard == [None]
