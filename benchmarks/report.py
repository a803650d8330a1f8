"""What a report costs: the share of a training's time that its pages take, and their size.

A narrow network is trained on drawn images, with `--report`. Times are of one run: compare them with each
other.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import gluon_yolo
from gluon_yolo.data.synthetic import generate
from gluon_yolo.training.callbacks import report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=300, help="to train on and to validate on")
    parser.add_argument("--epochs", type=int, default=3)
    args = parser.parse_args()
    spent: dict[str, list[float]] = {}
    for hook in ("on_step_end", "on_checkpoint", "on_train_end"):
        setattr(report.Report, hook, timed(getattr(report.Report, hook), spent.setdefault(hook, [])))
    with tempfile.TemporaryDirectory() as folder:
        data = generate(Path(folder) / "data", images=args.pictures, size_hw=(128, 160))
        began = time.perf_counter()
        result = gluon_yolo.train(
            data=data,
            network="mobilenet0_25",
            gpus="",
            pretrained_base="no",
            data_shape="128x160",
            random_shape=False,
            batch_size=4,
            epochs=args.epochs,
            report=True,
            save_prefix=f"{folder}/",
        )
        whole = time.perf_counter() - began
        size = (result.folder / report.FILE).stat().st_size
    pages = [
        seconds for hook in ("on_checkpoint", "on_train_end") for seconds in spent[hook] if seconds > 0.05
    ]
    total = sum(map(sum, spent.values()))
    print(f"training      {whole:7.1f} s, {args.epochs} epochs of {args.pictures} images, report included")
    print(f"report        {total:7.2f} s, {100 * total / whole:.2f} %")
    print(f"pages         {len(pages):7d}, each {min(pages):.2f} to {max(pages):.2f} s")
    print(f"losses        {1e6 * sum(spent['on_step_end']) / len(spent['on_step_end']):7.1f} us a step")
    print(f"size          {size / 1e6:7.2f} MB")


def timed(hook, times: list[float]):
    """Return a hook that also notes how long it took."""

    def call(self, trainer) -> None:
        began = time.perf_counter()
        hook(self, trainer)
        times.append(time.perf_counter() - began)

    return call


if __name__ == "__main__":
    main()
