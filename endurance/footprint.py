"""What a process and its children hold: memory, file handles, threads; and whether that grows."""

from __future__ import annotations

import os
import re
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
WARM_UP = 0.2  # of all footprints: caches fill, and the allocator's pools
WINDOW = 0.2  # of all footprints: the first window is behind the warm-up, the second one at the end
FEWEST = 10  # footprints, of which a window holds two
MOST = 0.05  # of the memory that is resident in the first window


class Footprint(NamedTuple):
    """What is held at one moment.

    Args:
        units: of work that are done.
        resident: bytes of the process and its children, what they share counted once.
        own: those of them that are no pages of files, which the system drops where it needs memory.
        handles: open files.
        threads: of the system.
        children: processes.
    """

    units: int
    resident: int
    own: int
    handles: int
    threads: int
    children: int


def footprint(units: int) -> Footprint:
    """Return the footprint of this process and its children now."""
    children = _children(os.getpid())
    pids = [os.getpid(), *children]
    handles, threads = (sum(_entries(pid, kind) for pid in pids) for kind in ("fd", "task"))
    resident, own = (sum(column) for column in zip(*map(_memory, pids)))
    return Footprint(units, resident, own, handles, threads, len(children))


def faults(seen: Sequence[Footprint]) -> list[str]:
    """Return what grows, in words: the memory by more than 5 %, handles, threads or children at all.

    The medians of two windows are compared, since a footprint in the middle of a cycle of garbage is higher.
    """
    first, last = windows(seen)
    found = []
    if growth(seen) > MOST:
        before, after = (statistics.median(one.own for one in window) for window in (first, last))
        bytes_each = (after - before) / max(1, last[-1].units - first[-1].units)
        found.append(f"memory grows by {100 * growth(seen):.1f} %, {bytes_each:.0f} bytes a unit")
    for kind in ("handles", "threads", "children"):
        old, new = (statistics.median(getattr(one, kind) for one in window) for window in (first, last))
        if new > old:
            found.append(f"{kind} grow from {old:g} to {new:g}")
    return found


def growth(seen: Sequence[Footprint]) -> float:
    """Return by how much memory grows from the first window to the last, as a share of all that is resident.

    Only what is no page of a file counts: how many of these are resident is up to the system.
    """
    first, last = windows(seen)
    before, after = (statistics.median(one.own for one in window) for window in (first, last))
    return (after - before) / statistics.median(one.resident for one in first)


def windows(seen: Sequence[Footprint]) -> tuple[Sequence[Footprint], Sequence[Footprint]]:
    """Return the footprints right behind the warm-up, and the last ones.

    Raises:
        ValueError: there are fewer than ``FEWEST``.
    """
    if len(seen) < FEWEST:
        raise ValueError(f"expected {FEWEST} footprints, got {len(seen)}")
    warm, width = int(WARM_UP * len(seen)), int(WINDOW * len(seen))
    return seen[warm : warm + width], seen[-width:]


def shared_memory() -> set[str]:
    """Return the names of shared memory, but for those that a process of another session uses."""
    elsewhere: set[str] = set()
    for folder in PROC.glob("[0-9]*"):
        try:
            if os.getsid(int(folder.name)) != os.getsid(0):
                elsewhere |= set(re.findall(r"/dev/shm/(\S+)", (folder / "maps").read_text()))
        except OSError:
            continue  # it has ended, or is another user's
    return {path.name for path in Path("/dev/shm").iterdir()} - elsewhere


def processes_in(folder: Path, seconds: float = 0.0) -> list[str]:
    """Return the commands of processes that work in a folder, once those are gone that end by themselves.

    Args:
        folder: the working folder of a command that was killed.
        seconds: that its processes have to end.
    """
    until = time.perf_counter() + seconds
    while found := [command for place, command in _places() if place == folder.resolve()]:
        if time.perf_counter() >= until:
            break
        time.sleep(0.05)
    return found


def _places() -> Iterator[tuple[Path, str]]:
    """Yield the working folder and the command of each process."""
    for entry in PROC.glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            yield (entry / "cwd").readlink(), f"process {entry.name}: {command}"
        except OSError:
            continue  # it has ended, or is another user's


def _children(pid: int) -> list[int]:
    """Return the processes below a process."""
    found = []
    for task in (PROC / str(pid) / "task").glob("*/children"):
        found += [int(word) for word in task.read_text().split()]
    return [*found, *(below for child in found for below in _children(child))]


def _entries(pid: int, folder: str) -> int:
    return len(os.listdir(PROC / str(pid) / folder))


def _memory(pid: int) -> tuple[int, int]:
    """Return the resident bytes of a process, and those of no file; what is shared counts by its part."""
    lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]
    sizes = {name: 1024 * int(words.split()[0]) for name, _, words in (line.partition(":") for line in lines)}
    return sizes["Pss"], sizes["Pss_Anon"] + sizes["Pss_Shmem"]
