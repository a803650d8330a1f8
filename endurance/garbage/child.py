"""The process that reads damaged files: it runs commands, and watches what they do.

It reads one JSON line a command - the words, and the folder that they may write to - and answers with one:
the exit status, what was printed, seconds, memory, and what the command did that no reading of data does. An
audit hook sees files that are opened for writing, processes that are started, connections. A command may use
so many seconds of the processor: other work on the machine does not count.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from typing import Any

FORBIDDEN = ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.fork", "socket.connect")
WRITING = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate")
ANSWER = "answer: "
watched: dict[str, Any] = {"out": None, "did": []}


def hook(event: str, args: tuple[Any, ...]) -> None:
    """Note what a command must not do."""
    if watched["out"] is None:
        return
    if event.startswith(FORBIDDEN):
        watched["did"].append(f"{event} {args[:2]}"[:300])
    elif event == "open":
        path, mode, flags = args[0], args[1], args[2] if len(args) > 2 else 0
        writes = (isinstance(mode, str) and set(mode) & set("wax+")) or (
            isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        )
        # A folder is opened for writing for a file without a name, as tempfile.TemporaryFile's.
        if writes and isinstance(path, (str, bytes)) and not os.path.isdir(path):
            _note_place(event, os.fsdecode(path))
    elif event in ("os.remove", "os.rmdir") and args[1] != -1:
        pass  # a name in a folder that is open: a part of removing the folder, which is noted by its path
    elif event.startswith(WRITING) and args and isinstance(args[0], (str, bytes)):
        _note_place(event, os.fsdecode(args[0]))


def _note_place(event: str, path: str) -> None:
    place = os.path.realpath(path)
    allowed = [watched["out"], "/dev/", "/proc/", *watched["caches"]]
    if not any(place.startswith(each) for each in allowed):
        watched["did"].append(f"{event} {place}"[:300])


class Hangs(BaseException):
    """The command took too long."""


def _alarm(*_: object) -> None:
    raise Hangs


def main() -> None:
    """Run commands until the input ends."""
    seconds, caches = float(sys.argv[1]), sys.argv[2:]
    from gluon_yolo.cli import main as run

    with contextlib.suppress(ImportError):  # it takes seconds, once
        import gluon_yolo.mxnet_compat  # noqa: F401

    tempfile.gettempdir()  # it writes a file there, once
    watched["caches"] = [os.path.realpath(path) for path in caches]
    sys.addaudithook(hook)
    signal.signal(signal.SIGPROF, _alarm)
    faults = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        asked = json.loads(line)
        answer = _run(run, asked, seconds)
        faults.write(f"\n{ANSWER}{json.dumps(answer)}\n")
        faults.flush()


def _run(run: Any, asked: dict[str, Any], seconds: float) -> dict[str, Any]:
    text, raised = io.StringIO(), None
    watched.update(out=os.path.realpath(asked["out"]), did=[])
    start, status = time.perf_counter(), -1
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
            status = run(asked["words"])
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except Hangs:
        raised = "hangs: " + "".join(traceback.format_exc().splitlines(keepends=True)[-12:])
    except BaseException:  # a stack trace for bad data is a fault, whatever it is
        raised = traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        watched["out"] = None
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "status": status,
        "printed": text.getvalue()[-3000:],
        "raised": raised,
        "did": watched["did"][:5],
        "seconds": time.perf_counter() - start,
        "grown_mb": (after - before) / 1024,
        "rss_mb": after / 1024,
    }


if __name__ == "__main__":
    main()
