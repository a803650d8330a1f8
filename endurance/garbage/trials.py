"""Trials of :mod:`gluon_yolo.inference.runtimes.trial`, forked from a process that has all packages loaded.

A trial's process needs a quarter of a second to begin, which is 30 times as long as most commands take with a
damaged file. What it then does with the file is the same here.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes import trial
from gluon_yolo.inference.runtimes.registry import RUNTIMES

MEMORY = 2 << 30  # bytes that a trial may add


class Trials:
    """Starts a process, and has it make trials.

    Attributes:
        seconds: of the processor that the longest one took, since it was set.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, words: Sequence[str], record: ModelRecord) -> tuple[list[str], int]:
        """Do what ``trial._run`` does: return the lines and the exit status of a trial's process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"words": list(words), "record": record.to_dict()}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        self.seconds = max(self.seconds, answer["seconds"])
        return answer["output"].splitlines(), answer["status"]

    def close(self) -> None:
        """End the process."""
        self._process.communicate()


def main() -> None:
    """Make a trial for each line of the input."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # some packages print while they are imported
    for runtime in (each for each in RUNTIMES.values() if each.crashes):
        with contextlib.suppress(ImportError):
            importlib.import_module(runtime.package)
    for line in sys.stdin:
        print(json.dumps(_forked(json.loads(line))), file=answers, flush=True)


def _forked(asked: dict[str, Any]) -> dict[str, Any]:
    """Make a trial in a child process; return what it printed, how it ended, and its seconds."""
    end, begin = os.pipe()
    child = os.fork()
    if not child:
        _try(asked, begin)
    os.close(begin)
    with os.fdopen(end, "rb") as pipe:
        output = pipe.read().decode(errors="replace")
    _, status, used = os.wait4(child, 0)
    return {
        "output": output,
        "status": os.waitstatus_to_exitcode(status),
        "seconds": used.ru_utime + used.ru_stime,
    }


def _try(asked: dict[str, Any], begin: int) -> None:
    """Make a trial whose output is the begin of a pipe, and end the process."""
    os.dup2(begin, 1)
    os.close(begin)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))
    sys.stdin = io.StringIO(json.dumps(asked["record"]))
    status = 1
    try:
        trial.main(*asked["words"])
        status = 0
    finally:
        sys.stdout.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
