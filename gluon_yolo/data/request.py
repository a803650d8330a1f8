"""DataRequest: the settings that name a data set, its splits and its classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class DataRequest:
    r"""The settings that name data: ``data``, or ``dataset`` and ``data_root`` for published data.

    Args:
        data: a folder or a file.
        format: the format of ``data``. None detects it.
        dataset: published data, ``voc`` or ``coco``.
        data_root: the folder of the published data. None takes GluonCV's.
        train_split: the split to train on. None finds it by name.
        val_split: the split to validate on. None finds it by name.
        classes: a file of class names, one a line.
        only: the classes to use, with commas; a comma within a name is written ``\,``.
        class_map: a file of lines ``NAME = OTHER NAME``.
        skip_bad: leave out images and labels that cannot be used.
    """

    data: str | None = None
    format: str | None = None
    dataset: str | None = None
    data_root: str | None = None
    train_split: str | None = None
    val_split: str | None = None
    classes: str | None = None
    only: str | None = None
    class_map: str | None = None
    skip_bad: bool = False

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> DataRequest:
        """Return a request with the settings that are its fields; other settings are ignored."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: settings[name] for name in names if name in settings})

    def split_of(self, part: str) -> str | None:
        """Return the requested split for ``"train"`` or ``"val"``; None where none is requested."""
        return self.train_split if part == "train" else self.val_split
