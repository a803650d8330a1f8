"""Processes: what identifies one for all time, also after another one got its number."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from gluon_yolo.system.control_groups import read

_START_FIELD = 19  # of /proc/PID/stat behind the process's name: its start time
ON_WINDOWS = os.name == "nt"
_PROC = Path("/proc")


def identity(number: int) -> dict[str, Any]:
    """Return what identifies a process; ``started`` is empty when the process does not exist."""
    fields = (read(_PROC / f"{number}/stat") or "").rpartition(")")[2].split()
    begun = fields[_START_FIELD] if len(fields) > _START_FIELD and fields[0] not in "ZX" else ""
    if not begun and not (_PROC / "self/stat").exists() and _is_there(number):
        begun = "unknown"
    boot = read(_PROC / "sys/kernel/random/boot_id") or ""
    return {"process": number, "host": platform.node(), "started": begun and f"{boot} {begun}".strip()}


def _is_there(number: int) -> bool:
    """Return whether a process exists, on a system without ``/proc``."""
    if number == os.getpid():
        return True
    if ON_WINDOWS:  # signal 0 is Ctrl-C on Windows
        return _windows_has(number)
    try:
        os.kill(number, 0)
    except PermissionError:  # it exists and belongs to another user
        return True
    except (OSError, OverflowError):
        return False
    return True


def _windows_has(number: int) -> bool:
    """Return whether Windows reports a process's exit code as 259, its value while the process runs."""
    import ctypes

    system = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]
    system.OpenProcess.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(system.OpenProcess(0x1000, False, number))  # PROCESS_QUERY_LIMITED_INFORMATION
    if not handle:
        return False
    code = ctypes.c_ulong()
    answered = system.GetExitCodeProcess(handle, ctypes.byref(code))
    system.CloseHandle(handle)
    return bool(answered) and code.value == 259
