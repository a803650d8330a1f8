"""Damage files at random, and have the package read them.

For each file that a command reads: an exit status of success, or 2 and a message that names the file or the
folder; no stack trace, no crash, no hang over 10 s, no memory over 2 GiB, nothing run, nothing written
elsewhere. What breaks this is kept in OUT, with the files, to be run again. The counts are in OUT too, in
results.jsonl: a run with the same OUT and seed goes on where the last one ended.

A kind that is "unknown" is an exported model's whose record has no digests: its files are opened in another
process first, and only then here. All others of these runtimes are compared with their digests.

Coverage-guided fuzzing (atheris 3.1.0) was tried on the readers of cfg, prototxt, caffemodel, .pth,
safetensors, .params, symbol JSON, ONNX, VOC XML, COCO JSON, YOLO text, data.yaml, .data and NAME.json: 35 s
each, 115,000 files in all, no fault; so it is no part of this. Replacing each value of a JSON file by wrong
ones found more, and is in tests/inference/test_model_record.py.

    python -m endurance.garbage [--files N | --minutes N] [--only NAME,NAME] [--seed S] [--out DIR]
    python -m endurance.garbage --again     only what broke it, as OUT keeps it
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from endurance.flags import chosen, parser_of, shares
from endurance.garbage.child import restore
from endurance.garbage.kinds import KINDS, Kind
from endurance.garbage.mutate import mutated
from endurance.garbage.results import Results, Tally
from endurance.garbage.worker import Worker

SAMPLE = 3  # faults of one cause that are kept
ROUND = 100  # files of a kind before the next one, so that a run that is ended early has seen all of them
BATCH = 50  # files that the process is given at once; then the whole folder is made good again


def main() -> int:
    """Damage files of all kinds, print a table, and return 1 if there was a fault."""
    kinds = {kind.name: kind for kind in KINDS}
    parser = parser_of(__doc__, "/tmp/endurance-garbage", list(kinds))
    parser.add_argument("--files", type=int, default=10_000, metavar="N", help="of a kind")
    parser.add_argument("--again", action="store_true", help="run the kept faults anew")
    args = parser.parse_args()
    names = chosen(parser, args.only, list(kinds))
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(Worker(out / "cache")) as worker:
        grounds = {name: Ground(kinds[name], out, worker) for name in names}
        if args.again:
            return again(list(grounds.values()))
        results = Results(out, args.seed)
        run(grounds, results, args)
    faults = sum(results.tallies[name].counts["faults"] for name in names)
    print(f"{faults} faults; what caused them is in {out}" if faults else "no faults")
    return 1 if faults else 0


def run(grounds: dict[str, Ground], results: Results, args: argparse.Namespace) -> None:
    """Damage files of all kinds, and print the table."""
    names = list(grounds)
    aim = args.files if args.minutes else min(ROUND, args.files)
    while True:
        for name, until in shares(names, args.minutes):
            start = results.tallies[name].counts["files"]
            end = round(aim * grounds[name].kind.part)
            if start < end:
                results.add(name, attack(grounds[name], range(start, end), args.seed, until))
        if aim >= args.files:
            break
        aim = min(args.files, aim + ROUND)
        print(f"up to {aim} files each:\n{results.table(names)}", flush=True)
    print(results.table(names))


class Ground:
    """The folder where files of one kind are damaged.

    Args:
        kind: of the files.
        out: of the run.
        worker: whose process reads them.
    """

    def __init__(self, kind: Kind, out: Path, worker: Worker) -> None:
        self.kind = kind
        self.place = out / kind.name.replace(" ", "_").replace(".", "")
        names = ("good", "in", "out", "queue")
        self.good, self.work, self._written, self._queue = (self.place / name for name in names)
        self._worker, self._victims = worker, list[Path]()

    def make(self) -> list[Path]:
        """Make good files, once, and a copy of them, to be damaged; return the names of those to damage."""
        if not self._victims:
            self._victims = self._make()
        shutil.copytree(self.good, self.work, dirs_exist_ok=True)
        self._queue.mkdir(exist_ok=True)
        return self._victims

    def _make(self) -> list[Path]:
        for folder in (self.good, self.work):
            shutil.rmtree(folder, ignore_errors=True)
        self.place.mkdir(parents=True, exist_ok=True)
        quiet = io.StringIO()
        with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
            self.kind.make(self.good)
        found = [path for pattern in self.kind.victims for path in sorted(self.good.glob(pattern))]
        victims = [path.relative_to(self.good) for path in found if path.is_file()]
        if not victims:
            raise SystemExit(f"{self.kind.name}: nothing of {self.kind.victims} in {self.good}")
        return victims

    def read(self, files: Sequence[tuple[Path, bytes | None]]) -> Iterator[tuple[dict[str, Any], str]]:
        """Have commands read damaged files; yield the child's answers, each with the cause of a fault.

        Args:
            files: the place and the bytes of each; None is the good file.
        """
        places = {"in": str(self.work), "out": str(self._written), "good": str(self.good)}
        words = list(self.kind.words)
        for key in ("in", "out"):
            words = [word.replace(f"{{{key}}}", places[key]) for word in words]
        commands = []
        for number, (victim, damaged) in enumerate(files):
            file = self._queue / str(number)
            if damaged is not None:
                file.write_bytes(damaged)
            commands.append(
                {
                    **places,
                    "words": words,
                    "victim": str(self.work / victim),
                    "damaged": str(file) if damaged is not None else "",
                    "whole": number == 0,
                }
            )
        for (victim, damaged), answer in zip(files, self._worker.run(commands)):
            yield answer, fault_of(answer, self.kind, self.work, victim, damaged is None)
            if answer["status"] < 0:  # a child that was lost has left its damage
                restore(self.good, self.work)

    def keep(
        self, name: str, victim: Path, damaged: bytes | None, answer: dict[str, Any], cause: str
    ) -> None:
        """Keep what caused a fault."""
        folder = self.place / name
        folder.mkdir(parents=True, exist_ok=True)
        if damaged is not None:
            (folder / "damaged").write_bytes(damaged)
        content = {"cause": cause, "victim": str(victim), "words": self.kind.words, **answer}
        (folder / "fault.json").write_text(json.dumps(content, indent=1))

    def close(self) -> None:
        """Remove the damaged files."""
        for folder in (self.work, self._written, self._queue):
            shutil.rmtree(folder, ignore_errors=True)


def attack(ground: Ground, numbers: range, seed: int, until: float | None) -> Tally:
    """Damage files of one kind; return what was counted.

    Args:
        ground: of the kind.
        numbers: of the files: each, with the seed, draws its file.
        seed: of the run.
        until: the end of the time by ``time.perf_counter``; None is without end.
    """
    victims, tally = ground.make(), Tally()
    contents = [(ground.good / victim).read_bytes() for victim in victims]
    wanted = [-1, *numbers]  # the first one is as it was
    try:
        for begin in range(0, len(wanted), BATCH):
            if until is not None and time.perf_counter() > until:
                break
            batch = wanted[begin : begin + BATCH]
            files = [damaged_file(victims, contents, seed, number) for number in batch]
            for number, (victim, damaged), (answer, cause) in zip(batch, files, ground.read(files)):
                _count(tally, ground, f"fault-{seed}-{number}", (victim, damaged), answer, cause)
    finally:
        ground.close()
    return tally


def damaged_file(
    victims: Sequence[Path], contents: Sequence[bytes], seed: int, number: int
) -> tuple[Path, bytes | None]:
    """Return which file is damaged, and how; the good file for the number -1."""
    rng = np.random.default_rng((seed, number + 1))
    which = int(rng.integers(len(victims)))
    return victims[which], mutated(contents[which], rng, contents) if number >= 0 else None


def _count(
    tally: Tally,
    ground: Ground,
    name: str,
    file: tuple[Path, bytes | None],
    answer: dict[str, Any],
    cause: str,
) -> None:
    """Count a file, and keep it where it caused a fault."""
    if file[1] is not None:
        tally.counts["files"] += 1
        tally.seconds += answer["seconds"]
    if cause:
        tally.counts["faults"] += 1
        tally.causes[cause] += 1
        if tally.causes[cause] <= SAMPLE:
            ground.keep(name, *file, answer, cause)
    elif file[1] is not None:
        tally.counts["read" if answer["status"] in ground.kind.good else "errors"] += 1


def again(grounds: list[Ground]) -> int:
    """Run the kept faults anew; remove those that are none any more; return 1 if one is left."""
    left = 0
    for ground in grounds:
        kept = sorted(ground.place.glob("fault-*"))
        if not kept:
            continue
        ground.make()
        try:
            for folder in kept:
                victim = Path(json.loads((folder / "fault.json").read_text())["victim"])
                file = folder / "damaged"
                damaged = file.read_bytes() if file.exists() else None
                ((answer, cause),) = ground.read([(victim, damaged)])
                if cause:
                    left += 1
                    ground.keep(folder.name, victim, damaged, answer, cause)
                    print(f"{ground.kind.name}: {folder.name}: {cause}", flush=True)
                else:
                    shutil.rmtree(folder)
        finally:
            ground.close()
    print(f"{left} faults are left" if left else "no faults are left")
    return 1 if left else 0


def fault_of(answer: dict[str, Any], kind: Kind, work: Path, victim: Path, is_good: bool) -> str:
    """Return the cause of a fault in a few words; empty for a good answer."""
    raised, printed = answer["raised"], answer["printed"]
    if raised:
        lines = raised.strip().splitlines()
        places = [line.strip() for line in lines if line.strip().startswith("File") and "gluon_yolo" in line]
        where = places[-1].split("gluon_yolo/")[-1] if places else ""
        return f"{lines[-1][:110]} {where}"
    if answer["did"]:
        return f"did: {answer['did'][0][:120]}"
    if answer["grown_mb"] > 2048:
        return f"memory: {answer['grown_mb']:.0f} MB more"
    if answer["status"] in kind.good:
        return ""
    if is_good:
        return f"the good file is refused: {printed[-200:]}"
    if answer["status"] != 2:
        return f"status {answer['status']}"
    if str(work) not in printed and victim.name not in printed:
        return f"names no file: {printed.strip()[:120]}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
