"""Membership: the time in which this process trains with others, and what all are told at its end."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from types import TracebackType
from typing import Callable

from gluon_yolo.errors import SettingError
from gluon_yolo.training.processes.ending import LOST, STATUS, Ending, Lost
from gluon_yolo.training.processes.member import Member
from gluon_yolo.training.processes.store import Store
from gluon_yolo.training.processes.watch import BEAT_S, Watch

_CAUSE_S = 2.0 * BEAT_S + 0.5  # in which the process that saw why another is lost says so


class Fault(SettingError):
    """A process or a host is lost, and no agent of ours starts the training again."""

    status = STATUS[LOST]


class Ended(BaseException):
    """This process has to end, as ``ending`` says; its agent reads why."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.text)
        self.ending = ending


class Membership:
    """A context in which this process is watched by the others, and watches one of them.

    An error ends all processes: the first one's is told to all, through the store. A process that only
    notices that another is gone waits for what the others know of it.

    Args:
        member: this process.
        silence_s: seconds without an answer after which a process counts as hung.

    Attributes:
        store: for the main thread.
        last_words: called before the watch ends this process, with the ending; None calls nothing.

    Raises:
        Ended: the block raised an error, and an agent of ours is to read it.
        SystemExit: likewise, under another launcher, where another process prints it.
        Lost: the place where processes meet does not answer.
    """

    def __init__(self, member: Member, silence_s: float) -> None:
        self.member = member
        host, _, port = member.store.rpartition(":")
        prefix = f"gluon_yolo/{member.run}"
        self.store, own = (Store(host, int(port), prefix, silence_s) for _ in range(2))
        self.last_words: Callable[[Ending], None] | None = None
        self.watch = Watch(member, own, silence_s, self._before_the_end)
        self.store.is_over = lambda: self.watch.ending is not None

    def __enter__(self) -> Membership:
        place = f"host {platform.node()}, pid {os.getpid()}"
        self.store.set(self.member.others(f"place/{self.member.rank}"), place.encode())
        self.watch.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        """Tell the others why the block ends, if not well.

        Raises:
            Ended, SystemExit: see above.
        """
        if error is None:
            return self.watch.stop()
        own = Ending.of(error, self.member.rank)
        ending = self._told(own)
        self.watch.stop()
        if self.member.reports:
            raise Ended(ending) from error
        if ending != own:  # another process prints it
            raise SystemExit(ending.exit_status) from error
        if ending.kind == LOST:
            raise Fault(ending.text) from error

    def _told(self, own: Ending) -> Ending:
        """Tell the others how this process ends, and return how the training does."""
        name = self.member.others("end")
        try:
            until = time.monotonic() + _CAUSE_S
            content = self.store.get(name)
            while own.kind == LOST and content is None and time.monotonic() < until:
                time.sleep(0.05)
                content = self.store.get(name)
            first = Ending.from_bytes(content or self.store.first(name, own.to_bytes()))
        except Lost:
            return self.watch.ending or own
        return first if own.kind == LOST and first.rank != own.rank else own

    def _before_the_end(self, ending: Ending) -> None:
        """Say in the watch's thread why this process ends, which the main thread cannot."""
        if self.member.reports:
            ending.write(Path(self.member.reports), self.member.rank)
        if self.last_words is not None:
            self.last_words(ending)
