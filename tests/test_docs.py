"""What README, docs/ and --help show: commands that parsers take, code that names what it defines, links."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gluon_yolo.cli import COMMANDS, module_of, parser_of
from gluon_yolo.cli.calling import DOORS

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
PAGES = [*OUTSIDE, *sorted((ROOT / "docs").glob("*.md"))]
SUB_COMMANDS = ("data", "import")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_CALLS = {f"python {door}": name for name, door in DOORS.items()}


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in _BLOCK.findall(page.read_text(encoding="utf-8")) if kind == language]


def commands(text: str) -> list[str]:
    """Return the lines of a text that call this program, as ``train --data D``; split lines are joined."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        line = re.sub(r"^[$] ", "", line.strip()).replace("python3 ", "python ")
        for call, name in {**_CALLS, "python -m gluon_yolo": "", "gluon-yolo": ""}.items():
            if line.startswith(f"{call} "):
                found.append(f"{name} {line[len(call) :].strip()}".strip())
    return found


def parse(command: str) -> None:
    """Let the parser of a command read its words; it raises for one that it does not take."""
    words = [word for word in shlex.split(command.partition(" #")[0]) if word != "..."]
    name = " ".join(words[: 2 if words[0] in SUB_COMMANDS else 1])
    if words[1:] and words[-1] not in ("--help", "--version"):
        parser_of(name).parse_args(words[len(name.split()) :])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands(page):
    for text in (*blocks(page, ""), *blocks(page, "sh"), *blocks(page, "bash")):
        for command in commands(text):
            parse(command)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_within_sentences(page):
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    for command in re.findall(r"`(?:gluon-yolo|python -m gluon_yolo) ([a-z][^`]*)`", text):
        name, *words = command.split()
        if name in SUB_COMMANDS and words and words[0].islower():
            name = f"{name} {words.pop(0)}"
        flags = [word.partition("=")[0] for word in words if word.startswith("--")]
        known = {flag for action in parser_of(name)._actions for flag in action.option_strings}
        assert set(flags) <= known, f"{page.name}: {command}"


def every_command() -> list[str]:
    import importlib

    names = []
    for name in COMMANDS:
        below = importlib.import_module(module_of(name)).COMMANDS if name in SUB_COMMANDS else ()
        names += [name, *(f"{name} {each}" for each in below)]
    return names


@pytest.mark.parametrize("name", every_command())
def test_examples_in_the_help(name):
    for command in commands(parser_of(name).description):
        parse(command)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_names_what_it_defines(page):
    pytest.importorskip("ruff")
    texts = blocks(page, "python")
    if page.name == "python.md":  # one program, which tests/test_python_page.py runs
        texts = ["\n".join(texts)]
    for text in texts:
        check = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821,E9", "-"]
        done = subprocess.run(check, input=text, capture_output=True, text=True)
        assert done.returncode == 0, f"{page.name}:\n{text}\n{done.stdout}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_of_the_package_that_are_named_are_there(page):
    for path in re.findall(r"`((?:gluon_yolo|benchmarks|tests|deploy)/[\w./-]+\.\w+)`", page.read_text()):
        assert (ROOT / path).exists(), f"{page.name}: {path}"


def test_make_help_names_every_target():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    told = set(re.findall(r"^make (\S+)", done.stdout, re.MULTILINE))
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert told == set(phony.split())
