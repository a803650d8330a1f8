"""What a ``quantize`` that was stopped leaves on disk."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

REPORT = "report.json"
Written = Mapping[Path, tuple[int, int, int]]


def written(out: Path) -> Written:
    """Return the report's and the forms' files in a folder, with what changes when one is written anew."""
    states = {path: path.stat() for path in (out / REPORT, *out.glob("*/*")) if path.is_file()}
    return {path: (state.st_ino, state.st_mtime_ns, state.st_size) for path, state in states.items()}


def left(out: Path, before: Written) -> str:
    """Say what a stopped run leaves.

    Args:
        out: the folder that it wrote to.
        before: what :func:`written` gave when it began.
    """
    new = [path for path, state in written(out).items() if before.get(path) != state]
    folders = " and ".join(str(folder) for folder in sorted({path.parent for path in new} - {out}))
    if not folders:
        return f"nothing is written to {out}"
    report = "is missing"
    if out / REPORT in before:
        report = "is new too" if out / REPORT in new else "is an earlier run's"
    return f"what is in {folders} is whole; {out / REPORT} {report}"
