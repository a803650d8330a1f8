"""Small objects in large images, with and without tiles: average precision and time.

Images of 4000x3000 pixels are made from photographs of WIDER FACE's validation part: each photograph is
shrunk until its faces are 20 pixels large in the median, and pasted beside the others. With --large some are
enlarged instead, until their faces are larger than a tile. The detector is dog-qiuqiu's yoloface-500k, whose
input is 256x320 pixels.

Faces below 10 pixels count neither way. "NMS alone" merges the tiles' boxes without regard to their edges.

Run it as: python benchmarks/tiles.py [--data shared/data] [--pictures N] [--large N]
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from alive import alive

from gluon_yolo import Predictor, evaluate
from gluon_yolo.data.dataset import ListedImages
from gluon_yolo.data.images.read import measure, read_image
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.detections import Detections
from gluon_yolo.inference import tiles

ROOT = Path(__file__).resolve().parents[1]
SIZE_HW = (3000, 4000)
FACE, LARGE_FACE, LEAST_FACE = 20, 400, 10  # pixels
TALLEST = 1300  # pixels of an enlarged photograph
GAP = 4
MODEL = "darknet/yoloface-500k/yoloface-500k"
Photograph = tuple[Path, np.ndarray]

# Title, options of evaluate, and whether the tiles' edges count.
ROWS: list[tuple[str, dict[str, Any], bool]] = [
    ("whole, input 256x320", {}, True),
    ("whole, input 960x1280", {"size": (960, 1280)}, True),
    ("tiles 512x640, overlap 0.2", {"tile": (512, 640)}, True),
    ("tiles 256x320, overlap 0", {"tile": (256, 320), "overlap": 0.0}, True),
    ("tiles 256x320, overlap 0.1", {"tile": (256, 320), "overlap": 0.1}, True),
    ("tiles 256x320, overlap 0.2", {"tile": (256, 320)}, True),
    ("  the same, NMS alone", {"tile": (256, 320)}, False),
    ("  the same, and whole", {"tile": (256, 320), "tile_whole": True}, True),
    ("tiles 256x320, overlap 0.4", {"tile": (256, 320), "overlap": 0.4}, True),
]


def main() -> int:
    """Make the images, score each way, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default=str(ROOT.parent / "shared" / "data"), help="the shared data")
    parser.add_argument("--pictures", type=int, default=4, help="images of 4000x3000 (default: %(default)s)")
    parser.add_argument("--large", type=int, default=0, help="enlarged photographs in each (default: none)")
    parser.add_argument("--save", metavar="FILE", help="write the first image to this file")
    args = parser.parse_args()
    logging.getLogger("gluon_yolo").setLevel(logging.WARNING)
    data = Scenes(list(photographs(Path(args.data) / "widerface")), args.pictures, args.large)
    if args.save:
        cv2.imwrite(args.save, data.image(0)[:, :, ::-1])
    sides = np.concatenate([np.sqrt(data.areas(i)[~data.annotations(i).difficult]) for i in range(len(data))])
    print(
        f"{len(data)} pictures of {SIZE_HW[1]}x{SIZE_HW[0]}, {len(sides)} faces, sides of "
        f"{np.quantile(sides, 0.1):.0f} to {np.quantile(sides, 0.9):.0f} pixels, "
        f"median {np.median(sides):.0f}"
    )
    print(f"{'':28}{'AP50':>8}{'AP':>8}{'APs':>8}{'APl':>8}{'found':>8}{'wrong':>8}{'s/picture':>11}")
    for title, options, edges in ROWS:
        print(f"{title:28}{row(data, Path(args.data) / MODEL, dict(options), edges)}", flush=True)
    return 0


def row(data: Scenes, model: Path, options: dict[str, Any], edges: bool) -> str:
    """Return the numbers of one way to detect."""
    size = options.pop("size", None)
    predictor = Predictor.from_network(
        f"{model}.cfg", f"{model}.weights", ("face",), size, max_detections=1000
    )
    views = mock.patch.object(tiles._Views, "joined", lambda self: self._found)
    with contextlib.nullcontext() if edges else views:
        numbers = evaluate(predictor, data, progress=False, **options)
    seconds = 1 / numbers["pictures_per_second"]
    scores = "".join(f"{max(0, numbers[name]):8.3f}" for name in ("AP50", "AP", "APs", "APl"))
    return f"{scores}{numbers['TP']:8}{numbers['FP']:8}{seconds:11.2f}"


def photographs(folder: Path) -> Iterator[Photograph]:
    """Yield the path of each photograph, and its faces (N, 4) as corners in pixels."""
    lines = (folder / "wider_face_split" / "wider_face_val_bbx_gt.txt").read_text().splitlines()
    place = 0
    while place < len(lines):
        count = int(lines[place + 1])
        rows = np.array([line.split() for line in lines[place + 2 : place + 2 + max(1, count)]], float)
        boxes = rows[(rows[:, 2:4] > 0).all(axis=1), :4]
        if len(boxes):
            boxes[:, 2:] += boxes[:, :2]
            yield folder / "WIDER_val" / "images" / lines[place], boxes
        place += 2 + max(1, count)


class Scenes(ListedImages):
    """Large images, drawn when they are asked for.

    Args:
        photographs: to paste.
        count: number of images.
        large: photographs that are enlarged in each image, and lie in its first row.
    """

    def __init__(self, photographs: list[Photograph], count: int, large: int) -> None:
        order = np.random.default_rng(0).permutation(len(photographs))
        self._pasted: list[list[tuple[Path, tuple[int, int, int, int]]]] = [[] for _ in range(count)]
        boxes: list[list[np.ndarray]] = [[] for _ in range(count)]
        waiting = [photographs[index] for index in order]
        for index in range(count):
            for size, number in ((LARGE_FACE, large), (FACE, len(waiting))):
                waiting = _paste(waiting, size, number, self._pasted[index], boxes[index])
            waiting = waiting or [photographs[place] for place in order]
        truths = []
        for faces in boxes:
            corners = np.concatenate(faces)
            small = (corners[:, 2:] - corners[:, :2]).min(axis=1) < LEAST_FACE
            truths.append(Detections(corners, np.zeros(len(corners)), difficult=small))
        names = [f"scene {index}" for index in range(count)]
        super().__init__(("face",), names, [SIZE_HW] * count, truths, DatasetReport("scenes"))

    def image(self, index: int, reduction: int = 1) -> np.ndarray:
        """Return an image (H, W, 3) uint8 RGB."""
        canvas = np.full((*SIZE_HW, 3), 114, np.uint8)
        for path, (left, top, width, height) in self._pasted[index]:
            pasted = cv2.resize(read_image(path), (width, height), interpolation=cv2.INTER_AREA)
            part = canvas[top : top + height, left : left + width]
            part[:] = pasted[: part.shape[0], : part.shape[1]]
        return canvas


def _paste(
    waiting: list[Photograph], size: int, count: int, pasted: list[Any], boxes: list[np.ndarray]
) -> list[Photograph]:
    """Place photographs row by row below what is there, and return those for which there was no room.

    Args:
        waiting: to place.
        size: of the median face, in pixels.
        count: of photographs to place at most.
        pasted: gets the path and left, top, width, height of each.
        boxes: gets the faces of each, corners in pixels of the large image.
    """
    x, y = 0, max((top + height for _, (_, top, _, height) in pasted), default=0)
    below, left_over = y, []
    for path, faces in waiting:
        height, width = measure(str(path)).size_hw
        scale = size / float(np.median(np.sqrt((faces[:, 2:] - faces[:, :2]).prod(axis=1))))
        w, h = int(width * scale), int(height * scale)
        if size == LARGE_FACE:  # one row of them
            fits = h <= TALLEST and x + w <= SIZE_HW[1]
        else:
            fits = scale <= 1 and w <= SIZE_HW[1]
            if fits and x + w > SIZE_HW[1]:
                x, y = 0, below + GAP
        if count == 0 or not fits or y + h > SIZE_HW[0]:
            left_over.append((path, faces))
            continue
        pasted.append((path, (x, y, w, h)))
        boxes.append(faces * scale + np.tile([x, y], 2))
        x, below, count = x + w + GAP, max(below, y + h), count - 1
    return left_over


if __name__ == "__main__":
    sys.exit(alive(main))
