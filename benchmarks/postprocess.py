"""The work around a network: preprocessing, decoding, threshold and NMS, without the network.

Prints the median milliseconds of each, on one thread. The crowd is a hundred objects of 80 classes, each with
four of the 10,647 anchors of YOLOv3 at 416, and low scores everywhere else. The raw maps are of three
networks of the family, with 250 anchors over the threshold.

  python benchmarks/postprocess.py
  python benchmarks/postprocess.py --rounds 1000
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from typing import Any, Callable

import cv2
import numpy as np
from alive import alive

from gluon_yolo.inference.decode import RawMaps, decode
from gluon_yolo.inference.predictor import FARTHEST
from gluon_yolo.inference.preprocess import Preprocess
from gluon_yolo.nms import select
from gluon_yolo.spec import DetectionSpec

OBJECTS, PER_OBJECT, CLASSES, ANCHORS, SIZE = 100, 4, 80, 10647, 416
# Strides, anchors a cell, classes and input (height, width) of networks of the family.
NETWORKS = {
    "yolov3 coco": ((8, 16, 32), 3, 80, (416, 416)),
    "nano coco": ((16, 32), 3, 80, (320, 320)),
    "yoloface-500k": ((4, 8, 16), 3, 1, (256, 320)),
}
ABOVE = 250  # anchors that are over the threshold, as on an image of many faces
THRESHOLDS = (0.3, 0.01)  # of demo and of eval


def main() -> int:
    """Measure each part and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=200, help="(default: %(default)s)")
    rounds = parser.parse_args().rounds
    cv2.setNumThreads(1)
    print("| part | median ms |\n|---|---|")
    for name, work in parts().items():
        print(f"| {name} | {median(work, rounds):.3f} |", flush=True)
    return 0


def parts() -> dict[str, Callable[[], Any]]:
    """Return what is measured, by name."""
    work: dict[str, Callable[[], Any]] = {}
    boxes, scores = crowd()
    for threshold in THRESHOLDS:
        found = len(select(boxes, scores, threshold))
        name = f"threshold {threshold} + suppression, {OBJECTS} objects, {CLASSES} classes ({found} found)"
        work[name] = lambda threshold=threshold: select(boxes, scores, threshold, farthest=FARTHEST)
    for name, shape in NETWORKS.items():
        spec, maps = raw_maps(*shape)
        count = len(decode(maps, spec)[0][0])
        work[f"decode of {name}, all {count} anchors"] = lambda maps=maps, spec=spec: decode(maps, spec)
        lazy = RawMaps(maps, spec)
        work[f"decode of {name}, over {THRESHOLDS[0]}, + suppression"] = lambda lazy=lazy: select(
            *lazy.above(THRESHOLDS[0], 0), THRESHOLDS[0], farthest=FARTHEST
        )
    for mode in ("resize", "letterbox"):
        for height, width in ((480, 640), (1080, 1920)):
            image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
            name = f"fit by {mode}, {width}x{height} to {SIZE}x{SIZE}"
            work[name] = lambda image=image, mode=mode: Preprocess(mode)(image, (SIZE, SIZE))
    return work


def median(work: Callable[[], Any], rounds: int) -> float:
    """Return the median milliseconds of some calls."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1e3


def crowd() -> tuple[np.ndarray, np.ndarray]:
    """Return boxes (N, 4) and scores (N, C) of an image of many objects."""
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, SIZE - 60, (ANCHORS, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(10, 60, (ANCHORS, 2))], axis=1).astype(np.float32)
    scores = (rng.random((ANCHORS, CLASSES)) ** 8 * 0.005).astype(np.float32)
    for rows in rng.permutation(ANCHORS)[: OBJECTS * PER_OBJECT].reshape(OBJECTS, PER_OBJECT):
        boxes[rows] = boxes[rows[0]] + rng.normal(0, 1.5, (PER_OBJECT, 4))
        scores[rows, rng.integers(CLASSES)] = rng.uniform(0.35, 0.99, PER_OBJECT)
    return boxes, scores


def raw_maps(
    strides: tuple[int, ...], anchors: int, classes: int, size_hw: tuple[int, int]
) -> tuple[DetectionSpec, list[np.ndarray]]:
    """Return a network's spec and raw maps, of which ``ABOVE`` anchors see something."""
    rng = np.random.default_rng(0)
    shapes = tuple((10.0 * (place + 1), 12.0 * (place + 1)) for place in range(anchors))
    spec = DetectionSpec(tuple(map(str, range(classes))), (shapes,) * len(strides), strides)
    maps = []
    for stride in strides:
        cells = (size_hw[0] // stride) * (size_hw[1] // stride)
        raw = rng.normal(0, 1, (1, anchors, 5 + classes, cells)).astype(np.float32)
        raw[:, :, 4:] -= 8
        seen = rng.permutation(anchors * cells)[: ABOVE // len(strides)]
        raw[0, seen // cells, 4, seen % cells] = 3
        raw[0, seen // cells, 5, seen % cells] = 3
        maps.append(raw.reshape(1, -1, size_hw[0] // stride, size_hw[1] // stride))
    return spec, maps


if __name__ == "__main__":
    sys.exit(alive(main))
