"""The evaluation loop: a detector over a data set to metrics, for validation and for exported models."""

from __future__ import annotations

import collections
import contextlib
import itertools
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.loading.workers import prefetch
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError
from gluon_yolo.evaluation.gathering import ALONE, Found, Gathering
from gluon_yolo.evaluation.metric import Metric
from gluon_yolo.inference.preprocess import InverseMap, Preprocess
from gluon_yolo.progress.bar import Bar

Detect = Callable[[np.ndarray], Sequence[Detections]]
DetectImage = Callable[[np.ndarray], Detections]
Watch = Callable[[int, np.ndarray, Detections], None]


class Sample(NamedTuple):
    """One image of the loop: index in the data set, (H, W, 3) as read, (h, w, 3) preprocessed, uint8 RGB."""

    number: int
    image: np.ndarray | None
    fitted: np.ndarray
    undo: InverseMap


def evaluate(
    detect: Detect,
    dataset: Dataset,
    size_hw: tuple[int, int],
    batch_size: int,
    metrics: Sequence[Metric],
    *,
    workers: int = 2,
    fit: Preprocess | None = None,
    progress: bool = False,
    watch: Watch | None = None,
    watched: int | None = None,
    title: str = "evaluate",
    gathering: Gathering = ALONE,
    detect_image: DetectImage | None = None,
) -> dict[str, Any]:
    """Evaluate a detector on a data set, in the pixels of its own images.

    Args:
        detect: function of pixels (B, h, w, 3) uint8 RGB that returns B Detections with scores, boxes in
            input pixels. The last batch can be smaller.
        dataset: images and ground truth.
        size_hw: height and width of the input in pixels.
        batch_size: images per call of ``detect``.
        metrics: such as ``VOCMetric`` and ``COCOMetric``; they are updated, not reset.
        workers: threads that read and preprocess images ahead of the detector; they do not use mxnet.
        fit: how images are resized to the input; None stretches them, as in training.
        progress: whether to show a progress bar.
        watch: function that is called with each image's index, the image as read, and its detections, in its
            pixels.
        watched: number of images, from the first, for which it is called; other images are not kept as read.
        title: of the progress bar.
        gathering: divides the batches among processes.
        detect_image: function of an image as read, (H, W, 3) uint8 RGB, that returns its detections in its
            pixels; it takes the place of ``detect``, for a detector that cuts images itself.

    Returns:
        All values of the metrics in one dict, with their ``per_class`` entries merged by class name, and
        ``pictures``, ``seconds`` and ``pictures_per_second`` of the whole loop, reading included. Empty in
        processes that do not compute the metrics.

    Raises:
        UserError: there is no image, or one cannot be read.
        ValueError: ``detect`` does not return one Detections per image.
    """
    if not len(dataset):
        raise UserError(f"{dataset.report.title}: no pictures to evaluate on; check the split's list")
    started = time.perf_counter()
    kept = 0 if watch is None else len(dataset) if watched is None else watched
    share = gathering.batches(-(-len(dataset) // batch_size))
    indices = range(share.start * batch_size, min(share.stop * batch_size, len(dataset)))
    images: dict[int, np.ndarray] = {}
    bar = Bar(len(indices), title, "picture", shown=progress)
    if detect_image is None:
        ahead = 2 * batch_size + workers
        samples = read_ahead(dataset, size_hw, fit or Preprocess(), workers, ahead, kept, indices)
        pairs = _found(detect, samples, batch_size, images, bar)
    else:
        pairs = _found_in_images(detect_image, dataset, indices, workers, images, kept, bar)
    with contextlib.closing(pairs), bar:
        found = gathering.gathered(pairs)
        if found is None:
            return {}
        for index, predicted in found:
            truth = dataset.annotations(index)
            for metric in metrics:
                metric.update(index, predicted, truth)
            if watch is not None and index < kept:
                image = images.pop(index) if index in images else dataset.image(index)
                watch(index, image, predicted)
    seconds = time.perf_counter() - started
    speed = {"pictures": len(dataset), "seconds": seconds, "pictures_per_second": len(dataset) / seconds}
    return {**merge([metric.compute() for metric in metrics]), **speed}


def _found(
    detect: Detect,
    samples: Generator[Sample, None, None],
    batch_size: int,
    images: dict[int, np.ndarray],
    bar: Bar,
) -> Generator[Found, None, None]:
    """Yield the index of each sample and its detections, and keep in ``images`` what came with an image."""
    with contextlib.closing(samples):
        while batch := list(itertools.islice(samples, batch_size)):
            found = detect(np.stack([sample.fitted for sample in batch]))
            if len(found) != len(batch):
                raise ValueError(f"detect: expected {len(batch)} records, got {len(found)}")
            for sample, predicted in zip(batch, found):
                if sample.image is not None:
                    images[sample.number] = sample.image
                yield sample.number, predicted.replace(boxes=sample.undo(predicted.boxes))
            bar.update(len(batch))


def _found_in_images(
    detect_image: DetectImage,
    dataset: Dataset,
    indices: Sequence[int],
    workers: int,
    images: dict[int, np.ndarray],
    kept: int,
    bar: Bar,
) -> Generator[Found, None, None]:
    """Yield the index of each image and its detections, and keep the first ``kept`` in ``images``.

    Few images are read ahead, since those that are cut are large.
    """
    with contextlib.closing(prefetch(dataset.image, indices, max(1, workers), workers)) as read:
        for index, image in zip(indices, read):
            if index < kept:
                images[index] = image
            yield index, detect_image(image)
            bar.update(1)


def merge(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Merge the results of several metrics, with one entry of ``per_class`` for each class."""
    merged: dict[str, Any] = {}
    per_class: dict[str, dict[str, Any]] = {}
    for result in results:
        merged.update(result)
        for name, numbers in result["per_class"].items():
            per_class.setdefault(name, {}).update(numbers)
    return {**merged, "per_class": per_class}


def read_ahead(
    dataset: Dataset,
    size_hw: tuple[int, int],
    fit: Preprocess,
    workers: int,
    ahead: int,
    kept: int,
    indices: Sequence[int],
) -> Generator[Sample, None, None]:
    """Yield samples of a data set in order, which threads read ahead.

    Args:
        dataset: the images.
        size_hw: height and width of the input in pixels.
        fit: how images are resized to the input.
        workers: number of threads.
        ahead: largest number of samples before the current one.
        kept: number of images of the data set, from the first, whose samples include the image as read.
        indices: of the images.

    Raises:
        UserError: an image cannot be read; raised when it is its turn. Leaving the loop early ends the
            threads.
    """

    def load(index: int) -> Sample:
        image = dataset.image(index)
        fitted, undo = fit(image, size_hw)
        return Sample(index, image if index < kept else None, fitted, undo)

    rest = iter(indices)
    pending: collections.deque[Future[Sample]] = collections.deque()
    with ThreadPoolExecutor(max_workers=max(1, workers), thread_name_prefix="evaluate") as pool:
        try:
            for index in itertools.islice(rest, max(1, ahead)):
                pending.append(pool.submit(load, index))
            while pending:
                yield pending.popleft().result()
                for index in itertools.islice(rest, 1):
                    pending.append(pool.submit(load, index))
        finally:
            for future in pending:
                future.cancel()
