"""The loader of a training's batches, with the settings of its run."""

from __future__ import annotations

import logging

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.loading.loader import TrainLoader
from gluon_yolo.data.transforms import Mosaic, augmentation
from gluon_yolo.errors import SettingText
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.processes.base import Processes

log = logging.getLogger("gluon_yolo")


def make_loader(
    config: TrainConfig, train_data: Dataset, net: DetectionNetwork, processes: Processes
) -> TrainLoader:
    """Return the loader of the training batches, or of this process's share of each.

    Args:
        config: of the run.
        train_data: the training images.
        net: whose targets it makes.
        processes: which train together.
    """
    return TrainLoader(
        train_data,
        augmentation(config.augment),
        net.spec,
        config.batch_size,
        config.sizes_hw,
        seed=config.seed,
        workers=config.num_workers,
        resize_interval=config.shape_interval,
        worker_type=config.loader_worker_type,
        share=processes.share,
    )


def log_sampling(config: TrainConfig, loader: TrainLoader) -> None:
    """Log what changes the images of an epoch, and which setting of it has no effect.

    Args:
        config: of the run.
        loader: of its batches.
    """
    if config.mixup and not config.mixup_in(0):
        _warn(
            f"mixup: never on: the last {config.no_mixup_epochs} of {config.epochs} epochs go "
            "without; give fewer {no_mixup_epochs}"
        )
    if config.no_mosaic_epochs:
        if not isinstance(loader.sampler.transform, Mosaic):
            _warn("{no_mosaic_epochs} has no effect: {augment} " + f"{config.augment} has no mosaic")
        elif not config.mosaic_in(0):
            _warn(
                f"mosaic: never on: the last {config.no_mosaic_epochs} of {config.epochs} epochs go "
                "without; give fewer {no_mosaic_epochs}"
            )
        else:
            log.info("mosaic: off from epoch %d on", config.epochs - config.no_mosaic_epochs)


def _warn(text: str) -> None:
    log.warning("%s", SettingText(text))
