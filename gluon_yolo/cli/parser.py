"""Parser: argparse's, with errors of one line that name the slip and the way out."""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from gluon_yolo.cli.calling import typed
from gluon_yolo.errors import UserError
from gluon_yolo.text import did_you_mean

_FLAGS_SHOWN = 12
_REQUIRED = "the following arguments are required: "
_KINDS = {"int": "a whole number", "float": "a number"}


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Writes commands in a flag's text as the user calls the program, before its lines are broken."""

    def _expand_help(self, action: argparse.Action) -> str:
        return typed(super()._expand_help(action))


class Joined(argparse.Action):
    """Joins what a repeated flag is given, with commas between."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        """Add what came."""
        before = getattr(namespace, self.dest, None)
        setattr(namespace, self.dest, values if before is None else f"{before},{values}")


class Parser(argparse.ArgumentParser):
    """Reads a command's words; a mistake in them is a ``UserError``, and flags are not abbreviated."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", _Formatter)
        super().__init__(allow_abbrev=False, **options)
        self._words: list[str] = []

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return the arguments.

        Raises:
            UserError: for a word that there is no place for, and all else that is wrong.
        """
        self._words = list(sys.argv[1:] if args is None else args)
        found, extra = self.parse_known_args(self._words, namespace)
        if extra:
            self._refuse(extra)
        return found

    def error(self, message: str) -> NoReturn:
        """Raise a UserError in the place of printing the usage.

        A flag that there is not counts more than a word that is missing: it may be what was to give it.
        """
        if message.startswith(_REQUIRED) and (unknown := self._unknown_flags()):
            self._refuse(unknown)
        raise UserError(f"{_plain(message)}; {self._see()}")

    def format_help(self) -> str:
        """Return the help, in which examples are written as the user calls the program.

        The first line does not repeat very many flags.
        """
        flags = [action for action in self._actions if action.option_strings]
        if self.usage is None and len(flags) > _FLAGS_SHOWN:
            words = [str(action.metavar or action.dest) for action in self._actions if action not in flags]
            self.usage = " ".join([self.prog, *words, "[flag ...]"]).replace("%", "%%")
        return typed(super().format_help())

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            if not action.option_strings and (unknown := self._unknown_flags(str(value))):
                self._refuse(unknown)  # whose value it may be
            name = action.option_strings[-1] if action.option_strings else str(action.metavar or action.dest)
            known = [str(choice) for choice in action.choices]
            raise UserError(f"{name} {value}: {did_you_mean(str(value), known)}there is {', '.join(known)}")

    def _refuse(self, extra: Sequence[str]) -> NoReturn:
        """Raise the error about words that fit nothing."""
        first = extra[0]
        if not first.startswith("-"):
            raise UserError(f"{' '.join(extra)}: no place for this; {self._see()}")
        flag = first.partition("=")[0]
        flags = [name for action in self._actions for name in action.option_strings if name.startswith("--")]
        longer = [name for name in flags if flag.startswith("--") and name.startswith(flag)]
        if longer:
            raise UserError(f"{flag}: flags are not shortened; give the whole name: {' or '.join(longer)}")
        raise UserError(f"{flag}: there is no such flag; {did_you_mean(flag, flags)}{self._see()}")

    def _unknown_flags(self, end: str = "--") -> list[str]:
        """Return the words before an end that begin like a flag, and are none."""
        words = itertools.takewhile(lambda word: word not in ("--", end), self._words)
        known = {name for action in self._actions for name in action.option_strings}
        flags = (word for word in words if re.match(r"--?[a-zA-Z]", word))
        return [word for word in flags if word.partition("=")[0] not in known and word[:2] not in known]

    def _see(self) -> str:
        return typed(f"see {self.prog} --help")


def _plain(message: str) -> str:
    """Return argparse's message in the words of this program."""
    for pattern, replacement in (
        (r"argument (\S+?/)?(-\S+): expected one argument", r"\2: a value is missing behind it"),
        (r"argument (\S+?/)?(-\S+): expected at least one argument", r"\2: a value is missing behind it"),
        (r"argument (\S+?/)?(\S+): invalid (int|float) value: '(.*)'", r"\2 \4: expected {\3}"),
        (r"argument (\S+?/)?(\S+): (.*)", r"\2: \3"),
        (rf"{_REQUIRED}(.*)", r"missing: \1"),
    ):
        match = re.fullmatch(pattern, message, re.DOTALL)
        if match:
            plain = match.expand(replacement)
            return re.sub(r"\{(int|float)\}", lambda kind: _KINDS[kind.group(1)], plain)
    return message
