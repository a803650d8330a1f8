"""Torch memory: how much memory a training step takes on a GPU, measured by training one."""

from __future__ import annotations

import dataclasses
import math
from typing import Callable

import numpy as np

from gluon_yolo.assigners import COLUMNS
from gluon_yolo.data.loading.collate import Batch
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.torch_compat import torch
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.engine_choice import make_engine
from gluon_yolo.training.processes.base import Processes


def free_bytes(device: str) -> float:
    """Return the free memory of a GPU in bytes, without what torch keeps for later."""
    torch.cuda.empty_cache()
    return float(torch.cuda.mem_get_info(device)[0])


def step_peak(
    net: DetectionNetwork, config: TrainConfig, device: str, objects: int
) -> Callable[[int], float]:
    """Return a function that trains a step of some images, and returns the bytes that it takes at most.

    The Gluon network stays as it is: the steps train copies of its weights, with a learning rate of 0.

    Args:
        net: with its weights, on the CPU.
        config: of the run.
        device: torch's name of a GPU.
        objects: the largest number of objects of an image.
    """

    def peak(images: int) -> float:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        train_one(net, config, device, images, objects)
        taken = torch.cuda.max_memory_allocated(device) - before
        torch.cuda.empty_cache()
        return float(taken)

    return peak


def train_one(net: DetectionNetwork, config: TrainConfig, device: str, images: int, objects: int) -> None:
    """Train copies of a network's weights by one step on blank images of the largest input size."""
    size_hw = max(config.sizes_hw, key=math.prod)
    pixels = np.zeros((images, *size_hw, 3), dtype=np.uint8)
    targets = np.zeros((images, max(1, objects), COLUMNS), dtype=np.float32)
    names = ["blank"] * images
    config = dataclasses.replace(config, compile=False)  # compiling would take minutes
    step = make_engine(config, net, [device], Processes())
    step(Batch(pixels, targets, names, list(range(images)), size_hw), 0.0)
