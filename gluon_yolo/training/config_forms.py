"""The two forms of a setting: typed, as in ``TrainConfig``, and plain, as in flags and ``args.json``.

Most settings are the same in both. The differences: in plain form ``data_shape`` is ``"416"`` or
``"320x416"``; ``random_shapes``, ``lr_decay_epoch`` and several factors of ``lr_decay`` are lists with
commas; ``anchors`` is such a list or a word; and ``random_shape`` is its opposite, ``no_random_shape``.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from gluon_yolo.data.anchors import by_level, format_anchors, parse_anchors
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.input_size import parse_size
from gluon_yolo.spec import Anchors
from gluon_yolo.text import exact, size_word

ANCHOR_WORDS = ("own", "better", "auto")  # values of ``anchors`` that are not a file or a list
AUTO_BATCH = -1  # the typed form of the word auto for batch_size
PROFILED = 10  # steps that ``profile: true`` records

_EPOCH = re.compile(r"\d{1,300}(\.\d*)?([eE][-+]?\d{1,2})?")


def plain_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return typed settings in plain form, fit for JSON.

    Args:
        values: every setting by its name, typed.
    """
    plain = {name: _TO_PLAIN[name](value) if name in _TO_PLAIN else value for name, value in values.items()}
    if "random_shape" in plain:
        plain["no_random_shape"] = not plain.pop("random_shape")
    return plain


def typed_settings(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain settings in typed form.

    Raises:
        SettingError: a text cannot be parsed.
    """
    values = {name: _TO_TYPED[name](value) if name in _TO_TYPED else value for name, value in plain.items()}
    if "no_random_shape" in values:
        values["random_shape"] = not values.pop("no_random_shape")
    return values


def anchors_by_level(text: str | Anchors | None, levels: int) -> Anchors | None:
    """Return the anchors of a list by level; None for the network's own and for words that need the data.

    Raises:
        SettingError: the text is not such a list, or has fewer anchors than the network has levels.
    """
    if text is None or not isinstance(text, str):
        return text
    if text in ANCHOR_WORDS:
        return None
    try:
        return by_level(parse_anchors(text), levels)
    except UserError as error:
        raise SettingError(f"{{anchors}}{str(error)[len('anchors') :]}") from error


def understood(name: str, value: Any, kind: str) -> Any:
    """Return the plain form of a value from a file or a program, which may be typed or plain.

    Args:
        name: of the setting, in plain form.
        value: the given value.
        kind: the annotation of the field, such as ``"int"`` or ``"str | None"``.

    Raises:
        SettingError: the setting does not accept the value.
    """
    if name in _LISTS and isinstance(value, Sequence) and not isinstance(value, str):
        value = _LISTS[name](name, value)
    if value is None:
        if "None" not in kind and name not in _MAY_BE_NONE:
            raise SettingError(f"{{{name}}}: needs a value")
        return None
    return _SPECIAL[name](name, value) if name in _SPECIAL else _KINDS[kind.partition(" ")[0]](name, value)


def setting_words(settings: Mapping[str, Any]) -> str:
    """Return plain settings as text for a message, with their names in braces."""
    words = ((f"{{{name}}}", value) for name, value in settings.items())
    return " ".join(word if value is True else f"{word} {shlex.quote(str(value))}" for word, value in words)


def _wrong(name: str, value: Any, expected: str) -> SettingError:
    shown = value if isinstance(value, str) else json.dumps(value, default=str)
    return SettingError(f"{{{name}}} {shown}: expected {expected}")


def _int(name: str, value: Any) -> int:
    if not isinstance(value, bool):
        try:
            if float(value) == int(float(value)):
                return int(value) if isinstance(value, str) else int(float(value))
        except (TypeError, ValueError, OverflowError):
            pass
    raise _wrong(name, value, "a whole number")


def _float(name: str, value: Any) -> float:
    if not isinstance(value, bool):
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            pass
    raise _wrong(name, value, "a number")


def _number(name: str, value: Any) -> float:
    """Return a whole number as int, and any other number as float."""
    if isinstance(value, str):
        return _int(name, value) if value.isdecimal() else _float(name, value)
    return value if isinstance(value, int) and not isinstance(value, bool) else _float(name, value)


def _bool(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(name, value, "true or false")
    return value


def _str(name: str, value: Any) -> str:
    if isinstance(value, bool) or not (isinstance(value, (str, int, float)) or hasattr(value, "__fspath__")):
        raise _wrong(name, value, "a text")
    return str(value)


def _profile(name: str, value: Any) -> int:
    return (PROFILED if value else 0) if isinstance(value, bool) else _int(name, value)


def _bool_or_file(name: str, value: Any) -> bool | str:
    return value if isinstance(value, bool) else _str(name, value)


def _count_or_auto(name: str, value: Any) -> int | str:
    if value in ("auto", str(AUTO_BATCH), AUTO_BATCH):
        return "auto"
    return _int(name, value)


def _yes_no_word(name: str, value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else _str(name, value)


def _factors(name: str, value: Any) -> float | str:
    """Return one factor as a number, and several, with commas, as text."""
    words = value.split(",") if isinstance(value, str) else [value]
    factors = [_float(name, word) for word in words]
    return factors[0] if len(factors) == 1 else str(value)


def _one_size(name: str, value: Any) -> str:
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    raise _wrong(name, value, "pixels as 416 or, height first, 320x416")


def _pair(name: str, value: Sequence[Any]) -> str:
    if len(value) != 2:
        raise _wrong(name, value, "height and width")
    return size_word([_int(name, side) for side in value])


def _sizes(name: str, value: Sequence[Any]) -> str:
    pairs = (isinstance(size, Sequence) and not isinstance(size, str) for size in value)
    words = [_pair(name, size) if is_pair else _str(name, size) for size, is_pair in zip(value, pairs)]
    return ",".join(words)


def _numbers(name: str, value: Sequence[Any]) -> str:
    return ",".join(exact(_float(name, number)) for number in value)


def _words(name: str, value: Sequence[Any]) -> str:
    return ",".join(_str(name, word) for word in value)


def _names(name: str, value: Sequence[Any]) -> str:
    return ",".join(_str(name, word).replace(",", "\\,") for word in value)


def _anchor_list(name: str, value: Sequence[Any]) -> str:
    """Return anchors, by level or in one list, as text."""
    flat = list(value)
    while flat and isinstance(flat[0], Sequence) and not isinstance(flat[0], str):
        flat = [number for part in flat for number in part]
    return _anchor_text([flat[place : place + 2] for place in range(0, len(flat), 2)], name)


def _anchor_text(pairs: Sequence[Sequence[Any]], name: str = "anchors") -> str:
    if not all(len(pair) == 2 for pair in pairs):
        raise _wrong(name, pairs, "widths and heights")
    return format_anchors([[_float(name, side) for side in pair] for pair in pairs])


def _typed_sizes(text: str) -> tuple[tuple[int, int], ...]:
    return tuple(parse_size(word, "random_shapes") for word in text.split(",") if word.strip())


def _typed_epochs(text: str) -> tuple[float, ...]:
    """Return decay epochs as numbers; those of a darknet cfg can be within an epoch."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not all(_EPOCH.fullmatch(word) for word in words):
        raise SettingError(f"{{lr_decay_epoch}} {text!r}: expected epochs with commas between, as 160,180")
    return tuple(int(word) if word.isdecimal() else float(word) for word in words)


def _typed_factors(value: float | str) -> float | tuple[float, ...]:
    return tuple(map(float, value.split(","))) if isinstance(value, str) else value


def _plain_factors(value: float | Sequence[float]) -> float | str:
    return ",".join(map(repr, map(float, value))) if isinstance(value, Sequence) else value


def _plain_anchors(value: str | Anchors | None) -> str | None:
    """Return anchors as text; None for the network's own."""
    return value if value is None or isinstance(value, str) else _anchor_list("anchors", value)


_KINDS: dict[str, Callable[[str, Any], Any]] = {"int": _int, "float": _float, "bool": _bool, "str": _str}
_SPECIAL: dict[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(("warmup_epochs", "lr_decay_period"), _number),
    **dict.fromkeys(("lr_decay_epoch", "random_shapes", "anchors"), _str),
    "data_shape": _one_size,
    "lr_decay": _factors,
    "profile": _profile,
    "batch_size": _count_or_auto,
    "pretrained": _bool_or_file,
    "pretrained_base": _yes_no_word,
}
_LISTS: dict[str, Callable[[str, Sequence[Any]], str]] = {
    **dict.fromkeys(("gpus", "freeze", "train_split", "val_split"), _words),
    **dict.fromkeys(("lr_decay", "lr_decay_epoch"), _numbers),
    **{"only": _names, "data_shape": _pair, "random_shapes": _sizes, "anchors": _anchor_list},
}
_MAY_BE_NONE = ("anchors",)
_TO_TYPED: dict[str, Callable[[Any], Any]] = {
    "data_shape": lambda text: parse_size(text, "data_shape"),
    "random_shapes": _typed_sizes,
    "lr_decay_epoch": _typed_epochs,
    "lr_decay": _typed_factors,
    "batch_size": lambda count: AUTO_BATCH if count == "auto" else count,
}
_TO_PLAIN: dict[str, Callable[[Any], Any]] = {
    "data_shape": size_word,
    "random_shapes": lambda sizes: ",".join(map(size_word, sizes)),
    "lr_decay_epoch": lambda epochs: ",".join(map(exact, epochs)),
    "lr_decay": _plain_factors,
    "batch_size": lambda count: "auto" if count == AUTO_BATCH else count,
    "anchors": _plain_anchors,
}
