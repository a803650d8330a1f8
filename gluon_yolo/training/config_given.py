"""Given settings: settings from a file, a program or the command line, converted to plain form."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from gluon_yolo.data.anchors import format_anchors, named_anchors
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.text import did_you_mean
from gluon_yolo.training.config_file import read_settings
from gluon_yolo.training.config_forms import ANCHOR_WORDS, typed_settings, understood

PLACES = ("data", "data_root", "classes", "class_map")
"""Settings with the paths of a run's data, which may have moved."""
_PATHS = (*PLACES, "weights", "teacher_weights", "teacher_classes")
_OPPOSITE = {"random_shape": "no_random_shape"}


def plain_given(values: Mapping[str, Any], kinds: Mapping[str, str]) -> dict[str, Any]:
    """Return given settings in plain form.

    Args:
        values: typed or plain, by the name of the setting or of its flag.
        kinds: the annotation of every setting.

    Raises:
        UserError: a name is unknown, or a value is invalid.
    """
    plain: dict[str, Any] = {}
    for key, value in values.items():
        for name, each in _one(key, value, kinds).items():
            if name in plain:
                raise UserError(f"{key}: is given twice, by two of its names")
            plain[name] = each
    return plain


def read_given(
    path: str | os.PathLike[str], kinds: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Read a file of settings.

    Args:
        path: YAML, or JSON if it ends in ``.json``.
        kinds: the annotation of every setting.

    Returns:
        The settings in plain form, and the place of each in the file, for messages.

    Raises:
        UserError: the file cannot be read, or a setting is unknown or invalid; names the file and the
            setting.
    """
    plain: dict[str, Any] = {}
    places: dict[str, str] = {}
    for key, (value, place) in read_settings(path).items():
        try:
            found = _one(key, value, kinds)
            typed_settings(found)
        except UserError as error:
            raise UserError(f"{place}: {error}") from error  # not a SettingError: a file has no flags
        for name in found:
            if name in plain:
                raise UserError(f"{place}: {key}: is given twice, by two of its names")
        plain.update(found)
        places.update(dict.fromkeys(found, place))
    return plain, places


def kept_settings(
    path: str | os.PathLike[str], settings: Mapping[str, Any], kinds: Mapping[str, str]
) -> dict[str, Any]:
    """Return the settings in a run's ``args.json``, each with a value that it accepts.

    Args:
        path: of the file, for messages.
        settings: in plain form, as they are in the file. Names that are no setting's, such as those of
            another version, stay as they are.
        kinds: the annotation of every setting.

    Raises:
        UserError: a value is of a wrong type, or its text cannot be parsed; names the file and the setting.
    """
    kept = dict(settings)
    for name, value in settings.items():
        if name in kinds or name in _OPPOSITE.values():
            try:
                kept.update(_one(name, value, kinds))
                typed_settings({name: kept[name]})
            except UserError as error:
                raise UserError(f"{path}: {error}; the run cannot be used without it") from error
    return kept


def _one(key: str, value: Any, kinds: Mapping[str, str]) -> dict[str, Any]:
    """Return one setting in plain form, by its plain name."""
    name = key.lstrip("-").replace("-", "_")
    if name in _OPPOSITE:
        return {_OPPOSITE[name]: not understood(name, value, kinds[name])}
    if name in _OPPOSITE.values():
        return {name: understood(name, value, "bool")}
    if name not in kinds:
        known = (*kinds, *_OPPOSITE.values())
        raise UserError(f"{key}: there is no such setting; {did_you_mean(name, known)}".rstrip("; "))
    return {name: understood(name, value, kinds[name])}


def settled_given(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return given settings with absolute paths, and with the anchors of a file as a list.

    Args:
        given: in plain form.

    Raises:
        SettingError: the file of ``anchors`` does not exist, or has no list of anchors.
    """
    settled = dict(given)
    anchors = settled.get("anchors")
    if anchors is not None and anchors not in ANCHOR_WORDS:
        try:
            settled["anchors"] = format_anchors(named_anchors(anchors))
        except UserError as error:
            raise SettingError(f"{{anchors}}: {error}") from error
    for name in ("network", "teacher"):  # each may be a network's name, which is no path
        if (settled.get(name) or "").endswith(".cfg"):
            settled[name] = absolute(settled[name])
    if settled.get("teacher") is not None and settled.get("teacher_weights") is None:
        settled["teacher"] = absolute(settled["teacher"])
    return {
        name: absolute(value) if name in _PATHS and value is not None else value
        for name, value in settled.items()
    }


def absolute(path: str) -> str:
    """Return the absolute form of a path."""
    return os.path.abspath(os.path.expanduser(path))


def check_memory(given: Mapping[str, Any]) -> None:
    """Raise a SettingError if ``memory`` is invalid."""
    gigabytes = given.get("memory")
    if gigabytes is None:
        return
    if not gigabytes < float("inf"):
        raise SettingError(
            f"{{memory}} {gigabytes}: must be a number of GB; leave it out to take what is there"
        )
    if gigabytes <= 0:
        raise SettingError(f"{{memory}} {gigabytes}: must be above 0")
