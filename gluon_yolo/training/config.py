"""TrainConfig: the settings of a training, checked, read from files and written to them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

from gluon_yolo.data.transforms import augmentation, keeps_shape
from gluon_yolo.errors import blamed
from gluon_yolo.training.config_check import MOST_THREADS, check_settings
from gluon_yolo.training.config_file import listed, write_settings
from gluon_yolo.training.config_forms import AUTO_BATCH, anchors_by_level, plain_settings, typed_settings
from gluon_yolo.training.config_given import read_given
from gluon_yolo.training.lr_schedule import Schedule
from gluon_yolo.training.settings import Settings

_HEAD = "Settings of a training. To repeat it: gluon-yolo train --config THIS_FILE"

Args = dict[str, Any]  # settings in plain form by name, as in the command line's flags and ``args.json``


@dataclasses.dataclass(frozen=True)
class TrainConfig(Settings):
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
        if self.batch_size == "auto":
            object.__setattr__(self, "batch_size", AUTO_BATCH)
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
        write_settings(path, listed(self.values()), self.comments(), _HEAD)

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
        return min(available, max(1, self.num_samples // max(1, self.batch_size)))

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
