"""DataSettings: a data set that Python names; what is wrong is said by the settings' names, or by the flags."""

from __future__ import annotations

from pathlib import Path

import pytest

from gluon_yolo.cli import main
from gluon_yolo.data.open import DataSettings
from gluon_yolo.errors import SettingError
from tests.cli.flags.test_data import write_voc


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_voc(tmp_path, {"train": ["a", "b"], "val": ["c"]}, ["ant", "bee", "cat"])
    return tmp_path


@pytest.mark.parametrize(
    ("settings", "names", "sizes"),
    [
        ({}, ("ant", "bee", "cat"), (2, 1)),
        ({"classes": ["cat", "bee", "ant"]}, ("cat", "bee", "ant"), (2, 1)),
        ({"only": ["cat", "ant"]}, ("ant", "cat"), (2, 1)),
        ({"only": "cat, ant"}, ("ant", "cat"), (2, 1)),
        ({"train_split": "val", "val_split": "train"}, ("ant", "bee", "cat"), (1, 2)),
    ],
)
def test_what_is_opened(folder, settings, names, sizes):
    train, val, found = DataSettings(folder, **settings).open()
    assert found == names and (len(train), len(val)) == sizes


@pytest.mark.parametrize(
    ("settings", "setting", "message"),
    [
        ({"only": ","}, "only", "only: names no class; give names with commas between"),
        ({"only": []}, "only", "only: names no class; give names with commas between"),
        ({"only": ["dog"]}, "only", "only dog: there is no such class; there is ant, bee, cat"),
        ({"data_root": "D"}, "data", "name the data once: data PATH, or dataset with data_root DIR"),
        ({"data": None, "format": "voc"}, "format", "format says what data PATH is; with data_root, dataset does"),
    ],
)  # fmt: skip
def test_settings_are_named(folder, settings, setting, message):
    with pytest.raises(SettingError) as caught:
        DataSettings(**{"data": folder, **settings}).open()
    assert (caught.value.setting, str(caught.value)) == (setting, message)


def test_a_part_that_is_not_there(tmp_path):
    """The way out has the words that find the data again, and is what works in a shell."""
    write_voc(tmp_path, {"train": ["a", "b"]}, ["ant", "bee"])
    with pytest.raises(SettingError) as caught:
        DataSettings(tmp_path, format="voc").open()
    assert str(caught.value).endswith(
        f"hold some out with `gluon-yolo data split {tmp_path} --format voc --force`, or name some with val_split"
    )


def test_the_command_line_names_flags(tmp_path, folder, capsys):
    (tmp_path / "notes").mkdir()
    assert main(["data", "check", str(tmp_path / "notes")]) == 2
    assert "say the format with --format NAME to learn what is missing" in capsys.readouterr().err
    assert main(["data", "check", str(folder), "--format", "voc"]) == 0
    assert main(["data", "convert", str(folder), "--to", "coco", "--only", "dog", str(tmp_path / "out")]) == 2
    assert "error: --only dog: there is no such class" in capsys.readouterr().err
