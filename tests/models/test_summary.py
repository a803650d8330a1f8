"""Summary: published numbers, and counts by hand."""

from __future__ import annotations

import pytest

from gluon_yolo.cli import main
from gluon_yolo.models import zoo
from gluon_yolo.models.summary import summarize
from gluon_yolo.mxnet_compat import nd


def test_darknet53_has_62_million_parameters():
    summary = summarize(zoo.build("yolo3_darknet53_coco"), (416, 416))
    assert round(summary.parameters / 1e6, 1) == 62.0
    assert summary.parameters - summary.statistics == 61_949_149  # YOLOv3's well-known number of parameters


def test_mobilenet_does_10_giga_multiply_adds():
    summary = summarize(zoo.build("yolo3_mobilenet1.0_voc"), (416, 416))
    assert round(summary.multiply_adds / 1e9, 3) == 10.156
    assert summary.flops == 2 * summary.multiply_adds


@pytest.mark.parametrize("norm", ["bn", "sync", "frozen"])
def test_parameters_are_those_of_the_initialized_network(norm):
    net = zoo.build("yolo3_mobilenet0.25_voc", norm=norm)
    before = summarize(net, (64, 96))
    net.initialize_weights()
    net(nd.zeros((1, 64, 96, 3)))
    held = {p.name: p.data().size for p in net.collect_params().values() if "normalize" not in p.name}
    assert before.parameters == sum(held.values())
    assert before.statistics == sum(size for name, size in held.items() if "running" in name)
    assert summarize(net, (64, 96)) == before


def test_first_layers_by_hand():
    summary = summarize(zoo.build("yolo3_mobilenet1.0_voc"), (64, 96))
    convolution, depthwise = [layer for layer in summary.layers if layer.type == "Convolution"][:2]
    # 3x3 over 3 colours to 32 channels at half of the size; depthwise 3x3 over 32 channels
    assert (convolution.output, convolution.parameters) == ((32, 32, 48), 32 * 3 * 9)
    assert convolution.multiply_adds == 32 * 48 * 32 * 3 * 9
    assert (depthwise.output, depthwise.parameters) == ((32, 32, 48), 32 * 9)
    assert depthwise.multiply_adds == 32 * 48 * 32 * 9
    head = [layer for layer in summary.layers if layer.name == "heads.levels.2"]
    assert [(layer.output, layer.parameters) for layer in head] == [((75, 2, 3), 75 * 1024 + 75)]


def test_command_prints_table_and_totals(capsys):
    assert main(["summary", "mobilenet0_25", "--size", "64x96", "--classes", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["layer", "type", "output", "parameters", "multiply-adds"]
    assert "yolo3_mobilenet0.25_custom, one picture of 64 x 96" in lines
    assert any(line.startswith("heads.levels.0") and "21 x 8 x 12" in line for line in lines)
    assert not any("Activation" in line or "broadcast" in line for line in lines)
    assert [line.split()[0] for line in lines[-3:]] == ["parameters", "multiply-adds", "FLOPs"]


def test_command_takes_voc_when_nothing_is_said(capsys):
    assert main(["summary", "mobilenet1_0", "--size", "416"]) == 0
    assert "10.156 G" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, said",
    [
        (["mobilnet9"], "unknown network"),
        (["yolo3_mobilenet1.0_custom"], "add --classes N"),
        (["mobilenet1_0", "--classes", "0"], "--classes: expected 1 or more"),
        (["mobilenet1_0", "--size", "large"], "expected pixels as 416"),
        (["mobilenet1_0", "--size", "0"], "expected pixels as 416"),
        (["mobilenet1_0", "--size", "416x400"], "--size: expected multiples of 32"),
    ],
)
def test_command_refuses(capsys, words, said):
    assert main(["summary", *words]) == 2
    assert said in capsys.readouterr().err
