"""Running: a note in a run's folder while its training goes on; one that is left tells of a death.

A process that the system kills, probably for lack of memory, says nothing any more. What it wrote does.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

from gluon_yolo.system.control_groups import read

FILE = "running.json"
_BEGUN = 19  # of a process's numbers behind its name in /proc: when it began
ON_WINDOWS = os.name == "nt"
_PROC = Path("/proc")
_ABOUT = (
    "This training is going on. If no such process is running, it was killed, probably by the system for "
    "lack of memory, or the machine went down; its log ends where it did. `gluon-yolo train --resume FOLDER` "
    "goes on with it from its last whole epoch, or begins it anew where there is none."
)


_worded: Callable[[str], str] = str


def word_commands(worded: Callable[[str], str]) -> None:
    """Let notes have their commands written by a function, as the user calls them."""
    global _worded
    _worded = worded


@contextlib.contextmanager
def noted(folder: Path, worded: Callable[[str], str] | None = None) -> Iterator[None]:
    """Keep the note in a run's folder while the block runs, however it ends, short of a kill.

    Args:
        folder: the run's.
        worded: writes the commands in a text as the user calls them; None takes what
            :func:`word_commands` set.
    """
    path = folder / FILE
    record = {
        **_process(os.getpid()),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "about": (worded or _worded)(_ABOUT),
    }
    with contextlib.suppress(OSError):  # a disk that is full is told where it matters
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def going_on(folder: Path) -> int | None:
    """Return the number of the process that trains a run at this moment; None where none is known to."""
    record = _note(folder)
    number = record.get("process")
    if not isinstance(number, int):
        return None
    return number if _process(number) == {key: record.get(key) for key in _KEYS} else None


def story(folder: Path, advised: bool = False) -> str:
    """Say what became of a training that left its note; empty where there is none.

    Args:
        folder: the run's.
        advised: say too how to go on with one that was killed.
    """
    record = _note(folder)
    if not record:
        return ""
    which = f"process {record.get('process')}, begun {record.get('since')}"
    if record.get("host") != platform.node():
        return f"it was being trained on {record.get('host')} ({which}), and is so still or was killed"
    if going_on(folder) is not None:
        return f"it is being trained at this moment ({which})"
    told = f"its training was killed, probably by the system for lack of memory ({which})"
    return f"{told}; go on with: gluon-yolo train --resume {shlex.quote(str(folder))}" if advised else told


_KEYS = ("process", "host", "started")


def _note(folder: Path) -> dict[str, Any]:
    """Return what the note says, nothing where there is none."""
    try:
        record = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _process(number: int) -> dict[str, Any]:
    """Return what tells a process from every other; of one that is not there the begin is empty."""
    fields = (read(_PROC / f"{number}/stat") or "").rpartition(")")[2].split()
    begun = fields[_BEGUN] if len(fields) > _BEGUN and fields[0] not in "ZX" else ""
    if not begun and not (_PROC / "self/stat").exists() and _is_there(number):
        begun = "unknown"
    boot = read(_PROC / "sys/kernel/random/boot_id") or ""
    return {"process": number, "host": platform.node(), "started": begun and f"{boot} {begun}".strip()}


def _is_there(number: int) -> bool:
    """Say whether there is such a process, where no files of the system tell."""
    if number == os.getpid():
        return True
    if ON_WINDOWS:  # a signal of 0 would be Ctrl-C there
        return _windows_has(number)
    try:
        os.kill(number, 0)
    except PermissionError:  # it is there, and another user's
        return True
    except (OSError, OverflowError):
        return False
    return True


def _windows_has(number: int) -> bool:
    """Ask Windows for a process's exit code, which is 259 until it ends."""
    import ctypes

    system = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]
    system.OpenProcess.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(system.OpenProcess(0x1000, False, number))  # the right to ask, and no other
    if not handle:
        return False
    code = ctypes.c_ulong()
    told = system.GetExitCodeProcess(handle, ctypes.byref(code))
    system.CloseHandle(handle)
    return bool(told) and code.value == 259
