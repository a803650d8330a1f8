"""``gluon_yolo.summary`` gives the text of the command ``summary``, for every way to name a network."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

import gluon_yolo
from gluon_yolo.cli import main
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.models import zoo
from tests.models.darknet import small


@pytest.fixture
def cfg(tmp_path):
    path = tmp_path / "small.cfg"
    path.write_text(small.SMALL.replace("channels=3", "channels=3\nbatch=64"))
    return path


def unnumbered(text: str) -> list[list[str]]:
    """Return the words of each line without the numbers that Gluon gives to blocks."""
    return [re.sub(r"([a-z])\d+_", r"\1_", line).strip("-").split() for line in text.splitlines()]


def counts(found) -> tuple:
    layers = [(layer.type, layer.output, layer.parameters, layer.multiply_adds) for layer in found.layers]
    return found.network, found.size_hw, layers


def test_the_same_as_the_command(cfg, capsys):
    """The note on the file is equal too."""
    found = gluon_yolo.summary(cfg, size=(64, 32), classes=5)
    assert main(["summary", str(cfg), "--size", "64x32", "--classes", "5"]) == 0
    assert unnumbered(capsys.readouterr().out) == unnumbered(str(found))
    assert found.remarks == (f"{cfg}: no part in what the network computes: batch",)
    assert str(found).endswith(found.remarks[0])


def test_a_frame_and_what_a_notebook_shows(cfg):
    found = gluon_yolo.summary(cfg)
    frame = found.to_df()
    convolutions = frame[frame["type"] == "Convolution"]
    # 3x3 over 3 colours to 8 channels at half of 32x64; 1x1 to 14 channels with a bias
    assert convolutions["parameters"].tolist() == [216, 126]
    assert convolutions["multiply_adds"].tolist() == [216 * 16 * 32, 112 * 16 * 32]
    assert len(frame) == len(found.layers) and frame["parameters"].sum() == found.parameters
    shown = found._repr_html_()
    assert "<td>layer0.convolution</td><td>Convolution</td><td>8 x 16 x 32</td><td>216</td>" in shown
    assert "small, one picture of 32 x 64" in shown and "batch" in shown


def test_networks_that_are_named_otherwise(tmp_path):
    net = zoo.build("yolo3_mobilenet0.25_custom", ["a", "b"])
    ModelRecord("run", net.zoo_name, net.spec, (96, 128)).write(tmp_path / "model.json")
    by_path = gluon_yolo.summary(tmp_path)
    assert by_path.size_hw == (96, 128)
    for found in (
        gluon_yolo.summary(SimpleNamespace(folder=tmp_path)),  # the result of train
        gluon_yolo.summary(net, size="96x128"),
        gluon_yolo.summary("mobilenet0_25", size="96x128", classes=["a", "b"]),
    ):
        assert counts(found) == counts(by_path)
    assert gluon_yolo.summary(net).size_hw == (416, 416)


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        ("small", {"size": 33}, "^size: expected multiples of 2, got 33$"),
        ("small", {"size": "wide"}, "^size 'wide': expected pixels as 416 or, height first, 320x416$"),
        ("small", {"classes": 0}, "^classes: expected 1 or more, got 0$"),
        ("yolo3_mobilenet1.0_custom", {}, "has no number of classes of its own: add classes N$"),
        ("block", {"classes": 3}, "^classes: a network in memory has its classes; build another one$"),
    ],
)
def test_what_is_wrong_is_named_as_python_calls_it(cfg, network, options, message):
    block = small.built(small.SMALL, class_names=["cat", "dog"])
    named = {"small": cfg, "block": block}.get(network, network)
    with pytest.raises(SettingError, match=message):
        gluon_yolo.summary(named, **options)
    with pytest.raises(UserError, match="nowhere.cfg: cannot be read"):
        gluon_yolo.summary("nowhere.cfg")


def test_the_command_names_the_flag(capsys):
    assert main(["summary", "yolo3_mobilenet1.0_custom"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == "error: yolo3_mobilenet1.0_custom has no number of classes of its own: add --classes N"
