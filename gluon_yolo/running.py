"""Running: a note in a run's folder while its training goes on; one that is left tells of a death.

A process that the system kills, for lack of memory mostly, says nothing any more. What it wrote before does.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gluon_yolo.control_groups import read

FILE = "running.json"
_BEGUN = 19  # of a process's numbers behind its name in /proc: when it began
_ABOUT = (
    "This training is going on. If no such process is running, it was killed, by the system for lack of "
    "memory mostly, or the machine went down; its log ends where it did. `gluon-yolo train --resume FOLDER` "
    "goes on with it from its last whole epoch, or begins it anew where there is none."
)


@contextlib.contextmanager
def noted(folder: Path) -> Iterator[None]:
    """Keep the note in a run's folder while the block runs, however it ends, short of a kill."""
    path = folder / FILE
    record = {**_process(os.getpid()), "since": time.strftime("%Y-%m-%d %H:%M:%S"), "about": _ABOUT}
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


def story(folder: Path) -> str:
    """Say what became of a training that left its note; empty where there is none."""
    record = _note(folder)
    if not record:
        return ""
    which = f"process {record.get('process')}, begun {record.get('since')}"
    if record.get("host") != platform.node():
        return f"it was being trained on {record.get('host')} ({which}), and is so still or was killed"
    if going_on(folder) is not None:
        return f"it is being trained at this moment ({which})"
    return f"its training was killed, mostly by the system for lack of memory ({which})"


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
    fields = (read(Path(f"/proc/{number}/stat")) or "").rpartition(")")[2].split()
    begun = fields[_BEGUN] if len(fields) > _BEGUN and fields[0] not in "ZX" else ""
    if not begun and not Path("/proc/self/stat").exists():  # no such system files: a signal asks
        with contextlib.suppress(OSError):
            os.kill(number, 0)
            begun = "unknown"
    boot = read(Path("/proc/sys/kernel/random/boot_id")) or ""
    return {"process": number, "host": platform.node(), "started": begun and f"{boot} {begun}".strip()}
