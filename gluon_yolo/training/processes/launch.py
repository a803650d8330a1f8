"""Launch: run a function in several processes on this host, together with those of other hosts."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import multiprocessing
import os
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, Callable

from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.progress.heartbeat import HEARTBEAT
from gluon_yolo.system.cpu import physical_cores
from gluon_yolo.system.interpreter import SAFE_PATH
from gluon_yolo.system.scratch import temporary_folder
from gluon_yolo.text import counted
from gluon_yolo.torch_compat import (
    RendezvousConnectionError,
    RendezvousError,
    RendezvousParameters,
    RendezvousTimeoutError,
    RunResult,
    WorkerSpec,
    get_rendezvous_handler,
)
from gluon_yolo.training.processes.agent import GO_ON, Agent, environment
from gluon_yolo.training.processes.ending import BUG, LOST
from gluon_yolo.training.processes.hosts import Hosts, Meet, interface_of
from gluon_yolo.training.processes.membership import Fault
from gluon_yolo.training.processes.worker import Call, work

_LOOPBACK = "127.0.0.1"
_LAST_CALL_S = 10  # in which further hosts may come, once the least number is there
_ALIVE_S, _ALIVE_TIMES = 2, 5  # a host that has not called for so many times so many seconds is lost
_ANY_RUN = "gluon_yolo"  # the name of a run without one, where several hosts meet
_NAME_S = 5.0  # seconds between two looks for the address of a host
_LAUNCHERS = ("torch.distributed.elastic", "torch.multiprocessing")

log = logging.getLogger("gluon_yolo")


@dataclasses.dataclass(frozen=True)
class Launch:
    """How processes are started.

    Args:
        processes: on this host.
        hosts: how many hosts.
        meet: the place where they meet; None for one host.
        run_id: names the run at that place.
        restarts: how many faults are mended by a new start.
        silence_s: seconds that processes and hosts wait for one that does not answer or come.
    """

    processes: int
    hosts: Hosts = Hosts()
    meet: Meet | None = None
    run_id: str | None = None
    restarts: int = 3
    silence_s: float = 300.0

    @property
    def place(self) -> str:
        """The place where processes meet; of one host a free port of its own."""
        return str(self.meet or f"{_LOOPBACK}:0")

    @property
    def meeting_s(self) -> float:
        """The seconds in which hosts have to meet: a lost one first has to be known as such."""
        return self.silence_s + _ALIVE_S * _ALIVE_TIMES + _LAST_CALL_S


class _Trace(Exception):
    """The traceback of a process, as text."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def launch(
    start: Launch,
    function: Callable[[], Any],
    preparations: Sequence[Callable[[], None]] = (),
    title: str = "train",
) -> Any:
    """Call a function in each process, and return what it returns in the first process of this host.

    Args:
        start: how the processes are started.
        function: of a module, or a ``functools.partial`` of one, with arguments that can be pickled.
        preparations: functions that each process calls first.
        title: of the work, for the heartbeat.

    Raises:
        UserError: a process ended with one; then all end.
        Fault: a process or a host is lost, and cannot be replaced any more.
        KeyboardInterrupt: Ctrl-C before the training began, or twice.
        Exception: of another error in a process, as it is raised there.
    """
    call = Call(function, tuple(preparations), title)
    _refuse_import()
    if start.meet is not None:
        _wait_for_name(start.meet, start.silence_s)
    run_id = start.run_id or (_ANY_RUN if start.meet else uuid.uuid4().hex)
    with temporary_folder() as folder:
        with _quiet(), HEARTBEAT.resting(), environment(_variables(start)):
            spec = WorkerSpec(
                role="gluon_yolo",
                local_world_size=start.processes,
                entrypoint=work,
                args=(call, os.getpid()),
                rdzv_handler=_meeting(start, run_id),
                max_restarts=start.restarts,
                monitor_interval=0.1,
            )
            agent = Agent(spec, folder, f"gluon_yolo/{run_id}", start.place, start.silence_s, start.meeting_s)
            with agent.signals.handled():
                return _result(agent, start)


def _result(agent: Agent, start: Launch) -> Any:
    """Run the agent; return the result of this host's first process."""
    closes = True
    agent.guard.start()
    try:
        result: RunResult | None = agent.run()
    except RendezvousConnectionError as error:
        closes = False
        raise Fault(f"{start.meet}, where the hosts meet, does not answer any more; {GO_ON}") from error
    except RendezvousTimeoutError as error:
        few = (
            f"fewer than {counted(start.hosts.least, 'host')} met at {start.meet} in {start.meeting_s:.0f} s"
        )
        raise Fault(f"{_before(agent)}{few}; {GO_ON}") from error
    except RendezvousError as error:  # closed by another host, whose processes said why
        raise Fault(f"{_before(agent)}the training was ended on another host") from error
    except KeyboardInterrupt:
        closes = False  # the other hosts may go on
        raise
    finally:
        agent.guard.stop()
        if closes:
            agent.get_worker_group().spec.rdzv_handler.shutdown()
    if result is not None and not result.is_failed():
        return result.return_values[min(result.return_values)]
    ending = agent.ending
    if ending is None or ending.kind == LOST:
        raise Fault(f"{_before(agent)}{counted(start.restarts, 'new start')} did not help; {GO_ON}")
    raised = ending.exception()
    if ending.kind == BUG:
        raised.__cause__ = _Trace(f"in process {ending.rank}:\n{ending.trace}")
    raise raised


def _before(agent: Agent) -> str:
    """Return the beginning of a message: why the processes had ended before."""
    return "" if agent.ending is None else f"{agent.ending.text}; "


def _meeting(start: Launch, run_id: str) -> Any:
    """Return torch's rendezvous.

    Raises:
        UserError: the place does not answer.
    """
    settings = {
        "backend": "c10d",
        "endpoint": start.place,
        "run_id": run_id,
        "min_nodes": start.hosts.least,
        "max_nodes": start.hosts.most,
        "local_addr": start.meet.own_address() if start.meet else _LOOPBACK,
        "read_timeout": max(1, round(start.silence_s)),
        "join_timeout": max(1, round(start.meeting_s)),
        "last_call_timeout": _LAST_CALL_S,
        "keep_alive_interval": _ALIVE_S,
        "keep_alive_max_attempt": _ALIVE_TIMES,
    }
    if start.meet is None or start.meet.is_held_here():
        with contextlib.suppress(RendezvousConnectionError):  # another agent of this machine was faster
            return get_rendezvous_handler(RendezvousParameters(is_host=True, **settings))
    try:
        return get_rendezvous_handler(RendezvousParameters(is_host=False, **settings))
    except RendezvousConnectionError as error:
        raise SettingError(
            f"{{meet}} {start.meet}: no host holds this place: start the training on the host of this "
            "address too, and let the port through its firewall"
        ) from error


def _wait_for_name(meet: Meet, seconds: float) -> None:
    """Wait until the host of a place has an address: a cluster gives one to a machine that has just started.

    Raises:
        SettingError: it has none in this time.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            meet.address()
            return
        except SettingError:
            if time.monotonic() > until:
                raise
        log.info("%s has no address here yet; it is waited for, at most %.0f s", meet.host, seconds)
        time.sleep(min(_NAME_S, seconds))


def _variables(start: Launch) -> dict[str, str]:
    """Return what the processes' libraries are to know, where the user has not set it."""
    address = start.meet.own_address() if start.meet else _LOOPBACK
    wanted = {
        "OMP_NUM_THREADS": str(max(1, physical_cores() // start.processes)),
        "GLOO_SOCKET_IFNAME": interface_of(address),
        "NCCL_SOCKET_IFNAME": interface_of(address) if start.meet else "",
        # A host that joins a later round would wait for an address that torch writes in the first one.
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
        SAFE_PATH: "1",
    }
    given = {name for name in wanted if name in os.environ}
    mxnet = sys.modules.get("gluon_yolo.mxnet_compat")
    if mxnet is not None and not mxnet.threads_are_given:  # it has set a number for one process
        given.discard("OMP_NUM_THREADS")
    return {name: value for name, value in wanted.items() if value and name not in given}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the lines of torch's launcher back, which this package's replace."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith(_LAUNCHERS)]
    loggers = [logger for logger in map(logging.getLogger, names) if not logger.disabled]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger in loggers:
            logger.disabled = False


def _refuse_import() -> None:
    """Raise a UserError in a process that imports a program which starts processes when it is imported."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        program = getattr(sys.modules.get("__mp_main__"), "__file__", "the program")
        raise UserError(
            f"{program}: each process imports it: put what starts the training under "
            '`if __name__ == "__main__":`'
        )
