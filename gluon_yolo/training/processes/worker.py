"""Worker: what a process does that the agent of this package starts."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Callable

from tqdm import tqdm

from gluon_yolo.progress.heartbeat import HEARTBEAT
from gluon_yolo.training.processes.ending import Ending
from gluon_yolo.training.processes.member import Member
from gluon_yolo.training.processes.membership import Ended
from gluon_yolo.training.signals import SIGNALS

_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux


@dataclasses.dataclass(frozen=True)
class Call:
    """What each process calls. It is pickled.

    Args:
        function: a function of a module, or a ``functools.partial`` of one.
        preparations: functions that are called first.
        title: of the work, for the heartbeat.
    """

    function: Callable[[], Any]
    preparations: tuple[Callable[[], None], ...]
    title: str


def work(call: Call, parent: int) -> Any:
    """Run a call in a started process; return its result, or end the process and leave word why.

    Args:
        call: the work.
        parent: the process id of the agent.
    """
    _end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # until the training handles it
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    member = Member.of()
    assert member is not None  # the agent has set it
    tqdm.set_lock(threading.RLock())  # its own is a semaphore of the system, which a killed process leaves
    for prepare in call.preparations:
        prepare()
    try:
        with HEARTBEAT.working(call.title):
            return call.function()
    except Ended as ended:
        ending = ended.ending
    except BaseException as error:
        ending = Ending.of(error, member.rank)
    ending.write(Path(member.reports), member.rank)
    sys.exit(ending.exit_status)


def _end_with(parent: int) -> None:
    """Let the system kill this process when its agent ends, however that ends."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:  # the agent ended before
        os._exit(1)
