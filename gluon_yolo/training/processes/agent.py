"""Agent: starts the processes of a training on this host, and starts them again after a fault.

torch's agent (``torch.distributed.elastic``) finds the other hosts and watches its processes. This one also
finds out why they end: a user's error ends the training, a lost process or host starts all processes again.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing.util
import os
import shutil
import signal
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Callable

from gluon_yolo.errors import SettingText
from gluon_yolo.torch_compat import (
    DefaultLogsSpecs,
    LocalElasticAgent,
    RunResult,
    WorkerGroup,
    WorkerSpec,
    WorkerState,
)
from gluon_yolo.training.processes.agent_signals import Signals
from gluon_yolo.training.processes.ending import BUG, LOST, STATUS, STOPPED, USER, Ending, Lost
from gluon_yolo.training.processes.guard import Guard
from gluon_yolo.training.processes.member import FAULT, REPORTS, ROUND, STORE
from gluon_yolo.training.processes.store import Store

_OWN_S = 3.0  # in which the other processes may say why they end, once one has ended
_HEARD_S = 3.0  # in which other hosts read why the training ends, before their place to meet is gone
_FREE_S = 2.0  # in which a host that ends itself frees what it has
_SLACK_S = 30.0  # beyond the time-outs, in which torch's agent itself ends what does not answer
GO_ON = "the same command goes on from the last checkpoint, with {run_id} or {resume}"
_KINDS = (USER, BUG, STOPPED, LOST)  # the first one counts, where processes end for several reasons

log = logging.getLogger("gluon_yolo")


class Agent(LocalElasticAgent):
    """The processes of this host.

    Args:
        spec: of the processes.
        folder: an empty folder for their endings.
        prefix: of the values that all processes share.
        meet: the place where hosts meet, for messages.
        timeout_s: seconds that it may take for an answer.
        meeting_s: seconds in which hosts have to meet.

    Attributes:
        ending: why the processes of this host ended the last time; None until they did.
        signals: passes signals on to the processes.
        guard: ends this host where torch's agent does not come back.
    """

    def __init__(
        self, spec: WorkerSpec, folder: Path, prefix: str, meet: str, timeout_s: float, meeting_s: float
    ) -> None:
        super().__init__(spec, DefaultLogsSpecs(log_dir=str(folder)), start_method="spawn")
        self.ending: Ending | None = None
        self._remaining_restarts: int
        self._folder, self._prefix, self._meet = folder, prefix, meet
        self._timeout_s, self._meeting_s = timeout_s, meeting_s
        self.signals = Signals(self._pids, folder)
        self._tell: Callable[[Ending], Any] = lambda ending: None
        self._fault = ""
        self.guard = Guard(2 * meeting_s + _SLACK_S, self._late)

    def _late(self) -> None:
        """End this host: the place where hosts meet does not answer, and torch's agent waits for ever."""
        _kill(self._pids())
        shutil.rmtree(self._folder, ignore_errors=True)
        text = f"{self._meet}, where the hosts meet, does not answer any more; {GO_ON}"
        log.error("%s", SettingText(f"error: {text}"))
        threading.Timer(_FREE_S, os._exit, (STATUS[LOST],)).start()
        with contextlib.suppress(Exception):  # semaphores that are left have Python warn of them afterwards
            multiprocessing.util._run_finalizers()  # type: ignore[attr-defined]
        os._exit(STATUS[LOST])

    def _pids(self) -> list[int]:
        """Return the process ids of this host's processes that run."""
        known = (worker.id for worker in self._worker_group.workers if worker.id)
        return [pid for pid in known if _exit_code(pid) is None]

    def _start_workers(self, worker_group: WorkerGroup) -> dict[int, Any]:
        """Start the processes, with what they need to find each other."""
        for path in self._folder.iterdir():
            if path.is_file():
                path.unlink()
        meeting: Any = worker_group.store
        if worker_group.group_rank == 0:
            meeting.set("round", uuid.uuid4().hex)
        number, place = meeting.get("round").decode(), meeting
        while hasattr(place, "underlying_store"):
            place = place.underlying_store
        store = Store(place.host, place.port, self._prefix, self._timeout_s)
        self._tell = lambda ending: store.first(f"{number}/end", ending.to_bytes())
        variables = {
            STORE: store.place,
            ROUND: number,
            FAULT: self._fault,
            REPORTS: str(self._folder),
            "TORCHELASTIC_SIGNALS_TO_HANDLE": "",  # those are handled here
        }
        if worker_group.group_rank:
            ranks = [worker.global_rank for worker in worker_group.workers]
            named = f"process {ranks[0]}" if len(ranks) == 1 else f"processes {ranks[0]} to {ranks[-1]}"
            log.info(
                "%s of %d on this host; another one has the log", named, worker_group.workers[0].world_size
            )
        with environment(variables), self.signals.held():
            return super()._start_workers(worker_group)

    def _stop_workers(self, worker_group: WorkerGroup, *args: Any, **kwargs: Any) -> None:
        """End the processes at once: what they have saved is whole at any moment."""
        self.guard.passed(2 * self._meeting_s + _SLACK_S)
        if running := self._pids():  # of faults, all have ended by now
            self._fault = "another host joins"
            log.warning("%s; all processes start again from the last checkpoint", self._fault)
            _kill(running)
        super()._stop_workers(worker_group, *args, **kwargs)

    def _shutdown(self, *args: Any, **kwargs: Any) -> None:
        _kill(self._pids())
        super()._shutdown(*args, **kwargs)

    def _monitor_workers(self, worker_group: WorkerGroup) -> RunResult:
        """Look after the processes; find out why they ended, and whether they start again."""
        self.guard.passed(self._timeout_s + _SLACK_S)
        endings = []
        if any(_exit_code(worker.id) for worker in worker_group.workers):
            endings = self._endings(worker_group)
        result = super()._monitor_workers(worker_group)
        if result.state == WorkerState.SUCCEEDED:
            self.guard.stop()  # torch's agent waits for those of the other hosts
        if result.state not in (WorkerState.FAILED, WorkerState.UNHEALTHY):
            return result
        if not endings:  # one ended after this method had looked
            failed = result.failures.items()
            endings = [self._ending(rank, failure.exitcode, failure.pid) for rank, failure in failed]
        # The one with the exception itself, before those of processes that were only told of it.
        self.ending = min(endings, key=lambda each: (_KINDS.index(each.kind), not each.error))
        if self.ending.kind == LOST and self._remaining_restarts > 0:
            most = worker_group.spec.max_restarts
            self._fault = f"{self.ending.text} (fault {most - self._remaining_restarts + 1} of {most})"
            log.warning("%s; all processes start again from the last checkpoint", self._fault)
            return result
        self._remaining_restarts = 0
        if worker_group.group_world_size > 1:
            time.sleep(_HEARD_S)
        return result

    def _endings(self, worker_group: WorkerGroup) -> list[Ending]:
        """Return how the processes ended, killed ones first, after a moment in which all may say so."""
        killed = self._ended(worker_group, lambda code: code < 0)
        for ending in killed:
            with contextlib.suppress(Lost):
                self._tell(ending)
        until = time.monotonic() + _OWN_S
        while self._pids() and time.monotonic() < until:
            time.sleep(0.05)
        told = self._ended(worker_group, lambda code: code > 0)
        _kill(self._pids())
        return [*killed, *told]

    def _ended(self, worker_group: WorkerGroup, wanted: Callable[[int], bool]) -> list[Ending]:
        """Return the endings of processes with some exit codes."""
        codes = {each.global_rank: _exit_code(each.id) or 0 for each in worker_group.workers}
        pids = {each.global_rank: each.id for each in worker_group.workers}
        return [self._ending(rank, code, pids[rank]) for rank, code in codes.items() if wanted(code)]

    def _ending(self, rank: int, code: int, pid: int) -> Ending:
        """Return how a process with an exit code ended: as it said, or by a signal."""
        said = Ending.read(self._folder, rank)
        if said is not None:
            return said
        if code > 0:
            return Ending(BUG, rank, f"process {rank} ended with status {code}, see what it printed")
        name = signal.Signals(-code).name
        world = self._worker_group.workers[0].world_size
        text = f"process {rank} of {world} (pid {pid}) was killed by {name}"
        if -code in (signal.SIGKILL, signal.SIGBUS):
            text += ", as the system does when memory runs out"
        return Ending(LOST, rank, text, status=STATUS[LOST])


def _kill(pids: Sequence[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _exit_code(pid: int) -> int | None:
    """Return the exit code of a child, negative for a signal; None if it runs. It can still be waited for."""
    try:
        found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # it was waited for before
        return 0
    if found is None:
        return None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


@contextlib.contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """Set variables for the processes that the block starts."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
