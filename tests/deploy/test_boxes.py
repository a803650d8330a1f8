"""The C++ samples find what Python finds, with the same files on the same images."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gluon_yolo.data.images.read import read_image
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.inference.preprocess import MODES
from tests.data.image_content import chunk, exif, jpeg, png
from tests.deploy.conftest import FIGURES
from tests.random_model import random_image

# What is printed has two digits of a pixel and five of a score.
PIXELS, SCORE = 0.02, 2e-5
# Two versions of libjpeg may decode to other levels by one.
JPEG_PIXELS, JPEG_SCORE = 0.5, 5e-3


@dataclasses.dataclass
class Difference:
    """The largest differences seen, and how many objects were compared."""

    pixels: float = 0.0
    score: float = 0.0
    objects: int = 0

    def add(self, ours: list[dict], predictor: Predictor, path: Path) -> None:
        """Compare what a sample found in an image with what Python finds."""
        found = predictor(path)
        names = [predictor.class_names[class_id] for class_id in found.class_ids]
        assert sorted(one["class"] for one in ours) == sorted(names), path
        for name, box, score in zip(names, found.boxes, found.scores):
            # Two scores that are almost one may have changed places.
            nearest = min(
                (one for one in ours if one["class"] == name), key=lambda one: np.abs(one["box"] - box).max()
            )
            ours.remove(nearest)
            self.pixels = max(self.pixels, float(np.abs(nearest["box"] - box).max()))
            self.score = max(self.score, abs(nearest["score"] - float(score)))
            self.objects += 1


def check(
    sample, model: Path, images: list[Path], limits: tuple[float, float], what: str, **thresholds: Any
) -> None:
    """Hold a sample to Python on images, and take down the figures.

    Args:
        sample: the sample.
        model: an exported model's folder.
        images: files.
        limits: of the difference, in pixels and in score.
        what: the figures' name.
        **thresholds: as ``Predictor`` takes them; the rest have its defaults on both sides.
    """
    predictor = Predictor.load(model, runtime=sample.runtime, **thresholds)
    flags = {"score_threshold": "--threshold", "nms_threshold": "--nms", "max_detections": "--max-detections"}
    words = [word for name, value in thresholds.items() if name in flags for word in (flags[name], value)]
    words += ["--agnostic"] if thresholds.get("nms") == "agnostic" else []
    found = sample.detect(model, *images, *words)
    assert {one["image"] for one in found} <= {str(path) for path in images}
    difference = Difference()
    for path in images:
        difference.add([one for one in found if one["image"] == str(path)], predictor, path)
    FIGURES.append(
        f"{sample.runtime} sample, {what}: {difference.objects} objects in {len(images)} pictures, largest "
        f"difference from Python {difference.pixels:.3f} pixels, score {difference.score:.1e}"
    )
    assert difference.objects > 0
    assert difference.pixels <= limits[0] and difference.score <= limits[1], FIGURES[-1]


def write(folder: Path, name: str, image: np.ndarray) -> Path:
    """Write an image, RGB where it has colours, as PNG."""
    path = folder / f"{name}.png"
    order = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}.get(image.shape[-1]) if image.ndim == 3 else None
    assert cv2.imwrite(str(path), image if order is None else cv2.cvtColor(image, order))
    return path


def kinds(folder: Path, photograph: np.ndarray) -> list[Path]:
    """Write a photograph as images of every kind and of many sizes."""
    height, width = photograph.shape[:2]
    grey = cv2.cvtColor(photograph, cv2.COLOR_RGB2GRAY)
    return [
        write(folder, "colour", photograph),
        write(folder, "grey", grey),
        write(folder, "alpha", np.dstack([photograph, grey])),
        write(folder, "16-bit", photograph.astype(np.uint16) * 257),
        write(folder, "large", cv2.resize(photograph, (2300, 1900))),
        write(folder, "small", cv2.resize(photograph, (150, 120), interpolation=cv2.INTER_AREA)),
        write(folder, "narrow", photograph[:, width // 8 : width // 2]),
        write(folder, "flat", photograph[height // 4 : height // 2]),
        write(folder, "pixel", photograph[:1, :1]),
    ]


def test_pixels_of_the_inputs_size(sample, models, tmp_path):
    images = [write(tmp_path, str(seed), random_image(192, 256, seed)) for seed in range(4)]
    limits = (PIXELS, SCORE)
    check(sample, models.random(), images, limits, "random weights")
    check(sample, models.random(), images, limits, "random weights, no suppression", nms_threshold=0)


@pytest.mark.parametrize("fit", MODES)
def test_images_of_every_kind(sample, models, shared_data, fit, tmp_path):
    model = models.changed(models.darknet(shared_data, "nano-coco"), fit, fit=fit)
    images = kinds(tmp_path, read_image(shared_data / "images" / "dog.jpg"))
    check(sample, model, images, (PIXELS, SCORE), f"nano-coco, {fit}")


@pytest.mark.parametrize("orientation", (3, 6, 7))
def test_images_turned_by_exif(sample, models, shared_data, orientation, tmp_path):
    photograph = cv2.resize(read_image(shared_data / "images" / "dog.jpg"), (384, 288))
    contents = {
        "a.jpg": jpeg(photograph, exif(orientation)),
        "b.png": png(photograph, after=chunk(b"eXIf", exif(orientation, ">"))),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    images = [tmp_path / name for name in contents]
    model = models.darknet(shared_data, "nano-coco")
    check(sample, model, images[1:], (PIXELS, SCORE), "nano-coco, PNG turned by EXIF")
    limits = (JPEG_PIXELS, JPEG_SCORE)
    check(sample, model, images[:1], limits, "nano-coco, JPEG turned by EXIF", score_threshold=0.2)


@pytest.mark.parametrize("name", ("nano-coco", "yoloface-500k", "fastestv2"))
def test_trained_models_on_photographs(sample, models, shared_data, name, tmp_path):
    model = models.fastestv2(shared_data) if name == "fastestv2" else models.darknet(shared_data, name)
    photographs = sorted((shared_data / "images").glob("*.jpg"))
    images = [write(tmp_path, path.stem, read_image(path)) for path in photographs]
    check(sample, model, images, (PIXELS, SCORE), f"{name}, PNG")
    check(
        sample,
        model,
        photographs,
        (JPEG_PIXELS, JPEG_SCORE),
        f"{name}, JPEG",
        score_threshold=0.2,
        nms_threshold=0.6,
    )


@pytest.mark.parametrize(
    ("sample", "label", "words"),
    (
        ("mxnet", "cut raw", ("--cut", "raw")),
        ("mxnet", "cut decoded", ("--cut", "decoded")),
        ("mxnet", "fused", ("--fuse",)),
        ("ncnn", "float16", ("--format", "ncnn", "--precision", "float16")),
    ),
    indirect=["sample"],
)
def test_other_exports(sample, models, label, words, tmp_path):
    images = [write(tmp_path, "picture", random_image(192, 256, seed=9))]
    check(sample, models.variant(label, *words), images, (PIXELS, SCORE), f"random weights, {label}")


def test_limits_and_suppression_between_classes(sample, models, tmp_path):
    """More than a hundred, fewer, and what stands when any two boxes are rivals."""
    image, limits = write(tmp_path, "picture", random_image(192, 256, seed=9)), (PIXELS, SCORE)
    for options in ({"max_detections": 300}, {"max_detections": 5}, {"nms": "agnostic"}):
        options = {"score_threshold": 0.1, **options}
        check(sample, models.random(), [image], limits, f"random weights, {options}", **options)
    assert len(sample.detect(models.random(), image, "--threshold", 0.1, "--max-detections", 300)) > 150


def test_the_records_limit_and_what_it_cut_off(sample, models, tmp_path):
    image = write(tmp_path, "picture", random_image(192, 256, seed=9))
    many = models.changed(models.random(), f"many-{sample.runtime}", max_detections=250)
    words = (image, "--threshold", 0.1)
    assert len(sample.detect(models.random(), *words)) == 100
    assert len(sample.detect(many, *words)) > 150
    said = sample.run(models.random(), *words).stderr
    assert "100 found in " in said and "the most that --max-detections 100 allows; there were more" in said
    said = sample.run(models.random(), *words, "--max-detections", 100000).stderr
    assert "allows" not in said and "compared" not in said
