"""``data pack``: which files it writes from what, and what it says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gluon_yolo.cli import main
from gluon_yolo.data.recordio.source import RecordSource
from gluon_yolo.data.synthetic import generate
from gluon_yolo.data.voc.dataset import open_voc


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten drawn images: eight to train on, two held out."""
    return generate(tmp_path_factory.mktemp("data") / "shapes", images=10, size_hw=(64, 80))


def pack(*words: object) -> int:
    return main(["data", "pack", *map(str, words)])


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_all_parts(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "my packed"
    assert pack(source, out) == 0
    assert set(content(out)) == {
        ".gluon_yolo",
        "classes.names",
        "train.rec",
        "train.idx",
        "val.rec",
        "val.idx",
    }
    size = sum((out / f"{part}.rec").stat().st_size for part in ("train", "val")) / 1e6
    assert capsys.readouterr().out == (
        f"packed: 8 train, 2 val pictures, {size:.1f} MB: {out}; "
        f"train on it: gluon-yolo train --data '{out}'\n"
    )
    packed = RecordSource(out)
    assert packed.parts() == {"train": "train", "val": "val"}
    for part in ("train", "val"):
        theirs, ours = open_voc(source, part), packed.open(part)
        assert [ours.encoded(i) for i in range(len(ours))] == [theirs.encoded(i) for i in range(len(theirs))]
        assert ours.class_names == packed.class_names([part])


def test_again_force_and_broken(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack(source, tmp_path / "out")
    first = content(tmp_path / "out")
    capsys.readouterr()
    assert pack(source, tmp_path / "out") == 0
    assert capsys.readouterr().out.startswith(
        "packed already, and whole (--force packs it anew): 8 train, 2 val"
    )
    (tmp_path / "out" / "val.rec").write_bytes(first["val.rec"][:-4])
    assert pack(source, tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert "val.rec: is there already and is not this data: \n  the file ends within the record" in error
    assert "--force packs it anew" in error
    assert pack(source, tmp_path / "out", "--force") == 0
    assert content(tmp_path / "out") == first


def test_goes_on(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack(source, tmp_path / "whole")
    whole = content(tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "out")
    for name in ("val.rec", "val.idx"):
        (tmp_path / "out" / name).unlink()
    assert pack(source, tmp_path / "out") == 0
    assert capsys.readouterr().out.rpartition("packed: ")[2].startswith("8 train, 2 val pictures")
    assert content(tmp_path / "out") == whole


def test_packs_a_pack(source: Path, tmp_path: Path) -> None:
    """Records are a source like any other; so are they without their index."""
    pack(source, tmp_path / "a")
    (tmp_path / "a" / "train.idx").unlink()
    assert pack(tmp_path / "a", tmp_path / "b") == 0
    assert pack(source, tmp_path / "c") == 0
    assert content(tmp_path / "b") == content(tmp_path / "c")


def test_some_splits(source: Path, tmp_path: Path) -> None:
    assert pack(source, tmp_path / "out", "--split", "trainval", "--split", "val") == 0
    assert set(RecordSource(tmp_path / "out").splits()) == {"trainval", "val"}
    assert len(RecordSource(tmp_path / "out").open("trainval")) == 10


def test_classes(source: Path, tmp_path: Path) -> None:
    names = tuple(reversed(open_voc(source, "train").class_names))
    (tmp_path / "names").write_text("\n".join(names))
    assert pack(source, tmp_path / "out", "--classes", tmp_path / "names") == 0
    assert RecordSource(tmp_path / "out").open("train").class_names == names


def test_a_folder_with_something_else(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "letter.txt").touch()
    assert pack(source, tmp_path) == 2
    assert "holds something else already; name another folder" in capsys.readouterr().err
