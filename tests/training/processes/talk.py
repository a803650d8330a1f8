"""Processes that only talk: what the launcher starts in tests that need neither a network nor data."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from gluon_yolo.errors import SettingError
from gluon_yolo.torch_compat import torch
from gluon_yolo.training.processes import start


class Unreadable(SettingError):
    """An error of a class of its own."""


def talk(
    rounds: int,
    folder: str,
    victim: int = -1,
    fate: str = "",
    always: bool = False,
    silence_s: float = 20.0,
    pause_s: float = 0.02,
) -> dict[str, Any]:
    """Add numbers up over all processes, some rounds, and return what happened.

    Args:
        rounds: how many sums; a run that was started again goes on after the last one that is on disk.
        folder: where each process leaves its id, and the first one the number of rounds that are done.
        victim: the process that has a fate in the fifth round of the first start.
        fate: what happens to it: a signal's name, ``user``, ``bug``, ``stop``.
        always: whether it has it in every start.
        silence_s: the processes' time-out.
        pause_s: seconds between rounds.
    """
    place = Path(folder)
    with start.taking_part({"process_timeout": silence_s}) as processes, processes.stop:
        rank, member = processes.share.rank, processes.member
        processes.group("cpu")
        (place / f"pid-{rank}").write_text(f"{os.getpid()} {os.getppid()}")
        done = int((place / "done").read_text()) if (place / "done").exists() else 0
        begun, sums = done, []
        for number in range(begun, rounds):
            losses, rate = processes.agreed(torch.full((1, 1), float(number + rank)), 0.1 + rank)
            assert rate == 0.1  # the first process's, to the last bit
            sums.append(float(losses[0]))
            if rank == 0:
                (place / "part").write_text(str(number + 1))
                (place / "part").rename(place / "done")
            if processes.stop:
                break
            if rank == victim and (number == 4 and not member.fault or number > 4 and always):
                meet(fate)
            time.sleep(pause_s)
    return {
        "rank": rank,
        "world": member.world,
        "begun": begun,
        "sums": sums,
        "fault": member.fault,
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "stopped": processes.stop.asked,
    }


def meet(fate: str) -> None:
    """Let something happen to this process."""
    if fate == "user":
        raise Unreadable("a.jpg: cannot be read: give {skip_bad}")
    if fate == "bug":
        raise ZeroDivisionError("of a callback")
    if fate == "exit":
        sys.exit(3)
    os.kill(os.getpid(), signal.Signals[fate])


def say_so() -> None:
    """Note that this preparation was called."""
    os.environ["TALK_PREPARED"] = "yes"
