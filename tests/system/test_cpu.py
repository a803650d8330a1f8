"""Counting cores in made-up machines: a folder with the ``sys`` and ``proc`` files of each."""

from __future__ import annotations

import pytest

from gluon_yolo.system import cpu


def lay(system, files):
    for name, text in files.items():
        path = system / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


def topology(cpu, siblings, file="core_cpus_list"):
    return {f"sys/devices/system/cpu/cpu{cpu}/topology/{file}": siblings}


@pytest.mark.parametrize(
    ("files", "cpus", "expected"),
    [
        # two cores, no hyper-threads
        ({**topology(0, "0"), **topology(1, "1")}, [0, 1], 2),
        # two cores with two hyper-threads each
        (
            {**topology(0, "0,2"), **topology(1, "1,3"), **topology(2, "0,2"), **topology(3, "1,3")},
            [0, 1, 2, 3],
            2,
        ),
        # the same machine, this process bound to both threads of one core
        ({**topology(0, "0,2"), **topology(2, "0,2")}, [0, 2], 1),
        # an older kernel's name for the same
        (
            {**topology(0, "0-1", "thread_siblings_list"), **topology(1, "0-1", "thread_siblings_list")},
            [0, 1],
            1,
        ),
        # a sandbox without /sys: each CPU counts
        ({}, [0, 1, 2], 3),
    ],
)
def test_physical_cores(tmp_path, files, cpus, expected):
    lay(tmp_path, files)
    assert cpu.count_physical(cpus, tmp_path) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        # version 2: no limit, a limit here, a tighter one above
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "max 100000"}, None),
        ({"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "250000 100000"}, 2.5),
        (
            {
                "proc/self/cgroup": "0::/pod/box",
                "sys/fs/cgroup/pod/cpu.max": "100000 100000",
                "sys/fs/cgroup/pod/box/cpu.max": "400000 100000",
            },
            1.0,
        ),
        # version 1: limited, unlimited, and a container whose own group is mounted at the top
        (
            {
                "proc/self/cgroup": "4:memory:/a\n3:cpu,cpuacct:/a",
                "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us": "150000",
                "sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us": "100000",
            },
            1.5,
        ),
        (
            {
                "proc/self/cgroup": "1:cpu:/",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            None,
        ),
        (
            {
                "proc/self/cgroup": "2:cpu,cpuacct:/docker/0123",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "200000",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            2.0,
        ),
    ],
)
def test_cgroup_quota(tmp_path, files, expected):
    lay(tmp_path, files)
    assert cpu.cgroup_quota(tmp_path) == expected


@pytest.mark.parametrize(
    ("found", "usable"),
    [
        (cpu.Cores(logical=8, physical=4, quota=None), 4),
        (cpu.Cores(logical=8, physical=4, quota=2.5), 2),
        (cpu.Cores(logical=8, physical=4, quota=0.5), 1),
        (cpu.Cores(logical=2, physical=2, quota=16.0), 2),
    ],
)
def test_usable_threads(found, usable):
    assert found.usable == usable


def test_this_machine_has_a_core():
    assert cpu.physical_cores() >= 1
