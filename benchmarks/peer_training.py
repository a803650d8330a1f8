"""A training as users would do it instead: Ultralytics' smallest network, beside this package's, on BCCD.

Each trains for as many epochs, from scratch where it does not say otherwise, at one input size, with its own
settings for the rest, in a process of its own with as many threads, one after the other. Each detects in the
test images with its own code; this package's metrics score all boxes. Seconds are of the whole process,
validation included: those of the clock, and those of the processor, which other load on the machine changes
little. Memory is the peak of its resident set.

The peer needs an environment of its own (requirements-peer.txt). Results are kept in peer_training.jsonl
beside this file; a second start does what is missing.

    python benchmarks/peer_training.py --peer-python peer/bin/python [--out DIR] [--data DIR] [--epochs N]
        [--size N] [--seeds 1,2,3] [--threads N] [--only NAME/NAME] [--results FILE] [--table]
    python benchmarks/peer_training.py --page
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import page_tables
from alive import alive
from kept_lines import keep, kept

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("GLUON_YOLO_DATA", ROOT.parent / "shared" / "data"))
SCORES = ("VOC07_mAP50", "AP", "AP50")
PEER = "Ultralytics YOLO11n"
PEER_NETWORK = "yolo11n.yaml"  # without weights: from scratch
FASTESTV2 = "--network fastestv2 --anchors auto"
OWN = {
    "Yolo-FastestV2": FASTESTV2,
    "MobileNet0.25-YOLOv3": "--network mobilenet0_25",
    "Yolo-FastestV2, from COCO's weights": FASTESTV2
    + " --lr 0.003 --weights {data}/fastestv2/coco2017-0.241078ap-model.pth",
}
OWN_FLAGS = "--recipe small-data --augment overhead --pretrained-base no"
LEAST_SCORE = 0.01
KEPT = Path(__file__).with_suffix(".jsonl")
PAGE = ROOT / "docs" / "few_images.md"


def main() -> int:
    """Train what is missing, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peer-python", metavar="FILE", help="an environment's Python that has the peer")
    parser.add_argument("--out", default="runs/peers", metavar="DIR", help="(default: %(default)s)")
    parser.add_argument("--data", default=str(DATA), metavar="DIR", help="with bccd/")
    parser.add_argument("--epochs", type=int, default=30, metavar="N")
    parser.add_argument("--size", type=int, default=320, metavar="N")
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="of the peer; ours is the recipe's")
    parser.add_argument("--seeds", default="1", metavar="N,N")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    parser.add_argument("--only", metavar="NAME/NAME", help=f"of {' / '.join([PEER, *OWN])}")
    parser.add_argument("--results", default=str(KEPT), metavar="FILE", help="(default: %(default)s)")
    parser.add_argument("--table", action="store_true", help="print what is there, and train nothing")
    parser.add_argument("--page", action="store_true", help="write the table into docs/few_images.md")
    args = parser.parse_args()
    if args.page:
        text = with_table(PAGE.read_text(encoding="utf-8"), kept(Path(args.results)))
        PAGE.write_text(text, encoding="utf-8")
        print(f"the table is in {PAGE}")
        return 0
    out = Path(args.out).resolve()
    out.mkdir(parents=True, exist_ok=True)
    names = [name for name in (PEER, *OWN) if not args.only or name in args.only.split("/")]
    if not args.table:
        make_data(Path(args.data), out)
        for seed in map(int, args.seeds.split(",")):
            for name in names:
                train(name, seed, out, args)
    found = kept(Path(args.results))
    print(
        page_tables.table(
            rows([one for one in found if (one["epochs"], one["size"]) == (args.epochs, args.size)])
        )
    )
    return 0


def make_data(shared: Path, out: Path) -> None:
    """Write BCCD's trainval and test as VOC and as YOLO text, where they are absent."""
    if (out / "yolo").exists():
        return
    shutil.copytree(shared / "bccd" / "BCCD", out / "bccd", dirs_exist_ok=True)
    sets = out / "bccd" / "ImageSets" / "Main"
    for split in ("train", "val"):
        (sets / f"{split}.txt").unlink(missing_ok=True)
    (sets / "trainval.txt").rename(sets / "train.txt")
    words = ("-m", "gluon_yolo", "data", "convert", out / "bccd", out / "yolo.partial", "--to", "yolo")
    subprocess.run([sys.executable, *map(str, words)], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    (out / "yolo.partial").rename(out / "yolo")


def train(name: str, seed: int, out: Path, args: argparse.Namespace) -> None:
    """Train one network, detect in the test images, score, and keep the result."""
    key = {"name": name, "seed": seed, "epochs": args.epochs, "size": args.size, "threads": args.threads}
    if any(all(found[field] == value for field, value in key.items()) for found in kept(Path(args.results))):
        return
    place = out / "runs" / f"{name.replace(' ', '-')}-{seed}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    detected = place / "detections.json"
    common = [str(args.epochs), str(args.size), str(seed)]
    if name == PEER:
        if not args.peer_python:
            raise SystemExit("--peer-python FILE: is missing; see requirements-peer.txt")
        side = Path(__file__).with_name("peer_training_side.py")
        yaml = next((out / "yolo").glob("*.yaml"))
        fixed = [PEER_NETWORK, str(yaml), *common, str(args.batch), str(args.threads), str(place)]
        usage = timed([args.peer_python, str(side), "train", *fixed], args.threads, place)
        subprocess.run(
            [args.peer_python, str(side), "detect", str(place), str(out / "bccd"), str(args.size), detected],
            check=True,
        )
    else:
        words = ["--data", str(out / "bccd"), "--val-split", "test", "--gpus", "", *OWN_FLAGS.split()]
        words += OWN[name].format(data=args.data).split()
        words += ["--epochs", common[0], "--data-shape", common[1], "--seed", common[2]]
        words += ["--val-interval", "1000000", "--save-prefix", f"{place}/"]
        words = [sys.executable, "-m", "gluon_yolo", "train", *words]
        usage = timed(words, args.threads, place)
        (record,) = place.glob("*/model.json")
        detect(record.parent, out / "bccd", detected)
    numbers = score(out / "bccd", detected)
    result = {**key, **numbers, **usage}
    keep(Path(args.results), result)
    print(json.dumps(result), flush=True)


def timed(words: Sequence[str], threads: int, place: Path) -> dict[str, float]:
    """Run a command; return its seconds by the clock and of the processor, and its resident memory in GB."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    start = time.perf_counter()
    with (place / "output.txt").open("w") as log:
        process = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(words)}: ended with {status}; see {place / 'output.txt'}")
    return {
        "seconds": round(time.perf_counter() - start, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "memory_gb": round(usage.ru_maxrss * 1024 / 1e9, 2),
    }


def detect(run: Path, data: Path, out: Path) -> None:
    """Write a run's detections in the test images, as peer_training_side.py writes those of the peer."""
    from gluon_yolo import Predictor
    from gluon_yolo.data.registry import open_source

    predictor = Predictor.load(run / "last", score_threshold=LEAST_SCORE)
    dataset = open_source(str(data)).open("test")
    found = {}
    for index in range(len(dataset)):
        seen = predictor(dataset.image(index))
        found[Path(dataset.name(index)).stem] = {
            "boxes": seen.boxes.tolist(),
            "scores": np.asarray(seen.scores).tolist(),
            "names": [predictor.class_names[class_id] for class_id in seen.class_ids],
        }
    out.write_text(json.dumps(found))


def score(data: Path, detected: Path) -> dict[str, float]:
    """Return the scores of detections in the test images."""
    from gluon_yolo.data.registry import open_source
    from gluon_yolo.detections import Detections
    from gluon_yolo.evaluation.coco_ap import COCOMetric
    from gluon_yolo.evaluation.voc_ap import VOCMetric

    dataset = open_source(str(data)).open("test")
    content = json.loads(detected.read_text())
    metrics: list[Any] = [VOCMetric(dataset.class_names), COCOMetric.from_dataset(dataset)]
    names = list(dataset.class_names)
    for index in range(len(dataset)):
        found = content[Path(dataset.name(index)).stem]
        order = np.argsort(-np.array(found["scores"]), kind="stable")
        detections = Detections(
            np.array(found["boxes"], dtype=np.float32).reshape(-1, 4)[order],
            np.array([names.index(name) for name in found["names"]], dtype=np.int64)[order],
            np.array(found["scores"], dtype=np.float32)[order],
        )
        for metric in metrics:
            metric.update(index, detections, dataset.annotations(index))
    numbers = {key: value for metric in metrics for key, value in metric.compute().items()}
    return {key: float(numbers[key]) for key in SCORES}


def with_table(page: str, found: Sequence[dict[str, Any]]) -> str:
    """Return the page with its table written anew."""
    return page_tables.with_tables(page, {"peers": rows(found)}, "benchmarks/peer_training.py")


def rows(found: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Return the table: each network's means over its seeds."""
    cells = [["network", *SCORES, "seconds", "of the processor", "memory, GB", "seeds"]]
    for name in (PEER, *OWN):
        own = [one for one in found if one["name"] == name]
        if own:
            means = {
                key: float(np.mean([one[key] for one in own]))
                for key in (*SCORES, "seconds", "cpu_seconds", "memory_gb")
            }
            row = [name, *(f"{100 * means[key]:.1f}" for key in SCORES)]
            row += [f"{means['seconds']:.0f}", f"{means['cpu_seconds']:.0f}", f"{means['memory_gb']:.2f}"]
            cells.append([*row, str(len(own))])
    return cells


if __name__ == "__main__":
    sys.exit(alive(main))
