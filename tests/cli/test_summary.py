"""``summary`` of a darknet cfg and of a model folder."""

from __future__ import annotations

import pytest

from gluon_yolo.cli import main
from gluon_yolo.inference.model_record import ExportedFormat, ModelRecord
from gluon_yolo.models import zoo
from tests.models.darknet import small


@pytest.fixture
def cfg(tmp_path):
    (tmp_path / "small.cfg").write_text(small.SMALL)
    return str(tmp_path / "small.cfg")


def said(capsys) -> list[str]:
    """Return the printed lines with single spaces."""
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_a_cfg_at_its_own_size(cfg, capsys):
    assert main(["summary", cfg]) == 0
    lines = said(capsys)
    # 3x3 over 3 colours to 8 channels at half of 32x64, batch norm, 1x1 to 14 channels with a bias
    assert lines[-4:] == [
        "small, one picture of 32 x 64",
        "parameters 0.000 M (running statistics: 16)",
        "multiply-adds 0.000 G (convolutions)",
        "FLOPs 0.000 G (two for each multiply-add)",
    ]
    counts = [line.split()[-2:] for line in lines if "Convolution" in line]
    assert any(line.startswith("layer0.convolution Convolution 8 x 16 x 32 216 ") for line in lines)
    assert counts == [["216", f"{216 * 16 * 32:,}"], ["126", f"{112 * 16 * 32:,}"]]


def test_keys_without_effect_are_the_last_line(tmp_path, capsys):
    path = tmp_path / "small.cfg"
    path.write_text(
        small.SMALL.replace("channels=3", "channels=3\nbatch=1\nbatch=64\nshow_receptive_field=1")
    )
    assert main(["summary", str(path)]) == 0
    repeated = "batch=64 on line 6 (batch=1 on line 5 counts)"
    listed = f"{path}: no part in what the network computes: batch, show_receptive_field, {repeated}"
    assert said(capsys)[-1] == listed


def test_a_cfg_at_another_size_and_for_other_classes(cfg, capsys):
    assert main(["summary", cfg, "--size", "64", "--classes", "5"]) == 0
    lines = said(capsys)
    assert "small, one picture of 64 x 64" in lines
    assert any(line.startswith("layer1.convolution Convolution 20 x 32 x 32") for line in lines)


def test_a_runs_folder(tmp_path, capsys):
    net = zoo.build("yolo3_mobilenet0.25_custom", ["a", "b"])
    ModelRecord("run", net.zoo_name, net.spec, (96, 128)).write(tmp_path / "model.json")
    assert main(["summary", str(tmp_path)]) == 0
    lines = said(capsys)
    assert "yolo3_mobilenet0.25_custom, one picture of 96 x 128" in lines
    assert any(line.startswith("heads.levels.0 Convolution 21 x 12 x 16") for line in lines)


def test_an_imported_folder(cfg, tmp_path, capsys):
    net = small.built(small.SMALL, class_names=["cat", "dog"])
    net.keep(tmp_path)
    ModelRecord("small", "small", net.spec, (64, 32)).write(tmp_path / "model.json")
    assert main(["summary", str(tmp_path)]) == 0
    assert "small, one picture of 64 x 32" in said(capsys)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.cfg"], "nowhere.cfg: cannot be read"),
        (["SMALL", "--size", "33"], "--size: expected multiples of 2, got 33"),
        (["FOLDER"], "no model"),
        (["EXPORT"], "is an exported graph; name the run or the network that it came from"),
    ],
)
def test_refused(cfg, tmp_path, capsys, words, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "export").mkdir()
    spec = small.built(small.SMALL).spec
    formats = {"onnx": ExportedFormat(("small.onnx",), "raw", ("raw_0",))}
    ModelRecord("small", "small", spec, (32, 64), formats).write(tmp_path / "export" / "small.json")
    places = {"SMALL": cfg, "FOLDER": str(tmp_path / "folder"), "EXPORT": str(tmp_path / "export")}
    assert main(["summary", *(places.get(word, word) for word in words)]) == 2
    assert message in capsys.readouterr().err
