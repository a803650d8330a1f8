"""Exported models, demo and eval without mxnet: the same detections as with it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import cv2
import numpy as np
import pytest

from gluon_yolo.data.synthetic import CLASS_NAMES, generate
from gluon_yolo.errors import MissingDependency
from gluon_yolo.exporters.api import export
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.inference.runtimes.base import import_package
from gluon_yolo.inference.runtimes.registry import RUNTIMES
from tests.random_model import random_detector, random_image

pytest.importorskip("onnx", reason="package onnx is not installed")

ROOT = Path(__file__).resolve().parents[2]
SIZE_HW = (96, 128)


def loads(package: str) -> bool:
    """Whether a package is installed and loads: MNN's wheel does not where glibc is 2.41 or newer."""
    try:
        return import_package(package) is not None
    except MissingDependency:
        return False


OTHERS = [
    name
    for name, runtime in RUNTIMES.items()
    if not runtime.builds and runtime.installed and loads(runtime.package)
]
FORMATS = {"onnxruntime": "onnx", "openvino": "onnx", "ncnn": "ncnn", "mnn": "mnn", "tflite": "tflite"}
FORMATS["opencv"] = "caffe"

# Rejects imports of mxnet and gluoncv, as if they were not installed.
REFUSE = """
import importlib.util, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("mxnet", "gluoncv"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Refuse())
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "mxnet" else find_spec(name, *rest)
"""
FIND = """
import json
from gluon_yolo import Predictor
found = {}
for runtime in RUNTIMES:
    predictor = Predictor.load(MODEL, runtime=runtime)
    rows = predictor(IMAGE)
    assert predictor.fit.mode == "letterbox"
    found[runtime] = [predictor.runtime, rows.class_ids.tolist(), rows.scores.tolist(), rows.boxes.tolist()]
assert not {"mxnet", "gluoncv"} & set(sys.modules)
print(json.dumps(found))
"""
COMMAND = """
from gluon_yolo.cli import main
status = main(WORDS)
assert not {"mxnet", "gluoncv"} & set(sys.modules)
sys.exit(status)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a model in all formats that can be run here, images, and mxnet's detections."""
    place = tmp_path_factory.mktemp("place")
    net = random_detector(class_names=CLASS_NAMES)
    formats = ["symbol", *dict.fromkeys(FORMATS[name] for name in OTHERS)]
    export(net, place / "model", formats, name="toy", size_hw=SIZE_HW, fit="letterbox")
    cv2.imwrite(str(place / "a.png"), random_image(150, 100))
    generate(place / "shapes", images=6, size_hw=(96, 128))
    return place


def python(place, code, python=sys.executable, **values):
    """Run code in a new process, in a folder outside the checkout; return it when it has ended."""
    given = "".join(f"{name} = {value!r}\n" for name, value in values.items())
    return subprocess.run(
        [str(python), "-c", "import sys\n" + given + code],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT) if python == sys.executable else ""},
        capture_output=True,
        text=True,
    )


def assert_same(place, done, names):
    """Assert that a process has mxnet's detections with each runtime."""
    assert done.returncode == 0, done.stderr
    expected = Predictor.load(place / "model", runtime="mxnet")(place / "a.png")
    assert len(expected) > 10
    found = json.loads(done.stdout.splitlines()[-1])
    assert list(found) == list(names)
    for name, (runtime, class_ids, scores, boxes) in found.items():
        assert runtime in (OTHERS if name == "auto" else [name])
        assert class_ids == expected.class_ids.tolist(), name
        assert np.allclose(scores, expected.scores, atol=1e-4), name
        assert np.allclose(boxes, expected.boxes, atol=0.05), name


@pytest.mark.skipif(not OTHERS, reason="no other runtime is installed")
def test_the_same_boxes(place):
    names = [*OTHERS, "auto"]
    done = python(place, REFUSE + FIND, RUNTIMES=names, MODEL="model", IMAGE="a.png")
    assert_same(place, done, names)


@pytest.mark.skipif(not OTHERS, reason="no other runtime is installed")
@pytest.mark.parametrize(
    "words, said",
    [
        (["demo", "--model", "model", "a.png"], "a.png: "),
        (["eval", "--model", "model", "--data", "shapes"], "VOC07 mAP50 "),
    ],
    ids=["demo", "eval"],
)
def test_commands(place, words, said):
    done = python(place, REFUSE + COMMAND, WORDS=words)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout and "runtime" in done.stdout


def test_what_needs_mxnet_says_so(place):
    words = ["demo", "--model", "model", "a.png", "--runtime", "mxnet"]
    done = python(place, REFUSE + COMMAND, WORDS=words)
    assert done.returncode == 2 and "error: mxnet is not installed: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_an_environment_of_its_own(place, tmp_path):
    """A new environment with only this package, onnxruntime and ncnn, from pip."""
    names = [name for name in ("onnxruntime", "ncnn") if importlib.util.find_spec(name)]
    venv.create(tmp_path / "venv", with_pip=True)
    own = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", *(path.name for path in ROOT.glob("requirements*.txt"))):
        (source / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    (source / "gluon_yolo").symlink_to(ROOT / "gluon_yolo")
    command = [str(own), "-m", "pip", "install", "--quiet", str(source), *names]
    subprocess.run(command, check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": ""})
    installed = python(place, "import importlib.util\nprint(importlib.util.find_spec('mxnet'))", own)
    assert installed.stdout == "None\n"
    done = python(place, FIND, own, RUNTIMES=[*names, "auto"], MODEL="model", IMAGE="a.png")
    assert_same(place, done, [*names, "auto"])
    words = ["demo", "--model", "model", "a.png"]
    assert python(place, COMMAND, own, WORDS=words).returncode == 0
    scored = python(place, COMMAND, own, WORDS=["eval", "--model", "model", "--data", "shapes"])
    assert scored.returncode == 0 and "\nVOC07 mAP50 " in scored.stdout and "COCO" not in scored.stdout
    assert "COCO's numbers are left out, since they need pycocotools" in scored.stderr
