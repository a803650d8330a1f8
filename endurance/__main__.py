"""All parts, one after the other, each with its share of the time: what must hold for days.

    python -m endurance [--minutes N] [--only PART,PART] [--seed S] [--out DIR]

With a limit every part has its share of what is left of it, so that all ends in time: a part that has more to
do than its share leaves some out, and says so. Another seed leaves out other things.

A part alone is ``python -m endurance.kills``, ``endurance.storage``, ``endurance.garbage``,
``endurance.load`` or ``endurance.memory``; its ``--help`` says what it does.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from endurance import flags

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("kills", "storage", "garbage", "load", "memory")
LEAST = 0.1  # minutes of a part


def main() -> int:
    """Run the parts; return 1 if one of them found a fault."""
    parser = flags.parser_of(__doc__, "/tmp/endurance", PARTS)
    args = parser.parse_args()
    parts = flags.chosen(parser, args.only, PARTS)
    found, started = [], time.perf_counter()
    for number, part in enumerate(parts):
        print(f"== {part}", flush=True)
        words = ["--seed", str(args.seed), "--out", str(Path(args.out) / part)]
        if args.minutes:
            left = args.minutes - (time.perf_counter() - started) / 60
            words += ["--minutes", f"{max(LEAST, left / (len(parts) - number)):.3f}"]
        command = [sys.executable, "-m", f"endurance.{part}", *words]
        if subprocess.run(command, cwd=ROOT).returncode:
            found.append(part)
    took = f"{', '.join(parts)} in {time.perf_counter() - started:.0f} s"
    print(f"FAULTS in {', '.join(found)} ({took}); see above" if found else f"no faults: {took}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
