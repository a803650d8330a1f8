"""TrainConfig: every setting of a training, with its default and a comment."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from gluon_yolo.data.transforms import augmentation, keeps_shape
from gluon_yolo.errors import blamed
from gluon_yolo.nms import USUAL_DETECTIONS
from gluon_yolo.spec import Anchors
from gluon_yolo.training.config_check import MOST_THREADS, check_settings
from gluon_yolo.training.config_file import write_settings
from gluon_yolo.training.config_forms import anchors_by_level, plain_settings, typed_settings
from gluon_yolo.training.config_given import read_given
from gluon_yolo.training.lr_schedule import Schedule

RANDOM_SHAPES = tuple((side, side) for side in range(320, 609, 32))
_HEAD = "Settings of a training. To repeat it: gluon-yolo train --config THIS_FILE"

Args = dict[str, Any]  # settings in plain form by name, as in the command line's flags and ``args.json``


def _field(default: Any, comment: str) -> Any:
    return dataclasses.field(default=default, metadata={"comment": comment})


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """The settings of a training, with all defaults.

    The names are those of the command line's flags. :meth:`comments` describes each setting.

    A setting counts as given if the constructor call names it, or if its value is not the default
    (:func:`gluon_yolo.training.merge.merge`). Settings that are not given can be decided by a recipe, by the
    data's or the network's own file, and by the defaults of a CPU.

    Raises:
        SettingError: a value is invalid.

    Example:
        >>> config = TrainConfig(network="mobilenet1_0", epochs=30, lr=0.0005)
        >>> config.save("config.yaml")
    """

    network: str = _field("mobilenet1_0", "what to train: a network of the zoo, or a darknet .cfg")
    epochs: int = _field(200, "of the whole training, warm-up included")
    batch_size: int = _field(64, "images of a step, over all devices")
    data_shape: tuple[int, int] = _field((416, 416), "height and width of the input, and of validation")
    random_shape: bool = _field(True, "train at sizes drawn from random_shapes instead")
    random_shapes: tuple[tuple[int, int], ...] = _field(RANDOM_SHAPES, "heights and widths to draw from")
    shape_interval: int = _field(10, "batches of one drawn size in a row")
    anchors: Anchors | str | None = _field(
        None, "own (null), better, auto, or a list of width,height in pixels of the input"
    )
    lr: float = _field(0.001, "learning rate after the warm-up")
    lr_mode: str = _field("step", "how it falls: step, poly, cosine, exponential or constant")
    lr_decay: float | Sequence[float] = _field(
        0.1, "factor at each decay epoch, or one for each; of an epoch where exponential"
    )
    lr_decay_epoch: tuple[float, ...] = _field((160, 180), "epochs at which it decays (step)")
    lr_decay_period: float = _field(0, "decay every so many epochs instead, when above 0")
    lr_power: float = _field(2.0, "exponent of poly")
    target_lr: float = _field(0.0, "where poly and cosine end")
    cosine_epochs: int = _field(0, "epoch at which cosine ends, when above 0, else the last")
    warmup_epochs: float = _field(0, "epochs of warm-up, perhaps a part of one")
    warmup_lr: float = _field(0.0, "learning rate that the warm-up starts from")
    warmup_power: float = _field(1.0, "exponent of the warm-up; 1 is a straight line")
    optimizer: str = _field("sgd", "sgd (stochastic gradient descent) or adamw")
    momentum: float = _field(0.9, "of stochastic gradient descent; beta1 of AdamW")
    wd: float = _field(0.0005, "weight decay")
    no_wd: bool = _field(False, "no weight decay on biases and batch normalisation")
    syncbn: bool = _field(False, "normalise over the batch of all devices")
    freeze_bn: bool = _field(False, "keep batch normalisation as loaded")
    mixup: bool = _field(False, "mix pairs of images")
    no_mixup_epochs: int = _field(20, "epochs without mixup at the end")
    no_mosaic_epochs: int = _field(0, "epochs without mosaic at the end")
    class_balance: float = _field(0.0, "share of images below which a class is rare, and drawn more; 0: not")
    box_loss: str = _field(
        "auto", "yolo3 (centre and size apart), giou, diou, ciou, or auto: the network's own"
    )
    assigner: str = _field("auto", "anchors of an object: best_shape, neighbours, overlap, dynamic, or auto")
    spp: bool = _field(False, "a spatial pyramid pooling in YOLOv3's neck")
    ema: bool = _field(False, "validate, save and export the moving average of the weights")
    ema_decay: float = _field(0.999, "share of the average that an update keeps, after the ramp-up")
    ema_ramp_up: float = _field(300.0, "updates in which that share grows to two thirds of it; 0: none")
    accumulate: int = _field(1, "batches whose gradients make one update")
    clip_grad_norm: float = _field(0.0, "shorten the gradient of an update to this norm; 0: not")
    loss_scale: float = _field(
        1.0, "factor of the losses before the backward pass; gradients are divided by it"
    )
    teacher: str | None = _field(
        None, "learn from this detector too: a run, a model's folder, a network's name or a darknet .cfg"
    )
    teacher_weights: str | None = _field(None, "weights of a teacher that is a name or a .cfg")
    teacher_classes: str | None = _field(None, "file of that teacher's class names, one a line")
    distil_weight: float = _field(1.0, "factor of the losses against the teacher")
    label_smooth: bool = _field(False, "soften class targets")
    label_smooth_factor: float | None = _field(None, "by how much; null is GluonCV's")
    augment: str = _field("yolo3", "presets and transforms: light, overhead, yolo3, none, mosaic, ...")
    pretrained: bool = _field(False, "start from GluonCV's weights of the whole detector")
    pretrained_base: str = _field(
        "auto", "backbone's ImageNet weights: yes, no, auto (if they can be had), a file, a URL, or a name"
    )
    weights: str | None = _field(None, "start from this file or run, as far as it fits")
    freeze: str | None = _field(None, "layers to keep as loaded: the first N, or names, commas between")
    start_epoch: int = _field(0, "first epoch to train")
    num_samples: int = _field(0, "images of an epoch; 0 or -1: all")
    num_workers: int = _field(2, "threads or processes that prepare images")
    worker_type: str = _field("auto", "thread, process, or auto: processes where there are more than four")
    seed: int = _field(233, "of everything random")
    log_interval: int = _field(100, "batches between log lines")
    val_interval: int = _field(1, "epochs between validations; the last epoch is always validated")
    val_metric: str = _field(
        "auto", "score that decides which epoch is best: auto, fitness, voc07, voc or coco"
    )
    max_detections: int = _field(
        USUAL_DETECTIONS, "of an image in validation, at most; the model's record keeps it"
    )
    patience: int = _field(0, "validations without a better score that end the training; 0: none do")
    hours: float = _field(0.0, "of the training, at most; it ends with a whole epoch; 0: no limit")
    save_interval: int = _field(10, "epochs between kept snapshots; 0 keeps none")
    report: bool = _field(False, "write report.html, the run's page")
    tensorboard: bool = _field(False, "write TensorBoard's event files")
    jsonl: bool = _field(False, "write log.jsonl: an object a line, for other programs")
    profile: int = _field(0, "steps of the first epoch to record with the engine's profiler")
    data: str | None = _field(None, "the data set: a folder or a file")
    format: str | None = _field(None, "voc, coco, yolo, record or keras; null: found from what is there")
    dataset: str | None = _field("voc", "published data in the place of data: voc or coco")
    data_root: str | None = _field(None, "where dataset lies; null: GluonCV's place")
    train_split: str | None = _field(None, "part to train on, where names do not tell")
    val_split: str | None = _field(None, "part to validate on, likewise")
    classes: str | None = _field(None, "file of class names, one a line")
    only: str | None = _field(None, "classes to use alone, commas between")
    class_map: str | None = _field(None, "file of lines NAME = OTHER NAME")
    skip_bad: bool = _field(False, "leave out images and labels that cannot be used")
    recipe: str | None = _field(None, "other defaults, for a purpose (gluon_yolo.training.recipes)")
    engine: str = _field("auto", "what computes the training: mxnet, torch, or auto")
    precision: str = _field("float32", "of the network's arithmetic: float32, tf32 or bfloat16 (torch)")
    compile: bool = _field(False, "compile the network by torch.compile")
    deterministic: bool = _field(False, "ask torch for the same bits in every run on a GPU")
    gpus: str | None = _field(None, "GPUs to train on; empty is the CPU; null: GPU 0 if usable, else the CPU")
    cpu_devices: int = _field(0, "CPU contexts in the place of GPUs, when above 0")
    hosts: str | None = _field(None, "that train together: 2, or the least and the most, 1:2; null: this one")
    meet: str | None = _field(None, "HOST:PORT of one of the hosts, where they meet")
    run_id: str | None = _field(None, "names the run on all hosts; a new start with it goes on with the run")
    restarts: int = _field(3, "faults after which several processes start again from the last checkpoint")
    process_timeout: float = _field(300.0, "seconds that processes and hosts wait for one that is silent")
    memory: float | None = _field(None, "GB that a training on the CPU may take; null: what is left")
    name: str | None = _field(None, "of the run and its exports; null: after the data")
    save_prefix: str = _field("runs/", "the run's folder is this, the name or else the network, and a number")
    given: frozenset[str] | None = dataclasses.field(default=None, repr=False, compare=False)

    def __new__(cls, *positional: Any, **named: Any) -> TrainConfig:
        """Record which settings the call names."""
        config = object.__new__(cls)
        first = (field.name for field in dataclasses.fields(cls)[: len(positional)])
        object.__setattr__(config, "_named", frozenset((*first, *named)))
        return config

    def __post_init__(self) -> None:
        """Check every value, and find out which settings are given."""
        if isinstance(self.lr_decay, Sequence):
            object.__setattr__(self, "lr_decay", tuple(self.lr_decay))
        named = self.__dict__.pop("_named")
        if self.data is not None and "dataset" not in named:
            object.__setattr__(self, "dataset", None)  # it also names data
        for name, value in self.values().items():
            if isinstance(value, os.PathLike):  # YAML and JSON files need text
                object.__setattr__(self, name, os.fspath(value))
        values = self.values()
        changed = {name for name, value in values.items() if value != DEFAULTS[name]}
        object.__setattr__(self, "given", (self.given or named) & values.keys() | changed)
        check_settings(values, self.frozen)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> TrainConfig:
        """Read a config from a file. The settings in it count as given; others have their defaults.

        Args:
            path: YAML, or JSON if it ends in ``.json``, with the names of settings or flags and their values,
                such as the ``config.yaml`` of a run.

        Raises:
            UserError: the file cannot be read, or has an unknown setting or an invalid value. The message
                names the file, the line and the setting.
        """
        plain, places = read_given(path, KINDS)
        with blamed(places):
            return cls(**typed_settings(plain))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write every setting to a YAML file with its comment, or to a file that ends in ``.json``.

        Raises:
            UserError: the file cannot be written.
        """
        write_settings(path, _lists(self.values()), self.comments(), _HEAD)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> TrainConfig:
        """Return the config of plain settings, such as the ``args.json`` of a run.

        Args:
            plain: the settings by name. A missing one has its default; unknown names are ignored.

        Raises:
            SettingError: a value is invalid.
        """
        return cls(**typed_settings({name: value for name, value in plain.items() if name in PLAIN_DEFAULTS}))

    def for_network(self, name: str, levels: int) -> TrainConfig:
        """Return this config with the name of the network, and with its anchors by level.

        ``anchors`` is None for the network's own, and for anchors that are yet to be found on the data.

        Args:
            name: of the network.
            levels: number of levels of the network.

        Raises:
            SettingError: the anchors are not a list, or are fewer than the levels.
        """
        return dataclasses.replace(self, network=name, anchors=anchors_by_level(self.anchors, levels))

    def values(self) -> dict[str, Any]:
        """Return all settings by name."""
        return {name: getattr(self, name) for name in KINDS}

    @staticmethod
    def comments() -> dict[str, str]:
        """Return the comment of each setting, by name."""
        return {field.name: field.metadata["comment"] for field in _settings()}

    @property
    def loader_worker_type(self) -> str:
        """The kind of workers that prepare images: ``thread`` or ``process``."""
        if self.worker_type == "auto":
            return "thread" if self.num_workers <= MOST_THREADS else "process"
        return self.worker_type

    @property
    def fit(self) -> str:
        """How an image is fitted to the input size in validation: as in training."""
        return "letterbox" if keeps_shape(augmentation(self.augment)) else "resize"

    @property
    def sizes_hw(self) -> list[tuple[int, int]]:
        """The input sizes (height, width) of training batches."""
        return list(self.random_shapes) if self.random_shape else [self.data_shape]

    @property
    def frozen(self) -> tuple[str, ...]:
        """The selectors for :func:`gluon_yolo.training.freeze.freeze`."""
        return tuple(word.strip() for word in (self.freeze or "").split(",") if word.strip())

    def smoothing(self, num_classes: int) -> float:
        """Return the label smoothing factor for a number of classes: the given one, else GluonCV's."""
        usual = min(1 / num_classes, 1 / 40) if self.label_smooth else 0.0
        return usual if self.label_smooth_factor is None else self.label_smooth_factor

    def batches(self, available: int) -> int:
        """Return the batches of an epoch, from the number of batches that the data has."""
        if self.num_samples <= 0:
            return available
        return min(available, max(1, self.num_samples // self.batch_size))

    def mixup_in(self, epoch: int) -> bool:
        """Return whether mixup is on in an epoch."""
        return self.mixup and epoch < self.epochs - self.no_mixup_epochs

    def mosaic_in(self, epoch: int) -> bool:
        """Return whether a mosaic of the augmentation is used in an epoch."""
        return epoch < self.epochs - self.no_mosaic_epochs

    def schedule(self, batches_per_epoch: int) -> Schedule:
        """Return the learning rate schedule."""
        return Schedule(
            base_lr=self.lr,
            total_epochs=self.epochs,
            batches_per_epoch=batches_per_epoch,
            mode=self.lr_mode,
            decay=self.lr_decay,
            decay_epochs=self.lr_decay_epoch,
            decay_period=self.lr_decay_period,
            warmup_epochs=self.warmup_epochs,
            warmup_lr=self.warmup_lr,
            target_lr=self.target_lr,
            power=self.lr_power,
            warmup_power=self.warmup_power,
            cosine_epochs=self.cosine_epochs,
        )


def _settings() -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(TrainConfig) if field.metadata]


KINDS: dict[str, str] = {field.name: str(field.type) for field in _settings()}
"""The annotation of each setting, by name."""
DEFAULTS: dict[str, Any] = {field.name: field.default for field in _settings()}
PLAIN_DEFAULTS: Args = plain_settings(DEFAULTS)


def _lists(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with lists instead of tuples."""

    def listed(value: Any) -> Any:
        return [listed(each) for each in value] if isinstance(value, (tuple, list)) else value

    return {name: listed(value) for name, value in values.items()}
