"""Picture file in, boxes out: this package against GluonCV, same weights, same pictures, same input size.

Each side runs in a process of its own with its own defaults, thread count included; a third process is
GluonCV with our thread count. They take turns, a few pictures at a time, so that whatever else the machine
does hits all alike. GluonCV's side is its demo's way: read, resize, to_tensor, normalize, hybridized network
with its own NMS, results as NumPy arrays.

Run it as: python benchmarks/inference.py [--rounds N] [--network NAME] [--size N]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

PICTURES = 8
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
    parser.add_argument(
        "--rounds", type=int, default=10, help=f"turns of each side, {PICTURES} pictures each"
    )
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        return serve(SIDES[args.side](args.network, args.size, Path(args.folder)), Path(args.folder))

    from gluon_yolo.cores import physical_cores

    ours = os.environ.get("OMP_NUM_THREADS", str(physical_cores()))
    contenders = {
        "ours": ("ours", None),
        "GluonCV": ("gluoncv", None),
        f"GluonCV, {ours} thread(s)": ("gluoncv", ours),
    }
    with tempfile.TemporaryDirectory() as folder:
        prepare(args.network, Path(folder))
        workers = {name: start(args, folder, *how) for name, how in contenders.items()}
        try:
            compare([ask(workers[name], "boxes") for name in ("ours", "GluonCV")])
            times: dict[str, list[float]] = {name: [] for name in workers}
            for _ in range(args.rounds):
                for name, worker in workers.items():
                    times[name] += ask(worker, "time")
        finally:
            for worker in workers.values():
                worker.stdin.close()
                worker.wait()
    print(
        f"\n{args.network} at {args.size}x{args.size}, {len(times['ours'])} pictures of 640x480 for each side"
    )
    print(f"{'':24}{'median ms':>10}{'fastest':>10}{'pictures/s':>12}{'ours faster':>13}")
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, values in times.items():
        print(
            f"{name:24}{medians[name]:10.1f}{min(values):10.1f}{1e3 / medians[name]:12.2f}"
            f"{medians[name] / medians['ours']:12.2f}x"
        )
    ratio = medians["GluonCV"] / medians["ours"]
    print(f"ratio {ratio:.2f}x (ours over GluonCV, pictures per second, each side's own defaults)")
    return 0


def start(args: argparse.Namespace, folder: str, side: str, threads: str | None) -> subprocess.Popen:
    """Start one side's process; without ``threads`` it takes its own default, or OMP_NUM_THREADS."""
    command = [sys.executable, __file__, "--side", side, "--folder", folder]
    command += ["--network", args.network, "--size", str(args.size)]
    environment = {**os.environ, **({"OMP_NUM_THREADS": threads} if threads else {})}
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


def ask(worker: subprocess.Popen, question: str):
    """Send a question to a side's process and wait for the answer."""
    worker.stdin.write(question + "\n")
    worker.stdin.flush()
    answer = worker.stdout.readline()
    if not answer:
        raise SystemExit("a side's process ended; its error is printed above")
    return json.loads(answer)


def serve(detect, folder: Path) -> int:
    """Answer ``time`` with each picture's milliseconds, ``boxes`` with the first one's best detections."""
    pictures = sorted(str(path) for path in (folder / "pictures").glob("*.jpg"))
    detect(pictures[0])
    detect(pictures[0])
    for line in sys.stdin:
        if line.strip() == "boxes":
            print(json.dumps(detect(pictures[0])[:20]), flush=True)
            continue
        times = []
        for picture in pictures:
            begin = time.perf_counter()
            detect(picture)
            times.append((time.perf_counter() - begin) * 1e3)
        print(json.dumps(times), flush=True)
    return 0


def compare(found: list[list[list[float]]]) -> None:
    """Say how far the two sides' best detections of one picture differ: both must do the same work."""
    pairs = list(zip(*found))
    score = max(abs(a[1] - b[1]) for a, b in pairs)
    corner = max(abs(p - q) for a, b in pairs for p, q in zip(a[2:], b[2:]))
    print(
        f"best {len(pairs)} detections of one picture: "
        f"scores differ by {score:.1e} at most, corners by {corner:.1e} px"
    )


def our_side(network: str, size: int, folder: Path):
    """Return this package's way from a picture's path to rows of class, score, corners in input pixels."""
    from gluon_yolo.inference.predictor import Predictor

    predictor = Predictor.from_network(
        network, folder / "weights.params", size_hw=(size, size), score_threshold=SCORE_THRESHOLD
    )

    def detect(picture: str) -> list[list[float]]:
        found = predictor(picture)
        return [
            [int(c), float(s), *map(float, box)]
            for c, s, box in zip(found.class_ids, found.scores, found.boxes)
        ]

    return detect


def gluoncv_side(network: str, size: int, folder: Path):
    """Return GluonCV's way, as its demo goes it; of this package only NumPy's removed names are used."""
    mx, gluoncv = import_gluoncv()
    net = gluoncv.model_zoo.get_model(network, pretrained_base=False)
    net.load_parameters(str(folder / "weights.params"))
    net.hybridize()
    resize = gluoncv.data.transforms.image.imresize

    def detect(picture: str) -> list[list[float]]:
        pixels = mx.image.imread(picture)
        height, width = pixels.shape[:2]
        pixels = mx.nd.image.to_tensor(resize(pixels, size, size, interp=9))
        pixels = mx.nd.image.normalize(pixels, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
        ids, scores, boxes = (output[0].asnumpy() for output in net(pixels.expand_dims(0)))
        kept = scores[:, 0] > SCORE_THRESHOLD
        boxes[:, 0::2] *= width / size
        boxes[:, 1::2] *= height / size
        rows = zip(ids[kept, 0], scores[kept, 0], boxes[kept].clip(0, [width, height] * 2))
        return [[int(c), float(s), *map(float, box)] for c, s, box in rows]

    return detect


def prepare(network: str, folder: Path) -> None:
    """Write pictures, and random weights with GluonCV: in a process of its own, so none here loads mxnet."""
    from gluon_yolo.data.synthetic import generate

    scenes = generate(folder / "scenes", pictures=PICTURES, size_hw=(480, 640))
    os.rename(scenes / "JPEGImages", folder / "pictures")
    command = [sys.executable, __file__, "--side", "weights", "--folder", str(folder), "--network", network]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def write_weights(network: str, size: int, folder: Path):
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
    return lambda picture: []


def import_gluoncv():
    """Import mxnet and gluoncv without this package's ``compat``, which would choose the threads."""
    from gluon_yolo import numpy_names

    numpy_names.restore()
    import mxnet

    sys.modules.setdefault("torch", None)
    import gluoncv

    return mxnet, gluoncv


SIDES = {"ours": our_side, "gluoncv": gluoncv_side, "weights": write_weights}

if __name__ == "__main__":
    sys.exit(main())
