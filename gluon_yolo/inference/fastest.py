"""Fastest: which installed runtime runs a model fastest on this machine, measured once and remembered."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gluon_yolo.atomic import replacing
from gluon_yolo.cores import look
from gluon_yolo.errors import UserError
from gluon_yolo.inference import runtimes, stopwatch
from gluon_yolo.inference.model_file import ModelFile
from gluon_yolo.inference.runtime import CPUINFO, threads
from gluon_yolo.inference.runtimes import RUNTIMES, Network

log = logging.getLogger("gluon_yolo")

CACHE = "GLUON_YOLO_CACHE"


def choose(
    record: ModelFile, path: Path, size_hw: tuple[int, int], gpu: int | None = None
) -> tuple[str, Network]:
    """Load an exported model in the fastest runtime that is installed and has a file of it.

    The candidates run a grey picture a few times, each in a process of its own; what was found is kept in a
    small file under ``GLUON_YOLO_CACHE``, else ``XDG_CACHE_HOME`` (``~/.cache``), for this model, input size,
    machine, number of threads, and these versions of the runtimes. A single candidate is not measured. A
    candidate that does not load or run is said and passed over.

    Args:
        record: the model's record.
        path: of the record, beside its files.
        size_hw: height and width of the input in pixels.
        gpu: index of a GPU; None runs on the processor.

    Returns:
        The runtime's name, and the model.

    Raises:
        UserError: when no candidate can run the model.
    """
    names, folder = runtimes.candidates(record, size_hw), path.parent
    if len(names) == 1:
        return names[0], runtimes.load(names[0], record, folder, gpu)
    file = _cache_folder() / "fastest" / f"{_key(record, folder, size_hw, gpu, names)}.json"
    known = _read(file)
    if known in names:
        try:
            return known, runtimes.load(known, record, folder, gpu)
        except Exception as error:
            _pass_over(known, error)
            names.remove(known)
    log.info("trying %s once, to take the fastest", ", ".join(names))
    times: dict[str, float] = {}
    for name in names:
        try:
            times[name] = stopwatch.measure(name, path, size_hw, gpu)
        except Exception as error:  # whatever its package raises: the others may do better
            _pass_over(name, error)
    ranked = sorted(times, key=times.__getitem__)
    for best in ranked:
        try:
            network = runtimes.load(best, record, folder, gpu)
        except Exception as error:
            _pass_over(best, error)
            continue
        if len(times) > 1:
            _write(file, best, times)
            figures = ", ".join(f"{name} {times[name]:.1f} ms" for name in ranked)
            log.info("fastest runtime here: %s (%s)", best, figures)
        return best, network
    raise UserError(f"{folder}: model {record.name} runs in none of {', '.join(names)}, see above")


def _pass_over(name: str, error: Exception) -> None:
    log.warning("runtime %s is passed over: %s", name, str(error).strip() or type(error).__name__)


def _key(
    record: ModelFile, folder: Path, size_hw: tuple[int, int], gpu: int | None, names: Sequence[str]
) -> str:
    """Return a digest of all that the answer depends on."""
    files = sorted(file for graph in record.graphs.values() for file in graph.files)
    about = {
        "weights": record.weights,
        "precision": record.precision,
        "cuts": {kind: graph.cut for kind, graph in record.graphs.items()},
        "files": {file: _state(folder / file) for file in files},
        "size_hw": list(size_hw),
        "runtimes": {name: _version(RUNTIMES[name].package) for name in names},
        "machine": [_processor(), str(look()), threads(), gpu],
    }
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]


def _state(path: Path) -> list[int]:
    """Return a file's size in bytes and when it was written."""
    return [path.stat().st_size, path.stat().st_mtime_ns] if path.is_file() else []


def _version(package: str) -> str:
    """Return a package's version; of one that goes by another name in pip, when it was installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        spec = importlib.util.find_spec(package)
        return str(os.stat(spec.origin).st_mtime_ns) if spec and spec.origin else ""


def _processor() -> str:
    """Return the processor's name."""
    try:
        lines = CPUINFO.read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _cache_folder() -> Path:
    """Return where this package remembers what it can find out again."""
    asked, system = os.environ.get(CACHE), os.environ.get("XDG_CACHE_HOME")
    if asked:
        return Path(asked)
    try:
        return (Path(system) if system else Path("~/.cache").expanduser()) / "gluon_yolo"
    except RuntimeError:  # a container's user may have no home
        return Path(tempfile.gettempdir()) / "gluon_yolo"


def _read(file: Path) -> Any:
    """Return the runtime that a file remembers; None where there is none."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))["runtime"]
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _write(file: Path, runtime: str, times: dict[str, float]) -> None:
    """Remember a runtime, where the folder can be written."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as part:
            part.write_text(json.dumps({"runtime": runtime, "milliseconds": times}) + "\n", encoding="utf-8")
    except OSError:
        log.debug("%s: cannot be written; the next time measures again", file)
