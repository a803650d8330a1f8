"""Start: whether a training needs several processes, which of them this one is, and which run goes on."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.progress.bar import hide_bars
from gluon_yolo.text import counted
from gluon_yolo.training.config import PLAIN_DEFAULTS
from gluon_yolo.training.processes.base import Processes
from gluon_yolo.training.processes.hosts import Hosts, Meet
from gluon_yolo.training.processes.member import Member
from gluon_yolo.training.run_dir import ARGS, RunFolder

_preparations: list[Callable[[], None]] = []


def prepare_with(function: Callable[[], None]) -> None:
    """Let every started process call a function of a module first, which sets up its messages."""
    if function not in _preparations:
        _preparations.append(function)


def in_processes(args: Mapping[str, Any], function: Callable[[], Any], callbacks: Sequence[Any]) -> Any:
    """Call a function in several processes, where a training needs them.

    Args:
        args: every setting of the training in plain form.
        function: trains; of a module, or a ``functools.partial`` of one.
        callbacks: among the arguments of ``function``.

    Returns:
        The result of this host's first process; None where this process is to train.

    Raises:
        UserError: the settings do not suit several processes, or a process ended with an error.
    """
    if Member.of() is not None or not _may_be_several(args):
        return None
    from gluon_yolo.training.engine_choice import TORCH, choose_engine

    choice = choose_engine(args)
    if choice.engine != TORCH or (len(choice.devices) == 1 and not args["hosts"]):
        return None
    hosts = Hosts.of(args["hosts"]) if args["hosts"] else Hosts()
    # The default may be changed by a CPU or by the network's file; auto is chosen to suit them.
    if args["batch_size"] not in (PLAIN_DEFAULTS["batch_size"], "auto"):
        _check_batch_sizes(args["batch_size"], hosts, len(choice.devices))
    _check_pickled(callbacks)
    from gluon_yolo.training.processes.launch import Launch, launch

    meet = Meet.of(args["meet"]) if args["meet"] and hosts.most > 1 else None
    many = Launch(len(choice.devices), hosts, meet, args["run_id"], args["restarts"], args["process_timeout"])
    return launch(many, function, _preparations)


@contextlib.contextmanager
def taking_part(given: Mapping[str, Any]) -> Iterator[Processes]:
    """Be the process that trains while the block runs, or one of several.

    Args:
        given: the given settings of the training in plain form.
    """
    member = Member.of()
    if member is None:
        yield Processes()
        return
    from gluon_yolo.training.processes.many import ManyProcesses

    if not member.is_first:
        be_silent()
    silence_s = float(given.get("process_timeout", PLAIN_DEFAULTS["process_timeout"]))
    with ManyProcesses.taking_part(member, silence_s) as processes:
        yield processes


def be_silent() -> None:
    """Keep lines, bars and warnings of this process back: the first one has the same."""
    logging.getLogger("gluon_yolo").setLevel(logging.ERROR)
    hide_bars()
    warnings.simplefilter("ignore")


def is_first() -> bool:
    """Return whether this process is the only one that trains, or the first of several."""
    member = Member.of()
    return member is None or member.is_first


def run_called(run_id: str | None, save_prefix: str) -> Path | None:
    """Return the folder of the run with an id, among those at a place; None if there is none."""
    if run_id is None:
        return None
    root = Path(os.path.split(save_prefix)[0] or ".")
    for path in sorted(root.glob(f"*/{ARGS}")):
        with contextlib.suppress(UserError):  # of another run, perhaps
            if RunFolder(path.parent).args().get("run_id") == run_id:
                return path.parent
    return None


def _may_be_several(args: Mapping[str, Any]) -> bool:
    """Return whether settings ask for more than one process; this imports neither mxnet nor torch."""
    gpus = [word for word in (args["gpus"] or "").split(",") if word.strip()]
    if args["engine"] == "torch":
        return bool(args["hosts"]) or args["cpu_devices"] > 1 or len(gpus) > 1
    return args["engine"] == "auto" and (bool(args["hosts"]) or (not args["cpu_devices"] and len(gpus) > 1))


def _check_batch_sizes(batch_size: int, hosts: Hosts, processes: int) -> None:
    """Raise a SettingError if a batch cannot be divided evenly among some number of hosts."""
    for number in range(hosts.least, hosts.most + 1):
        if batch_size % (number * processes):
            of = f" of {counted(number, 'host')}" if hosts.most > 1 else ""
            total = number * processes
            below = batch_size // total * total
            near = [size for size in (below, below + total) if size]
            raise SettingError(
                f"{{batch_size}}: {batch_size} pictures cannot be split evenly over {total} processes{of}; "
                f"use {' or '.join(map(str, near))}"
            )


def _check_pickled(callbacks: Sequence[Any]) -> None:
    """Raise a UserError for a callback that the other processes cannot be given."""
    for place, callback in enumerate(callbacks):
        name = type(callback).__name__
        problem = ""
        try:
            pickle.dumps(callback)
        except Exception as error:  # a callback's class may be written in any way
            problem = f"cannot be pickled ({error})"
        main = sys.modules.get("__main__")
        if type(callback).__module__ == "__main__" and not hasattr(main, "__file__"):
            problem = "is of a class that is defined in an interactive session"
        if problem:
            raise UserError(
                f"callbacks[{place}]: {name} {problem}, and other processes are to get it: let it be of a "
                "class in a file, and open files and connections in on_train_begin"
            )
