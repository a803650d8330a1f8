"""What is done for days in one process: samples loaded, images predicted, steps trained."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from endurance.jobs import OLD

# The runtimes, and the format that each is given.
RUNTIMES = {
    "mxnet": "symbol",
    "onnxruntime": "onnx",
    "openvino": "openvino",
    "ncnn": "ncnn",
    "mnn": "mnn",
    "torch": "symbol",
    "opencv": "caffe",
    "tflite": "tflite",
}
SAMPLES, IMAGES, STEPS = 200_000, 100_000, 24_000  # steps: of 2,000 trainings of two epochs
ANEW, ANEW_STEPS = 1_000, 120  # images of a predictor, and steps of an engine, before it is made anew
MOST_TOGETHER = 6  # images in a call: more input shapes than a runtime keeps plans of
SIZES = [(64, 64), (96, 96), (64, 128), (128, 128), (96, 64), (160, 160)]
ENGINES = ("mxnet", "torch")
BATCH, EXPORTED = 4, "exported"
# Wide layers for tests/old_work's tiny network: 0.4 MB of weights, so that one that is not freed shows.
WIDE = """
[convolutional]
batch_normalize=1
filters=64
size=3
stride=1
pad=1
activation=leaky

[convolutional]
batch_normalize=1
filters=128
size=3
stride=1
pad=1
activation=leaky

"""
HEAD = "[convolutional]\nsize=1\n"  # the beginning of tiny.cfg's last convolution


class Workload(NamedTuple):
    """Work that goes on for ever.

    Args:
        unit: that is counted.
        count: of units that are as much as days.
        start: takes the folder of :func:`export_to` and a seed; yields the units that were done since.
    """

    unit: str
    count: int
    start: Callable[[Path, int], Iterator[int]]


def _architecture(folder: Path) -> Any:
    """Return the architecture that all predict with and train, whose cfg is in a folder."""
    from gluon_yolo.models.build import find_architecture

    cfg = folder / "wide.cfg"
    if not cfg.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        cfg.write_text((OLD / "tiny.cfg").read_text().replace(HEAD, WIDE + HEAD))
    return find_architecture(str(cfg))


def _dataset() -> Any:
    from gluon_yolo.data.opening import open_datasets
    from gluon_yolo.data.request import DataRequest

    return open_datasets(DataRequest(data=str(OLD / "data")))[0]


def _loader(worker_type: str, seed: int, spec: Any, sizes: list[tuple[int, int]]) -> Any:
    from gluon_yolo.data.loading.loader import TrainLoader
    from gluon_yolo.data.transforms import augmentation

    return TrainLoader(
        _dataset(),
        augmentation("mosaic,yolo3"),
        spec,
        BATCH,
        sizes,
        seed=seed,
        workers=2,
        mixup=True,
        resize_interval=2,
        worker_type=worker_type,
    )


def _samples(worker_type: str, folder: Path, seed: int) -> Iterator[int]:
    from gluon_yolo.spec import DetectionSpec

    spec = DetectionSpec(_dataset().class_names)
    with _loader(worker_type, seed, spec, SIZES) as loader:
        for epoch in itertools.count():
            for batch in loader.epoch(epoch):
                yield len(batch.images)


def _predictions(runtime: str, anew: int | None, folder: Path, seed: int) -> Iterator[int]:
    """Predict images of random sizes, one to six in a call, with one predictor or always a new one."""
    from gluon_yolo.inference.predictor import Predictor

    rng, predictor, done = np.random.default_rng(seed), None, 0
    while True:
        if predictor is None or (anew and done >= anew):
            predictor = None
            predictor, done = Predictor.load(folder / EXPORTED, runtime, score_threshold=0.05), 0
        sides = rng.integers(32, 97, (rng.integers(1, MOST_TOGETHER + 1), 2))
        predictor([rng.integers(0, 256, (*hw, 3), dtype=np.uint8) for hw in sides])
        done += len(sides)
        yield len(sides)


def _steps(engine: str, anew: int | None, folder: Path, seed: int) -> Iterator[int]:
    """Train on batches of changing sizes, with one engine or always a new one with a new network."""
    known, names = _architecture(folder), _dataset().class_names
    train, done = None, 0
    with _loader("thread", seed, known.build(names).spec, SIZES) as loader:
        for epoch in itertools.count():
            for batch in loader.epoch(epoch):
                if train is None or (anew and done >= anew):
                    train, done = None, 0  # gone before the next one is made, as a training that has ended
                    train = _engine(engine, known.build(names))
                train(batch, 1e-4)
                done += 1
                yield 1


def _engine(name: str, net: Any) -> Any:
    from gluon_yolo.mxnet_compat import mx
    from gluon_yolo.training.config import TrainConfig
    from gluon_yolo.training.engine_choice import make_engine
    from gluon_yolo.training.processes.base import Processes

    net.initialize_weights(seed=0)
    devices = [mx.cpu()] if name == "mxnet" else ["cpu"]
    return make_engine(TrainConfig(engine=name), net, devices, Processes())


def export_to(folder: Path) -> None:
    """Export a network with random weights in the formats of all runtimes."""
    import gluon_yolo

    net = _architecture(folder).build(_dataset().class_names)
    net.initialize_weights(seed=0)
    gluon_yolo.export(net, list(dict.fromkeys(RUNTIMES.values())), folder / EXPORTED)


def _all() -> Iterator[tuple[str, Workload]]:
    for kind in ("thread", "process"):
        yield f"loader {kind}", Workload("samples", SAMPLES, functools.partial(_samples, kind))
    for runtime in RUNTIMES:
        for what, anew in ((runtime, None), (f"{runtime} anew", ANEW)):
            yield what, Workload("images", IMAGES, functools.partial(_predictions, runtime, anew))
    for engine in ENGINES:
        for what, anew in ((f"train {engine}", None), (f"train {engine} anew", ANEW_STEPS)):
            yield what, Workload("steps", STEPS, functools.partial(_steps, engine, anew))


WORKLOADS: Mapping[str, Workload] = dict(_all())
