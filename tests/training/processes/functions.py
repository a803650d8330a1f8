"""Networks trained for some steps by this process, alone or as one of several: what tests start."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gluon_yolo.assigners import assign
from gluon_yolo.data.loading.collate import Batch, pad_targets
from gluon_yolo.detections import Detections
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.torch_compat import torch
from gluon_yolo.training.engine import NotFinite
from gluon_yolo.training.freeze import freeze
from gluon_yolo.training.processes import start
from gluon_yolo.training.processes.base import Processes
from gluon_yolo.training.torch_engine.step import TorchStep
from gluon_yolo.training.weight_average import Decay
from tests.random_model import random_detector

ARGS = {"process_timeout": 60.0}
SIZE, IMAGES, STEPS = 64, 8, 3
# Small, since a network with random weights amplifies rounding: a change of 1e-16 in the weights grows a
# thousand times in three steps at this rate, and by millions at 0.001.
RATE = 1e-6

Result = tuple[np.ndarray, dict[str, np.ndarray]]  # losses (STEPS, L), and the state by name


class Case(NamedTuple):
    """A training of some steps: what its network and its ``TorchStep`` are made with."""

    norm: str
    dtype: str
    freeze: tuple[str, ...] = ()
    loss_scale: float = 1.0


CASES = {
    "SyncBN in float64": Case("sync", "float64"),
    "SyncBN in float32": Case("sync", "float32"),
    "frozen norms and layers in float64": Case("frozen", "float64", ("backbone.stages.0",), 128.0),
}


def train_cases() -> tuple[dict[str, Result], str]:
    """Train every case on this process's shares of the batches; return the results by name, and an error.

    The error is that of a batch whose last images have targets that are no numbers.
    """
    with start.taking_part(ARGS) as processes:
        return {name: _steps(case, processes) for name, case in CASES.items()}, _not_finite(processes)


def average_of_processes() -> dict[str, np.ndarray]:
    """Train some steps without SyncBN; return the averages of all processes (world, ...), by name.

    Names of what differed between processes before the statistics were shared have a star.
    """
    with start.taking_part(ARGS) as processes:
        net = random_detector()
        step = TorchStep(net, processes=processes, ema=Decay(0.9, 4))
        for at in range(STEPS):
            step(batch_of(net.spec, at, processes.share.places(IMAGES)), RATE)
        group, average = processes.group("cpu"), step.average
        assert average is not None
        before = {name: group.gather(torch.from_numpy(each)) for name, each in average.arrays().items()}
        step.share_statistics()
        after = {name: group.gather(torch.from_numpy(each)) for name, each in average.arrays().items()}
        for name, each in before.items():
            assert torch.equal(after[name][0], each[0]), name  # the first process's does not change
        differ = {name for name, each in before.items() if not torch.equal(each[0], each[-1])}
        return {f"{name}*" if name in differ else name: each.numpy() for name, each in after.items()}


def _not_finite(processes: Processes) -> str:
    net = random_detector(norm="sync")
    step = TorchStep(net, processes=processes)
    before = {name: each.clone() for name, each in step.module.state_dict().items()}
    batch = batch_of(net.spec, 0, processes.share.places(IMAGES))
    if processes.share.rank == processes.share.world - 1:
        batch.targets[-1, 0, 2] = np.nan
    try:
        step(batch, RATE)
    except NotFinite as error:
        for name, each in step.module.state_dict().items():
            assert torch.equal(each, before[name]), name
        return str(error)
    raise AssertionError("the loss is not finite, and was taken")


def _steps(case: Case, processes: Processes) -> Result:
    net = random_detector(norm=case.norm)
    freeze(net, case.freeze)
    dtype, places = getattr(torch, case.dtype), processes.share.places(IMAGES)
    step = TorchStep(net, dtype=dtype, loss_scale=case.loss_scale, processes=processes)
    losses = [step(batch_of(net.spec, at, places), RATE * (at + 1)) for at in range(STEPS)]
    step.share_statistics()
    return np.stack(losses), {
        name: each.detach().numpy().copy() for name, each in step.module.state_dict().items()
    }


def batch_of(spec: DetectionSpec, number: int, places: range = range(IMAGES)) -> Batch:
    """Return some images of a global batch of noise, with objects."""
    rng = np.random.default_rng(number)
    pixels = rng.integers(0, 256, (IMAGES, SIZE, SIZE, 3), dtype=np.uint8)
    sides = rng.uniform(12, SIZE / 2, (IMAGES, 4, 2))
    corners = rng.uniform(0, 1, sides.shape) * (SIZE - sides)
    boxes = np.concatenate([corners, corners + sides], 2).astype(np.float32)
    ids = rng.integers(0, len(spec.class_names), (IMAGES, 4))
    rows = [assign(Detections(boxes[at], ids[at]), None, spec, (SIZE, SIZE)) for at in places]
    names = [f"{number}-{at}.jpg" for at in places]
    return Batch(pixels[places.start : places.stop], pad_targets(rows), names, list(places), (SIZE, SIZE))
