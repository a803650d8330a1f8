"""The same weights in every runtime and precision, and in peers: network alone, and image to boxes.

Each row is a separate process with its own threads. They take turns, a few images at a time, so that other
load on the machine affects all of them. Times are medians. "network" is from pixels of the input's size to
the runtime's result in NumPy: raw maps, or boxes where the graph has them (onnxruntime, openvino, mnn,
tflite, the peers); "image" is from an image file to its boxes. "found" is how many of the boxes of the first
row, mxnet in float32, the row has as well (same class, IoU at least 0.9), over all images. A runtime that is
not installed has no row.

MobileNet1.0-YOLOv3 has GluonCV's random weights, and GluonCV as its peer; the darknet networks of the shared
data have their own weights, and OpenCV 4's darknet reader. A folder of a run or imported model has no peer.

Run it as: python benchmarks/runtimes.py [--threads 1,2] [--rounds N] [--json FILE] [NAME|FOLDER ...]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from alive import alive
from peers import GluonCVDetector, Workers, serve
from runtime_models import (
    DARKNET,
    DATA,
    MOBILENET,
    MOBILENET_SIZE,
    NAMES,
    darknet_files,
    prepare,
    prepare_images,
)

from gluon_yolo.inference.runtimes.registry import RUNTIMES, load

SCORE_THRESHOLD = 0.3
NMS_THRESHOLD = 0.45
SAME_IOU = 0.9
LEAST_MS = 150  # of work in a turn, so that small networks have many measurements


@dataclasses.dataclass(frozen=True)
class Row:
    """One way to run a model.

    Args:
        runtime: of the package, or a peer's name.
        precision: that it computes in.
        folder: of the exported model, under the model's own folder.
    """

    runtime: str
    precision: str
    folder: str = ""

    @property
    def name(self) -> str:
        return f"{self.runtime} {self.precision}"


OURS = (
    Row("mxnet", "float32", "float32"),
    Row("mxnet", "float32 fused", "fused"),
    Row("mxnet", "bfloat16", "bfloat16"),
    Row("mxnet", "int8", "quantized/int8"),
    Row("onnxruntime", "float32", "float32"),
    Row("onnxruntime", "int8", "quantized/int8"),
    Row("openvino", "float32", "float32"),
    Row("openvino", "bfloat16", "bfloat16"),
    Row("openvino", "int8", "quantized/int8"),
    Row("ncnn", "float32", "float32"),
    Row("ncnn", "float16", "float16"),
    Row("mnn", "float32", "float32"),
    Row("tflite", "float32", "float32"),
    Row("tflite", "float16", "float16"),
    Row("tflite", "int8", "quantized/int8"),
    Row("torch", "float32", "float32"),
)
GLUONCV = Row("GluonCV", "float32")
GLUONCV_OWN = Row("GluonCV, its own threads", "float32")
OPENCV = Row("OpenCV DNN", "float32")


def main() -> int:
    """Prepare, measure, and print a table for each model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "models", nargs="*", metavar="NAME|FOLDER", help=f"of {', '.join(NAMES)} (default: all)"
    )
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="the shared data")
    parser.add_argument("--threads", default="1,2", metavar="N,...", help="(default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=12, help="turns of each row (default: %(default)s)")
    parser.add_argument("--only", metavar="TEXT", help="rows whose name holds this, and the first")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="make the models there, or take those there")
    parser.add_argument("--side", metavar="JSON", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.side:
        return serve_side(json.loads(args.side))
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        kept = args.keep or Path(scratch)
        images = prepare_images(args.data, kept / "pictures")
        for name in args.models or NAMES:
            folder = kept / Path(name).name
            rows = rows_of(name, args.only or "")
            formats = {RUNTIMES[row.runtime].formats[-1] for row in rows if row.runtime in RUNTIMES}
            prepare(name, folder, args.data, images, ",".join(sorted(formats)))
            for threads in args.threads.split(","):
                figures[f"{name}, {threads}"] = measure(
                    name, folder, rows, images, threads, args.rounds, Path(scratch)
                )
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


def rows_of(name: str, text: str) -> list[Row]:
    """Return the rows of a model whose name holds a text, and the first one, as far as they are installed."""
    peers = {MOBILENET: (GLUONCV, GLUONCV_OWN), **dict.fromkeys(DARKNET, (OPENCV,))}.get(name, ())
    rows = [row for row in (*OURS, *peers) if row.runtime not in RUNTIMES or RUNTIMES[row.runtime].installed]
    return [row for place, row in enumerate(rows) if not place or text in row.name]


def measure(
    name: str,
    folder: Path,
    rows: Sequence[Row],
    images: Path,
    threads: str,
    rounds: int,
    scratch: Path,
) -> dict[str, dict[str, float]]:
    """Have the rows take turns, print their table, and return its figures by row."""
    commands = {}
    for row in rows:
        task = {
            "row": dataclasses.asdict(row),
            "folder": str(folder),
            "pictures": str(images),
            "threads": threads,
        }
        environment = {} if row is GLUONCV_OWN else {"OMP_NUM_THREADS": threads}
        environment["GLUON_YOLO_CACHE"] = str(scratch)  # `auto` measures here, whatever it remembers
        commands[row.name] = ([__file__, "--side", json.dumps(task)], environment)
    with Workers(commands) as workers:
        boxes = {row: workers.ask(row, "boxes") for row in commands}
        size = workers.ask(rows[0].name, "size")
        auto = workers.ask(rows[0].name, "auto")
        turns = workers.take_turns(rounds)
    first = rows[0].name
    figures = {}
    for row, answers in turns.items():
        network, image = (statistics.median(ms for turn in answers for ms in turn[kind]) for kind in range(2))
        found = sum(matches(ours, theirs) for ours, theirs in zip(boxes[first], boxes[row]))
        figures[row] = {"network_ms": network, "picture_ms": image, "found": found}
    total = sum(map(len, boxes[first]))
    plural = "s" * (threads != "1")
    print(f"\n{name} at {size}, {threads} thread{plural}, {rounds} turns; auto takes {auto}\n")
    print("| runtime | precision | network ms | picture ms | faster than the first | found |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        own = figures[row.name]
        faster = figures[first]["network_ms"] / own["network_ms"]
        print(
            f"| {row.runtime} | {row.precision} | {own['network_ms']:.2f} | {own['picture_ms']:.2f} "
            f"| {faster:.2f}x | {own['found']} of {total} |",
            flush=True,
        )
    return figures


def matches(expected: list[list[float]], found: list[list[float]]) -> int:
    """Return how many of one image's boxes another row has too."""
    import numpy as np

    from gluon_yolo.boxes import iou_matrix

    if not expected or not found:
        return 0
    ours, theirs = np.array(expected), np.array(found)
    same = (iou_matrix(ours[:, 2:], theirs[:, 2:]) >= SAME_IOU) & (ours[:, :1] == theirs[:, 0])
    return int(same.any(axis=1).sum())


def serve_side(task: dict[str, Any]) -> int:
    """Be one row: load its model, and answer."""
    row, folder = Row(**task["row"]), Path(task["folder"])
    images = sorted(str(path) for path in Path(task["pictures"]).iterdir())
    makers = {GLUONCV: gluoncv_side, GLUONCV_OWN: gluoncv_side, OPENCV: opencv_side}
    fit, network, detect = makers.get(row, our_side)(row, folder, int(task["threads"]))
    inputs = [fit(image) for image in images]

    def milliseconds(work: Callable[[Any], Any], values: Sequence[Any]) -> list[float]:
        times: list[float] = []
        while sum(times) < LEAST_MS:
            for value in values:
                begin = time.perf_counter()
                work(value)
                times.append((time.perf_counter() - begin) * 1e3)
        return times

    return serve({
        "time": lambda: [milliseconds(network, inputs), milliseconds(detect, images)],
        "boxes": lambda: [detect(image) for image in images],
        "size": lambda: "x".join(map(str, model_record(folder / "float32").size_hw)),
        "auto": lambda: auto(folder / "float32"),
    })  # fmt: skip


def model_record(folder: Path) -> Any:
    """Return the record of an exported model."""
    from gluon_yolo.inference.model_files import find_model_record
    from gluon_yolo.inference.model_record import ModelRecord

    return ModelRecord.read(find_model_record(folder))


def auto(folder: Path) -> str:
    """Return the runtime that the package would take by itself."""
    from gluon_yolo import Predictor

    return Predictor.load(folder).runtime


def our_side(row: Row, folder: Path, threads: int) -> tuple[Callable, Callable, Callable]:
    """Return a runtime's ways from a file to the input, from that to boxes, and from the file to rows."""
    from gluon_yolo.data.images.read import read_image
    from gluon_yolo.inference.predictor import Predictor
    from gluon_yolo.inference.preprocess import Preprocess

    record = model_record(folder / row.folder)
    network = load(row.runtime, record, folder / row.folder)
    thresholds = {"score_threshold": SCORE_THRESHOLD, "nms_threshold": NMS_THRESHOLD}
    predictor = Predictor(network, record.spec, record.size_hw, fit=Preprocess(record.fit), **thresholds)

    def detect(image: str) -> list[list[float]]:
        found = predictor(image)
        rows = zip(found.class_ids, found.scores, found.boxes)
        return [[int(c), float(s), *map(float, box)] for c, s, box in rows]

    return lambda image: predictor.fit(read_image(image), record.size_hw)[0][None], network, detect


def gluoncv_side(row: Row, folder: Path, threads: int) -> tuple[Callable, Callable, Callable]:
    """Return GluonCV's ways."""
    detector = GluonCVDetector(MOBILENET, folder / "weights.params", MOBILENET_SIZE, SCORE_THRESHOLD)
    return lambda image: detector.fit(image)[0], detector.network, detector


def opencv_side(row: Row, folder: Path, threads: int) -> tuple[Callable, Callable, Callable]:
    """Return the ways of OpenCV's samples: its own reader of darknet's files, thresholds and suppression."""
    import cv2
    import numpy as np

    cv2.setNumThreads(threads)
    model = model_record(folder / "float32")
    net = cv2.dnn.readNetFromDarknet(*map(str, darknet_files(folder)))
    outputs = net.getUnconnectedOutLayersNames()
    height, width = model.size_hw

    def fit(image: str) -> np.ndarray:
        return cv2.dnn.blobFromImage(cv2.imread(image), 1 / 255, (width, height), swapRB=True)

    def network(blob: np.ndarray) -> Sequence[np.ndarray]:
        net.setInput(blob)
        return net.forward(outputs)

    def detect(image: str) -> list[list[float]]:
        pixels = cv2.imread(image)
        high, wide = pixels.shape[:2]
        blob = cv2.dnn.blobFromImage(pixels, 1 / 255, (width, height), swapRB=True)
        found = np.concatenate(network(blob))
        classes = found[:, 5:].argmax(axis=1)
        scores = found[np.arange(len(found)), 5 + classes]
        kept = scores > SCORE_THRESHOLD
        centres, classes, scores = found[kept, :4] * [wide, high, wide, high], classes[kept], scores[kept]
        corners = centres[:, :2] - centres[:, 2:] / 2
        boxes = np.hstack([corners, centres[:, 2:]])
        stay = cv2.dnn.NMSBoxesBatched(
            boxes.tolist(), scores.tolist(), classes.tolist(), SCORE_THRESHOLD, NMS_THRESHOLD
        )
        return [
            [
                int(classes[i]),
                float(scores[i]),
                *boxes[i, :2].tolist(),
                *(boxes[i, :2] + boxes[i, 2:]).tolist(),
            ]
            for i in stay
        ]

    return fit, network, detect


if __name__ == "__main__":
    sys.exit(alive(main))
