"""Kill commands by SIGKILL at random touches of the disk, or at random moments, and go on.

A training is killed, resumed, perhaps killed again, until it ends: its parameters are, bit for bit, those of
an undisturbed one. Of another command the output is whole or absent after a kill, and running the command
again works and writes the same. Their own processes end with them.

    python -m endurance.kills [--times N | --minutes N] [--only NAME,NAME] [--seed S] [--out DIR]
"""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from endurance.flags import chosen, is_time, parser_of, shares
from endurance.footprint import processes_in, shared_memory
from endurance.jobs import JOBS, Job, Undisturbed, digests, half_written, run, undisturbed

MOST_KILLS = 4  # of one training, before it is left to end
TIMES = {"train": 100}  # of the others: 30
PATIENCE = 20.0  # seconds that the processes of a killed command have to end


def main() -> int:
    """Kill and go on, print a table, and return 1 if something was lost."""
    parser = parser_of(__doc__, "/tmp/endurance-kills", list(JOBS))
    parser.add_argument("--times", type=int, metavar="N", help="of each command (default: 100 of train, 30)")
    args = parser.parse_args()
    out, faults = Path(args.out), 0
    print(f"{'command':18}{'touches':>8}{'kills':>7}{'ended':>7}{'faults':>8}")
    for name, until in shares(chosen(parser, args.only, list(JOBS)), args.minutes, args.seed):
        times = args.times or TIMES.get(name, 30)
        touches, kills, ended, found = strike(
            JOBS[name], out / name.replace(" ", "_"), times, args.seed, until
        )
        print(f"{name:18}{touches:>8}{kills:>7}{ended:>7}{len(found):>8}", flush=True)
        for text in found:
            print(f"    {text}", flush=True)
        faults += len(found)
    print("nothing was lost" if not faults else f"{faults} faults; their folders are in {out}")
    return 1 if faults else 0


def strike(
    job: Job, place: Path, times: int, seed: int, until: float | None
) -> tuple[int, int, int, list[str]]:
    """Kill a command so many times; return touches, kills, ends, and what was lost."""
    plain = undisturbed(job, place)
    expected = plain.digests
    rng, kills, ended, faults = random.Random(seed), 0, 0, []
    shared = shared_memory()
    for number in range(times):
        if number and not is_time(until, 2 * plain.seconds):  # for one that is killed, and one that goes on
            break
        folder = place / f"{number}"
        folder.mkdir()
        job.make(folder)
        words, fault = job.words, ""
        for _ in range(rng.randint(1, MOST_KILLS) if job.again else 1):
            killed, text = kill(words, folder, rng, plain)
            if not killed:
                break
            kills += 1
            fault = fault or left_behind(job, folder, expected)
            for process in processes_in(folder, PATIENCE):
                fault = fault or f"goes on after the kill: {process[:200]}"
            words = job.again(folder) if job.again else job.words
            if not is_time(until, 2 * plain.seconds):
                break
        status, text = run(words, folder)
        ended += 1
        if status and not (status == 2 and job.done in text and digests(folder, job.wanted) == expected):
            fault = fault or f"after a kill, `{' '.join(words)}` ended with {status}: {text.strip()[-300:]}"
        elif digests(folder, job.wanted) != expected:
            own = digests(folder, job.wanted)
            other = sorted(name for name in {*own, *expected} if own.get(name) != expected.get(name))
            fault = fault or f"other bytes than undisturbed: {', '.join(other[:4])}"
        elif half_written(folder):
            fault = fault or f"left over: {', '.join(half_written(folder)[:3])}"
        more = shared_memory() - shared
        if more:
            fault = fault or f"shared memory left: {sorted(more)[:3]}"
        if fault:
            faults.append(f"{folder.name}: {fault}")
        else:
            shutil.rmtree(folder)
    return plain.touches, kills, ended, faults


def kill(words: Sequence[str], folder: Path, rng: random.Random, plain: Undisturbed) -> tuple[bool, str]:
    """Run a command that is killed at a random touch of the disk, or at a random moment."""
    if rng.random() < 0.7:
        status, text = run(words, folder, f"kill:{rng.randint(1, plain.touches)}")
        return status == -9, text
    try:
        status, text = run(words, folder, seconds=rng.uniform(0.2, 1.0) * plain.seconds)
    except subprocess.TimeoutExpired:  # subprocess has killed it
        return True, ""
    return False, text


def left_behind(job: Job, folder: Path, expected: dict[str, str]) -> str:
    """Return what is wrong with the output after a kill: it has to be whole or absent."""
    for output in job.outputs:
        if not list(folder.glob(output)):
            continue
        own = digests(folder, job.wanted)
        wrong = sorted(name for name in expected if own.get(name) != expected[name])
        if wrong and job.reader:
            status, text = run(job.reader, folder)
            if status != 2:
                return f"`{' '.join(job.reader)}` ended with {status}: {text.strip()[-200:]}"
        elif wrong:
            return f"a part of the output is there under its final name: {', '.join(wrong[:4])}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
