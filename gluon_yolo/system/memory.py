"""How much memory this process may still take before the system kills it, or refuses it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

from gluon_yolo.system.control_groups import folders, read

KIB, GB = 1024, 1e9
MACHINE = "this machine"
_UNLIMITED = 1 << 60  # version 1 writes a number near the largest there is


class Memory(NamedTuple):
    """What can be had, in bytes."""

    free: int
    """Before anything is swapped out."""
    swap: int
    """Beyond that, on disk: not a death, and too slow to train in."""
    limit: str
    """What sets it, as a message names it: ``this machine``, ``the container``, ``ulimit -v``."""

    def __str__(self) -> str:
        """Say what is left."""
        swap = f" and {self.swap / GB:.1f} GB of swap" if self.swap else ""
        where = f"on {MACHINE}" if self.limit == MACHINE else f"within the limit of {self.limit}"
        return f"{self.free / GB:.1f} GB{swap} {where}"


def look(system: Path = Path("/")) -> Memory | None:
    """Ask the system what memory is left for this process; None where it does not tell.

    It is the least of what the machine has (``MemAvailable``), what each control group leaves (its limit less
    what is used, but for pages of files, which give way), and what ``ulimit -v`` leaves.

    Args:
        system: where ``sys`` and ``proc`` are found; tests give a folder of their own.
    """
    table = _table(read(system / "proc/meminfo"))
    if "MemAvailable" not in table:
        return None
    swap = table.get("SwapFree", 0)
    found = [Memory(table["MemAvailable"], swap, MACHINE)]
    for folder in folders("memory", system):
        found += _left_by(folder, swap)
    limit = _address_space(read(system / "proc/self/limits"))
    if limit is not None:
        used = _table(read(system / "proc/self/status")).get("VmSize", 0)
        found.append(Memory(max(0, limit - used), 0, "ulimit -v"))
    return min(found, key=lambda memory: memory.free + memory.swap)


def _table(text: str | None) -> dict[str, int]:
    """Return the lines ``Name:  123 kB`` of a file in bytes."""
    rows = (line.split() for line in (text or "").splitlines())
    return {row[0].rstrip(":"): int(row[1]) * KIB for row in rows if len(row) == 3 and row[2] == "kB"}


def _left_by(folder: Path, swap: int) -> list[Memory]:
    """Return what a control group leaves; nothing where it sets no limit."""
    limit, used = _number(folder / "memory.max"), _number(folder / "memory.current")
    if limit is not None:
        limit_of_swap, used_swap = (
            _number(folder / "memory.swap.max"),
            _number(folder / "memory.swap.current"),
        )
        more = swap if limit_of_swap is None else min(swap, max(0, limit_of_swap - (used_swap or 0)))
    else:
        limit, used = (_number(folder / f"memory.{name}_in_bytes") for name in ("limit", "usage"))
        both, used_both = (_number(folder / f"memory.memsw.{name}_in_bytes") for name in ("limit", "usage"))
        more = swap
        if both is not None and limit is not None:  # of memory and swap together
            more = min(swap, max(0, both - (used_both or 0) - max(0, limit - (used or 0))))
    if limit is None:
        return []
    counts = dict(line.split()[:2] for line in (read(folder / "memory.stat") or "").splitlines())
    files = int(counts.get("total_inactive_file", counts.get("inactive_file", 0)))
    return [Memory(max(0, limit - max(0, (used or 0) - files)), more, "the container")]


def _number(path: Path) -> int | None:
    """Return a file's number of bytes; None where there is none, or it means no limit."""
    text = read(path)
    return int(text) if text and text.isdecimal() and int(text) < _UNLIMITED else None


def _address_space(limits: str | None) -> int | None:
    """Return the soft limit of the address space in bytes, None where there is none."""
    for line in (limits or "").splitlines():
        if line.startswith("Max address space"):
            soft = line.split()[3]
            return int(soft) if soft.isdecimal() else None
    return None


def resident() -> int | None:
    """Return the bytes of memory that this process holds; None where the system does not tell."""
    return _table(read(Path("/proc/self/status"))).get("VmRSS") if sys.platform == "linux" else None


def peak() -> int | None:
    """Return the most that it has held, since its begin or since :func:`forget_peak`."""
    return _table(read(Path("/proc/self/status"))).get("VmHWM") if sys.platform == "linux" else None


def forget_peak() -> bool:
    """Let the peak count from here on; say whether the system could do so."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True
