"""Control groups: the folders in which Linux keeps a container's limits, of version 1 and of version 2."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def folders(controller: str, system: Path = Path("/")) -> Iterator[Path]:
    """Yield the folders of this process's control group and of those above it, the uppermost first.

    Both versions are looked at, since a machine may use both; a folder need not exist, as in a container that
    sees its own group as the uppermost.

    Args:
        controller: such as ``cpu`` or ``memory``.
        system: where ``sys`` and ``proc`` are found.
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
    """Return what a small file of the system says, None where it cannot be read.

    Not all of it need be text: Linux cuts a process's name at 15 bytes, within a letter too.
    """
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
