"""Parser: argparse with one-line errors that name the mistake and the fix."""

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
    """Writes the commands in help texts as the user calls the program, before it breaks the lines."""

    def _expand_help(self, action: argparse.Action) -> str:
        return typed(super()._expand_help(action))


class Joined(argparse.Action):
    """Joins the values of a repeated flag with commas."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        """Append a value."""
        before = getattr(namespace, self.dest, None)
        setattr(namespace, self.dest, values if before is None else f"{before},{values}")


class Parser(argparse.ArgumentParser):
    """Parses the words of a command. A mistake is a ``UserError``; flags cannot be abbreviated."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", _Formatter)
        super().__init__(allow_abbrev=False, **options)
        self._words: list[str] = []

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return the parsed arguments.

        Raises:
            UserError: a word is unexpected, or an argument is wrong.
        """
        self._words = list(sys.argv[1:] if args is None else args)
        found, extra = self.parse_known_args(self._words, namespace)
        if extra:
            self._refuse(extra)
        return found

    def error(self, message: str) -> NoReturn:
        """Raise a UserError instead of printing the usage.

        An unknown flag is reported before a missing word, because a misspelled flag may cause both.
        """
        if message.startswith(_REQUIRED) and (unknown := self._unknown_flags()):
            self._refuse(unknown)
        raise UserError(f"{_plain(message)}; {self._see()}")

    def format_help(self) -> str:
        """Return the help, with examples as the user calls the program.

        The usage line does not repeat the flags if there are very many.
        """
        flags = [action for action in self._actions if action.option_strings]
        if self.usage is None and len(flags) > _FLAGS_SHOWN:
            words = [str(action.metavar or action.dest) for action in self._actions if action not in flags]
            self.usage = " ".join([self.prog, *words, "[flag ...]"]).replace("%", "%%")
        return typed(super().format_help())

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            if not action.option_strings and (unknown := self._unknown_flags(str(value))):
                self._refuse(unknown)  # the value may belong to the unknown flag
            name = action.option_strings[-1] if action.option_strings else str(action.metavar or action.dest)
            known = [str(choice) for choice in action.choices]
            raise UserError(f"{name} {value}: {did_you_mean(str(value), known)}there is {', '.join(known)}")

    def _refuse(self, extra: Sequence[str]) -> NoReturn:
        """Raise the error about unexpected words."""
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
        """Return the words before ``end`` that look like flags and are unknown."""
        words = itertools.takewhile(lambda word: word not in ("--", end), self._words)
        known = {name for action in self._actions for name in action.option_strings}
        flags = (word for word in words if re.match(r"--?[a-zA-Z]", word))
        return [word for word in flags if word.partition("=")[0] not in known and word[:2] not in known]

    def _see(self) -> str:
        return typed(f"see {self.prog} --help")


def _plain(message: str) -> str:
    """Return argparse's message in this program's words."""
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
