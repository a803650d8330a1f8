"""Damage files at random, and have the package read them.

For each file that a command reads: an exit status of success, or 2 and a message that names the file or the
folder; no stack trace, no crash, no hang over 10 s, no memory over 2 GiB, nothing run, nothing written
elsewhere. What breaks this is kept in OUT, with the files, to be run again.

    python -m endurance.garbage [--files N | --minutes N] [--only NAME,NAME] [--seed S] [--out DIR]
"""

from __future__ import annotations

import collections
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from endurance.flags import chosen, parser_of, shares
from endurance.garbage.kinds import KINDS, Kind
from endurance.garbage.mutate import mutated
from endurance.garbage.worker import Worker

SAMPLE = 3  # faults of one cause that are kept


def main() -> int:
    """Damage files of all kinds, print a table, and return 1 if there was a fault."""
    kinds = {kind.name: kind for kind in KINDS}
    parser = parser_of(__doc__, "/tmp/endurance-garbage", list(kinds))
    parser.add_argument("--files", type=int, default=10_000, metavar="N", help="of a kind")
    args = parser.parse_args()
    names = chosen(parser, args.only, list(kinds))
    out, faults = Path(args.out), 0
    out.mkdir(parents=True, exist_ok=True)
    print(f"{'kind':20}{'files':>8}{'errors':>8}{'read':>8}{'faults':>8}{'ms each':>9}")
    for name, until in shares(names, args.minutes):
        kind = kinds[name]
        found = attack(kind, out, args.files, args.seed, until)
        faults += found["faults"]
        each = 1e3 * found["seconds"] / max(1, found["files"])
        numbers = "".join(f"{found[key]:>8}" for key in ("files", "errors", "read", "faults"))
        print(f"{kind.name:20}{numbers}{each:>9.0f}", flush=True)
        for cause, count in found["causes"].most_common():
            print(f"    {count} x {cause}", flush=True)
    print(f"{faults} faults; what caused them is in {out}" if faults else "no faults")
    return 1 if faults else 0


def attack(kind: Kind, out: Path, files: int, seed: int, until: float | None) -> dict[str, Any]:
    """Damage files of one kind; return the counts, and the faults' causes."""
    place = out / kind.name.replace(" ", "_").replace(".", "")
    shutil.rmtree(place, ignore_errors=True)
    good, work, written = place / "good", place / "in", place / "out"
    good.parent.mkdir(parents=True)
    kind.make(good)
    victims = [path for pattern in kind.victims for path in sorted(good.glob(pattern)) if path.is_file()]
    if not victims:
        raise SystemExit(f"{kind.name}: nothing of {kind.victims} in {good}")
    contents = [path.read_bytes() for path in victims]
    shutil.copytree(good, work)
    worker = Worker([out / "cache", work])
    counts: dict[str, Any] = {"files": 0, "errors": 0, "read": 0, "faults": 0}
    causes: collections.Counter[str] = collections.Counter()
    started = time.perf_counter()
    try:
        for number in range(-1, files):
            if until is not None and time.perf_counter() > until:
                break
            rng = np.random.default_rng((seed, number + 1))
            which = int(rng.integers(len(victims)))
            path = work / victims[which].relative_to(good)
            if number >= 0:  # the first one is as it was
                path.write_bytes(mutated(contents[which], rng, contents))
            shutil.rmtree(written, ignore_errors=True)
            written.mkdir()
            words = [word.replace("{in}", str(work)).replace("{out}", str(written)) for word in kind.words]
            answer = worker.run(words, written)
            cause = fault_of(answer, kind, work, number)
            if number >= 0:
                counts["files"] += 1
                counts["read" if answer["status"] in kind.good else "errors"] += 1
            if cause:
                counts["faults"] += 1
                causes[cause] += 1
                if causes[cause] <= SAMPLE:
                    keep(place / f"fault-{number}", path, words, answer, cause)
            if path.exists() or number >= 0:
                restore(good, work, path, contents[which])
    finally:
        worker.close()
    shutil.rmtree(work, ignore_errors=True)
    return {**counts, "causes": causes, "seconds": time.perf_counter() - started}


def restore(good: Path, work: Path, path: Path, content: bytes) -> None:
    """Bring back the good files, and remove what the command wrote beside them."""
    path.write_bytes(content)
    names = {file.relative_to(good) for file in good.rglob("*")}
    for file in sorted(work.rglob("*"), reverse=True):
        if file.relative_to(work) not in names:
            file.unlink() if file.is_file() or file.is_symlink() else shutil.rmtree(file, ignore_errors=True)
    for file in good.rglob("*"):
        mine = work / file.relative_to(good)
        if file.is_file() and (not mine.exists() or mine.stat().st_size != file.stat().st_size):
            mine.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, mine)


def fault_of(answer: dict[str, Any], kind: Kind, work: Path, number: int) -> str:
    """Return the cause of a fault in a few words; empty for a good answer."""
    raised = answer["raised"]
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
    if number < 0:
        return f"the good file is refused: {answer['printed'][-200:]}"
    if answer["status"] != 2:
        return f"status {answer['status']}"
    if str(work) not in answer["printed"] and not any(
        Path(victim).name.strip("*.") in answer["printed"] for victim in kind.victims
    ):
        return f"names no file: {answer['printed'].strip().splitlines()[-1][:120]}"
    return ""


def keep(folder: Path, path: Path, words: list[str], answer: dict[str, Any], cause: str) -> None:
    """Keep what caused a fault."""
    folder.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        shutil.copy(path, folder)
    content = {"cause": cause, "file": str(path), "words": words, **answer}
    (folder / "fault.json").write_text(json.dumps(content, indent=1))


if __name__ == "__main__":
    sys.exit(main())
