"""Source: what lies at a path, in one of the formats that can be read."""

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
    """A data set at a path: its splits, its class names, and how each split is opened.

    Every format is one subclass. Looking at a source reads lists and descriptions; images and labels are
    read by :meth:`open`.

    Args:
        path: the folder or file, as the user named it.
    """

    format: str
    """The format's name on the command line."""
    title: str
    """What the format is called in a sentence: ``"Pascal VOC"``."""
    accepts: str
    """What such a path looks like, for messages: ``"a folder with Annotations/ and JPEGImages/"``."""
    joins = True
    """Whether :meth:`open` takes several splits, with commas between, as one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._absences: dict[str, str] = {}
        self._has_said = False

    @classmethod
    @abc.abstractmethod
    def recognises(cls, path: Path) -> bool:
        """Say whether an existing path looks like this format; a quick look that raises nothing."""

    @abc.abstractmethod
    def splits(self) -> tuple[str, ...]:
        """Return the names that :meth:`open` takes, at least one; an image may be in several of them.

        Raises:
            UserError: the path is broken beyond opening any split.
        """

    def parts(self) -> dict[str, str]:
        """Return the split meant for each of ``"train"``, ``"val"`` and ``"test"``, as far as there are any.

        Parts share no image on purpose. Names decide: see :func:`gluon_yolo.data.splits.splits_by_role`. A
        split for test of which not one image is there is left out, since data often comes without: see
        :meth:`left_out`.

        Raises:
            UserError: the names say nothing.
        """
        parts = self._named_parts()
        tests = parts["test"].split(",") if "test" in parts else []
        there = [split for split in tests if not self._absence(split)]
        if there != tests:
            parts.pop("test")
        return {**parts, "test": ",".join(there)} if there else parts

    def absence(self, split: str) -> str:
        """Return why not one image of a split is there, from a quick look; empty where one is."""
        return ""

    def left_out(self) -> list[str]:
        """Return why splits for test are left out, each with its name."""
        reasons = {split: self._absence(split) for split in self._test_splits()}
        return [f"{split}: left out: {reason}" for split, reason in reasons.items() if reason]

    def there(self) -> tuple[str, ...]:
        """Return the splits but for those for test that :meth:`parts` leaves out."""
        tests = self._test_splits()
        return tuple(split for split in self.splits() if split not in tests or not self._absence(split))

    def in_no_part(self) -> list[str]:
        """Return a note of the splits that no part has, so that nothing uses them unless they are named."""
        parts = self._named_parts()
        others = in_no_part(self.splits(), parts)
        if not others:
            return []
        used = ", ".join(f"{part} is {split}" for part, split in parts.items())
        return [f"in no part: {', '.join(others)}; {used} (flags such as --train-split take others)"]

    def remarks(self) -> list[str]:
        """Return what a check says of the data set as a whole that is not wrong."""
        return [*self.in_no_part(), *self.left_out()]

    def _test_splits(self) -> list[str]:
        """Return the splits whose names say that they are for test, and for nothing else."""
        named = splits_by_role(self.splits(), self.joins).get("test", "")
        return [split for split in named.split(",") if split]

    def _absence(self, split: str) -> str:
        if split not in self._absences:
            self._absences[split] = self.absence(split)
        return self._absences[split]

    def _named_parts(self) -> dict[str, str]:
        """Return the parts as the names of the splits say.

        Raises:
            UserError: they say nothing.
        """
        parts = splits_by_role(self.splits(), self.joins)
        if not parts:
            raise UserError(
                f"{self.path}: which split is for training? There is {', '.join(self.splits())}; name one of "
                "them, or call them train and val"
            )
        return parts

    def split_for(self, part: str, advice: str) -> str:
        """Return the split meant for ``"train"`` or ``"val"``.

        Args:
            part: which.
            advice: what to do where there is none, for the message.

        Raises:
            UserError: there is none.
        """
        parts = self._named_parts()
        if not self._has_said:  # once, whichever parts are opened
            self._has_said = True
            for note in self.in_no_part():
                logger.info("%s: %s", self.path, note)
        if part not in parts:
            there = ", ".join(self.splits())
            raise UserError(f"{self.path}: no pictures {_PURPOSE[part]}; there is {there}: {advice}")
        return parts[part]

    def resolve(self, split: str) -> str:
        """Return a split, or several with commas between, by their own names.

        ``train``, ``val`` and ``test`` are what :meth:`parts` has for them, where no split is called so.
        """
        splits = self.splits()
        if split in splits:
            return split
        parts = splits_by_role(splits, self.joins)
        words = [word.strip() for word in split.split(",")]
        return ",".join(word if word in splits else parts.get(word, word) for word in words)

    def no_split(self, name: str) -> UserError:
        """Return the error about a split that is not there."""
        there = self.splits()
        return UserError(
            f"{self.path}: no split {name!r}; {did_you_mean(name, there)}there is {', '.join(there)}"
        )

    @abc.abstractmethod
    def class_names(self, splits: Sequence[str]) -> tuple[str, ...]:
        """Return the class names of these splits, in the order that class ids count."""

    @abc.abstractmethod
    def open(self, split: str, class_names: Sequence[str] | None = None, skip_bad: bool = False) -> Dataset:
        """Open a split.

        Args:
            split: one of :meth:`splits`, or what :meth:`resolve` knows; several with commas between where
                the format joins them.
            class_names: names that the class ids stand for; None takes the source's own.
            skip_bad: leave out, and report, images that cannot be used.

        Raises:
            UserError: there is no such split, or it is broken; names the files.
        """

    def orphans(self) -> list[Issue]:
        """Return warnings about labels without an image and images without a label that no split uses."""
        return []

    def settings(self) -> dict[str, Any]:
        """Return defaults for the flags of training (with underscores) that the source itself carries."""
        return {}

    def place_of(self, flag: str) -> str:
        """Return where :meth:`settings` has a flag from, as messages begin."""
        return str(self.path)
