"""From image file to boxes: this package against GluonCV, with the same weights, images and input size.

Each side runs in a separate process with its own defaults, thread count included; a third process is GluonCV
with this package's thread count. They take turns, a few images at a time, so that other load on the machine
affects all of them. GluonCV's side is that of its demo: read, resize, to_tensor, normalize, hybridized
network with its own NMS, results as NumPy arrays.

Run it as: python benchmarks/inference.py [--rounds N] [--network NAME] [--size N]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from alive import alive
from peers import OURS, THEIRS, THEIRS_OUR_THREADS, GluonCVDetector, Sides, import_gluoncv, serve

IMAGES = 8
SCORE_THRESHOLD = 0.01  # GluonCV's own
HEAD_SCALE = 0.3
OBJECTNESS_BIAS = -4.0  # about as few candidates as a trained network has; GluonCV's NMS is quickest then


def main() -> int:
    """Measure, and print a table and the ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", default="yolo3_mobilenet1.0_voc", help="a detector that GluonCV has too")
    parser.add_argument("--size", type=int, default=416, help="side of the square input, in pixels")
    parser.add_argument("--rounds", type=int, default=10, help=f"turns of each side, {IMAGES} pictures each")
    parser.add_argument("--side", choices=("ours", "gluoncv", "weights"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side == "weights":
        return write_weights(args.network, Path(args.folder))
    if args.side:
        make = {"ours": our_side, "gluoncv": gluoncv_side}[args.side]
        return answer(make(args.network, args.size, Path(args.folder)), Path(args.folder))

    with tempfile.TemporaryDirectory() as folder:
        prepare(args.network, Path(folder))
        words = ["--network", args.network, "--size", str(args.size), "--folder", folder]
        with Sides(__file__, words) as sides:
            compare([sides.ask(name, "boxes") for name in (OURS, THEIRS)])
            turns = sides.take_turns(args.rounds)
    times = {name: [value for turn in rows for value in turn] for name, rows in turns.items()}
    print(f"{args.network} at {args.size}x{args.size}, {len(times[OURS])} pictures of 640x480 for each side")
    print(f"threads: {', '.join(f'{name} {count}' for name, count in sides.threads.items())}")
    print(f"{'':24}{'median ms':>10}{'fastest':>10}{'pictures/s':>12}{'ours faster':>13}")
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, values in times.items():
        print(
            f"{name:24}{medians[name]:10.1f}{min(values):10.1f}{1e3 / medians[name]:12.2f}"
            f"{medians[name] / medians[OURS]:12.2f}x"
        )
    print(f"at equal threads {medians[THEIRS_OUR_THREADS] / medians[OURS]:.2f}x")
    ratio = medians[THEIRS] / medians[OURS]
    print(f"ratio {ratio:.2f}x (ours over GluonCV, pictures per second, each side's own defaults)")
    return 0


def answer(detect, folder: Path) -> int:
    """Answer ``time`` with each image's milliseconds, ``boxes`` with the first one's best detections."""
    images = sorted(str(path) for path in (folder / "pictures").glob("*.jpg"))

    def milliseconds(image: str) -> float:
        begin = time.perf_counter()
        detect(image)
        return (time.perf_counter() - begin) * 1e3

    return serve({
        "time": lambda: [milliseconds(image) for image in images],
        "boxes": lambda: detect(images[0])[:20],
    })  # fmt: skip


def compare(found: list[list[list[float]]]) -> None:
    """Say how far the two sides' best detections of one image differ: both must do the same work."""
    pairs = list(zip(*found))
    score = max(abs(a[1] - b[1]) for a, b in pairs)
    corner = max(abs(p - q) for a, b in pairs for p, q in zip(a[2:], b[2:]))
    print(
        f"best {len(pairs)} detections of one picture: "
        f"scores differ by {score:.1e} at most, corners by {corner:.1e} px"
    )


def our_side(network: str, size: int, folder: Path):
    """Return this package's way from an image's path to rows of class, score, corners in input pixels."""
    from gluon_yolo.inference.predictor import Predictor

    predictor = Predictor.from_network(
        network, folder / "weights.params", size_hw=(size, size), score_threshold=SCORE_THRESHOLD
    )

    def detect(image: str) -> list[list[float]]:
        found = predictor(image)
        return [
            [int(c), float(s), *map(float, box)]
            for c, s, box in zip(found.class_ids, found.scores, found.boxes)
        ]

    return detect


def gluoncv_side(network: str, size: int, folder: Path) -> GluonCVDetector:
    """Return GluonCV's way to the same rows."""
    return GluonCVDetector(network, folder / "weights.params", size, SCORE_THRESHOLD)


def prepare(network: str, folder: Path) -> None:
    """Write images, and random weights with GluonCV: in a process of its own, so none here loads mxnet."""
    from gluon_yolo.data.synthetic import generate

    scenes = generate(folder / "scenes", images=IMAGES, size_hw=(480, 640))
    os.rename(scenes / "JPEGImages", folder / "pictures")
    command = [sys.executable, __file__, "--side", "weights", "--folder", str(folder), "--network", network]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def write_weights(network: str, folder: Path) -> int:
    """Let GluonCV draw weights and write them."""
    mx, gluoncv = import_gluoncv()
    mx.random.seed(0)
    net = gluoncv.model_zoo.get_model(network, pretrained_base=False)
    net.initialize(mx.init.MSRAPrelu(factor_type="in", slope=0.1))  # signals keep their size to the end
    net(mx.nd.zeros((1, 3, 64, 64)))
    for output in net.yolo_outputs:
        weight, bias = output.prediction.weight, output.prediction.bias
        weight.set_data(weight.data() * HEAD_SCALE)
        channels = bias.data().reshape((3, -1))
        channels[:, 4] = OBJECTNESS_BIAS
        bias.set_data(channels.reshape(-1))
    net.save_parameters(str(folder / "weights.params"))
    return 0


if __name__ == "__main__":
    sys.exit(alive(main))
