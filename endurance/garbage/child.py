"""The process that reads damaged files: it runs commands, and watches what they do.

It reads one JSON line a command - the words, the file to damage, and the folders that they may write to - and
answers with one: the exit status, what was printed, seconds of the processor, memory, and what the command
did that no reading of data does. An audit hook sees files that are opened for writing, processes that are
started, connections. A command may use so many seconds of the processor: other work on the machine does not
count. It may take so many bytes of address space more than there are before it: what asks for more gets an
error of the system.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import json
import os
import platform
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

FORBIDDEN = ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "os.fork", "socket.connect")
WRITING = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate")
ANSWER = "answer: "
CALL = "call"  # before the name of a function, in place of a command
MEMORY = 2 << 30  # bytes that a command may add
SHOWN = 3000  # letters of what was printed that are kept of its begin, and as many of its end
watched: dict[str, Any] = {"out": None, "did": [], "wrote": 0}


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
    watched["wrote"] += place.startswith(watched["in"])
    allowed = (watched["out"], watched["in"], watched["cache"], "/dev/", "/proc/")
    if not place.startswith(allowed):
        watched["did"].append(f"{event} {place}"[:300])


class Hangs(BaseException):
    """The command took too long."""


def _alarm(*_: object) -> None:
    raise Hangs


def main() -> None:
    """Run commands until the input ends."""
    seconds, cache = float(sys.argv[1]), os.path.realpath(sys.argv[2])
    from endurance.garbage.trials import Trials
    from gluon_yolo.cli import main as run
    from gluon_yolo.inference.runtimes import trial

    with contextlib.suppress(ImportError):  # it takes seconds, once
        import gluon_yolo.mxnet_compat  # noqa: F401
    with contextlib.suppress(ImportError):  # it asks a program for the machine's fonts, once
        import matplotlib.font_manager  # noqa: F401
    platform.processor()  # so does this

    trials = Trials()
    trial._run = trials.run  # type: ignore[assignment]
    tempfile.gettempdir()  # it writes a file there, once
    watched["cache"] = cache
    sys.addaudithook(hook)
    signal.signal(signal.SIGPROF, _alarm)
    faults = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["damaged"]:
            shutil.copy(asked["damaged"], asked["victim"])
        shutil.rmtree(asked["out"], ignore_errors=True)
        os.mkdir(asked["out"])
        trials.seconds = 0.0
        answer = _run(run, asked, seconds)
        if trials.seconds > seconds:
            answer["raised"] = answer["raised"] or f"hangs: a trial took {trials.seconds:.0f} s"
        shutil.copy(Path(asked["good"]) / Path(asked["victim"]).relative_to(asked["in"]), asked["victim"])
        if answer["wrote"] or answer["raised"] or asked["whole"]:
            restore(Path(asked["good"]), Path(asked["in"]))
        faults.write(f"\n{ANSWER}{json.dumps(answer)}\n")
        faults.flush()


def restore(good: Path, work: Path) -> None:
    """Make a folder equal a good one: bring back what is lost or changed, remove what is more."""
    names = {file.relative_to(good) for file in good.rglob("*")}
    for file in sorted(work.rglob("*"), reverse=True):
        if file.relative_to(work) not in names:
            file.unlink() if file.is_file() or file.is_symlink() else shutil.rmtree(file, ignore_errors=True)
    for file in good.rglob("*"):
        mine = work / file.relative_to(good)
        if file.is_file() and (not mine.exists() or mine.read_bytes() != file.read_bytes()):
            mine.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, mine)


def _run(run: Any, asked: dict[str, Any], seconds: float) -> dict[str, Any]:
    text, raised = io.StringIO(), None
    places = {key: os.path.realpath(asked[key]) for key in ("in", "out")}
    watched.update(**places, did=[], wrote=0)
    start, status = time.process_time(), -1
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (_pages(0) + MEMORY, hard))
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
            status = _call(*asked["words"][1:]) if asked["words"][0] == CALL else run(asked["words"])
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except Hangs:
        raised = "hangs: " + "".join(traceback.format_exc().splitlines(keepends=True)[-12:])
    except BaseException:  # a stack trace for bad data is a fault, whatever it is
        raised = traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        watched["out"] = None
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    printed = text.getvalue()
    if len(printed) > 2 * SHOWN:
        printed = f"{printed[:SHOWN]}\n...\n{printed[-SHOWN:]}"
    return {
        "status": status,
        "printed": printed,
        "raised": raised,
        "did": watched["did"][:5],
        "wrote": watched["wrote"],
        "seconds": time.process_time() - start,
        "grown_mb": (after - before) / 1024,
        "rss_mb": _pages(1) / (1 << 20),
    }


def _call(name: str, *words: str) -> int:
    """Call ``module:function`` or ``module:class.method`` with paths, where a command would take seconds."""
    from gluon_yolo.errors import UserError

    module, _, function = name.partition(":")
    try:
        functools.reduce(getattr, function.split("."), importlib.import_module(module))(*map(Path, words))
    except UserError as error:
        print(f"error: {error}")
        return error.status
    return 0


def _pages(field: int) -> int:
    """Return the bytes of address space (0), or of resident memory (1), that the process has."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[field]) * resource.getpagesize()


if __name__ == "__main__":
    main()
