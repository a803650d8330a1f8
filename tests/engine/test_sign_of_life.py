"""SignOfLife: a word after a minute of silence, and none before."""

from __future__ import annotations

import logging
import threading

from gluon_yolo.engine.sign_of_life import SignOfLife
from tests.waiting import wait_until

logger = logging.getLogger("gluon_yolo")


def test_silence_is_broken_once_a_minute(caplog):
    now = [0.0]
    sign = SignOfLife(lambda: f"at work, {now[0]:g}", clock=lambda: now[0])
    with caplog.at_level(logging.INFO, "gluon_yolo"):
        logger.addHandler(sign)
        try:
            for now[0] in (30, 59, 61, 100, 122):
                sign.check()
                if now[0] == 59:
                    logger.info("somebody's own word")
        finally:
            logger.removeHandler(sign)
    # The word at 59 counts, so that the next silence ends at 119.
    assert caplog.messages == ["somebody's own word", "at work, 122"]


def test_where_nobody_listens_it_asks_once_a_minute_too():
    now, asked = [0.0], []
    sign = SignOfLife(lambda: asked.append(now[0]) or "", clock=lambda: now[0])
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        for now[0] in (60, 61, 119, 120):
            sign.check()
    finally:
        logger.setLevel(level)
    assert asked == [60, 120]


def test_a_thread_of_its_own_speaks_while_others_wait(caplog):
    with caplog.at_level(logging.INFO, "gluon_yolo"):
        with SignOfLife(lambda: "still here", seconds=0.01):
            assert wait_until(lambda: "still here" in caplog.messages)
    assert not [thread for thread in threading.enumerate() if thread.name == "sign of life"]
    assert not [handler for handler in logger.handlers if isinstance(handler, SignOfLife)]
