"""Fastest: which installed runtime runs a model fastest on this machine, measured once and remembered."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gluon_yolo.atomic import replacing
from gluon_yolo.cores import look
from gluon_yolo.errors import UserError
from gluon_yolo.inference import runtimes
from gluon_yolo.inference.decode import RawMaps
from gluon_yolo.inference.model_file import ModelFile
from gluon_yolo.inference.runtime import threads
from gluon_yolo.inference.runtimes import RUNTIMES, Network

log = logging.getLogger("gluon_yolo")

CACHE = "GLUON_YOLO_CACHE"
TURNS = 3  # of each runtime, one after the other's, so that a busy moment of the machine strikes them all
TURN_SECONDS = 0.15
TURN_CALLS = (3, 30)
HOPELESS = 1.5  # times the fastest's time: such a one gets no further turn
GREY = 127


def choose(
    record: ModelFile, folder: Path, size_hw: tuple[int, int], gpu: int | None = None
) -> tuple[str, Network]:
    """Load an exported model in the fastest runtime that is installed and has a file of it.

    The candidates run a grey picture a few times; what was found is kept in a small file under
    ``GLUON_YOLO_CACHE``, else ``XDG_CACHE_HOME`` (``~/.cache``), for this model, input size, machine, number
    of threads, and these versions of the runtimes. A single candidate is not measured. A candidate that does
    not load or run is said and passed over.

    Args:
        record: the model's record.
        folder: where its files lie.
        size_hw: height and width of the input in pixels.
        gpu: index of a GPU; None runs on the processor.

    Returns:
        The runtime's name, and the model.

    Raises:
        UserError: when no candidate can run the model.
    """
    names = runtimes.candidates(record)
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
    networks: dict[str, Network] = {}
    for name in names:
        try:
            networks[name] = runtimes.load(name, record, folder, gpu)
        except Exception as error:  # whatever its package raises: the others may do better
            _pass_over(name, error)
    times = measure(networks, size_hw)
    if not times:
        raise UserError(f"{folder}: model {record.name} runs in none of {', '.join(names)}, see above")
    best = min(times, key=times.__getitem__)
    if len(times) > 1:
        _write(file, best, times)
        figures = ", ".join(f"{name} {times[name]:.1f} ms" for name in sorted(times, key=times.__getitem__))
        log.info("fastest runtime here: %s (%s)", best, figures)
    return best, networks[best]


def measure(networks: dict[str, Network], size_hw: tuple[int, int]) -> dict[str, float]:
    """Let networks take turns at a grey picture, and return the milliseconds of each, from pixels to boxes.

    Args:
        networks: by runtime. One that fails is said, and has no time.
        size_hw: of the picture in pixels.
    """
    pixels = np.full((1, *size_hw, 3), GREY, dtype=np.uint8)
    times: dict[str, float] = {}
    failed: set[str] = set()
    for turn in range(TURNS):
        fastest = min(times.values(), default=np.inf)
        for name, network in networks.items():
            if name in failed or (turn and times[name] > HOPELESS * fastest):
                continue
            try:
                times[name] = min(times.get(name, np.inf), _turn(network, pixels))
            except Exception as error:
                _pass_over(name, error)
                failed.add(name)
                times.pop(name, None)
    return times


def _turn(network: Network, pixels: np.ndarray) -> float:
    """Return the milliseconds of the shortest of some calls, after one that plans and wakes threads.

    The shortest, since what else the machine does can only lengthen a call.
    """
    _call(network, pixels)
    spent: list[float] = []
    while len(spent) < TURN_CALLS[0] or (sum(spent) < TURN_SECONDS and len(spent) < TURN_CALLS[1]):
        begin = time.perf_counter()
        _call(network, pixels)
        spent.append(time.perf_counter() - begin)
    return min(spent) * 1e3


def _call(network: Network, pixels: np.ndarray) -> None:
    given = network(pixels)
    if isinstance(given, RawMaps):
        given.above(0.3, 0)


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
        lines = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _cache_folder() -> Path:
    """Return where this package remembers what it can find out again."""
    asked, system = os.environ.get(CACHE), os.environ.get("XDG_CACHE_HOME")
    if asked:
        return Path(asked)
    return (Path(system) if system else Path("~/.cache").expanduser()) / "gluon_yolo"


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
