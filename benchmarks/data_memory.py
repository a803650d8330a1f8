"""Memory of the data loader over many epochs, with threads and with processes.

    python benchmarks/data_memory.py [--data-root BCCD] [--epochs 40]

Every epoch's batches are made and dropped. The resident memory of the process and of its workers together is
read from /proc after the epoch; each kind of worker is measured in a separate process. The last line compares
the last epoch with the fifth.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from alive import alive

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

BCCD = (
    Path(os.environ.get("GLUON_YOLO_DATA", Path(__file__).resolve().parents[2] / "shared/data")) / "bccd/BCCD"
)
SETTLED = 5
SHOWN = (1, 2, 5, 10, 20, 30, 40)


def main() -> int:
    """Measure both kinds of workers and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data-root", type=Path, default=BCCD, metavar="DIR", help="in VOC layout")
    parser.add_argument("--epochs", type=int, default=40, metavar="E")
    parser.add_argument("--augment", default="mosaic,yolo3", metavar="NAMES")
    parser.add_argument("--side", choices=("thread", "process"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.epochs <= SETTLED:
        parser.error(f"--epochs {args.epochs}: expected more than {SETTLED}")
    if args.side:
        print(json.dumps(_epochs(args)))
        return 0
    worst = 0.0
    for side in ("thread", "process"):
        words = ["--data-root", args.data_root, "--epochs", args.epochs, "--augment", args.augment]
        command = [sys.executable, __file__, "--side", side, *map(str, words)]
        megabytes = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        print(f"{side} workers, {args.augment}: resident MB after an epoch")
        for epoch in sorted({*(e for e in SHOWN if e < args.epochs), args.epochs}):
            print(f"  {epoch:4} {megabytes[epoch - 1]:8.1f}")
        worst = max(worst, megabytes[-1] / megabytes[SETTLED - 1])
    what = f"memory after epoch {args.epochs} over that after epoch {SETTLED}, of the worse kind"
    print(f"ratio {worst:.3f}x ({what})")
    return 0


def _epochs(args: argparse.Namespace) -> list[float]:
    from gluon_yolo.data.loading.loader import TrainLoader
    from gluon_yolo.data.transforms import augmentation
    from gluon_yolo.data.voc.dataset import open_voc
    from gluon_yolo.spec import DetectionSpec

    dataset = open_voc(args.data_root, "trainval")
    spec = DetectionSpec(dataset.class_names)
    seen = []
    with TrainLoader(
        dataset,
        augmentation(args.augment),
        spec,
        8,
        [(416, 416)],
        workers=2,
        worker_type=args.side,
        mixup=True,
    ) as loader:
        for epoch in range(args.epochs):
            for _ in loader.epoch(epoch):
                pass
            seen.append(_resident([os.getpid(), *_children()]) / 1e6)
    return seen


def _children() -> list[int]:
    import multiprocessing

    return [process.pid for process in multiprocessing.active_children()]


def _resident(pids: list[int]) -> int:
    """Return the bytes of memory that processes hold, shared pages counted once for all."""
    text = "".join(Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids)
    return 1024 * sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


if __name__ == "__main__":
    sys.exit(alive(main))
