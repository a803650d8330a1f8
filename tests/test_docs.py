"""What README, docs/ and --help show: commands that parsers take, code that names what it defines, links."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gluon_yolo
from gluon_yolo.cli import parser_of
from gluon_yolo.data.synthetic import generate
from gluon_yolo.training.config import TrainConfig
from tests import shown_commands
from tests.shown_commands import ROOT, Slip

OUTSIDE = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")]
PAGES = [*OUTSIDE, *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def blocks(page: Path, *languages: str) -> list[str]:
    return [text for kind, text in _BLOCK.findall(page.read_text(encoding="utf-8")) if kind in languages]


def commands(page: Path) -> list[str]:
    return [line for text in blocks(page, "", "sh", "bash") for line in shown_commands.lines(text)]


@by_page
def test_commands(page):
    for command in commands(page):
        shown_commands.check(command)


@by_page
def test_code_within_sentences(page):
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    for code in re.findall(r"`([^`]+)`", text):
        shown_commands.check_mentioned(code)


def test_blocks_of_flags():
    """Lines that begin with a flag belong to ``train``, which the text in front says."""
    lines = [line for text in blocks(ROOT / "docs/training.md", "") for line in text.splitlines()]
    flags = [line for line in lines if line.startswith("--")]
    assert len(flags) >= 2
    for line in flags:
        shown_commands.check(f"gluon-yolo train --data my_data {line}")


def test_most_commands_are_seen():
    """Else a change of the pages' form would let the tests above pass over all of them."""
    seen = {page.name: len(commands(page)) for page in PAGES}
    for name, at_least in {"README.md": 10, "CONTRIBUTING.md": 7, "training.md": 4, "data.md": 6}.items():
        assert seen[name] >= at_least, name


# A command with a slip, as a page might show it.
SLIPS = [
    "python -m gluon_yolo export runs/NAME --fromat onnx",
    "python -m gluon_yolo exprot runs/NAME",
    "python train_yolo3_mobilenet.py --data my_data --recipe small-date",
    "gluon-yolo data chekc my_data",
    "gluon-yolo data",
    "gluon-yolo data anchors my_data --num nine",
    "python demo.py street.jpg --save-crop",
    "python bechmarks/runtimes.py",
    "python benchmarks/data_pipeline.py --round 3",
    "make tset",
    "make PYTON=python3.12 test",
    "make test ARGS=tests/test_box.py",
    ".venv/bin/python -m pytest -q tests/test_box.py",
    "pip install -r requirement.txt",
    'pip install ".[runtime]"',
    "cmake -S deploy/ncn -B build/ncnn",
    "build/deploy/ncnn/detect model street.jpg --drawn seen",
    "deploy/ncnn/build.sh ncnn-arm64",
]
# Such a slip within a sentence.
MENTIONED_SLIPS = [
    "--data-shapes",
    "--recipe small-date",
    "--worker-type thread|proces",
    "demo --score-treshold",
    "gluon-yolo data anchors FOLDER --nums 9",
    "make pythns",
    "python benchmarks/no_such.py",
]


@pytest.mark.parametrize("command", SLIPS)
def test_a_slip_is_found(command):
    assert shown_commands.lines(f"{command}  # text\n") == [command]
    with pytest.raises(Slip):
        shown_commands.check(command)


@pytest.mark.parametrize("code", MENTIONED_SLIPS)
def test_a_slip_within_a_sentence_is_found(code):
    with pytest.raises(Slip):
        shown_commands.check_mentioned(code)


@pytest.mark.parametrize("name", shown_commands.every_command())
def test_examples_in_the_help(name):
    for command in shown_commands.lines(parser_of(name).description):
        shown_commands.check(command)


@by_page
def test_settings_are_those_of_a_config(page, tmp_path):
    for text in blocks(page, "yaml"):
        (tmp_path / "config.yaml").write_text(text)
        TrainConfig.load(tmp_path / "config.yaml")


@by_page
def test_python_names_what_the_package_has(page):
    """What a block imports of the package is there, and so is what it takes of ``gluon_yolo``."""
    for text in blocks(page, "python"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gluon_yolo"):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, each.name) for each in node.names), ast.unparse(node)
            elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "gluon_yolo":
                assert node.attr in gluon_yolo.__all__ or node.attr == "errors", ast.unparse(node)


def test_python_of_the_data_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generate("my_data", images=10, size_hw=(64, 96))
    names: dict = {}
    for text in blocks(ROOT / "docs/data.md", "python"):
        exec(text, names)
    assert names["image"].shape == (64, 96, 3)
    assert names["annotations"].boxes.shape[1:] == (4,)


@by_page
def test_python_names_what_it_defines(page):
    pytest.importorskip("ruff")
    texts = blocks(page, "python")
    if page.name == "python.md":  # one program, which tests/test_python_page.py runs
        texts = ["\n".join(texts)]
    for text in texts:
        check = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821,E9", "-"]
        done = subprocess.run(check, input=text, capture_output=True, text=True)
        assert done.returncode == 0, f"{page.name}:\n{text}\n{done.stdout}"


@by_page
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


@by_page
def test_files_that_are_named_are_there(page):
    """Paths start at the checkout or, as in the architecture's lists, at the package."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    folders = sorted(path.name for folder in (ROOT, ROOT / "gluon_yolo") for path in folder.glob("[a-z]*/"))
    named = set(re.findall(rf"`((?:{'|'.join(folders)})/[\w./-]+\.(?:py|cpp|h|sh|typed))`", text))
    for path in sorted(each for each in named if not re.search(r"\b(?:NAME|x)\b", each)):
        assert (ROOT / path).exists() or (ROOT / "gluon_yolo" / path).exists(), f"{page.name}: {path}"


def test_make_help_names_every_target():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    told = set(re.findall(r"^make (\S+)", done.stdout, re.MULTILINE))
    (phony,) = re.findall(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert told == set(phony.split())
