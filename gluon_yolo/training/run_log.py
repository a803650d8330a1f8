"""Run log: the log messages before the first epoch and after the last one."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gluon_yolo.errors import SettingError, SettingText, UserError
from gluon_yolo.evaluation.table import class_table
from gluon_yolo.models.detector import DetectionNetwork
from gluon_yolo.system import run_note
from gluon_yolo.text import counted
from gluon_yolo.training.assigner_choice import assigner_line
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.logging import start_log
from gluon_yolo.training.run_dir import RunFolder
from gluon_yolo.training.trainer import Trainer

log = logging.getLogger("gluon_yolo")


@contextmanager
def logging_to(folder: RunFolder) -> Iterator[None]:
    """Write the log of the block to the run folder, with the error that ends the block, if any."""
    stop_log = start_log(folder.log)
    try:
        yield
    except Exception as error:
        # Only to the file: the caller prints the error on the console.
        logged = SettingText(error.message) if isinstance(error, SettingError) else error
        log.error("%s", logged, exc_info=not isinstance(error, UserError), extra={"file_only": True})
        raise
    finally:
        stop_log()


@contextmanager
def recording(folder: RunFolder) -> Iterator[None]:
    """Keep the log and the note of a running training in its folder while the block runs."""
    with run_note.noted(folder.path), logging_to(folder):  # nothing in the log of another that trains it
        yield


def log_start(
    folder: RunFolder, config: TrainConfig, net: DetectionNetwork, devices: Sequence[str], origin: str
) -> None:
    """Log the run folder, the network, its weights, the devices and the input size."""
    names = net.spec.class_names
    shape = "x".join(map(str, config.data_shape))
    if config.random_shape:
        sizes = [f"{height}x{width}" for height, width in config.random_shapes]
        shown = sizes if len(sizes) < 4 else [sizes[0], "...", sizes[-1]]
        every = f"a new size every {config.shape_interval} batches"
        shape = f"{', '.join(shown)}, {every}; validated at {shape}"
    log.info("run: %s; its settings: args.json there", folder.path)
    log.info("name: %s, which its exports take", folder.model()["name"])
    log.info("network: %s, %s: %s", net.zoo_name, counted(len(names), "class"), ", ".join(names))
    log.info("%s", origin)
    if config.assigner != "auto":
        log.info("%s", assigner_line(net.spec))
    log.info("devices: %s; batch size %d; input %s", ", ".join(devices), config.batch_size, shape)


def log_result(trainer: Trainer, result: dict[str, Any]) -> None:
    """Log the table of the last validation, the best epoch, and what to do with the results."""
    progress, folder = trainer.progress, trainer.folder
    best = f"{trainer.validation.score_key} {progress.best_score:.4f}"
    log.info("average precision by class, at the last epoch:\n%s", class_table(result))
    log.info("best: %s at epoch %d", best, progress.best_epoch)
    log.info("log, curves and pictures: %s", folder.path)
    place = shlex.quote(str(folder.path))
    log.info("see it work:  gluon-yolo demo --model %s PICTURES", place)
    log.info("ship it:      gluon-yolo export %s --out model", place)
