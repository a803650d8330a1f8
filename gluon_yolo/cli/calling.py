"""Calling: how the user started this program, so that what is to be typed next works when pasted."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

from gluon_yolo.errors import SettingText

NAME = "gluon-yolo"
"""What messages call the program; :func:`typed` puts how it was called in its place."""
DOORS = {"train": "train_yolo3_mobilenet.py", "eval": "eval_yolo3.py", "demo": "demo.py"}
_ROOT = Path(__file__).resolve().parents[2]
_CALL = re.compile(rf"(?<![\w./-]){NAME}(?: ([a-z]+)|(?= (?:--?[a-z]|\[|COMMAND)))")


def typed(text: str) -> str:
    """Return a text in which every command is written as it works from where the user stands.

    ``gluon-yolo export RUN`` becomes ``python -m gluon_yolo export RUN`` for who called it so, and
    ``gluon-yolo demo`` becomes ``python demo.py`` for who called a script.
    """
    return _CALL.sub(lambda call: command(call.group(1) or ""), text)


def command(name: str) -> str:
    """Return what begins the line of a command, such as ``train``; of the program alone where it is empty."""
    behind = f" {name}" if name else ""
    called = Path(sys.argv[0])
    if called.stem == NAME:
        return f"{_place(called)}{behind}"
    is_door = called.name in DOORS.values()
    if is_door and name in DOORS and called.with_name(DOORS[name]).is_file():
        return f"{this_python()} {shlex.quote(str(called.with_name(DOORS[name])))}"
    if is_door or (called.name == "__main__.py" and called.parent.name == "gluon_yolo"):
        return f"{_path()}{this_python()} -m gluon_yolo{behind}"
    return f"{NAME}{behind}"  # another program calls this one


def this_python() -> str:
    """Return what to type for the running interpreter from here."""
    for name in ("python", "python3"):
        found = shutil.which(name)
        if found and os.path.realpath(found) == os.path.realpath(sys.executable) and _same_environment(found):
            return name
    return _place(Path(sys.executable))


def flag_of(setting: str) -> str:
    """Return what the command line calls a setting: ``batch_size`` is ``--batch-size``."""
    return f"--{setting.replace('_', '-')}"


def translate_log(logger: logging.Logger) -> None:
    """Let what a logger says name commands as they were called, and settings by flags; once is enough."""
    if not any(isinstance(each, _Typed) for each in logger.filters):
        logger.addFilter(_Typed())


class _Typed(logging.Filter):
    """Writes commands in messages as the user called them, and settings as their flags."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record and let it pass."""
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
    """Say whether an interpreter has the packages of the running one: links to it in others have not."""
    return Path(python).parent == Path(sys.executable).parent


def _place(path: Path) -> str:
    """Return a program as it is typed from here: by name where the shell finds it, else by path."""
    if shutil.which(path.name) == str(path):
        return path.name
    near = os.path.relpath(path)
    return shlex.quote(str(path) if near.startswith(os.pardir) else near)


def _path() -> str:
    """Return what goes before Python where the package is found by nothing but the script's own folder."""
    if Path("gluon_yolo", "__init__.py").is_file():
        return ""
    try:
        importlib.metadata.distribution("gluon_yolo")
    except importlib.metadata.PackageNotFoundError:
        return f"PYTHONPATH={shlex.quote(str(_ROOT))} "
    return ""
