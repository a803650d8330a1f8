"""A Trainer of seconds, made as the command ``train`` makes its own, for what no flag says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gluon_yolo.data.registry import open_source
from gluon_yolo.evaluation.fitness import score
from gluon_yolo.evaluation.validation import Validation
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.models.build import find_architecture
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.run_dir import RunFolder
from gluon_yolo.training.setup import build_network
from gluon_yolo.training.trainer import Trainer
from tests.small_training import BATCH_SIZE, NAME


def small_trainer(data: Path, run: Path, callbacks: Sequence[Any] = (), **config: Any) -> Trainer:
    """Return a trainer of a narrow network.

    Args:
        data: as :func:`tests.small_training.draw_data` draws it.
        run: the run's folder; made when absent.
        callbacks: as the trainer takes them.
        config: of :class:`TrainConfig`, where it is to be other than that of a small training.
    """
    small = {"batch_size": BATCH_SIZE, "data_shape": (64, 64), "random_shape": False, "num_workers": 1}
    wanted = TrainConfig(NAME, **{**small, "epochs": 3, "save_interval": 2, "log_interval": 1, **config})
    source = open_source(data)
    names = source.class_names(("train", "val"))
    train_data, val_data = (source.open(split) for split in ("train", "val"))
    architecture = find_architecture(NAME)
    net = build_network(architecture, wanted, names, [mx.cpu()])
    validation = Validation(val_data, *score(val_data), wanted.data_shape, detailed=wanted.report)
    folder = RunFolder(run)
    for made in (folder.weights, folder.images):
        made.mkdir(parents=True, exist_ok=True)
    folder.write_model(ModelRecord("small", wanted.network, net.spec, wanted.data_shape).to_dict())
    return Trainer(wanted, net, train_data, validation, folder, [mx.cpu()], callbacks)
