"""A demo without a network: a predictor with the same detections for every image, and small images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from gluon_yolo.cli import main
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.spec import DetectionSpec
from tests.random_model import random_image

NAMES = ("circle", "square", "star/blue")


def three_boxes(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Detect a square, a circle across the right edge of the input, and a star on the square."""
    boxes = np.array([[16, 24, 48, 72], [64.4, 0, 96, 120], [16, 24, 48, 70]], np.float32)
    scores = np.array([[0, 0.9, 0], [0.4, 0, 0], [0, 0, 0.6]], np.float32)
    return np.tile(boxes, (len(pixels), 1, 1)), np.tile(scores, (len(pixels), 1, 1))


def use(monkeypatch: pytest.MonkeyPatch, network=three_boxes, names=NAMES) -> None:
    """Make ``demo`` load a predictor of this network, with the options of its arguments."""
    spec = DetectionSpec(names)

    def load(path: str, runtime: str, **options: object) -> Predictor:
        options = {
            name: value for name, value in options.items() if name not in ("gpu", "size_hw", "remeasure")
        }
        return Predictor(network, spec, (96, 96), **options)

    monkeypatch.setattr("gluon_yolo.cli.flags.model.Predictor.load", load)


def demo(*words: object) -> int:
    """Run ``demo`` with the fake model, and return its status."""
    return main(["demo", "--model", "m", *map(str, words)])


def make_images(folder: Path, *names: str) -> None:
    for seed, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), random_image(192, 96, seed))
