"""The dispatcher of ``data``: which commands there are, and what they refuse alike."""

from __future__ import annotations

import pytest

from gluon_yolo.cli import main
from gluon_yolo.cli.data import COMMANDS
from tests.data.voc.test_dataset import add


def test_without_a_command_the_commands_are_listed(capsys):
    assert main(["data"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {name:9} {line}\n" in out for name, line in COMMANDS.items())


@pytest.mark.parametrize("name", COMMANDS)
def test_each_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["data", name, "--help"])
    assert caught.value.code == 0 and f"usage: gluon-yolo data {name} " in capsys.readouterr().out


def test_an_unknown_one(capsys):
    assert main(["data", "chekc", "x"]) == 2
    assert "chekc: did you mean check? there is check, " in capsys.readouterr().err


@pytest.mark.parametrize("words", [["convert", "--to", "coco"], ["pack"]])
def test_nothing_is_written_into_the_data_itself(tmp_path, words, capsys):
    add(tmp_path / "data", "a")
    out = tmp_path / "data" / "deep" / "out"
    assert main(["data", words[0], str(tmp_path / "data"), str(out), *words[1:]]) == 2
    assert f"{out}: lies in the data itself, {tmp_path}/data; name a folder" in capsys.readouterr().err
    assert not out.parent.exists()
