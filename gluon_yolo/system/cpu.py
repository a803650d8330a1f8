"""How many processor cores this process may really use: what OpenMP's number of threads is set from."""

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
    """Keep SyncBN between CPU devices from waiting for ever, unless the user chose these settings.

    Operators of different devices that share temporary space, or one device's only worker, can each hold what
    the other needs. It costs memory (each copy of the space grows to the largest request), so one device goes
    without. Has no effect once mxnet is imported.
    """
    os.environ.setdefault("MXNET_CPU_TEMP_COPY", "64")
    os.environ.setdefault("MXNET_CPU_WORKER_NTHREADS", "4")


class Cores(NamedTuple):
    """What the system says about the processors that this process may run on."""

    logical: int
    """CPUs in the process's affinity mask: hyper-threads count."""
    physical: int
    """Cores behind those CPUs: the hyper-threads of one core count once."""
    quota: float | None
    """CPUs' worth of time that a container's limit grants, None when there is no limit."""

    @property
    def usable(self) -> int:
        """Threads that can compute side by side: the physical cores within the quota, at least 1."""
        return max(1, self.physical if self.quota is None else min(self.physical, math.floor(self.quota)))

    def __str__(self) -> str:
        quota = "" if self.quota is None else f", container limit {self.quota:g} CPUs"
        return f"{self.physical} physical cores behind {self.logical} logical CPUs{quota}"


def look(system: Path = Path("/")) -> Cores:
    """Ask the system for its cores.

    Args:
        system: where ``sys`` and ``proc`` are found; tests give a folder of their own.
    """
    cpus = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else list(range(os.cpu_count() or 1))
    if sys.platform == "darwin":
        return Cores(len(cpus), _mac_cores() or len(cpus), None)
    return Cores(len(cpus), count_physical(cpus, system), cgroup_quota(system))


def physical_cores() -> int:
    """Return the number of threads to compute with: physical cores, within affinity and container limit."""
    return look().usable


def count_physical(cpus: list[int], system: Path = Path("/")) -> int:
    """Count the cores behind some logical CPUs; where the system does not tell, each CPU is a core."""
    cores = set()
    for cpu in cpus:
        topology = system / f"sys/devices/system/cpu/cpu{cpu}/topology"
        siblings = read(topology / "core_cpus_list") or read(topology / "thread_siblings_list")
        cores.add(siblings or f"cpu{cpu}")
    return len(cores)


def cgroup_quota(system: Path = Path("/")) -> float | None:
    """Return the CPU limit of the process's control group (version 1 or 2) and of those above it, in CPUs."""
    quotas = [_quota_of(folder) for folder in control_groups.folders("cpu", system)]
    return min((quota for quota in quotas if quota is not None), default=None)


def _quota_of(folder: Path) -> float | None:
    """Return one control group's limit in CPUs, None when it has none or does not exist."""
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
