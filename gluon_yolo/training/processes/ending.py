"""Ending: how a process of a training ended, if not well, as it tells its agent and the other processes."""

from __future__ import annotations

import dataclasses
import json
import pickle
import re
import traceback
from pathlib import Path

from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.text import first_line

USER, BUG, LOST, STOPPED = "user", "bug", "lost", "stopped"
"""A user's error; an error of the program; a process, a device or a host was lost; Ctrl-C."""
STATUS = {USER: 2, BUG: 1, LOST: 75, STOPPED: 130}  # 75: a temporary failure, by sysexits.h

# gloo raises RuntimeError. What a lost GPU raises is "CUDA error: ..."; out of memory is a UserError by then.
_OF_THE_OTHERS = re.compile(
    r"gloo|NCCL|Connection (?:closed|reset)|Broken pipe|CUDA error|Timed out waiting", re.IGNORECASE
)
_IN_SHORT = re.compile(r"(?:\[(\d+(?:\.\d+){3})\]:\d+: )?(Connection (?:closed|reset) by peer|Broken pipe)")


class Lost(Exception):
    """Another process or the host where processes meet is lost: all have to start again."""


@dataclasses.dataclass(frozen=True)
class Ending:
    """How a process ended.

    Args:
        kind: one of :data:`USER`, :data:`BUG`, :data:`LOST` and :data:`STOPPED`.
        rank: of the process that the cause was found in.
        text: what happened; of a ``UserError`` its message, with settings in braces.
        names_settings: whether it is the message of a ``SettingError``.
        status: the exit status that the program is to have.
        trace: the traceback of a bug.
        error: the pickled exception, where it can be pickled; not sent to other processes.
    """

    kind: str
    rank: int
    text: str
    names_settings: bool = False
    status: int = 1
    trace: str = ""
    error: bytes = b""

    @classmethod
    def of(cls, error: BaseException, rank: int) -> Ending:
        """Return the ending of a process with an exception."""
        if isinstance(error, UserError):
            text = error.message if isinstance(error, SettingError) else str(error)
            named = isinstance(error, SettingError)
            return cls(USER, rank, text, named, error.status, error=_pickled(error))
        if isinstance(error, KeyboardInterrupt):
            return cls(STOPPED, rank, str(error), status=STATUS[STOPPED])
        if is_lost(error):
            text = str(error) if isinstance(error, Lost) else f"process {rank}: {_reason(error)}"
            return cls(LOST, rank, text, status=STATUS[LOST])
        trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        return cls(BUG, rank, f"{type(error).__name__}: {error}", trace=trace, error=_pickled(error))

    @property
    def exit_status(self) -> int:
        """The exit status of the process, by which its agent knows the kind where nothing else is left."""
        return STATUS[self.kind]

    def exception(self) -> BaseException:
        """Return the exception to raise in the process that started this one."""
        if self.error:
            return pickle.loads(self.error)
        if self.kind == STOPPED:
            return KeyboardInterrupt(self.text)
        if self.kind != USER:
            return RuntimeError(self.text)
        error = SettingError(self.text) if self.names_settings else UserError(self.text)
        error.status = self.status
        return error

    def to_bytes(self) -> bytes:
        """Return the ending for other processes."""
        record = dataclasses.asdict(self)
        del record["error"]
        return json.dumps(record).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Ending:
        """Return the ending that :meth:`to_bytes` wrote."""
        return cls(**json.loads(content))

    def write(self, folder: Path, rank: int) -> None:
        """Write the ending for the agent of this process."""
        (folder / f"{rank}.pickle").write_bytes(pickle.dumps(dataclasses.asdict(self)))

    @classmethod
    def read(cls, folder: Path, rank: int) -> Ending | None:
        """Return what a process wrote; None if it wrote nothing, or was killed while it wrote."""
        try:
            return cls(**pickle.loads((folder / f"{rank}.pickle").read_bytes()))
        except (OSError, EOFError, pickle.UnpicklingError):
            return None


def is_lost(error: BaseException) -> bool:
    """Return whether an error means that another process, a device or a host is lost."""
    if isinstance(error, Lost):
        return True
    from gluon_yolo.torch_compat import distributed

    if isinstance(error, distributed.DistError):
        return True
    return isinstance(error, RuntimeError) and bool(_OF_THE_OTHERS.search(str(error)))


def _reason(error: BaseException) -> str:
    """Return in a few words what a library says of a lost process; gloo adds a path and a joke."""
    line = first_line(error)
    found = _IN_SHORT.search(line)
    if found is None:
        return line
    address = f" on {found.group(1)}" if found.group(1) else ""
    return f"the connection to another process{address} is gone ({found.group(2)})"


def _pickled(error: BaseException) -> bytes:
    """Return an exception that a process can be given; empty for one that cannot be pickled."""
    try:
        content = pickle.dumps(error)
        pickle.loads(content)
    except Exception:  # an exception's class may be written in any way
        return b""
    return content
