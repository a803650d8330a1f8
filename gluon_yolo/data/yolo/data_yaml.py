"""``data.yaml`` of YOLO data sets: the folders or lists of the splits, and the class names."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from gluon_yolo.data.text_file import decoded, read_text
from gluon_yolo.errors import UserError
from gluon_yolo.text import is_count

_SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_SWITCH = re.compile(r"true|false|yes|no|on|off|null|~|[-+.\de]+", re.IGNORECASE)
_LONG = 1 << 20  # characters; longer files take seconds to parse
_KEYS = frozenset({"train", "val", "valid", "validation", "names"})
_MEANT = re.compile(rf"^\s*[\"']?({'|'.join(sorted(_KEYS))})[\"']?\s*:", re.MULTILINE)  # for broken files


@dataclasses.dataclass(frozen=True)
class DataYaml:
    """The content of a ``data.yaml``.

    Args:
        path: the file.
        root: the folder that the places are relative to, as written; None when it is missing.
        places: the folders and list files of ``"train"``, ``"val"``, ``"test"``, as written.
        names: the class names by class id; None when they are missing.
        classes: the number of classes in the file; None when it is missing.
    """

    path: Path
    root: str | None
    places: Mapping[str, tuple[str, ...]]
    names: tuple[str, ...] | None
    classes: int | None


def is_data_yaml(path: Path) -> bool:
    """Return whether a file looks like a ``data.yaml``, by its ending and its keys; it may be broken."""
    if path.suffix.lower() not in (".yaml", ".yml") or not path.is_file():
        return False
    try:
        text = decoded(path.read_bytes(), errors="replace")
    except OSError:
        return False
    try:
        content = yaml.load(text if len(text) < _LONG else "[", Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError):
        return bool(_MEANT.search(text))
    return isinstance(content, dict) and not _KEYS.isdisjoint(content)


def describes_data(path: Path, keys: Iterable[str] = _SPLITS) -> bool:
    """Return whether a file that looks like a ``data.yaml`` names a folder or list of a split, or is broken.

    Training settings can have ``val: true``, and a network's description can have class names.

    Args:
        path: the file.
        keys: the split keys to look for.
    """
    try:
        content = _load(path)
    except UserError:
        return True
    return any(map(_is_place, (content.get(key) for key in keys)))


def _is_place(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(map(_is_place, value))
    return isinstance(value, str) and bool(value) and not _SWITCH.fullmatch(value)


def read_data_yaml(path: str | os.PathLike[str]) -> DataYaml:
    """Read a ``data.yaml`` and check it.

    Raises:
        UserError: it cannot be read, is not YAML, describes key points, or has an invalid value.
    """
    path = Path(path)
    content = _load(path)
    if "kpt_shape" in content:
        raise UserError(
            f"{path}: kpt_shape: this is a data set of key points; only boxes and outlines are read"
        )
    places: dict[str, tuple[str, ...]] = {}
    for key, split in _SPLITS.items():
        if content.get(key):
            if split in places:
                raise UserError(
                    f"{path}: {key} names the validation data a second time; keep one of the keys"
                )
            places[split] = _places(path, key, content[key])
    root = content.get("path") or None
    if root is not None and not isinstance(root, str):
        raise UserError(f"{path}: path: expected a folder, got {root!r}")
    return DataYaml(path, root, places, _names(path, content.get("names")), _count(path, content.get("nc")))


def _load(path: Path) -> dict[str, Any]:
    """Load all scalars as text: a class called ``no`` or ``010`` keeps its name."""
    try:
        content = yaml.load(read_text(path, "the data set's description"), Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}: line {mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or "it cannot be understood"
        raise UserError(f"{place}: this is no valid YAML: {problem}") from error
    except RecursionError:
        raise UserError(f"{path}: its lists and mappings are nested too deeply") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected keys such as train, val and names, each with a colon after it")
    return content


def _places(path: Path, key: str, value: Any) -> tuple[str, ...]:
    """Return the folders and list files of a split: one, or a list of them."""
    places = value if isinstance(value, list) else [value]
    if not all(isinstance(place, str) and place for place in places):
        raise UserError(f"{path}: {key}: expected a folder, a list file, or several of them, got {value!r}")
    return tuple(places)


def _names(path: Path, value: Any) -> tuple[str, ...] | None:
    """Return the class names from a list, or from a mapping by class id.

    Raises:
        UserError: the value is neither, a class id is missing, or a name is empty or repeated.
    """
    if not value:
        return None
    if isinstance(value, dict):
        ids = {int(key): name for key, name in value.items() if isinstance(key, str) and is_count(key)}
        if sorted(ids) != list(range(len(value))):
            given = ", ".join(map(str, value))
            raise UserError(f"{path}: names: expected the class ids 0 to {len(value) - 1}, got {given}")
        value = [ids[class_id] for class_id in sorted(ids)]
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        raise UserError(f"{path}: names: expected a list of names, or names by class id, got {value!r}")
    for class_id, name in enumerate(value):
        if name in value[:class_id]:
            raise UserError(f"{path}: names: {name!r} is both class {value.index(name)} and class {class_id}")
    return tuple(value)


def _count(path: Path, value: Any) -> int | None:
    """Return the number of classes; None when it is missing."""
    if value in (None, ""):
        return None
    if not isinstance(value, str) or not is_count(value):
        raise UserError(f"{path}: nc: expected the number of classes, got {value!r}")
    return int(value)
