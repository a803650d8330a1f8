"""Memory: how much this process may still allocate before the system kills it or refuses."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from pathlib import Path
from typing import NamedTuple

from gluon_yolo.system.control_groups import folders, read

KIB, GB = 1024, 1e9
MACHINE = "this machine"
KILLED = "would be killed"
# Factors of an estimate: less free memory is certainly too little; more is certainly enough.
LOW, HIGH = 0.8, 1.15
GROWTH = 64 << 20  # bytes: garbage that is not worth a look
_kept = [0]  # resident bytes after the last look, or fewer since
_UNLIMITED = 1 << 60  # without a limit, version 1 reports a number near the largest integer


class Memory(NamedTuple):
    """The memory that is available, in bytes."""

    free: int
    """Available without swapping."""
    swap: int
    """Available as swap in addition: the process survives, but training is too slow there."""
    limit: str
    """What sets the limit, as a message names it: ``this machine``, ``the container``, ``ulimit -v``."""

    def __str__(self) -> str:
        swap = f" and {self.swap / GB:.1f} GB of swap" if self.swap else ""
        where = f"on {MACHINE}" if self.limit == MACHINE else f"within the limit of {self.limit}"
        return f"{self.free / GB:.1f} GB{swap} {where}"

    def fits(self, need: float) -> bool:
        """Return whether an estimate of so many bytes is certainly free."""
        return HIGH * need <= self.free

    def fate(self, need: float) -> str:
        """Return what becomes of a process that takes about so many bytes more, as the rest of a sentence.

        It is :data:`KILLED` where the memory is certainly not there, and empty where it certainly is.
        """
        if self.fits(need):
            return ""
        if LOW * need > self.free + self.swap:
            return KILLED
        return "may be killed" if LOW * need <= self.free or not self.swap else "will wait for the disk"


def look(system: Path = Path("/")) -> Memory | None:
    """Read the memory that is left for this process; None where the system does not report it.

    It is the minimum of what the machine has (``MemAvailable``), of what each control group leaves (its limit
    minus its use, without file cache, which the kernel can reclaim), and of what ``ulimit -v`` leaves.

    Args:
        system: the root of ``sys`` and ``proc``; tests pass a folder.
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
    """Return the lines ``Name:  123 kB`` of a text as a table in bytes."""
    rows = (line.split() for line in (text or "").splitlines())
    return {row[0].rstrip(":"): int(row[1]) * KIB for row in rows if len(row) == 3 and row[2] == "kB"}


def _left_by(folder: Path, swap: int) -> list[Memory]:
    """Return the memory that a control group leaves; empty when it sets no limit."""
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
        if both is not None and limit is not None:  # the limit of memory and swap together
            more = min(swap, max(0, both - (used_both or 0) - max(0, limit - (used or 0))))
    if limit is None:
        return []
    counts = dict(line.split()[:2] for line in (read(folder / "memory.stat") or "").splitlines())
    files = int(counts.get("total_inactive_file", counts.get("inactive_file", 0)))
    return [Memory(max(0, limit - max(0, (used or 0) - files)), more, "the container")]


def _number(path: Path) -> int | None:
    """Return the number of bytes in a file; None when there is none, or when it means no limit."""
    text = read(path)
    return int(text) if text and text.isdecimal() and int(text) < _UNLIMITED else None


def _address_space(limits: str | None) -> int | None:
    """Return the soft limit of the address space in bytes; None when there is none."""
    for line in (limits or "").splitlines():
        if line.startswith("Max address space"):
            soft = line.split()[3]
            return int(soft) if soft.isdecimal() else None
    return None


def resident() -> int | None:
    """Return this process's resident memory in bytes; None where the system does not report it."""
    return _table(read(Path("/proc/self/status"))).get("VmRSS") if sys.platform == "linux" else None


def peak() -> int | None:
    """Return the peak of resident memory since the process began or since :func:`forget_peak`, in bytes."""
    return _table(read(Path("/proc/self/status"))).get("VmHWM") if sys.platform == "linux" else None


def forget_peak() -> bool:
    """Reset the peak of resident memory; return whether the system allows it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def give_back() -> None:
    """Free networks that are garbage, and return their memory to the system.

    Gluon's blocks and torch's graphs refer to themselves. Python frees them when enough objects are garbage,
    which networks of few and large arrays do not bring about. The C library keeps most of what is freed.
    To look takes a tenth of a second and more: it is done where the process has grown by ``GROWTH`` bytes.
    """
    now = resident()
    if now is not None:
        _kept[0] = min(_kept[0], now)
        if now < _kept[0] + GROWTH:
            return
    gc.collect()
    with contextlib.suppress(OSError, TypeError, AttributeError):  # a C library that has no malloc_trim
        ctypes.CDLL(None).malloc_trim(0)
    _kept[0] = resident() or 0
