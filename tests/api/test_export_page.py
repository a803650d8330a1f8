"""The page on export, quantize and import_darknet in Python: each of its blocks runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import gluon_yolo
from gluon_yolo.data.synthetic import generate
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.weights.darknet_header import Header
from gluon_yolo.weights.darknet_model import save
from tests.models.darknet import small
from tests.random_model import random_detector

PAGE = Path(__file__).resolve().parents[2] / "docs" / "_python_export.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """What the page says that there is."""
    folder = tmp_path_factory.mktemp("page")
    generate(folder / "shapes", images=10, size_hw=(96, 96))
    run = folder / "runs" / "yolo3_mobilenet0.25_custom-1"
    net = random_detector(class_names=gluon_yolo.open_source(folder / "shapes").class_names(["train"]))
    (run / "weights").mkdir(parents=True)
    net.save_parameters(str(run / "weights" / "best.params"))
    ModelRecord(run.name, net.zoo_name, net.spec, (64, 64)).write(run / "model.json")
    save(small.built(small.SMALL, class_names=["cat", "dog"]), folder, "yolov3-tiny", Header())
    (folder / "yolov3-tiny.names").rename(folder / "coco.names")
    return folder


@pytest.mark.parametrize("block", BLOCKS, ids=[str(number) for number in range(1, len(BLOCKS) + 1)])
def test_a_block_runs(place, block, monkeypatch):
    for package in ("onnx", "onnxruntime") if "onnx" in block else ():
        pytest.importorskip(package)
    monkeypatch.chdir(place)
    exec(compile(block, PAGE.name, "exec"), {})


def test_the_page_shows_each_function():
    text = PAGE.read_text(encoding="utf-8")
    for name in ("export", "quantize", "import_darknet", "import_fastestv2"):
        assert f"gluon_yolo.{name}(" in text and callable(getattr(gluon_yolo, name))
