"""How many candidates NMS needs for one detection, in images of crowds.

Networks of the shared data run on photographs of WIDER FACE, and on collages of four by four and six by six
photographs, which have a hundred objects and more. Of all pairs of anchor and class above a score, in
descending order, the number until the K-th detection is counted and divided by K. Printed are the median and
the maximum over the images with K detections.

  python benchmarks/candidates.py [--data DIR]
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import cv2
import numpy as np
from alive import alive

from gluon_yolo.data.classes.read import read_class_names
from gluon_yolo.data.images.read import read_image
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.nms import nms

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("GLUON_YOLO_DATA", ROOT.parent / "shared" / "data"))
WIDER, COCO = "widerface/WIDER_val/images", "coco_mini/mini_val2017"
# network -> names, input (height, width), images
CASES = {
    "yoloface-500k": ("face.names", (768, 1024), WIDER),
    "yolo-fastest-1.1-xl": ("coco.names", (960, 960), COCO),
    "nano-coco": ("coco.names", (960, 960), COCO),
}
THRESHOLDS = (0.01, 0.1, 0.3)
DETECTIONS = (50, 100, 200, 300, 500, 1000)
NMS_THRESHOLD, PHOTOGRAPHS, CELL = 0.45, 40, 320


def main() -> int:
    """Look at all images with each network and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="the shared data")
    data = parser.parse_args().data
    print("| network | score over | detections K | pictures | candidates / K, median | most |")
    print("|---|---|---|---|---|---|")
    for name, (names, size_hw, folder) in CASES.items():
        (cfg,), (weights,) = (list((data / "darknet" / name).glob(f"*.{end}")) for end in ("cfg", "weights"))
        classes = read_class_names(data / "darknet" / names)
        predictor = Predictor.from_network(str(cfg), str(weights), classes, size_hw)
        files = sorted((data / folder).rglob("*.jpg"))
        images = [read_image(file) for file in files[:PHOTOGRAPHS]] if folder == WIDER else []
        images += [collage(files, side) for side in (4, 6)]
        images += [collage(files[16:], 4), collage(files[32:], 4)]
        for threshold in THRESHOLDS:
            needed = [ranks(predictor, image, threshold) for image in images]
            for count in DETECTIONS:
                ratios = [(rank[count - 1] + 1) / count for rank in needed if len(rank) >= count]
                if ratios:
                    figures = f"{np.median(ratios):.1f} | {max(ratios):.1f}"
                    print(f"| {name} | {threshold} | {count} | {len(ratios)} | {figures} |", flush=True)
    return 0


def collage(files: list[Path], side: int) -> np.ndarray:
    """Return the first photographs as one image of so many in a row and a column."""
    cells = [cv2.resize(read_image(file), (CELL, CELL)) for file in files[: side * side]]
    return np.vstack([np.hstack(cells[row * side : (row + 1) * side]) for row in range(side)])


def ranks(predictor: Predictor, image: np.ndarray, threshold: float) -> np.ndarray:
    """Return the places, among all candidates best first, of those that suppression lets stand."""
    pixels, _ = predictor.fit(image, predictor.size_hw)
    boxes, scores = (array[0] for array in predictor._network(pixels[None]))
    anchors, class_ids = np.nonzero(scores > threshold)
    best = np.argsort(-scores[anchors, class_ids], kind="stable")
    anchors, class_ids = anchors[best], class_ids[best]
    return nms(boxes[anchors], scores[anchors, class_ids], class_ids, NMS_THRESHOLD)


if __name__ == "__main__":
    sys.exit(alive(main))
