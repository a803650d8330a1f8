"""The results of a run: a JSON Lines file that a later run reads, and goes on from."""

from __future__ import annotations

import collections
import json
from pathlib import Path
from typing import Any

FILE = "results.jsonl"
COUNTS = ("files", "errors", "read", "faults")


class Tally:
    """What is known of one kind.

    Attributes:
        counts: of files, of errors that were as they should be, of files that were read, of faults.
        seconds: of the processor that the commands took.
        causes: of the faults, each with its count.
    """

    def __init__(self) -> None:
        self.counts = dict.fromkeys(COUNTS, 0)
        self.seconds = 0.0
        self.causes: collections.Counter[str] = collections.Counter()

    def add(self, record: dict[str, Any]) -> None:
        """Add a line of the file, or another kind's counts."""
        for key in COUNTS:
            self.counts[key] += record[key]
        self.seconds += record["seconds"]
        self.causes.update(record["causes"])

    def row(self, name: str) -> str:
        """Return the line of a table."""
        numbers = "".join(f"{self.counts[key]:>8}" for key in COUNTS)
        return f"{name:20}{numbers}{1e3 * self.seconds / max(1, self.counts['files']):>9.1f}"


HEAD = "kind".ljust(20) + "".join(f"{key:>8}" for key in COUNTS) + f"{'CPU ms':>9}"


class Results:
    """The file in a folder.

    Args:
        folder: of it.
        seed: of the run; lines of other seeds are left alone.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._path, self._seed = folder / FILE, seed
        self.tallies: dict[str, Tally] = collections.defaultdict(Tally)
        for line in self._path.read_text().splitlines() if self._path.exists() else ():
            try:
                record = json.loads(line)
            except ValueError:
                continue  # the end of a run that was killed
            if record["seed"] == seed:
                self.tallies[record["kind"]].add(record)

    def add(self, kind: str, tally: Tally) -> None:
        """Add what was counted since the last time, and write it down."""
        record = {"kind": kind, **tally.counts, "seconds": round(tally.seconds, 3), "causes": tally.causes}
        self.tallies[kind].add(record)
        with self._path.open("a") as file:
            file.write(json.dumps({"seed": self._seed, **record}) + "\n")

    def table(self, names: list[str]) -> str:
        """Return a table of kinds, with a last line of their sums."""
        total, lines = Tally(), [HEAD]
        for name in names:
            tally = self.tallies[name]
            total.add({**tally.counts, "seconds": tally.seconds, "causes": tally.causes})
            lines.append(tally.row(name))
            lines += [f"    {count} x {cause}" for cause, count in tally.causes.most_common()]
        return "\n".join([*lines, total.row("all")])
