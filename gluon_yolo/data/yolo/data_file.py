"""``.data`` files of darknet and Yolo-FastestV2: lists, class names, and training settings.

Darknet's file has ``key=value`` lines: ``classes train valid names backup``. Yolo-FastestV2's has sections
such as ``[train-configure]`` and more keys. Both are parsed in the same way: sections only group the keys,
``#`` and ``;`` begin a comment, and blanks around ``=`` are ignored.
"""

from __future__ import annotations

import dataclasses
import logging
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gluon_yolo.data.text_file import read_text
from gluon_yolo.errors import UserError
from gluon_yolo.text import did_you_mean, exact, is_count

_SECTIONS = ("name", "train-configure", "model-configure", "data-configure")
_SPLITS = ("train", "val", "test")
_ALIASES = {"valid": "val"}  # darknet's word
_TEXTS = ("model_name", "pre_weights", "names", "backup", *_SPLITS)
_COUNTS = ("epochs", "batch_size", "subdivisions", "classes", "width", "height", "anchor_num")
_LISTS = ("steps", "anchors")
NETWORK, OUTPUTS, STRIDE = "yolo_fastestv2", 2, 32
# Other keys of darknet, for its own commands.
_IDLE = ("results", "eval", "map", "difficult", "labels", "top", "leaves", "tree", "tag")
# The keys that set a training flag, by the flag's name in Python.
_FLAGS = {
    "network": ("anchor_num",),
    "epochs": ("epochs",),
    "batch_size": ("batch_size",),
    "lr": ("learning_rate",),
    "lr_decay_epoch": ("steps",),
    "data_shape": ("width",),
    "no_random_shape": ("width",),
    "anchors": ("anchors",),
    "weights": ("pre_weights",),
    "save_prefix": ("backup", "model_name"),
}
_KEYS = (*_TEXTS, *_ALIASES, *_COUNTS, *_LISTS, "learning_rate", *_IDLE)

logger = logging.getLogger("gluon_yolo")


@dataclasses.dataclass(frozen=True)
class DataFile:
    """The content of a ``.data`` file; a missing value is None or empty.

    Args:
        path: the file.
        lists: the list file or folder of ``"train"``, ``"val"``, ``"test"``, as written.
        names: the file of class names, as written.
        classes: number of classes.
        model_name: name of the model.
        epochs: number of epochs of the training.
        steps: epochs at which the learning rate decreases.
        batch_size: images per step.
        learning_rate: after the warm-up.
        size_hw: input (height, width) in pixels.
        anchors_wh: anchors (width, height) in input pixels, smallest first.
        anchor_num: anchors per output.
        pre_weights: initial weights, as written.
        backup: folder of darknet's weights, as written.
        idle: unused keys and their values.
        lines: the line number of every key.
        texts: the value of every key, as written.
    """

    path: Path
    lists: Mapping[str, str]
    names: str | None
    classes: int | None
    model_name: str | None
    epochs: int | None
    steps: tuple[int, ...]
    batch_size: int | None
    learning_rate: float | None
    size_hw: tuple[int, int] | None
    anchors_wh: tuple[tuple[float, float], ...]
    anchor_num: int | None
    pre_weights: str | None
    backup: str | None
    idle: Mapping[str, str]
    lines: Mapping[str, int]
    texts: Mapping[str, str]

    def place(self, key: str) -> str:
        """Return the file and the line of a key, as messages begin."""
        return f"{self.path}: line {self.lines[key]}"

    def settings(self) -> dict[str, Any]:
        """Return defaults for training flags from the file, by their names in Python.

        An input size switches random sizes off, because the anchors belong to it. Unused keys are logged. A
        file with a number of anchors per output is Yolo-FastestV2's, and selects that network.

        Raises:
            UserError: the initial weights do not exist.
        """
        given: dict[str, Any] = {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "lr": self.learning_rate,
        }
        if self.anchor_num:
            given["network"] = NETWORK
        if self.steps:
            given["lr_decay_epoch"] = ",".join(map(str, self.steps))
        if self.size_hw:
            given.update(data_shape="{}x{}".format(*self.size_hw), no_random_shape=True)
        if self.anchors_wh:
            given["anchors"] = ", ".join(f"{exact(w)},{exact(h)}" for w, h in self.anchors_wh)
        given["weights"] = self._weights()
        if self.backup:
            given["save_prefix"] = f"{self.backup.rstrip('/')}/"
        elif self.model_name:
            given["save_prefix"] = f"runs/{self.model_name}-"
        for key, text in self.idle.items():
            logger.info("%s: %s=%s has no use here; ignored", self.place(key), key, text)
        return {flag: value for flag, value in given.items() if value is not None}

    def place_of(self, flag: str) -> str:
        """Return the line, key and value that set a flag of :meth:`settings`, as messages begin."""
        for key in _FLAGS.get(flag, ()):
            if key in self.lines:
                return f"{self.place(key)}: {key}={self.texts[key]}"
        return str(self.path)

    def _weights(self) -> str | None:
        """Return the path of the initial weights, searched beside the file and in the current folder."""
        if self.pre_weights is None or self.pre_weights.lower() == "none":
            return None
        candidates = [self.path.parent / self.pre_weights, Path(self.pre_weights)]
        found = next((path for path in candidates if path.exists()), None)
        if found is None:
            looked = " nor ".join(dict.fromkeys(str(path.absolute()) for path in candidates))
            raise UserError(
                f"{self.place('pre_weights')}: pre_weights: there is no {looked}; correct the path, or write "
                "None to start from nothing"
            )
        return str(found.absolute())


def read_data_file(path: str | os.PathLike[str]) -> DataFile:
    """Read a ``.data`` file and check every value.

    Raises:
        UserError: it cannot be read; a line is not ``key=value``, has an unknown section or key, or repeats a
            key; or a value is invalid. The message names file and line.
    """
    values = _Values(Path(path))
    height, width = values.count("height"), values.count("width")
    if (height is None) != (width is None):
        there, absent = ("width", "height") if height is None else ("height", "width")
        raise UserError(f"{values.place(there)}: {there} is given without {absent}; give both")
    for key, side in (("height", height), ("width", width)):
        if side is not None and side % STRIDE:
            raise UserError(f"{values.place(key)}: {key}: expected a multiple of {STRIDE}, got {side}")
    each, anchors = values.count("anchor_num"), values.anchors_wh()
    if each and anchors and len(anchors) != OUTPUTS * each:
        raise UserError(
            f"{values.place('anchors')}: {len(anchors)} anchors, where Yolo-FastestV2 has {OUTPUTS} outputs "
            f"of anchor_num={each}"
        )
    idle = ("subdivisions", *_IDLE)
    values.count("subdivisions")
    return DataFile(
        path=values.path,
        lists={split: text for split in _SPLITS if (text := values.text(split))},
        names=values.text("names"),
        classes=values.count("classes"),
        model_name=values.text("model_name"),
        epochs=values.count("epochs"),
        steps=values.steps(),
        batch_size=values.count("batch_size"),
        learning_rate=values.learning_rate(),
        size_hw=(height, width) if height is not None and width is not None else None,
        anchors_wh=anchors,
        anchor_num=each,
        pre_weights=values.text("pre_weights"),
        backup=values.text("backup"),
        idle={key: text for key in idle if (text := values.text(key))},
        lines=values.lines,
        texts=values.texts,
    )


class _Values:
    """The values of a file as text, with a parser for each kind of value."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[str, int] = {}
        self.texts: dict[str, str] = {}
        for number, line in enumerate(read_text(path, "the .data file").splitlines(), 1):
            # A path may contain the comment signs, so a comment needs a blank before it.
            line = re.sub(r"(^|(?<=[\s=]))[#;].*", "", line).strip()
            if line:
                self._take(number, line)

    def _take(self, number: int, line: str) -> None:
        place = f"{self.path}: line {number}"
        section = re.fullmatch(r"\[\s*(.*?)\s*\]", line)
        if section:
            if section.group(1) not in _SECTIONS:
                known = " ".join(f"[{name}]" for name in _SECTIONS)
                raise UserError(f"{place}: unknown section {line}; known are {known}")
            return
        key, equals, text = (part.strip() for part in line.partition("="))
        if not equals:
            raise UserError(f"{place}: expected key=value or a [section], got {line!r}")
        if key not in _KEYS:
            raise UserError(
                f"{place}: unknown key {key!r}; {did_you_mean(key, _KEYS)}known are {', '.join(_KEYS)}"
            )
        key = _ALIASES.get(key, key)
        if key in self.lines:
            raise UserError(f"{place}: {key} is set again, as in line {self.lines[key]}; keep one of them")
        self.lines[key] = number
        self.texts[key] = text

    def place(self, key: str) -> str:
        """Return the file and the line of a key."""
        return f"{self.path}: line {self.lines[key]}"

    def text(self, key: str) -> str | None:
        """Return a value as written; None when it is missing or empty."""
        return self.texts.get(key) or None

    def count(self, key: str) -> int | None:
        """Return an integer above 0; None when it is missing."""
        word = self._number_text(key)
        if word is None:
            return None
        if not (is_count(word) and int(word)):
            raise self._wrong(key, "a whole number above 0")
        return int(word)

    def learning_rate(self) -> float | None:
        """Return the learning rate, above 0; None when it is missing."""
        word = self._number_text("learning_rate")
        numbers = _numbers(word or "")
        if word is not None and (len(numbers) != 1 or not 0 < numbers[0] < math.inf):
            raise self._wrong("learning_rate", "a number above 0")
        return numbers[0] if numbers else None

    def steps(self) -> tuple[int, ...]:
        """Return the epochs at which the learning rate decreases."""
        words = [word.strip() for word in (self._number_text("steps") or "").split(",")]
        if words == [""]:
            return ()
        if not all(map(is_count, words)):
            raise self._wrong("steps", "epochs with commas between, as 150,250")
        return tuple(map(int, words))

    def anchors_wh(self) -> tuple[tuple[float, float], ...]:
        """Return the anchors as pairs, whose number is a multiple of the anchors per output."""
        word = self._number_text("anchors")
        if word is None:
            return ()
        numbers = _numbers(word)
        if not numbers or len(numbers) % 2 or not all(0 < number < math.inf for number in numbers):
            raise self._wrong("anchors", "pairs width,height above 0 with commas between, as 10,14, 23,27")
        each = self.count("anchor_num")
        if each and len(numbers) // 2 % each:
            share = f"anchor_num={each} (line {self.lines['anchor_num']}), which every output has"
            raise UserError(
                f"{self.place('anchors')}: {len(numbers) // 2} anchors are no multiple of {share}"
            )
        return tuple(zip(numbers[::2], numbers[1::2]))

    def _number_text(self, key: str) -> str | None:
        """Return a value of numbers, in which ``#`` begins a comment even without a blank before it."""
        return re.sub(r"#.*", "", self.texts.get(key, "")).strip() or None

    def _wrong(self, key: str, expected: str) -> UserError:
        return UserError(f"{self.place(key)}: {key}: expected {expected}, got {self.texts[key]!r}")


def _numbers(text: str) -> list[float]:
    """Return the numbers of a list with commas; empty when an item is not a number."""
    try:
        return [float(word) for word in text.split(",") if word.strip()]
    except ValueError:
        return []
