"""Run Python in a new process, for tests of what only a new process shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def python(*words: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments, in the checkout or elsewhere, and fail with its output on an error."""
    command = [sys.executable, *map(str, words)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, f"ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done
