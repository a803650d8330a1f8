"""Run note: a file in a run's folder while its training runs; one that remains shows that the training died.

A process that the system kills, usually for lack of memory, cannot log it. The file that it leaves shows it.
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

from gluon_yolo import json_text
from gluon_yolo.errors import UserError
from gluon_yolo.system.folder_lock import one_at_a_time
from gluon_yolo.system.process import identity

FILE = "running.json"
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


def worded(text: str) -> str:
    """Return a text with its commands as the user calls them."""
    return _worded(text)


@contextlib.contextmanager
def noted(folder: Path, worded: Callable[[str], str] | None = None) -> Iterator[None]:
    """Keep the note in a run's folder while the block runs; delete it however the block ends.

    Args:
        folder: the run's folder.
        worded: writes the commands in a text as the user calls them; None takes what
            :func:`word_commands` set.

    Raises:
        UserError: another process trains this run; of two that begin at once it is the second.
    """
    path = folder / FILE
    record = {
        **identity(os.getpid()),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "about": (worded or _worded)(_ABOUT),
    }
    with one_at_a_time(folder):
        refuse_second(folder)
        with contextlib.suppress(OSError):  # a full disk is reported by what the training itself writes
            path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def refuse_second(folder: Path) -> None:
    """Raise a UserError where another process than this one trains a run."""
    if going_on(folder) not in (None, os.getpid()):
        raise trained_already(folder)


def trained_already(folder: Path) -> UserError:
    """Return the error about a run that a process trains."""
    return UserError(f"{folder}: {story(folder)}; wait for it, or stop it")


def going_on(folder: Path) -> int | None:
    """Return the process id that trains a run now; None when no running process is known."""
    record = _note(folder)
    number = record.get("process")
    if not isinstance(number, int):
        return None
    return number if identity(number) == {key: record.get(key) for key in _KEYS} else None


def was_killed(folder: Path) -> bool:
    """Return whether a process of this host that trained a run is gone without having ended it."""
    return _note(folder).get("host") == platform.node() and going_on(folder) is None


def story(folder: Path, advised: bool = False) -> str:
    """Return what happened to a training that left its note; empty without a note.

    Args:
        folder: the run's folder.
        advised: whether to add how to resume a training that was killed.
    """
    record = _note(folder)
    if not record:
        return ""
    which = f"process {record.get('process')}, begun {record.get('since')}"
    if record.get("host") != platform.node():
        return f"it was being trained on {record.get('host')} ({which}), and is so still or was killed"
    if going_on(folder) is not None:
        return f"it is being trained at this moment ({which})"
    killed = f"its training was killed, probably by the system for lack of memory ({which})"
    return (
        f"{killed}; go on with: gluon-yolo train --resume {shlex.quote(str(folder))}" if advised else killed
    )


_KEYS = ("process", "host", "started")


def _note(folder: Path) -> dict[str, Any]:
    """Return the content of the note; empty when there is none."""
    try:
        record = json_text.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
