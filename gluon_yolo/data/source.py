"""Source: the data set at a path, in one of the supported formats."""

from __future__ import annotations

import abc
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gluon_yolo.data.dataset import Dataset
from gluon_yolo.data.quality.report import Issue
from gluon_yolo.data.splits import in_no_part, splits_by_role
from gluon_yolo.errors import UserError
from gluon_yolo.text import did_you_mean

logger = logging.getLogger("gluon_yolo")

_PURPOSE = {"train": "for training", "val": "for validation"}


class Source(abc.ABC):
    """A data set at a path: its splits, its class names, and how to open each split.

    Every format is a subclass. A source reads lists and descriptions only; :meth:`open` reads images and
    labels.

    Args:
        path: the folder or file, as the user named it.
    """

    format: str
    """The format's name on the command line."""
    title: str
    """The format's name in a sentence: ``"Pascal VOC"``."""
    accepts: str
    """A description of such a path, for messages: ``"a folder with Annotations/ and JPEGImages/"``."""
    joins = True
    """Whether :meth:`open` opens several splits, separated by commas, as one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._absences: dict[str, str] = {}
        self._has_logged = False

    @classmethod
    @abc.abstractmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether an existing path looks like this format; fast, and raises nothing."""

    @abc.abstractmethod
    def splits(self) -> tuple[str, ...]:
        """Return the names that :meth:`open` accepts, at least one; an image may be in several of them.

        Raises:
            UserError: the path is so broken that no split can be opened.
        """

    def parts(self) -> dict[str, str]:
        """Return the split for each of ``"train"``, ``"val"`` and ``"test"``, where there is one.

        The splits are found by their names: see :func:`gluon_yolo.data.splits.splits_by_role`. They normally
        share no image. A test split without any image is left out, since data often comes without its test
        images: see :meth:`left_out`.

        Raises:
            UserError: no name says which split is for training.
        """
        parts = self._named_parts()
        tests = parts["test"].split(",") if "test" in parts else []
        there = [split for split in tests if not self._absence(split)]
        if there != tests:
            parts.pop("test")
        return {**parts, "test": ",".join(there)} if there else parts

    def absence(self, split: str) -> str:
        """Return why a split has no image at all, from a quick look; empty when it has one."""
        return ""

    def left_out(self) -> list[str]:
        """Return why test splits are left out, each with its name."""
        reasons = {split: self._absence(split) for split in self._test_splits()}
        return [f"{split}: left out: {reason}" for split, reason in reasons.items() if reason]

    def there(self) -> tuple[str, ...]:
        """Return all splits except the test splits that :meth:`parts` leaves out."""
        tests = self._test_splits()
        return tuple(split for split in self.splits() if split not in tests or not self._absence(split))

    def in_no_part(self) -> list[str]:
        """Return a note about splits that are used for neither training, validation nor test."""
        parts = self._named_parts()
        others = in_no_part(self.splits(), parts)
        if not others:
            return []
        used = ", ".join(f"{part} is {split}" for part, split in parts.items())
        return [f"in no part: {', '.join(others)}; {used} (flags such as --train-split take others)"]

    def remarks(self) -> list[str]:
        """Return notes of a check about the whole data set that are not issues."""
        return [*self.in_no_part(), *self.left_out()]

    def _test_splits(self) -> list[str]:
        """Return the splits whose names say that they are for test only."""
        named = splits_by_role(self.splits(), self.joins).get("test", "")
        return [split for split in named.split(",") if split]

    def _absence(self, split: str) -> str:
        if split not in self._absences:
            self._absences[split] = self.absence(split)
        return self._absences[split]

    def _named_parts(self) -> dict[str, str]:
        """Return the split of each part, by the names of the splits.

        Raises:
            UserError: no name says which split is for training.
        """
        parts = splits_by_role(self.splits(), self.joins)
        if not parts:
            raise UserError(
                f"{self.path}: which split is for training? There is {', '.join(self.splits())}; name one of "
                "them, or call them train and val"
            )
        return parts

    def split_for(self, part: str, advice: str) -> str:
        """Return the split for ``"train"`` or ``"val"``.

        Args:
            part: ``"train"`` or ``"val"``.
            advice: what to do when there is none, for the message.

        Raises:
            UserError: there is none.
        """
        parts = self._named_parts()
        if not self._has_logged:  # once, whichever parts are opened
            self._has_logged = True
            for note in self.in_no_part():
                logger.info("%s: %s", self.path, note)
        if part not in parts:
            there = ", ".join(self.splits())
            raise UserError(f"{self.path}: no pictures {_PURPOSE[part]}; there is {there}: {advice}")
        return parts[part]

    def resolve(self, split: str) -> str:
        """Return the own names of a split, or of several separated by commas.

        ``train``, ``val`` and ``test`` mean the splits of :meth:`parts`, unless a split has that name.
        """
        splits = self.splits()
        if split in splits:
            return split
        parts = splits_by_role(splits, self.joins)
        words = [word.strip() for word in split.split(",")]
        return ",".join(word if word in splits else parts.get(word, word) for word in words)

    def no_split(self, name: str) -> UserError:
        """Return the error about a split that does not exist."""
        there = self.splits()
        return UserError(
            f"{self.path}: no split {name!r}; {did_you_mean(name, there)}there is {', '.join(there)}"
        )

    @abc.abstractmethod
    def class_names(self, splits: Sequence[str]) -> tuple[str, ...]:
        """Return the class names of these splits, in the order of the class ids."""

    @abc.abstractmethod
    def open(self, split: str, class_names: Sequence[str] | None = None, skip_bad: bool = False) -> Dataset:
        """Open a split.

        Args:
            split: one of :meth:`splits`, or a name that :meth:`resolve` accepts; several separated by commas
                when the format joins them.
            class_names: names in the order of the class ids; None takes the source's own.
            skip_bad: leave out and report images that cannot be used.

        Raises:
            UserError: there is no such split, or it is broken; the message names the files.
        """

    def orphans(self) -> list[Issue]:
        """Return warnings about labels without an image, and images without a label, that no split uses."""
        return []

    def settings(self) -> dict[str, Any]:
        """Return defaults for training flags (with underscores) that the source itself has."""
        return {}

    def place_of(self, flag: str) -> str:
        """Return the place from which :meth:`settings` has a flag's value, as messages begin."""
        return str(self.path)
