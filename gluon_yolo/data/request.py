"""DataRequest: the settings that name a data set, its parts and its classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class DataRequest:
    r"""Which data is asked for: ``data``, or published data by ``dataset`` and ``data_root``.

    Args:
        data: a folder or file.
        format: of it; None finds it from what is there.
        dataset: published data, ``voc`` or ``coco``.
        data_root: where that lies; None takes GluonCV's place.
        train_split: the part to train on, where names do not tell.
        val_split: the part to validate on, likewise.
        classes: a file of class names, one a line.
        only: classes to use alone, commas between; a comma within a name is written ``\,``.
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
        """Return the request that settings make, of which others may be there too."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: settings[name] for name in names if name in settings})

    def split_of(self, part: str) -> str | None:
        """Return the split that is asked for as ``"train"`` or ``"val"``."""
        return self.train_split if part == "train" else self.val_split
