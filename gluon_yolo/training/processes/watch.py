"""Watch: a thread that tells the other processes that this one lives, and ends it when the training ends.

A process that waits for another in a message of NCCL waits for ever, whatever happens to the other. So the
thread does not rely on the main one: once the training has ended elsewhere, it ends its process.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Callable

from gluon_yolo.training.processes.ending import LOST, STATUS, Ending, Lost
from gluon_yolo.training.processes.guard import Guard
from gluon_yolo.training.processes.member import Member
from gluon_yolo.training.processes.store import Store

BEAT_S = 1.0
START_S = 600.0  # a process may take so long until its first beat: imports from a slow file system
GRACE_S = 3.0  # in which a process may end by itself once the training has ended
DONE = b"done"
_LEAST_S = 5 * BEAT_S  # in which the store has to answer, at least


class Watch:
    """Runs from :meth:`start` to :meth:`stop`.

    Each process also looks after the next one, by rank: if that is silent, it ends the training.

    Args:
        member: this process.
        store: of the thread alone.
        silence_s: seconds without a beat after which a process counts as hung.
        last_words: called in the thread before it ends the process.
        leave: ends the process with a status; a test gives another.

    Attributes:
        ending: how the training ended, once it has.
    """

    def __init__(
        self,
        member: Member,
        store: Store,
        silence_s: float,
        last_words: Callable[[Ending], None],
        leave: Callable[[int], None] = os._exit,
    ) -> None:
        self._member, self._store, self._silence_s = member, store, silence_s
        self._last_words, self._leave = last_words, leave
        self.ending: Ending | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gluon_yolo-watch", daemon=True)
        self._guard = Guard(max(silence_s, _LEAST_S), self._late)
        self._beats = 0
        self._next = (member.rank + 1) % member.world
        self._heard: tuple[bytes | None, float] = (None, 0.0)

    def start(self) -> None:
        """Start the thread, and what looks after it."""
        self._heard = (None, time.monotonic())
        self._thread.start()
        self._guard.start()

    def stop(self) -> None:
        """End the thread; the process is not missed from then on."""
        self._done.set()
        self._thread.join(GRACE_S)  # it may wait for a store that is gone
        self._guard.stop()

    def _run(self) -> None:
        try:
            while not self._done.wait(BEAT_S if self._beats else 0):
                self._beats += 1
                self._guard.passed()
                self._store.set(self._member.others(f"beat/{self._member.rank}"), str(self._beats).encode())
                content = self._store.get(self._member.others("end"))
                self.ending = Ending.from_bytes(content) if content else self._silence()
                if self.ending is not None:
                    return self._end(self.ending)
            self._store.set(self._member.others(f"beat/{self._member.rank}"), DONE)
        except Lost as error:
            if not self._done.is_set():
                self.ending = Ending(LOST, self._member.rank, str(error), status=STATUS[LOST])
                self._end(self.ending)

    def _late(self) -> None:
        """End the process, since the store does not answer."""
        where = f"{self._store.place}, where the processes meet"
        text = f"{where}, has not answered for {self._silence_s:.0f} s"
        self.ending = Ending(LOST, self._member.rank, text, status=STATUS[LOST])
        self._end(self.ending)

    def _silence(self) -> Ending | None:
        """Return the ending of a training whose next process does not answer any more; None if it does."""
        now = time.monotonic()
        beat = self._store.get(self._member.others(f"beat/{self._next}"))
        if beat != self._heard[0]:
            self._heard = (beat, now)
        limit = self._silence_s if beat is not None else max(START_S, self._silence_s)
        if beat == DONE or now - self._heard[1] < limit:
            return None
        place = self._store.get(self._member.others(f"place/{self._next}")) or b"not started"
        text = f"process {self._next} ({place.decode()}) has not answered for {limit:.0f} s"
        ending = Ending(LOST, self._next, text, status=STATUS[LOST])
        return Ending.from_bytes(self._store.first(self._member.others("end"), ending.to_bytes()))

    def _end(self, ending: Ending) -> None:
        """Let the main thread end the process; where it does not, end it here."""
        self._guard.stop()
        if self._done.wait(GRACE_S):
            return
        self._last_words(ending)
        self._leave(ending.exit_status)
