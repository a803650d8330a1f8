"""Commands in messages and help texts: ``typed`` finds them, and they work when they are pasted."""

from __future__ import annotations

import ast
import contextlib
import re
import shlex
from pathlib import Path

import pytest

import gluon_yolo
from gluon_yolo.cli import COMMANDS, parser_of
from gluon_yolo.errors import UserError

PACKAGE = Path(gluon_yolo.__file__).parent
_NAMES = "|".join(COMMANDS)
_NO_PROGRAM = re.compile(rf"(?<!-m )\bgluon_yolo (?:{_NAMES})\b")
_BARE = re.compile(rf"`(?:{_NAMES})(?: [a-z]+)? [^`]*--[^`]*`")
_QUOTED = re.compile(r"(?<!`)`(gluon-yolo [^`]*)`(?!`)")


def strings(tree: ast.AST):
    """Yield the strings of a module with their lines, with X for each formatted value."""
    parts = {part for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            filled = (part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
            yield node.lineno, "".join(map(str, filled))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in parts:
            yield node.lineno, node.value


def wrong(text: str) -> str:
    """Return what is wrong with the commands in a text."""
    for pattern in (_NO_PROGRAM, _BARE):
        if found := pattern.search(text):
            return f"{found.group()!r} does not begin with gluon-yolo"
    for line in _QUOTED.findall(text):
        words = shlex.split(line.replace("%s", "X"))[1:]
        if words[1:2] in (["COMMAND"], ["KIND"]):
            continue
        name = " ".join(words[:2]) if words[0] in ("data", "import") else words[0]
        if len(words) > len(name.split()):  # else the text is about the command, not a line to paste
            with contextlib.suppress(SystemExit):  # --help
                try:
                    parser_of(name).parse_args(words[len(name.split()) :])
                except UserError as error:
                    return f"{line!r}: {error}"
    return ""


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_every_command_that_a_text_names(path, capsys):
    for line, text in strings(ast.parse(path.read_text(encoding="utf-8"))):
        assert not wrong(text), f"{path}:{line}"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("write it with `gluon_yolo export --format onnx`", "does not begin with gluon-yolo"),
        ("``gluon_yolo export`` names them", "does not begin with gluon-yolo"),
        ("export them with `export --network NAME`", "does not begin with gluon-yolo"),
        ("write it with `gluon-yolo export RUN`", "missing: --out"),
        ("divide it with `gluon-yolo data split --force`", "missing: PATH"),
        ("take `gluon-yolo train --resum RUN`", "give the whole name: --resume"),
        ("python -m gluon_yolo export, as `data split` does", ""),
        ("`gluon-yolo export RUN --out X`, `gluon-yolo data check`, `gluon-yolo train --help`", ""),
    ],
)
def test_what_is_wrong_is_seen(text, fault, capsys):
    assert fault in wrong(text) and bool(fault) == bool(wrong(text))
