"""Standard output has only the lines of the command, not those that runtime libraries print."""

from __future__ import annotations

import re
import subprocess
import sys

import cv2
import pytest

from gluon_yolo.data.synthetic import generate
from tests.child import ROOT
from tests.random_model import random_detector, random_image

pytest.importorskip("MNN", reason="package MNN is not installed")
pytest.importorskip("onnx", reason="package onnx is not installed")
pytest.importorskip("onnxruntime", reason="package onnxruntime is not installed")

SIZE_HW = (64, 96)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    from gluon_yolo.exporters.api import export

    folder = tmp_path_factory.mktemp("model")
    export(random_detector(), folder, ["symbol", "onnx", "mnn"], "toy", SIZE_HW)
    return folder


def command(*words):
    """Run a command in its own process; return the lines of its standard output and of its standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "gluon_yolo", *map(str, words)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "device supports" not in done.stderr
    return done.stdout.splitlines(), done.stderr


def matches(lines, patterns):
    """Check that there is a line for each pattern, and no other line."""
    assert len(lines) == len(patterns), lines
    for line, pattern in zip(lines, patterns):
        assert re.fullmatch(pattern, line), line


def test_demo(model, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), random_image(100, 80))
    for runtime in ("mnn", "auto"):
        lines, _ = command(
            *("demo", "--model", model, "--runtime", runtime, tmp_path / "a.png", "--out", tmp_path / runtime)
        )
        name = "mnn" if runtime == "mnn" else "(mnn|mxnet|onnxruntime|openvino)"
        image = r".*a\.png: \d+ objects .*; pre-process .* ms, network .* ms, post-process .* ms -> .*a\.png"
        limited = r".*a\.png: 100 objects, the most that --max-detections 100 allows; there were more"
        matches(lines, [f"runtime: {name}", image, limited, r"1 done, \d+ objects; results are in .*"])


def test_export(model, tmp_path):
    lines, _ = command("export", model, "--format", "mnn", "--name", "toy", "--out", tmp_path / "out")
    matches(
        lines,
        [
            "yolo3_mobilenet0.25_custom, 3 classes, input 64x96",
            "mnn  toy.mnn",
            "     largest difference from the network on 3 pictures: .*",
            "the model is in .*; use it with: .*",
        ],
    )


def test_eval(model, tmp_path):
    data = generate(tmp_path / "shapes", images=5, size_hw=(96, 96))
    words = ["eval", "--model", model, "--data", data]
    ours, others = (command(*words, "--runtime", runtime)[0] for runtime in ("mnn", "onnxruntime"))
    assert len(ours) == len(others) and ours[-3].endswith("runtime mnn")
    assert [line.split()[:1] for line in ours] == [line.split()[:1] for line in others]


def test_doctor():
    lines, _ = command("doctor")
    place = lines.index("runtimes for exported models")
    rows = lines[place + 1 : lines.index("", place)]
    names = ("mxnet", "torch", "onnxruntime", "openvino", "ncnn", "MNN", "ai_edge_litert", "opencv")
    matches(rows, [f"  {name:14} .+" for name in names])
    assert re.fullmatch(r"  MNN +[\d.]+ ready", rows[5])
