"""The loader of a training's batches, with the settings of its run."""

from __future__ import annotations

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.loading.loader import TrainLoader
from gluon_yolo.data.transforms import augmentation
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.processes.base import Processes


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
