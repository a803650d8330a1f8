"""Which score selects the best epoch: trainings with several seeds, judged on other images.

Each training fine-tunes MobileNetV2-YOLO-Fastest, from its VOC weights, on half of a data set, and keeps the
detections of every epoch on the other half. That half is then split many times into images that select an
epoch, as a run's validation does, and images that judge the selection, by COCO's AP. The table has the mean
over seeds and its standard deviation, the AP of a run's last epoch, and the best possible AP.

    python benchmarks/best_epoch.py [--data DIR] [--seeds N] [--epochs N] [--sets raccoon,bccd]
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from alive import alive

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("GLUON_YOLO_DATA", ROOT.parent / "shared" / "data"))
sys.path.insert(0, str(ROOT))

from gluon_yolo.data import registry  # noqa: E402
from gluon_yolo.data.dataset import Dataset  # noqa: E402
from gluon_yolo.data.loading.loader import TrainLoader  # noqa: E402
from gluon_yolo.data.subset import Subset  # noqa: E402
from gluon_yolo.data.transforms import augmentation  # noqa: E402
from gluon_yolo.detections import Detections  # noqa: E402
from gluon_yolo.evaluation.coco_ap import COCOMeans  # noqa: E402
from gluon_yolo.evaluation.evaluate import evaluate  # noqa: E402
from gluon_yolo.evaluation.voc_ap import VOCMetric  # noqa: E402
from gluon_yolo.inference.predictor import Predictor  # noqa: E402
from gluon_yolo.models.build import find_architecture  # noqa: E402
from gluon_yolo.mxnet_compat import mx  # noqa: E402
from gluon_yolo.training.lr_schedule import Schedule  # noqa: E402
from gluon_yolo.training.mxnet_engine.step import TrainStep  # noqa: E402
from gluon_yolo.weights.load import load_weights  # noqa: E402

SETS = {"raccoon": "raccoon", "bccd": "bccd/BCCD"}
NETWORK = "darknet/fastest-voc/MobileNetV2-YOLO-Fastest-voc"
SIZE_HW = (224, 224)
BATCH, RATE = 4, 0.0015
DIVISIONS = 20  # of the images that are not trained on
CHOICES = {
    "voc07": lambda numbers: numbers["VOC07_mAP50"],
    "voc": lambda numbers: numbers["VOC_mAP50"],
    "coco AP50": lambda numbers: numbers["AP50"],
    "half and half": lambda numbers: 0.5 * numbers["AP"] + 0.5 * numbers["AP50"],
    "fitness": lambda numbers: 0.9 * numbers["AP"] + 0.1 * numbers["AP50"],
    "coco AP": lambda numbers: numbers["AP"],
}
Found = dict[int, Detections]  # by an image's place


class Keep:
    """A metric that keeps what was found."""

    def __init__(self) -> None:
        self.found: Found = {}

    def update(self, index: int, predicted: Detections, truth: Detections) -> None:
        """Keep an image's objects."""
        self.found[index] = predicted

    def compute(self) -> dict[str, Any]:
        """Return no number."""
        return {"per_class": {}}

    def reset(self) -> None:
        """Forget all."""
        self.found = {}


def main() -> int:
    """Train, divide, choose, judge; print a row for each way to choose."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="the shared data")
    parser.add_argument("--seeds", type=int, default=4, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=16, metavar="N", help="(default: %(default)s)")
    parser.add_argument(
        "--sets", default=",".join(SETS), metavar="NAMES", help=f"of {','.join(SETS)} (default: all)"
    )
    args = parser.parse_args()
    for name in args.sets.split(","):
        source = registry.open_source(args.data / SETS[name])
        parts = source.splits()[:1]
        dataset = source.open(parts[0], source.class_names(parts), True)
        judged = [judge(dataset, seed, args) for seed in range(args.seeds)]
        print(f"{name}: {len(dataset)} pictures, {args.seeds} seeds, {args.epochs} epochs", flush=True)
        print("{:16}{:>9}{:>9}{:>22}".format("chosen by", "AP", "spread", "beside the last epoch"))
        last = np.array([seed["last"] for seed in judged])
        for way in judged[0]:
            scores = np.array([seed[way] for seed in judged])
            more = scores - last
            print(
                f"{way:16}{scores.mean():9.4f}{scores.std():9.4f}{more.mean():+15.4f} +- {more.std():.4f}",
                flush=True,
            )
    return 0


def judge(dataset: Dataset, seed: int, args: argparse.Namespace) -> dict[str, float]:
    """Train once; return the AP on judging images by each way to choose, the mean over divisions."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(dataset))
    trained, held = Subset(dataset, order[::2]), Subset(dataset, order[1::2])
    epochs = train(trained, held, seed, args)
    judged: dict[str, list[float]] = {}
    for _ in range(DIVISIONS):
        halves = np.array_split(rng.permutation(len(held)), 2)
        choosing, judging = ([score(held, half, found) for found in epochs] for half in halves)
        for way, number in CHOICES.items():
            best = max(range(len(epochs)), key=lambda epoch, number=number: number(choosing[epoch]))
            judged.setdefault(way, []).append(judging[best]["AP"])
        judged.setdefault("last", []).append(judging[-1]["AP"])
        judged.setdefault("the best there is", []).append(max(numbers["AP"] for numbers in judging))
    return {way: float(np.mean(scores)) for way, scores in judged.items()}


def train(trained: Dataset, held: Dataset, seed: int, args: argparse.Namespace) -> list[Found]:
    """Return what each epoch of a training finds in the images that are held out.

    Seeds take turns between a rate that falls as a cosine does and one that stays: with the first the last
    epoch is mostly the best.
    """
    net = find_architecture(str(args.data / f"{NETWORK}.cfg")).build(trained.class_names)
    net.initialize_weights(seed=seed)
    load_weights(net, str(args.data / f"{NETWORK}.weights"), partial=True)
    step = TrainStep(net, [mx.cpu()], no_wd=True)
    loader = TrainLoader(trained, augmentation("light"), net.spec, BATCH, [SIZE_HW], seed=seed, workers=1)
    mode = "constant" if seed % 2 else "cosine"
    schedule = Schedule(RATE, args.epochs, len(loader), mode=mode, warmup_epochs=1)
    found, done = [], 0
    for epoch in range(args.epochs):
        for batch in loader.epoch(epoch):
            done += 1
            step(batch, schedule(done))
        keep = Keep()
        predictor = Predictor.from_block(net, SIZE_HW, score_threshold=0.01)
        evaluate(predictor.detect_batch, held, SIZE_HW, 8, [keep], workers=1)
        found.append(keep.found)
    return found


def score(held: Dataset, indices: Sequence[int], found: Found) -> Mapping[str, float]:
    """Return the numbers of what was found in some of the images."""
    part = Subset(held, indices)
    metrics = [VOCMetric(part.class_names), COCOMeans.from_dataset(part)]
    numbers: dict[str, float] = {}
    for metric in metrics:
        for place, index in enumerate(indices):
            metric.update(place, found[int(index)], part.annotations(place))
        numbers.update({name: value for name, value in metric.compute().items() if name != "per_class"})
    return numbers


if __name__ == "__main__":
    sys.exit(alive(main))
