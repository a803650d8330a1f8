"""Frames per second of a video through a model: one step after the other, and in parallel as in ``demo``.

The video is drawn, 1280x720, and written to an MP4 with the boxes. Without a model the network only waits, as
for a GPU: the rest is reading, drawing, writing. The two ways take turns.

  python benchmarks/video.py
  python benchmarks/video.py --model exported --frames 200
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from alive import alive

from gluon_yolo.cli.demo_outputs import Outputs
from gluon_yolo.cli.demo_results import Found
from gluon_yolo.cli.demo_video import look_at_video
from gluon_yolo.drawing.draw import draw
from gluon_yolo.inference.inputs import ResultNames, Source
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.inference.video import VideoReader, VideoWriter
from gluon_yolo.spec import DetectionSpec

SIZE_HW = (720, 1280)
WAIT_SECONDS = 0.015


def main() -> int:
    """Draw a video, measure both ways, and print their medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", metavar="PATH", help="an exported model or a run (default: waiting)")
    parser.add_argument("--frames", type=int, default=100, help="(default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="(default: %(default)s)")
    args = parser.parse_args()
    predictor = Predictor.load(args.model) if args.model else waiting()
    ways = {"one after the other": plain, "side by side": side_by_side}
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as scratch:
        video = Path(scratch) / "video.mp4"
        draw_video(video, args.frames)
        predictor(np.zeros((*SIZE_HW, 3), np.uint8))
        for _ in range(args.rounds):
            for name, way in ways.items():
                begin = time.perf_counter()
                way(predictor, video, Path(scratch) / "out.mp4")
                speeds[name].append(args.frames / (time.perf_counter() - begin))
    print(f"{args.frames} frames of {SIZE_HW[1]}x{SIZE_HW[0]}, runtime {predictor.runtime}")
    for name, figures in speeds.items():
        print(f"{name}: {statistics.median(figures):.1f} frames a second")
    return 0


def waiting() -> Predictor:
    """Return a predictor whose network waits, and sees one thing."""

    def network(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        time.sleep(WAIT_SECONDS)
        return np.full((1, 1, 4), (50, 50, 200, 200), np.float32), np.full((1, 1, 1), 0.9, np.float32)

    return Predictor(network, DetectionSpec(("thing",)), (320, 320), runtime="waiting")


def draw_video(path: Path, frames: int) -> None:
    """Write frames of coarse patches that move."""
    patches = np.random.default_rng(0).integers(0, 256, (45, 80, 3), dtype=np.uint8)
    image = cv2.resize(patches, SIZE_HW[::-1], interpolation=cv2.INTER_CUBIC)
    with VideoWriter(path, 25) as writer:
        for number in range(frames):
            writer.write(np.roll(image, 3 * number, axis=1))


def plain(predictor: Predictor, video: Path, out: Path) -> None:
    """Read, find, draw and write frame by frame."""
    with VideoReader(video) as reader, VideoWriter(out, reader.fps) as writer:
        for frame in reader:
            writer.write(draw(frame, predictor(frame), predictor.class_names))


def side_by_side(predictor: Predictor, video: Path, out: Path) -> None:
    """Do as ``demo`` does."""
    with contextlib.redirect_stdout(io.StringIO()):
        source = Source(str(video), video)
        outputs = Outputs(predictor.class_names, ResultNames(out.parent, [source]), out.parent)
        look_at_video(predictor, source, out, Found(None), outputs)


if __name__ == "__main__":
    sys.exit(alive(main))
