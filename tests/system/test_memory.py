"""Memory in made-up machines: a folder with the ``proc`` and ``sys`` files of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from gluon_yolo.system import memory
from gluon_yolo.system.memory import Memory

MACHINE = {
    "proc/meminfo": "MemTotal:  8000000 kB\nMemAvailable:  4000000 kB\nSwapFree:  1000000 kB\nHugePages: 0"
}
FREE, SWAP = 4_096_000_000, 1_024_000_000
V1 = {"proc/self/cgroup": "4:memory:/docker/0123\n3:cpu,cpuacct:/"}
MAX = "9223372036854771712"


def lay(system: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = system / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")


def v1(
    limit: str, usage: str, stat: str = "", both: str = MAX, used_both: str = "0", at: str = ""
) -> dict[str, str]:
    folder = f"sys/fs/cgroup/memory{at}/memory"
    return {
        f"{folder}.limit_in_bytes": limit,
        f"{folder}.usage_in_bytes": usage,
        f"{folder}.stat": stat,
        f"{folder}.memsw.limit_in_bytes": both,
        f"{folder}.memsw.usage_in_bytes": used_both,
    }


@pytest.mark.parametrize(
    "files, expected",
    [
        # a system that does not tell, and one without a limit
        ({}, None),
        (MACHINE, Memory(FREE, SWAP, "this machine")),
        # version 2: no limit; a limit, of which pages of files give way; no swap allowed; a tighter one above
        ({**MACHINE, "sys/fs/cgroup/memory.max": "max"}, Memory(FREE, SWAP, "this machine")),
        (
            {
                **MACHINE,
                "sys/fs/cgroup/memory.max": "3000000000",
                "sys/fs/cgroup/memory.current": "1500000000",
                "sys/fs/cgroup/memory.stat": "anon 1000000000\ninactive_file 400000000",
                "sys/fs/cgroup/memory.swap.max": "0",
            },
            Memory(1_900_000_000, 0, "the container"),
        ),
        (
            {
                **MACHINE,
                "proc/self/cgroup": "0::/pod/box",
                "sys/fs/cgroup/pod/memory.max": "2000000000",
                "sys/fs/cgroup/pod/memory.current": "500000000",
                "sys/fs/cgroup/pod/memory.swap.max": "700000000",
                "sys/fs/cgroup/pod/memory.swap.current": "200000000",
                "sys/fs/cgroup/pod/box/memory.max": "3000000000",
                "sys/fs/cgroup/pod/box/memory.current": "100000000",
            },
            Memory(1_500_000_000, 500_000_000, "the container"),
        ),
        # more than the machine has left
        (
            {**MACHINE, "sys/fs/cgroup/memory.max": "64000000000", "sys/fs/cgroup/memory.current": "1"},
            Memory(FREE, SWAP, "this machine"),
        ),
        # version 1: unlimited; limited, the group mounted at the top; memory and swap limited together
        ({**MACHINE, **V1, **v1(MAX, "5")}, Memory(FREE, SWAP, "this machine")),
        (
            {**MACHINE, **V1, **v1("2000000000", "900000000", "total_inactive_file 100000000")},
            Memory(1_200_000_000, SWAP, "the container"),
        ),
        (
            {**MACHINE, **V1, **v1("2000000000", "900000000", "", "2000000000", "900000000")},
            Memory(1_100_000_000, 0, "the container"),
        ),
        ({**MACHINE, **V1, **v1("2000000000", "2500000000", at="/docker")}, Memory(0, SWAP, "the container")),
        # ulimit -v, which swap does not help against
        (
            {
                **MACHINE,
                "proc/self/limits": "Limit  Soft  Hard\nMax address space  3000000000  unlimited  bytes",
                "proc/self/status": "Name:\tpython\nVmSize:\t 1000000 kB",
            },
            Memory(1_976_000_000, 0, "ulimit -v"),
        ),
        (
            {**MACHINE, "proc/self/limits": "Max address space  unlimited  unlimited  bytes"},
            Memory(FREE, SWAP, "this machine"),
        ),
    ],
)
def test_what_is_left(tmp_path, files, expected):
    lay(tmp_path, files)
    assert memory.look(tmp_path) == expected


@pytest.mark.parametrize(
    "found, said",
    [
        (Memory(FREE, 0, "this machine"), "4.1 GB on this machine"),
        (Memory(FREE, SWAP, "the container"), "4.1 GB and 1.0 GB of swap within the limit of the container"),
    ],
)
def test_it_is_said(found, said):
    assert str(found) == said


def test_this_process_holds_memory():
    held, most = memory.resident(), memory.peak()
    if held is None or most is None:
        pytest.skip("this system does not tell")
    assert most >= held > 1_000_000
    found = memory.look()
    assert found is not None and found.free > 0


def test_garbage_is_looked_for_where_a_process_has_grown(monkeypatch):
    looked = []
    sizes = iter([100, 100, 163, 164, 120, 60, 123, 124, 70])  # MiB; after a look it is read again
    monkeypatch.setattr(memory, "_kept", [0])
    monkeypatch.setattr(memory, "resident", lambda: next(sizes) << 20)
    monkeypatch.setattr(memory.gc, "collect", lambda: looked.append(len(looked)))
    memory.give_back()  # 100, then 100 are kept
    memory.give_back()  # 163: 63 more
    assert looked == [0]
    memory.give_back()  # 164: 64 more; then 120
    assert looked == [0, 1]
    memory.give_back()  # 60, fewer
    memory.give_back()  # 123: 63 more than 60
    assert looked == [0, 1]
    memory.give_back()  # 124
    assert looked == [0, 1, 2]
