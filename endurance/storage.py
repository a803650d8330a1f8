"""Disks that fill up, turn read-only or fail while a command writes.

full        a tmpfs with room for the input and a part of what the command writes, from nothing to nearly all
read-only   the same file system, read-only from a random moment on
EIO         one touch of the disk fails with an input/output error

Each time the command either says in one line what went wrong, with a file's name and status 2, or does all of
its work. With room again, it goes on, or runs again, to the bytes of an undisturbed run. The first two mount
file systems, which only root may do.

    python -m endurance.storage [--times N | --minutes N] [--only NAME,NAME] [--seed S] [--out DIR]
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from endurance.flags import chosen, is_time, parser_of, shares
from endurance.jobs import JOBS, PAGE, Job, Undisturbed, digests, half_written, run, undisturbed

ROOM = 256 << 20  # bytes, of the file system while nothing is to fail
TIMES = 20  # of each command and fault


def main() -> int:
    """Let every command suffer every fault, print a table, and return 1 if something was lost."""
    parser = parser_of(__doc__, "/tmp/endurance-storage", list(JOBS))
    parser.add_argument("--times", type=int, default=TIMES, metavar="N", help="(default: %(default)s)")
    args = parser.parse_args()
    faults = FAULTS if os.getuid() == 0 else {"EIO": FAULTS["EIO"]}
    if len(faults) < len(FAULTS):
        print("not root: nothing can be mounted, so disks do not fill up and do not turn read-only")
    pairs = [(JOBS[job], name) for job in chosen(parser, args.only, list(JOBS)) for name in faults]
    lost, known = 0, {}
    print(f"{'command':18}{'fault':12}{'times':>6}{'said':>6}{'unharmed':>9}{'faults':>8}")
    for (job, name), until in shares(pairs, args.minutes, args.seed):
        place = Path(args.out) / f"{job.name.replace(' ', '_')}-{name}"
        unmount(place)
        if job.name not in known:
            known[job.name] = undisturbed(job, place)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        said, unharmed, found = suffer(
            job, place, FAULTS[name], args.times, args.seed, until, known[job.name]
        )
        count = said + unharmed + len(found)
        print(f"{job.name:18}{name:12}{count:>6}{said:>6}{unharmed:>9}{len(found):>8}", flush=True)
        for text in found:
            print(f"    {text}", flush=True)
        lost += len(found)
    print("nothing was lost" if not lost else f"{lost} faults; their folders are in {args.out}")
    return 1 if lost else 0


def suffer(
    job: Job,
    place: Path,
    fault: Callable[..., tuple[int, str]],
    times: int,
    seed: int,
    until: float | None,
    plain: Undisturbed,
) -> tuple[int, int, list[str]]:
    """Run a command with a fault so many times; return how often it said so, went on unharmed, or lost."""
    expected = plain.digests
    rng, said, unharmed, lost = random.Random(seed), 0, 0, []
    for number in range(times):
        if number and not is_time(until, 2 * plain.seconds):
            break
        folder = place / f"{number}"
        folder.mkdir()
        part = (number + rng.random()) / times  # every stage of the work
        status, text = fault(job, folder, part, plain)
        wrong = told_badly(status, text, expected, digests(folder, job.wanted))
        if status:
            words = job.again(folder) if job.again else job.words
            again, printed = run(words, folder)
            finished = job.done in printed and digests(folder, job.wanted) == expected
            if again and not finished:
                wrong = wrong or f"with room again, `{' '.join(words)}` ended with {again}: {printed[-300:]}"
            elif digests(folder, job.wanted) != expected:
                wrong = wrong or "with room again, other bytes than undisturbed"
            elif half_written(folder):
                wrong = wrong or f"left over: {', '.join(half_written(folder)[:3])}"
        if wrong:
            lost.append(f"{folder.name}: {wrong}")
            continue
        said, unharmed = said + bool(status), unharmed + (not status)
        unmount(folder)
        shutil.rmtree(folder)
    return said, unharmed, lost


def told_badly(status: int, text: str, expected: dict[str, str], own: dict[str, str]) -> str:
    """Return what is wrong with a command's end; empty where nothing is."""
    if "Traceback" in text:
        return f"a stack trace: {text.strip().splitlines()[-1][:200]}"
    if not status:
        return "" if own == expected else "ended well, with other bytes than undisturbed"
    if status != 2:
        return f"status {status}: {text.strip()[-200:]}"
    errors = [line for line in text.splitlines() if line.startswith("error: ")]
    if len(errors) != 1:
        return f"{len(errors)} lines of error: {text.strip()[-200:]}"
    if not re.match(r"error: (--\w+ )?[\w./-]+: ", errors[0]):
        return f"names no file: {errors[0]}"
    return ""


def full(job: Job, folder: Path, part: float, plain: Undisturbed) -> tuple[int, str]:
    """Run a command where there is room for a part of what it writes."""
    mount(folder, ROOM)
    job.make(folder)
    room = int(part * plain.bytes) // PAGE * PAGE
    resize(folder, on_disk(folder) + room + PAGE)
    status, text = run(job.words, folder)
    resize(folder, ROOM)
    return status, text


def read_only(job: Job, folder: Path, part: float, plain: Undisturbed) -> tuple[int, str]:
    """Run a command whose file system turns read-only."""
    mount(folder, ROOM)
    job.make(folder)
    done: list[tuple[int, str]] = []
    thread = threading.Thread(target=lambda: done.append(run(job.words, folder)))
    thread.start()
    time.sleep(part * plain.seconds)
    # Files that are open for writing keep a file system from it: it is tried until none is.
    until = time.perf_counter() + 20
    while thread.is_alive() and time.perf_counter() < until:
        if _mounted("-o", "remount,ro", folder):
            break
        time.sleep(0.005)
    thread.join()
    _mounted("-o", f"remount,rw,size={ROOM}", folder)
    return done[0]


def one_error(job: Job, folder: Path, part: float, plain: Undisturbed) -> tuple[int, str]:
    """Run a command one of whose touches of the disk fails."""
    job.make(folder)
    return run(job.words, folder, f"EIO:{1 + int(part * plain.touches)}")


FAULTS: dict[str, Callable[..., tuple[int, str]]] = {"full": full, "read-only": read_only, "EIO": one_error}


def mount(folder: Path, size: int) -> None:
    """Mount a tmpfs."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)


def resize(folder: Path, size: int) -> None:
    """Change the size of a mounted tmpfs."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)


def _mounted(*words: object) -> bool:
    return not subprocess.run(["mount", *map(str, words)], capture_output=True).returncode


def unmount(place: Path) -> None:
    """Unmount what is mounted at a folder or below."""
    for line in Path("/proc/mounts").read_text().splitlines():
        path = Path(line.split()[1])
        if path == place or place in path.parents:
            subprocess.run(["umount", "-l", str(path)], check=False)


def on_disk(folder: Path) -> int:
    """Return the bytes that a mounted file system has in use."""
    found = os.statvfs(folder)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


if __name__ == "__main__":
    sys.exit(main())
