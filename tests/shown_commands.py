"""Commands as pages show them: each is read by what would run it, without running it."""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import re
import shlex
from pathlib import Path

from gluon_yolo.cli import COMMANDS, module_of, parser_of
from gluon_yolo.cli.calling import DOORS
from gluon_yolo.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
SUB_COMMANDS = ("data", "import")
_CALLS = {
    **{f"python {door}": name for name, door in DOORS.items()},
    "python -m gluon_yolo": "",
    "gluon-yolo": "",
}
_MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
_PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
# Programs that are not this project's: their arguments are theirs.
_OTHERS = (".", "export", "patchelf", "docker", "lscpu", "pre-commit")
# Where a block's line begins a command, and not what one prints.
_PROGRAM = re.compile(
    r"(?:python3? |gluon-yolo |make |pip |cmake |deploy/|build/|\.venv/|\. |export |patchelf "
    r"|srun |torchrun )"
)


class Slip(Exception):
    """A command that would not run as a page shows it."""


def lines(block: str) -> list[str]:
    """Return the commands of a block of a page: split lines are joined, prompts and comments left out."""
    joined = block.replace("\\\n", " ")
    found = [re.sub(r"^[$] ", "", line.strip()).partition(" #")[0].rstrip() for line in joined.splitlines()]
    return [part.strip() for line in found if _PROGRAM.match(f"{line} ") for part in line.split("&&")]


def check(line: str) -> None:
    """Read one command.

    Args:
        line: as it is typed.

    Raises:
        Slip: for a program, target, file or flag that is not there, or a value that is not taken.
    """
    line = re.sub(r"\bpython3 ", "python ", line).removeprefix("srun ")
    for call, name in _CALLS.items():
        if line == call or line.startswith(f"{call} "):
            return _own(f"{name} {line[len(call) :]}".strip())
    program, *words = shlex.split(line)
    if program == "torchrun":
        _torchrun(words)
    elif program == "make":
        _make(words)
    elif re.fullmatch(r"(?:\S*/)?python", program) and words[0] != "-m":
        _script(words)
    elif re.fullmatch(r"(?:\S*/)?python", program) and words[1] == "pytest":
        _has(each for each in words[2:] if each.startswith("tests"))
    elif program == "pip":
        _pip(words)
    elif program == "cmake":
        _has(word for before, word in zip(words, words[1:]) if before == "-S")
    elif program.startswith("deploy/"):
        _has([program])
    elif re.fullmatch(r"build/deploy/(ncnn|mxnet_cpp)/detect", program):
        _known(line, words, sample_flags())
    elif program not in _OTHERS:
        raise Slip(f"{line}: a program that no test knows")


def check_mentioned(text: str) -> None:
    """Read code within a sentence, where it is a command, the end of one, or a flag.

    A sentence may leave out words that the command needs (``train --anchors``). What it has is checked: the
    command's name, flags, and values of flags that take some words only.

    Raises:
        Slip: as for ``check``.
    """
    text = re.sub(r"^(?:python3? -m gluon_yolo|gluon-yolo)(?: |$)", "", " ".join(text.split()))
    if text.startswith(("make ", "pip ", "cmake ", "python ", "python3 ")):
        return check(text)
    words = _words(text)
    if not words:
        return
    name = _name(words)
    if name:
        _known(text, words, flags_of(name))
        return
    if words[0].startswith("--"):
        taken = {**flags_of(*every_command()), **dict.fromkeys([*sample_flags(), "--no-deps", "--help"], ())}
        _known(text, words, taken)


@functools.cache
def every_command() -> tuple[str, ...]:
    """Return all commands: ``train``, ``data``, ``data check`` and so on."""
    names: list[str] = []
    for name in COMMANDS:
        below = importlib.import_module(module_of(name)).COMMANDS if name in SUB_COMMANDS else ()
        names += [name, *(f"{name} {each}" for each in below)]
    return tuple(names)


@functools.cache
def flags_of(*names: str) -> dict[str, tuple[str, ...]]:
    """Return the flags of commands, each with the words that it takes; with none where it takes any."""
    found: dict[str, tuple[str, ...]] = {}
    for name in names:
        for action in parser_of(name)._actions:
            for flag in action.option_strings:
                free = flag in found and not found[flag]
                choices = () if free or action.choices is None else tuple(map(str, action.choices))
                found[flag] = (*found.get(flag, ()), *choices) if choices else ()
    return found


@functools.cache
def sample_flags() -> tuple[str, ...]:
    """Return the flags of the C++ programs."""
    return tuple(re.findall(r'"(--[a-z-]+)"', (ROOT / "deploy/common/program.cpp").read_text()))


def _own(words: str) -> None:
    """Let the parser of a command read its words."""
    split = [word for word in shlex.split(words) if word != "..."]
    name = _name(split)
    if not name:
        raise Slip(f"{words}: no such command")
    rest = split[len(name.split()) :]
    if rest[-1:] in (["--help"], ["--version"]):
        return _known(words, rest, flags_of(name))
    if name in SUB_COMMANDS:
        raise Slip(f"{words}: one of its commands is missing")
    try:
        parser_of(name).parse_args(rest)
    except (UserError, SystemExit) as error:
        raise Slip(f"{words}: {error}") from error


def _name(words: list[str]) -> str:
    """Return the command that some words begin with, or nothing."""
    for count in (2, 1):
        if " ".join(words[:count]) in every_command():
            return " ".join(words[:count])
    return ""


def _known(text: str, words: list[str], flags: dict[str, tuple[str, ...]] | tuple[str, ...]) -> None:
    taken = flags if isinstance(flags, dict) else dict.fromkeys(flags, ())
    for word, value in zip(words, [*words[1:], ""]):
        if not re.match(r"--?[a-z]", word):
            continue
        flag, is_joined, joined = word.partition("=")
        if flag not in taken:
            raise Slip(f"{text}: {flag} is not there")
        for each in (joined if is_joined else value).split("|"):
            if taken[flag] and each.islower() and each not in taken[flag]:
                raise Slip(f"{text}: {flag} takes {', '.join(taken[flag])}")


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a lone quotation mark: text, and no command
        return []


def _torchrun(words: list[str]) -> None:
    """Let torch's own parser read its words, and ours those of the command that it starts."""
    place = words.index("-m")
    if words[place + 1] != "gluon_yolo":
        raise Slip(f"torchrun -m {words[place + 1]}: not this package")
    _own(shlex.join(words[place + 2 :]))
    if importlib.util.find_spec("torch") is None:
        return
    try:
        importlib.import_module("torch.distributed.run").get_args_parser().parse_args(words)
    except SystemExit as error:
        raise Slip(f"torchrun {shlex.join(words)}: it takes no such words") from error


def _make(words: list[str]) -> None:
    (phony,) = re.findall(r"^\.PHONY: (.*)$", _MAKEFILE, re.MULTILINE)
    for word in words:
        variable, is_variable, value = word.partition("=")
        if is_variable and not re.search(rf"\$\({variable}\)", _MAKEFILE):
            raise Slip(f"make {word}: no such variable")
        if not is_variable and word not in phony.split():
            raise Slip(f"make {word}: no such target")
        _has(each for each in value.split() if each.startswith(("tests", "requirements")))


def _script(words: list[str]) -> None:
    _has(words[:1])
    tree = ast.parse((ROOT / words[0]).read_text(encoding="utf-8"))
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    named = (arg for call in calls for arg in call.args if getattr(call.func, "attr", "") == "add_argument")
    flags = tuple(str(arg.value) for arg in named if isinstance(arg, ast.Constant))
    _known(" ".join(words), words[1:], (*flags, "--help"))


def _pip(words: list[str]) -> None:
    _has(word for before, word in zip(words, words[1:]) if before == "-r")
    for word in words:
        for extra in re.findall(r"^\.\[(\w+)\]$", word):
            if f"optional-dependencies.{extra} " not in _PROJECT:
                raise Slip(f"pip: no extra {extra}")


def _has(paths: object) -> None:
    for path in paths:  # type: ignore[attr-defined]
        if not (ROOT / path).exists():
            raise Slip(f"{path} is not there")
