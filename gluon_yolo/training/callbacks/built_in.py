"""The trainer's own callbacks, in calling order."""

from __future__ import annotations

from typing import Callable

from gluon_yolo.report.page import require_packages
from gluon_yolo.training.callbacks.base import Callback
from gluon_yolo.training.callbacks.best_weights import BestWeights
from gluon_yolo.training.callbacks.csv_logger import CSVLogger
from gluon_yolo.training.callbacks.curves import Curves
from gluon_yolo.training.callbacks.early_stopping import EarlyStopping
from gluon_yolo.training.callbacks.image_grids import ImageGrids
from gluon_yolo.training.callbacks.jsonl import JSONLogger
from gluon_yolo.training.callbacks.kept_folder import KeptFolder
from gluon_yolo.training.callbacks.profiler import Profiler
from gluon_yolo.training.callbacks.progress_log import ProgressLog
from gluon_yolo.training.callbacks.report import Report
from gluon_yolo.training.callbacks.snapshots import Snapshots
from gluon_yolo.training.callbacks.tensorboard import TensorBoard, require_tensorboard
from gluon_yolo.training.callbacks.time_budget import TimeBudget
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.recording import recording_of


def built_in(config: TrainConfig) -> list[Callback]:
    """Return the callbacks of every training.

    The folder comes before what is written into it, and the best weights before the log line that names
    the best epoch. The curves read the row that the CSV logger writes, and the report that row and the image
    grids.

    Raises:
        MissingDependency: a package of a callback that the config asks for is not installed.
    """
    return [
        KeptFolder(),
        ImageGrids(),
        Profiler(config.profile, recording_of(config.engine)),
        BestWeights(),
        ProgressLog(config.log_interval),
        CSVLogger(),
        Curves(),
        Snapshots(config.save_interval),
        *(make() for wanted, make in _asked(config) if wanted),
    ]


def check_packages(config: TrainConfig) -> None:
    """Import the packages of the callbacks that a config asks for.

    Raises:
        MissingDependency: one is not installed.
    """
    if config.tensorboard:
        require_tensorboard()
    if config.report:
        require_packages()


def _asked(config: TrainConfig) -> list[tuple[bool, Callable[[], Callback]]]:
    """Return the callbacks that are not in every training, and whether the config asks for each.

    The packages of a callback are imported where it is asked for, and by nothing else.
    """
    return [
        (config.patience > 0, lambda: EarlyStopping(config.patience)),
        (config.hours > 0, lambda: TimeBudget(3600 * config.hours)),
        (config.jsonl, lambda: JSONLogger(config.log_interval)),
        (config.tensorboard, lambda: TensorBoard(config.log_interval)),
        (config.report, Report),
    ]
