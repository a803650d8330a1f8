"""Data hints: the printed commands work when they are pasted."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import pytest

from gluon_yolo.cli import main
from gluon_yolo.cli.flags.data import add_data_arguments, request_of
from gluon_yolo.data.hints import complete, with_path
from gluon_yolo.data.opening import open_datasets
from gluon_yolo.data.registry import WRITERS, open_source
from gluon_yolo.data.request import DataRequest
from gluon_yolo.data.synthetic import generate
from gluon_yolo.errors import UserError


def parsed(*words: str) -> DataRequest:
    parser = argparse.ArgumentParser()
    add_data_arguments(parser)
    return request_of(parser.parse_args(list(words)))


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return ten drawn images in each format for training only, in a folder with a space in its name."""
    root = tmp_path_factory.mktemp("my homes")
    data = open_source(generate(root / "shapes", images=10, size_hw=(64, 96))).open("trainval")
    for format in ("voc", "coco", "yolo", "keras"):
        writer = WRITERS[format](root / format, data.class_names)
        writer.write("train", data)
        writer.finish()
    (root / "shapes.names").write_text("".join(f"{name}\n" for name in data.class_names))
    (yolo,) = (root / "yolo").glob("*.data")
    yolo.write_text(re.sub("names *=.*", "", yolo.read_text()))
    for names in (root / "yolo").glob("*.names"):
        names.unlink()
    return root


@pytest.mark.parametrize(
    ("format", "flags", "hint"),
    [
        ("voc", [], "{}"),
        ("coco", ["--format", "coco"], "{} --format coco"),
        ("yolo", ["--classes", "shapes.names"], "{} --classes shapes.names"),
        ("keras", [], "{}"),
    ],
)
def test_the_hint_for_data_without_a_validation_part(
    homes: Path, monkeypatch: pytest.MonkeyPatch, format: str, flags: list[str], hint: str
) -> None:
    monkeypatch.chdir(homes)
    with pytest.raises(UserError) as refusal:
        open_datasets(parsed("--data", str(homes / format), *flags))
    (found,) = re.findall("hold some out with `(gluon-yolo data split .*)`, or name", str(refusal.value))
    assert found == f"gluon-yolo data split {hint} --force".format(shlex.quote(str(homes / format)))
    assert main(shlex.split(found)[1:]) == 0
    train, val, _ = open_datasets(parsed("--data", str(homes / format)))
    assert train is not None and val is not None and len(train) + len(val) == 10


def test_what_was_never_divided_needs_no_force(tmp_path: Path) -> None:
    for number, name in enumerate("abcd"):
        (tmp_path / f"{name}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
        (tmp_path / f"{name}.pgm").write_bytes(b"P5 9 9 255 " + bytes([number]) * 81)
    (tmp_path / "classes.txt").write_text("bee\n")
    with pytest.raises(UserError, match=rf"`gluon-yolo data split {tmp_path}`, or name"):
        open_datasets(parsed("--data", str(tmp_path)))


def test_texts_of_readers_and_advice(homes: Path) -> None:
    source = open_source(homes / "coco")
    given, path = (
        parsed("--data", "D", "--format", "coco", "--classes", "a b.txt"),
        shlex.quote(str(source.path)),
    )
    words = "--format coco --classes 'a b.txt'"
    note = f"see whether they fit: gluon-yolo data show {path} --split x --turned"
    assert (
        complete(note, given)
        == f"see whether they fit: gluon-yolo data show {path} --split x {words} --turned"
    )
    assert complete(note, parsed("--data", "D")) == note
    advice = "as `data split` does, or `gluon-yolo data show`, or `data dedupe`"
    assert with_path(advice, source, given) == (
        f"as `gluon-yolo data split {path} {words} --force` does, or `gluon-yolo data show {path} {words}`, "
        f"or `gluon-yolo data dedupe {path} {words}`"
    )


@pytest.mark.parametrize("to", ["voc", "coco", "yolo", "keras"])
def test_the_hint_of_what_was_converted(
    homes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], to: str
) -> None:
    assert (
        main(["data", "convert", str(homes / "shapes"), "--split", "trainval", "--to", to, str(tmp_path)])
        == 0
    )
    (hint,) = re.findall("to train, divide it: (gluon-yolo .*)", capsys.readouterr().out)
    assert main(shlex.split(hint)[1:]) == 0


def test_the_hint_of_what_was_packed_is_on_what_it_is_of(
    homes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = homes / "voc"
    words = ["data", "pack", str(path), str(tmp_path / "rec"), "--format", "voc", "--split", "train"]
    assert main(words) == 0
    hint = f"to train, divide it: gluon-yolo data split '{path}' --format voc --force, then pack it anew"
    assert hint in capsys.readouterr().out
