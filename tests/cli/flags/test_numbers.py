"""Number flags: a value out of its range is an error of parsing, before a model is loaded."""

from __future__ import annotations

import argparse

import pytest

from gluon_yolo.cli import main
from gluon_yolo.cli.flags.numbers import Within

DEMO = ("demo", "nowhere.jpg", "--model", "nowhere")
EVAL = ("eval", "--model", "nowhere", "--data", "nowhere")
QUANTIZE = ("quantize", "nowhere", "--data", "nowhere", "--out", "out")
EXPORT = ("export", "nowhere", "--out", "out")


@pytest.mark.parametrize(
    ("command", "flag", "value", "message"),
    [
        (DEMO, "--frames", "0", "--frames 0: expected 1 or more"),
        (DEMO, "--score-threshold", "1.5", "--score-threshold 1.5: must lie within 0 and 1"),
        (DEMO, "--score-threshold", "-1", "--score-threshold -1.0: must lie within 0 and 1"),
        (DEMO, "--score-threshold", "nan", "--score-threshold nan: must lie within 0 and 1"),
        (DEMO, "--nms-threshold", "inf", "--nms-threshold inf: must lie within 0 and 1"),
        (DEMO, "--gpu", "-1", "--gpu -1: expected 0 or more"),
        (EVAL, "--batch-size", "0", "--batch-size 0: expected 1 or more"),
        (EVAL, "-j", "-1", "--workers -1: expected 0 or more"),
        (EVAL, "--nms-threshold", "-0.1", "--nms-threshold -0.1: must lie within 0 and 1"),
        (QUANTIZE, "--num", "0", "--num 0: expected 1 or more"),
        (QUANTIZE, "--eval-num", "-3", "--eval-num -3: expected 1 or more"),
        (QUANTIZE, "--seed", "-1", "--seed -1: expected 0 or more"),
        (QUANTIZE, "--max-drop", "-1", "--max-drop -1.0: must lie within 0 and 100"),
        (QUANTIZE, "--max-drop", "nan", "--max-drop nan: must lie within 0 and 100"),
        (QUANTIZE, "--max-detections", "0", "--max-detections 0: expected 1 or more"),
        (QUANTIZE, "--score-threshold", "2", "--score-threshold 2.0: must lie within 0 and 1"),
        (QUANTIZE, "--size", "0", "--size '0': expected pixels"),
        (EVAL, "--size", "9999999936", "--size 9999999936: expected 8192 pixels a side at most"),
        (EXPORT, "--max-detections", "-1", "--max-detections -1: expected 1 or more"),
    ],
)
def test_a_number_out_of_its_range(command, flag, value, message, capsys):
    assert main([*command, f"{flag}={value}" if flag.startswith("--") else f"{flag}{value}"]) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")


def test_a_number_within():
    parser = argparse.ArgumentParser()
    parser.add_argument("--share", type=float, action=Within, least=0, most=1, default=7.0)
    assert [parser.parse_args(words).share for words in ([], ["--share", "0"], ["--share", "1"])] == [7, 0, 1]
