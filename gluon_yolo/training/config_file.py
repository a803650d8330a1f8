"""Files of settings: YAML or JSON, read with the place of every key, written with comments."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from gluon_yolo import atomic_io, json_text
from gluon_yolo.data.text_file import read_text
from gluon_yolo.errors import UserError

_FORM = "expected settings, one a line, as `epochs: 30`"
_WHAT = "the file of settings"


class _Loader(yaml.BaseLoader):
    """Reads scalars as text, except null, true and false: ``no`` and ``2012_01`` stay text."""

    yaml_implicit_resolvers: dict[Any, Any] = {}


_NULL, _BOOL = "tag:yaml.org,2002:null", "tag:yaml.org,2002:bool"
_Loader.add_implicit_resolver(_NULL, re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(_BOOL, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_constructor(_NULL, lambda loader, node: None)
_Loader.add_constructor(_BOOL, lambda loader, node: node.value.lower() == "true")


def read_settings(path: str | os.PathLike[str]) -> dict[str, tuple[Any, str]]:
    """Read a file of settings.

    Args:
        path: JSON if it ends in ``.json``, else YAML.

    Returns:
        The value of each key as it is written, and its place for messages.

    Raises:
        UserError: the file cannot be read, is not a mapping, or has a key twice.
    """
    path = Path(path)
    text = read_text(path, _WHAT)
    return _from_json(path, text) if path.suffix.lower() == ".json" else _from_yaml(path, text)


def _from_json(path: Path, text: str) -> dict[str, tuple[Any, str]]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        for key in keys:
            if keys.count(key) > 1:
                raise UserError(f"{path}: {key} is there twice")
        return dict(pairs)

    try:
        content = json_text.loads(text, object_pairs_hook=once)
    except ValueError as error:
        raise UserError(f"{path}: is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a JSON object of settings")
    return {key: (value, str(path)) for key, value in content.items()}


def _from_yaml(path: Path, text: str) -> dict[str, tuple[Any, str]]:
    found: dict[str, tuple[Any, str]] = {}
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return found
        if not isinstance(root, yaml.MappingNode):
            raise UserError(f"{path}: {_FORM}")
        for key_node, value_node in root.value:
            key = loader.construct_object(key_node, deep=True)
            place = f"{path}: line {key_node.start_mark.line + 1}"
            if not isinstance(key, str):
                raise UserError(f"{place}: {_FORM}")
            if key in found:
                raise UserError(f"{place}: {key} is there twice")
            found[key] = loader.construct_object(value_node, deep=True), place
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f": line {mark.line + 1}" if mark else ""
        raise UserError(f"{path}{line}: is no YAML: {getattr(error, 'problem', None) or error}") from error
    return found


def write_settings(
    path: str | os.PathLike[str], values: Mapping[str, Any], comments: Mapping[str, str], head: str
) -> None:
    """Write settings as YAML or JSON by the file's ending; :func:`read_settings` reads them.

    Args:
        path: the file.
        values: plain values by key.
        comments: a line on each key; JSON has no comments.
        head: the first line.

    Raises:
        UserError: the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() == ".json":
        text = json.dumps(dict(values), indent=2) + "\n"
    else:
        lines = [f"# {head}\n"]
        lines += [f"\n# {comments[key]}\n{_line(key, value)}" for key, value in values.items()]
        text = "".join(lines)
    with atomic_io.writing(path, "choose a place that can be written"), atomic_io.replacing(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")


def _line(key: str, value: Any) -> str:
    word = yaml.safe_dump([value], allow_unicode=True, default_flow_style=True, width=10**6)
    return f"{key}: {word.strip()[1:-1]}\n"


def listed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with lists instead of tuples."""

    def as_list(value: Any) -> Any:
        return [as_list(each) for each in value] if isinstance(value, (tuple, list)) else value

    return {name: as_list(value) for name, value in values.items()}
