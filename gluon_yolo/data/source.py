"""Source: what lies at a path, in one of the formats that can be read."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.report import Finding


class Source(abc.ABC):
    """A data set at a path: its splits, its class names, and how each split is opened.

    Every format is one subclass. Looking at a source reads lists and descriptions; pictures and labels are
    read by :meth:`open`.

    Args:
        path: the folder or file, as the user named it.
    """

    format: str
    """The format's name on the command line."""
    accepts: str
    """What such a path looks like, for messages: ``"a folder with Annotations/ and JPEGImages/"``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    @abc.abstractmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether an existing path looks like this format; a quick look that raises nothing."""

    @abc.abstractmethod
    def splits(self) -> tuple[str, ...]:
        """Return the names that :meth:`open` takes, at least one; a picture may be in several of them.

        Raises:
            UserError: the path is broken beyond opening any split.
        """

    @abc.abstractmethod
    def parts(self) -> dict[str, str]:
        """Return the split meant for each of ``"train"``, ``"val"`` and, where there is a third, ``"test"``.

        Parts share no picture on purpose. A source without a division has ``"train"`` alone.
        """

    @abc.abstractmethod
    def class_names(self, splits: Sequence[str]) -> tuple[str, ...]:
        """Return the class names of these splits, in the order that class ids count."""

    @abc.abstractmethod
    def open(self, split: str, class_names: Sequence[str] | None = None, skip_bad: bool = False) -> Dataset:
        """Open a split.

        Args:
            split: one of :meth:`splits`; some formats take several, with commas between.
            class_names: names that the class ids stand for; None takes the source's own.
            skip_bad: leave out, and report, pictures that cannot be used.

        Raises:
            UserError: there is no such split, or it is broken; names the files.
        """

    def strays(self) -> list[Finding]:
        """Return warnings about labels without a picture and pictures without a label that no split uses."""
        return []

    def settings(self) -> dict[str, Any]:
        """Return defaults for the flags of training (with underscores) that the source itself carries."""
        return {}
