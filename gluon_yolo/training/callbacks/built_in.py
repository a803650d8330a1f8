"""The trainer's own callbacks, in calling order."""

from __future__ import annotations

from gluon_yolo.training.callbacks.base import Callback
from gluon_yolo.training.callbacks.best_weights import BestWeights
from gluon_yolo.training.callbacks.csv_logger import CSVLogger
from gluon_yolo.training.callbacks.curves import Curves
from gluon_yolo.training.callbacks.image_grids import ImageGrids
from gluon_yolo.training.callbacks.profiler import Profiler
from gluon_yolo.training.callbacks.progress_log import ProgressLog
from gluon_yolo.training.callbacks.snapshots import Snapshots
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.recording import recording_of


def built_in(config: TrainConfig) -> list[Callback]:
    """Return the callbacks of every training.

    The best weights come before the log line that names the best epoch. The curves read the row that the CSV
    logger writes.
    """
    return [
        ImageGrids(),
        Profiler(config.profile, recording_of(config.engine)),
        BestWeights(),
        ProgressLog(config.log_interval),
        CSVLogger(),
        Curves(),
        Snapshots(config.save_interval),
    ]
