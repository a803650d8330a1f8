"""Python as another process: it imports nothing from the working folder.

``python -c`` and ``python -m`` look for modules in the working folder first. A user stands in a folder that
somebody else has packed, and a ``json.py`` there would run.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

# The working folder is "" in the path of `python -c`; the rest of the path is as it is in this process.
_ELSEWHERE = "import sys; sys.path[:] = [place for place in sys.path if place]"
SAFE_PATH = "PYTHONSAFEPATH"  # the same for the processes that multiprocessing starts, from Python 3.11 on


def available() -> bool:
    """Return whether this Python can be started once more: not one within a frozen or another program."""
    name = Path(sys.executable or "").name.lower()  # of a program with Python in it, the program
    return not getattr(sys, "frozen", False) and name.startswith(("python", "pypy"))


def environment() -> dict[str, str]:
    """Return the environment of a process that imports this package from where this process has it."""
    place = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join([place, *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": paths}


def code(text: str, *words: str) -> list[str]:
    """Return the command that runs a program text with words in ``sys.argv[1:]``."""
    return [sys.executable, "-c", f"{_ELSEWHERE}\n{text}", *words]


def module(name: str, *words: str) -> list[str]:
    """Return the command that runs a module as ``python -m`` does."""
    return code(f"import runpy\nrunpy.run_module({name!r}, run_name='__main__', alter_sys=True)", *words)


@contextlib.contextmanager
def safe_path() -> Iterator[None]:
    """Keep the working folder away from the processes that multiprocessing starts in the block."""
    if SAFE_PATH in os.environ:
        yield
        return
    os.environ[SAFE_PATH] = "1"
    try:
        yield
    finally:
        os.environ.pop(SAFE_PATH, None)
