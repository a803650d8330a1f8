"""Prepare a run: its devices, architecture, anchors, validation and folder, from its settings."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Sequence
from typing import Any

from gluon_yolo import mxnet_compat
from gluon_yolo.data.anchors import format_anchors
from gluon_yolo.data.dataset import Dataset
from gluon_yolo.errors import SettingError, SettingText, UserError
from gluon_yolo.evaluation.fitness import kind_of, score
from gluon_yolo.evaluation.validation import Validation
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.preprocess import Preprocess
from gluon_yolo.models import zoo
from gluon_yolo.models.build import Architecture, find_architecture, with_spp
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.spec import Anchors
from gluon_yolo.training.checkpoint import Checkpoint
from gluon_yolo.training.config import Args, TrainConfig
from gluon_yolo.training.config_forms import ANCHOR_WORDS
from gluon_yolo.training.data_parallel import parse_devices
from gluon_yolo.training.run_dir import RunFolder
from gluon_yolo.training.run_name import name_of_run
from gluon_yolo.training.setup import better_anchors, found_anchors

log = logging.getLogger("gluon_yolo")


def devices_of(gpus: str | None, cpu_devices: int) -> list[Any]:
    """Return the requested devices; by default GPU 0 if it can be used, else the CPU.

    Args:
        gpus: indices of GPUs with commas; empty for the CPU; None for the default.
        cpu_devices: when above 0, the number of CPU contexts to use instead of GPUs.

    Raises:
        UserError: this mxnet cannot use a GPU, or a value is invalid.
    """
    if gpus is None and not cpu_devices:
        try:
            mxnet_compat.check_gpu(0)
            gpus = "0"
        except UserError:
            log.info("training on the CPU: mxnet can use no GPU here; `gluon-yolo doctor` says why")
    return parse_devices(gpus or "", cpu_devices)


def architecture_of(
    network: str,
    dataset: str | None,
    class_names: Sequence[str],
    resumed: RunFolder | None = None,
    spp: bool = False,
) -> Architecture:
    """Return the architecture of the run's network; a resumed run has it in its folder.

    Args:
        network: the requested network.
        dataset: published data; a zoo network may have its classes.
        class_names: of the data.
        resumed: the run that is resumed.
        spp: whether the network is to have an SPP in its neck.

    Raises:
        UserError: there is no such network, or its cfg is invalid.
    """
    if resumed:
        return find_architecture(resumed.model()["network"], resumed.path)
    known = [dataset] if dataset else list(zoo.DATASET_CLASSES)
    usual = [name for name in known if zoo.DATASET_CLASSES[name] == tuple(class_names)]
    try:
        found = find_architecture(network, datasets=usual)
    except zoo.UnknownNetwork as error:
        raise SettingError(f"{{network}}: {error}") from error
    return with_spp(found) if spp else found


def settled_anchors(
    word: str | Anchors | None, config: TrainConfig, architecture: Architecture, train_data: Dataset
) -> tuple[TrainConfig, list[SettingText]]:
    """Replace a word for anchors by the anchors; the run keeps them.

    Args:
        word: ``own``, ``better`` or ``auto``; other values change nothing.
        config: of the run on its network.
        architecture: of the network.
        train_data: the training images.

    Returns:
        The config, and lines for the log.
    """
    if word == "auto":
        return dataclasses.replace(config, anchors=found_anchors(architecture, train_data, config)), []
    if word == "better" and (better := better_anchors(architecture, train_data, config)):
        anchors, line = better
        return dataclasses.replace(config, anchors=anchors), [line]
    return config, []


def validation_of(val_data: Dataset, config: TrainConfig, resumed: RunFolder | None = None) -> Validation:
    """Return the validation of a run; a resumed run keeps the score that compares its epochs.

    Args:
        val_data: the validation images.
        config: of the run.
        resumed: the run that is resumed from a checkpoint.

    Raises:
        UserError: the score needs pycocotools, which is not installed.
    """
    kind, asked = config.val_metric, ""
    if resumed and kind == "auto":
        progress = Checkpoint(resumed.weights).read()
        if progress.score_key or progress.best_score is not None:
            kind = kind_of(progress.score_key, val_data)
            asked = f"{resumed.path}: its epochs are compared by {kind}, which"
    metrics, score_key = score(val_data, kind, asked)
    fit = Preprocess(config.fit)
    most = config.max_detections
    return Validation(
        val_data, metrics, score_key, config.data_shape, config.num_workers, fit, most, detailed=config.report
    )


def new_folder(args: Args, config: TrainConfig, net: DetectionNetwork) -> RunFolder:
    """Make a run folder with the settings and the network's description.

    Args:
        args: the merged settings of the run in plain form.
        config: the same on the run's network, with its anchors and the batch size that fits.
        net: the network.

    Raises:
        UserError: the folder cannot be made.
    """
    root, prefix = os.path.split(config.save_prefix)
    folder = RunFolder.create(root or ".", prefix + (config.name or config.network))
    anchors = config.anchors
    assert not isinstance(anchors, str)
    flat = format_anchors([anchor for level in anchors for anchor in level]) if anchors else None
    if args["anchors"] in ANCHOR_WORDS:
        args = {**args, "anchors": flat}
    args = {**args, "batch_size": config.batch_size}
    name = name_of_run(args, config.network)
    folder.write_args({**args, "name": name})
    TrainConfig.from_plain(args).save(folder.config)
    record = ModelRecord(
        name,
        config.network,
        net.spec,
        config.data_shape,
        fit=config.fit,
        max_detections=config.max_detections,
    )
    folder.write_model(record.to_dict())
    net.keep(folder.path)
    return folder
