"""The commands that are struck: their words, what they write, and how to go on after a strike."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
OLD = ROOT / "tests" / "old_work"
TRAINING = (
    "--network tiny.cfg --data data --gpus  --batch-size 4 --epochs 4 --lr 0.02 --no-random-shape "
    "--val-interval 1 --save-interval 1 --log-interval 2 --seed 3 -j 2 --save-prefix runs/ --name tiny "
    "--report"
).split(" ")
PAGE = 4096
RUN = "runs/tiny-1"
IMPORTED = ("--names", "exported/tiny.names", "--out", "in")
# What tells one run from another, or holds times.
_TIMES = re.compile(r"seconds|pictures_per_second|time")


class Job(NamedTuple):
    """A command that writes something.

    Args:
        name: of it.
        words: the command, run in a folder that ``make`` filled.
        make: fills the folder.
        wanted: patterns of the files whose bytes an undisturbed command and one after a strike share.
        again: the words after a strike, by what is there; None is the same words.
        outputs: folders and files that are whole or absent after a strike; a training's are not, since it
            goes on.
        reader: a command that reads the output: of one that is not whole it says so, with status 2.
        done: what the command says where a strike came after all was done.
    """

    name: str
    words: Sequence[str]
    make: Callable[[Path], None]
    wanted: Sequence[str]
    again: Callable[[Path], Sequence[str]] | None = None
    outputs: Sequence[str] = ()
    reader: Sequence[str] = ()
    done: str = "\n"


def _old_data(folder: Path) -> None:
    shutil.copytree(OLD / "data", folder / "data")
    shutil.copy(OLD / "tiny.cfg", folder)


def _old_run(folder: Path) -> None:
    _old_data(folder)
    shutil.copytree(OLD / "run", folder / "run")


def _old_exported(folder: Path) -> None:
    shutil.copytree(OLD / "exported", folder / "exported")


def _go_on(folder: Path) -> Sequence[str]:
    """Resume a run that has a checkpoint; else begin it anew."""
    if (folder / RUN / "weights" / "last" / "state.json").is_file():
        return ["train", "--resume", RUN]
    shutil.rmtree(folder / "runs", ignore_errors=True)
    return ["train", *TRAINING]


JOBS: Mapping[str, Job] = {
    job.name: job
    for job in (
        Job(
            "train",
            ["train", *TRAINING],
            _old_data,
            [f"{RUN}/weights/best.params", f"{RUN}/weights/last/net-*.params"],
            _go_on,
        ),
        Job(
            "train processes",
            ["train", *TRAINING, "--worker-type", "process"],
            _old_data,
            [f"{RUN}/weights/best.params", f"{RUN}/weights/last/net-*.params"],
            _go_on,
        ),
        Job(
            "data pack",
            "data pack data packed".split(),
            _old_data,
            ["packed/**/*"],
            None,
            ["packed"],
            ["data", "check", "packed"],
        ),
        Job(
            "data convert",
            "data convert data converted --to voc".split(),
            _old_data,
            ["converted/**/*"],
            outputs=["converted"],
            reader=["data", "check", "converted"],
            done="holds a finished data set already",
        ),
        Job(
            "export",
            "export run --format symbol,onnx,ncnn --out out --name tiny".split(),
            _old_run,
            ["out/*"],
            outputs=["out/tiny.json"],  # the record, which is the last file
        ),
        Job(
            "quantize",
            "quantize run --data data --precision int8 --max-drop 100 --out small".split(),
            _old_run,
            ["small/int8/*"],
            outputs=["small/int8/data.json"],  # the record too: the folder is there from the first file on
        ),
        Job(
            "import darknet",
            ["import", "darknet", *(f"exported/tiny.{end}" for end in ("cfg", "weights")), *IMPORTED],
            _old_exported,
            ["in/*.params", "in/*.cfg"],
            outputs=["in"],
        ),
        Job(
            "data split",
            "data split data --force --seed 0".split(),
            _old_data,
            ["data/**/*.txt"],
        ),
    )
}


def run(words: Sequence[str], folder: Path, strike: str = "", seconds: float = 600) -> tuple[int, str]:
    """Run a command in a folder; return its exit status and what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment.pop("STRIKE", None)
    if strike:
        environment["STRIKE"] = strike
    process = subprocess.run(
        [sys.executable, "-m", "endurance.victim", *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=seconds,
    )
    return process.returncode, process.stdout


def digests(folder: Path, patterns: Sequence[str]) -> dict[str, str]:
    """Return the SHA-256 of files, by their paths; the letter in a checkpoint's file name is left out."""
    found = {}
    for pattern in patterns:
        for path in sorted(folder.glob(pattern)):
            if path.is_file() and not _TIMES.search(path.name):
                name = re.sub(r"-[ab]\.params$", ".params", str(path.relative_to(folder)))
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


class Undisturbed(NamedTuple):
    """What a command does when nothing strikes.

    Args:
        digests: of the files that it writes (:func:`digests`).
        touches: of the disk.
        seconds: that it takes.
        bytes: of all files that it adds, in whole pages.
    """

    digests: dict[str, str]
    touches: int
    seconds: float
    bytes: int


def undisturbed(job: Job, place: Path) -> Undisturbed:
    """Empty a folder, and run a command undisturbed in one below it."""
    shutil.rmtree(place, ignore_errors=True)
    folder, count = place / "undisturbed", place / "touches"
    folder.mkdir(parents=True)
    job.make(folder)
    before, begin = used(folder), time.perf_counter()
    status, text = run(job.words, folder, f"count:{count}")
    took = time.perf_counter() - begin
    if status:
        raise SystemExit(f"{job.name}: undisturbed, it ended with {status}: {text[-1000:]}")
    expected = digests(folder, job.wanted)
    if not expected:
        raise SystemExit(f"{job.name}: nothing of {job.wanted} was written")
    return Undisturbed(expected, int(count.read_text()), took, used(folder) - before)


def used(folder: Path) -> int:
    """Return the bytes of all files in a folder, in whole pages."""
    sizes = (path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return sum(-(-size // PAGE) * PAGE for size in sizes)


def half_written(folder: Path) -> list[str]:
    """Return files with names of work in progress."""
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if re.search(r"\.part$|\.partial|\.tmp|^\.(export|import|frames)-|~$", path.name)
    )
