"""CPU cores: how many physical cores this process may use, which sets the number of OpenMP threads."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from gluon_yolo.system import control_groups
from gluon_yolo.system.control_groups import read


def prepare() -> None:
    """Set mxnet's variables that prevent a deadlock of SyncBN on several CPU devices; keep a user's values.

    Operators of different devices share temporary space, or one device's only worker thread; each can hold
    what the other needs. More copies of the space cost memory (each grows to the largest request), so a
    training on one device does not call this. It has no effect once mxnet is imported.
    """
    os.environ.setdefault("MXNET_CPU_TEMP_COPY", "64")
    os.environ.setdefault("MXNET_CPU_WORKER_NTHREADS", "4")


class Cores(NamedTuple):
    """The CPUs that this process may run on."""

    logical: int
    """CPUs in the process's affinity mask; hyper-threads count."""
    physical: int
    """Cores of those CPUs; the hyper-threads of one core count once."""
    quota: float | None
    """CPU time that a container's limit grants, in CPUs; None without a limit."""

    @property
    def usable(self) -> int:
        """The number of threads that compute in parallel: physical cores within the quota, at least 1."""
        return max(1, self.physical if self.quota is None else min(self.physical, math.floor(self.quota)))

    def __str__(self) -> str:
        quota = "" if self.quota is None else f", container limit {self.quota:g} CPUs"
        return f"{self.physical} physical cores behind {self.logical} logical CPUs{quota}"


def look(system: Path = Path("/")) -> Cores:
    """Read the number of cores from the system.

    Args:
        system: the root of ``sys`` and ``proc``; tests pass a folder.
    """
    cpus = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else list(range(os.cpu_count() or 1))
    if sys.platform == "darwin":
        return Cores(len(cpus), _mac_cores() or len(cpus), None)
    return Cores(len(cpus), count_physical(cpus, system), cgroup_quota(system))


def physical_cores() -> int:
    """Return the number of threads to compute with: physical cores within affinity and container limit."""
    return look().usable


def count_physical(cpus: list[int], system: Path = Path("/")) -> int:
    """Count the cores of some logical CPUs; where the system does not report them, each CPU is a core."""
    cores = set()
    for cpu in cpus:
        topology = system / f"sys/devices/system/cpu/cpu{cpu}/topology"
        siblings = read(topology / "core_cpus_list") or read(topology / "thread_siblings_list")
        cores.add(siblings or f"cpu{cpu}")
    return len(cores)


def cgroup_quota(system: Path = Path("/")) -> float | None:
    """Return the lowest CPU limit of the process's control group and its parents, in CPUs, or None."""
    quotas = [_quota_of(folder) for folder in control_groups.folders("cpu", system)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota_of(folder: Path) -> float | None:
    """Return one control group's limit in CPUs; None when it has none or does not exist."""
    v2 = read(folder / "cpu.max")
    words = v2.split() if v2 else [read(folder / f"cpu.cfs_{name}_us") or "" for name in ("quota", "period")]
    if len(words) != 2 or not all(word.isdigit() for word in words):  # "max", "-1" or no file: no limit
        return None
    return float(words[0]) / max(1.0, float(words[1]))


def _mac_cores() -> int | None:
    try:
        return int(subprocess.check_output(["sysctl", "-n", "hw.physicalcpu"], timeout=5))
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
