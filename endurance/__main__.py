"""All parts, one after the other, each with its share of the time: what must hold for days.

    python -m endurance [--minutes N] [--seed S] [--out DIR]

A part alone is ``python -m endurance.kills``, ``endurance.storage``, ``endurance.garbage`` or
``endurance.memory``; its ``--help`` says what it does.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("kills", "storage", "garbage", "memory")


def main() -> int:
    """Run the parts; return 1 if one of them found a fault."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, metavar="N", help="of all together (default: until done)")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    parser.add_argument("--out", default="/tmp/endurance", metavar="DIR", help="(default: %(default)s)")
    args = parser.parse_args()
    found = []
    for part in PARTS:
        print(f"== {part}", flush=True)
        words = ["--seed", str(args.seed), "--out", str(Path(args.out) / part)]
        if args.minutes:
            words += ["--minutes", str(args.minutes / len(PARTS))]
        command = [sys.executable, "-m", f"endurance.{part}", *words]
        if subprocess.run(command, cwd=ROOT).returncode:
            found.append(part)
    print(f"faults in: {', '.join(found)}" if found else "no faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
