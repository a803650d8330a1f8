"""The commands of docs/darknet53.md are valid, and mean what the page says."""

from __future__ import annotations

import argparse
import re
import shlex

import pytest

from gluon_yolo.cli import eval as eval_command
from gluon_yolo.cli.flags.train import add_train_arguments
from tests.cli.test_train_flags import fresh_flags, given, settings_of
from tests.small_training import ROOT

PAGE = (ROOT / "docs" / "darknet53.md").read_text()
BLOCKS = re.findall(r"```\n(.*?)```", PAGE, flags=re.DOTALL)
COMMANDS = [
    line for block in BLOCKS for line in block.replace("\\\n", "").splitlines() if line.startswith("python ")
]


def parsed(command: str, module) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return parser.parse_args(shlex.split(command)[2:])


@pytest.fixture
def weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "darknet53.conv.74").touch()


def test_training_commands(weights):
    commands = [command for command in COMMANDS if "train_yolo3_mobilenet.py" in command]
    published, own = (
        settings_of(fresh_flags(given(shlex.join(shlex.split(command)[2:]))), "yolo3_darknet53_coco", 3)
        for command in commands
    )
    steps = 2587  # of 82,783 images, 32 at a time
    schedule = published.schedule(steps)
    assert (schedule.mode, schedule.total_epochs, schedule.cosine_epochs) == ("cosine", 320, 320)
    assert schedule.warmup_steps == 4 * steps
    assert (published.batch_size, published.wd, published.no_wd) == (32, 0.016 / 1024, True)
    assert published.sizes_hw == [(416, 416)]
    assert published.pretrained_base.endswith("/darknet53.conv.74")
    assert own.frozen == ("backbone",)


def test_evaluation_command():
    (command,) = [command for command in COMMANDS if "eval_yolo3.py" in command]
    args = parsed(command, eval_command)
    assert (args.size, args.score_threshold, args.nms_threshold) == ("416", 0.001, 0.5)


def test_every_flag_of_the_tables_is_there():
    """Flags in the second column belong to the command of the table."""
    parts = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    for title, add in (("train.py", add_train_arguments), ("eval.py", eval_command.add_arguments)):
        (part,) = [part for part in parts if part.startswith(title)]
        parser = argparse.ArgumentParser()
        add(parser)
        cells = [line.split(" | ")[1] for line in part.splitlines() if line.startswith("| `")]
        flags = {flag for cell in cells for flag in re.findall(r"--[a-z-]+", cell)}
        assert len(flags) > 5
        assert flags <= set(parser._option_string_actions), flags - set(parser._option_string_actions)
