"""A trial: an exported model is opened and run once in another process, where a crash ends only that one.

The readers of some runtimes end the process at a damaged file. A file that agrees with the size and the
SHA-256 in the model's record is what the export wrote and verified, and needs no trial; one that does not is
refused. A trial is for a file of which the record has neither: of a package that wrote none, or changed by
another program (an optimizer, a converter) and taken out of the record's ``files``. It cannot find all: what
a damaged file does to memory differs from process to process.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import logging
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gluon_yolo.errors import MissingDependency, SettingError, UserError, message_of
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes import registry
from gluon_yolo.inference.runtimes.base import import_package
from gluon_yolo.inference.runtimes.registry import RUNTIMES, Network
from gluon_yolo.system import interpreter
from gluon_yolo.system.cache import cache_folder

log = logging.getLogger("gluon_yolo")

PATIENCE = 600.0  # seconds; a busy machine may need minutes
CPU_SECONDS = 60  # of the processor, at most, and one more for each megabyte of the files
BEGUN, ENDED = "trial: begun", "trial: ended "  # prefixes of lines: some runtimes print lines of their own
NOT_FINITE = "gives numbers that are not finite: its weights are damaged; export the model again"
_ERRORS = {kind.__name__: kind for kind in (UserError, SettingError, MissingDependency)}


def load(
    name: str,
    record: ModelRecord,
    folder: Path,
    size_hw: tuple[int, int] | None = None,
    gpu: int | None = None,
) -> Network:
    """Load an exported model, after a check or a trial where its files may end the process.

    What was found is remembered in the cache folder for these files, until they are written again: neither a
    digest nor a trial is made twice.

    Args:
        name: of the runtime.
        record: of the model.
        folder: of its files.
        size_hw: height and width of the input in pixels; None is the model's.
        gpu: index of a GPU; None is the CPU.

    Raises:
        UserError: as for :func:`gluon_yolo.inference.runtimes.registry.load`; a file is not as the export
            wrote it; or the trial failed.
        MissingDependency: the runtime's package is not installed.
    """
    kind = registry.kind_for(name, record)
    if kind is not None and registry.known(name).crashes:
        files = record.exported(kind, folder).files
        note = cache_folder() / "opened" / _key(name, record, folder, files, gpu)
        if not note.exists():
            _refuse_changed(record, folder, kind)
            is_known = all(file in record.files for file in files)
            if is_known or _try(name, record, folder, kind, size_hw or record.size_hw, gpu):
                with contextlib.suppress(OSError):  # the next time looks again
                    note.parent.mkdir(parents=True, exist_ok=True)
                    note.touch()
    return registry.load(name, record, folder, gpu)


def _refuse_changed(record: ModelRecord, folder: Path, kind: str) -> None:
    """Raise a UserError if a format has a file that is not as the export wrote it."""
    for file in record.formats[kind].files:
        if file in record.files and not record.files[file].agrees(folder / file):
            raise UserError(
                f"{folder / file}: it is not as the export wrote it ({record.name}.json has another size or "
                f"SHA-256): export the model again with --format {kind}; or, where another program changed "
                f'it for you, remove {file} from "files" in {record.name}.json, and it is tried in another '
                "process first"
            )


def _key(name: str, record: ModelRecord, folder: Path, files: Sequence[str], gpu: int | None) -> str:
    """Return a digest of what the result depends on: the files as the disk has them, record and runtime."""
    states = []
    for path in ((folder / file).resolve() for file in files):
        found = path.stat()
        states.append([str(path), found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino])
    try:
        version = importlib.metadata.version(RUNTIMES[name].package)
    except importlib.metadata.PackageNotFoundError:
        version = ""  # it has another name in pip
    return hashlib.sha256(json.dumps([name, version, gpu, states, record.to_dict()]).encode()).hexdigest()[
        :32
    ]


def _try(
    name: str,
    record: ModelRecord,
    folder: Path,
    kind: str,
    size_hw: tuple[int, int],
    gpu: int | None,
) -> bool:
    """Open and run a model in another process; return False where none can be started.

    Raises:
        UserError: the process ended, or could not open or run the model.
    """
    files = record.formats[kind].files
    file = str(folder / files[0])
    if len(files) > 1:
        file += f" (or {' or '.join(files[1:])} beside it)"  # which of them, nothing tells
    megabytes = sum((folder / file).stat().st_size for file in files) >> 20
    seconds = CPU_SECONDS + megabytes
    words = (name, str(folder), *map(str, size_hw), str(seconds), *([] if gpu is None else [str(gpu)]))
    output, status = _run(words, record)
    if output is None:
        return False
    last = next((line for line in reversed(output) if line.startswith(ENDED)), None)
    ended = None if last is None else json.loads(last[len(ENDED) :])
    if ended == {}:
        return True
    if ended is not None and ended["kind"] in _ERRORS:
        said, known = ended["said"], _ERRORS[ended["kind"]]
        raise known(said if known is not UserError or str(folder) in said else f"{file}: {said}")
    why = f"({ended['said']})" if ended is not None else _death(status, seconds)
    raise UserError(
        f"{file}: cannot be read and run by {name} {why}; export the model again with --format {kind}"
    )


def _run(words: Sequence[str], record: ModelRecord) -> tuple[list[str] | None, int | None]:
    """Return the lines and the exit status of a trial's process; no lines where it did not come to begin."""
    if not interpreter.available():
        return None, None
    try:
        done = subprocess.run(
            interpreter.module(__name__, *words),
            input=json.dumps(record.to_dict()),
            capture_output=True,
            text=True,
            errors="replace",
            env=interpreter.environment(),
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return [], None
    except OSError as error:
        log.debug("no trial: no process could be started: %s", error)
        return None, None
    lines = done.stdout.splitlines()
    if BEGUN not in lines:
        log.debug("no trial: its process ended with %d: %s", done.returncode, done.stderr[-1000:])
        return None, None
    return lines, done.returncode


def _death(status: int | None, seconds: int) -> str:
    """Return how a process ended that gave no answer."""
    if status is None or status == -getattr(signal, "SIGXCPU", 0):
        return f"(no end within {PATIENCE if status is None else seconds:.0f} s)"
    with contextlib.suppress(ValueError):
        return f"(its own reader crashed: {signal.Signals(-status).name})"
    return f"(its own reader crashed: it ended the process with {status})"


def main(name: str, folder: str, height: str, width: str, seconds: str, gpu: str | None = None) -> None:
    """Open and run the model whose record is the standard input, and say how that ended."""
    _limit(int(seconds))
    record = ModelRecord.of(json.loads(sys.stdin.read()), Path(folder) / "record")
    registry.module_of(name)
    import_package(RUNTIMES[name].package)
    print(f"\n{BEGUN}", flush=True)
    answer: dict[str, str] = {}
    try:
        network = registry.load(name, record, Path(folder), None if gpu is None else int(gpu))
        # Not zeros: they would hide weights that are too large.
        pixels = np.random.default_rng(0).integers(0, 256, (1, int(height), int(width), 3), dtype=np.uint8)
        *others, last = network(pixels)  # scores are last; boxes of an untrained network reach far
        if not np.isfinite(last).all() or any(np.isnan(array).any() for array in others):
            raise UserError(NOT_FINITE)
    except Exception as error:  # whatever the runtime's package raises
        known = next((kind for kind in _ERRORS if type(error).__name__ == kind), None)
        if known is None and isinstance(error, UserError):
            known = UserError.__name__
        said = " ".join(message_of(error).split()) or type(error).__name__
        answer = {"kind": known or "", "said": said if known else said[:200]}
    print(f"\n{ENDED}{json.dumps(answer)}", flush=True)


def _limit(seconds: int) -> None:
    """End this process after so many seconds of the processor, and write no core file when it crashes."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for limit, most in ((resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(limit)[1]
        resource.setrlimit(limit, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


if __name__ == "__main__":
    main(*sys.argv[1:])
