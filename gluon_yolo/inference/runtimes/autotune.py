"""Choose the fastest installed runtime for a model, by a measurement that is cached."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from gluon_yolo.errors import SettingText, UserError, message_of
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes import autotune_cache, registry, trial
from gluon_yolo.inference.runtimes.autotune_cache import Choice
from gluon_yolo.inference.runtimes.autotune_race import Time, race
from gluon_yolo.inference.runtimes.autotune_timer import CallTimer
from gluon_yolo.inference.runtimes.base import threads
from gluon_yolo.inference.runtimes.registry import RUNTIMES, Network
from gluon_yolo.system.cache import cache_folder
from gluon_yolo.system.cpu import look
from gluon_yolo.system.instructions import processor_name

log = logging.getLogger("gluon_yolo")


def choose(
    record: ModelRecord,
    path: Path,
    size_hw: tuple[int, int],
    gpu: int | None = None,
    remeasure: bool = False,
) -> tuple[str, Network]:
    """Load an exported model in the fastest runtime that is installed and has a file of it.

    The candidates take turns to run a grey image (:mod:`gluon_yolo.inference.runtimes.autotune_race`), each
    in its own process. The result is cached in a small file under ``GLUON_YOLO_CACHE``, else
    ``XDG_CACHE_HOME`` (``~/.cache``). It is valid for this model, input size, machine, number of threads, and
    these versions of the runtimes; for thirty days, or for an hour if the machine was busy. A single
    candidate is not measured. A candidate that fails to load or run is logged and skipped. Of threads and
    processes that ask at once, one measures, and the others wait for its result.

    Args:
        record: of the model.
        path: of the model, in the folder of its files.
        size_hw: height and width of the input in pixels.
        gpu: index of a GPU; None is the CPU.
        remeasure: measure even if there is a cached result.

    Returns:
        The runtime's name, and the model.

    Raises:
        UserError: no candidate can run the model.
    """
    names, folder = registry.candidates(record, size_hw, gpu), path.parent
    if len(names) == 1:
        return names[0], trial.load(names[0], record, folder, size_hw, gpu)
    file = cache_folder() / "fastest" / f"{_key(record, folder, size_hw, gpu, names)}.json"
    if not remeasure and (loaded := _known(file, names, record, folder, size_hw, gpu)):
        return loaded
    with autotune_cache.one_at_a_time(file.parent):
        if not remeasure and (loaded := _known(file, names, record, folder, size_hw, gpu)):
            return loaded  # another one has measured in the meantime
        known = autotune_cache.read(file)
        why = known.stale(autotune_cache.now()) if known else ""
        log.info("trying %s, to take the fastest%s", ", ".join(names), f" ({why})" if why else "")
        load = autotune_cache.load()
        times = _measured(names, path, size_hw, gpu)
        for best in times:
            try:
                network = registry.load(best, record, folder, gpu)  # it has run in its own process
            except Exception as error:
                _pass_over(best, error)
                continue
            if len(times) > 1:
                _keep(file, best, times, load)
            return best, network
    raise UserError(f"{folder}: model {record.name} runs in none of {', '.join(names)}, see above")


def _known(
    file: Path,
    names: list[str],
    record: ModelRecord,
    folder: Path,
    size_hw: tuple[int, int],
    gpu: int | None,
) -> tuple[str, Network] | None:
    """Load a model in the runtime of a cached result; None without a valid one, or where that fails.

    A runtime that fails is taken out of ``names``.
    """
    known = autotune_cache.read(file)
    if known is None or known.runtime not in names or known.stale(autotune_cache.now()):
        return None
    try:
        return known.runtime, trial.load(known.runtime, record, folder, size_hw, gpu)
    except Exception as error:
        _pass_over(known.runtime, error)
        names.remove(known.runtime)
        return None


def _measured(names: Sequence[str], path: Path, size_hw: tuple[int, int], gpu: int | None) -> dict[str, Time]:
    """Return the times of the candidates that run, the fastest first."""
    started: dict[str, CallTimer] = {}
    try:
        for name in names:
            try:
                started[name] = CallTimer(name, path, size_hw, gpu)
            except Exception as error:  # any error of its package: the other candidates may work
                _pass_over(name, error)
        return race(started, _pass_over)
    finally:
        for watch in started.values():
            watch.close()


def _keep(file: Path, best: str, times: Mapping[str, Time], load: float | None) -> None:
    """Log the result and write it to the cache."""
    for name, time in times.items():
        if not time.steady:
            log.warning(
                "runtime %s is not steady: its calls took %.1f to %.1f ms; it is ranked by the slow ones",
                name,
                time.fastest,
                time.slow,
            )
    figures = {name: time.ranked_by for name, time in times.items()}
    choice = Choice(
        best, figures, autotune_cache.now(), load, steady=all(time.steady for time in times.values())
    )
    autotune_cache.write(file, choice)
    note = "" if choice.trusted else "; the machine was busy, so this is measured anew in an hour"
    shown = ", ".join(f"{name} {milliseconds:.1f} ms" for name, milliseconds in figures.items())
    log.info("fastest runtime here: %s (%s)%s", best, shown, note)


def _pass_over(name: str, error: Exception) -> None:
    said = message_of(error)
    log.warning("runtime %s is passed over: %s", name, SettingText(said.strip() or type(error).__name__))


def _key(
    record: ModelRecord, folder: Path, size_hw: tuple[int, int], gpu: int | None, names: Sequence[str]
) -> str:
    """Return a digest of everything that the result depends on."""
    files = sorted(file for exported in record.formats.values() for file in exported.files)
    about = {
        "weights": record.weights,
        "precision": record.precision,
        "cuts": {kind: exported.cut for kind, exported in record.formats.items()},
        "files": {file: _state(folder / file) for file in files},
        "size_hw": list(size_hw),
        "runtimes": {name: _version(RUNTIMES[name].package) for name in names},
        "machine": [processor_name(), str(look()), threads(), gpu],
    }
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]


def _state(path: Path) -> list[int]:
    """Return a file's size in bytes and its modification time."""
    return [path.stat().st_size, path.stat().st_mtime_ns] if path.is_file() else []


def _version(package: str) -> str:
    """Return a package's version; for a package with another name in pip, its installation time."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        spec = importlib.util.find_spec(package)
        return str(os.stat(spec.origin).st_mtime_ns) if spec and spec.origin else ""
