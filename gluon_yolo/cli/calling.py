"""Calling: how the user started this program, so that printed commands work when they are pasted."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

from gluon_yolo.errors import SettingError, SettingText, UserError

NAME = "gluon-yolo"
"""The program's name in messages; :func:`typed` replaces it by the user's way to call it."""
DOORS = {"train": "train_yolo3_mobilenet.py", "eval": "eval_yolo3.py", "demo": "demo.py"}
_ROOT = Path(__file__).resolve().parents[2]
_CALL = re.compile(rf"(?<![\w./-]){NAME}(?: ([a-z]+)|(?= (?:--?[a-z]|\[|COMMAND)))")


def typed(text: str) -> str:
    """Return a text with every command written as the user can call it from the present folder.

    ``gluon-yolo export RUN`` becomes ``python -m gluon_yolo export RUN`` if the user called that, and
    ``gluon-yolo demo`` becomes ``python demo.py`` if the user called a script.
    """
    return _CALL.sub(lambda call: command(call.group(1) or ""), text)


def command(name: str) -> str:
    """Return the beginning of a command line, such as that of ``train``; of the program alone if empty."""
    behind = f" {name}" if name else ""
    called = Path(sys.argv[0])
    if called.stem == NAME:
        return f"{_place(called)}{behind}"
    is_door = called.name in DOORS.values()
    if is_door and name in DOORS and called.with_name(DOORS[name]).is_file():
        return f"{this_python()} {shlex.quote(str(called.with_name(DOORS[name])))}"
    if is_door or (called.name == "__main__.py" and called.parent.name == "gluon_yolo"):
        return f"{_path()}{this_python()} -m gluon_yolo{behind}"
    return f"{NAME}{behind}"  # called by another program


def this_python() -> str:
    """Return the way to call the running Python interpreter from the present folder."""
    for name in ("python", "python3"):
        found = shutil.which(name)
        if found and os.path.realpath(found) == os.path.realpath(sys.executable) and _same_environment(found):
            return name
    return _place(Path(sys.executable))


def translate_log(logger: logging.Logger) -> None:
    """Make a logger write commands as the user called them, and settings as flags."""
    if not any(isinstance(each, _Typed) for each in logger.filters):
        logger.addFilter(_Typed())


def flag_of(setting: str) -> str:
    """Return the flag of a setting: ``--batch-size`` for ``batch_size``."""
    return f"--{setting.replace('_', '-')}"


def message(error: UserError) -> str:
    """Return an error's message with flags for settings, and with commands as the user can call them."""
    return typed(error.named(flag_of) if isinstance(error, SettingError) else str(error))


class _Typed(logging.Filter):
    """Writes commands in messages as the user called them, and settings as flags."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record; never drop it."""
        if isinstance(record.msg, SettingText):
            record.msg = record.msg.named(flag_of)
        if isinstance(record.args, tuple):
            named = (each.named(flag_of) if isinstance(each, SettingText) else each for each in record.args)
            record.args = tuple(named)
        message = record.getMessage()
        if NAME in message:
            record.msg, record.args = typed(message), ()
        return True


def _same_environment(python: str) -> bool:
    """Return whether an interpreter has the packages of the running one; a link from another venv has not."""
    return Path(python).parent == Path(sys.executable).parent


def _place(path: Path) -> str:
    """Return how to call a program: by its name if the shell finds it, else by its path."""
    if shutil.which(path.name) == str(path):
        return path.name
    near = os.path.relpath(path)
    return shlex.quote(str(path) if near.startswith(os.pardir) else near)


def _path() -> str:
    """Return ``PYTHONPATH=...`` if Python finds the package only through the folder of the script."""
    if Path("gluon_yolo", "__init__.py").is_file():
        return ""
    try:
        importlib.metadata.distribution("gluon_yolo")
    except importlib.metadata.PackageNotFoundError:
        return f"PYTHONPATH={shlex.quote(str(_ROOT))} "
    return ""
