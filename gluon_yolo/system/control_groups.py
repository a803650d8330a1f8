"""Control groups (cgroups), version 1 and 2: the folders in which Linux keeps a container's limits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def folders(controller: str, system: Path = Path("/")) -> Iterator[Path]:
    """Yield the folders of this process's control group and its parents, the root first.

    Both versions are read, since a machine may use both. A folder need not exist: a container may see its own
    group as the root.

    Args:
        controller: such as ``cpu`` or ``memory``.
        system: the root of ``sys`` and ``proc``.
    """
    for line in (read(system / "proc/self/cgroup") or "0::/").splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            mount = system / "sys/fs/cgroup"
        elif controller in controllers.split(","):
            mount = system / "sys/fs/cgroup" / controllers
            mount = mount if mount.is_dir() else system / "sys/fs/cgroup" / controller
        else:
            continue
        parts = [part for part in group.split("/") if part not in ("", "..")]
        for depth in range(len(parts) + 1):
            yield mount.joinpath(*parts[:depth])


def read(path: Path) -> str | None:
    """Return the text of a small system file; None when it cannot be read.

    Bytes that are not UTF-8 are replaced: Linux cuts a process's name at 15 bytes, even within a character.
    """
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
