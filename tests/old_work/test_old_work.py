"""A run, an exported and a quantized folder of version 0.1.0 still resume, evaluate, demo and export again.

README.md beside this file says how they were made. Only the command line and ``gluon_yolo.Predictor`` are used.
"""

from __future__ import annotations

import csv
import importlib
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gluon_yolo import Predictor
from gluon_yolo.cli import main

pytest.importorskip("pycocotools")

HERE = Path(__file__).resolve().parent
EXPECTED = json.loads((HERE / "expected" / "models.json").read_text())
IMAGES = HERE / "data" / "images" / "val"
# What has to be importable where a runtime is named.
MODULES = {"onnxruntime": "onnxruntime", "openvino": "openvino", "ncnn": "ncnn", "mnn": "MNN"}
FLOAT32_RUNTIMES = ("mxnet", *MODULES)
# Model, runtime, whose numbers are expected, and how far from them boxes (pixels), scores and eval's numbers may be.
FLOAT32 = (0.02, 2e-4, 1e-3)
INT8 = (1.0, 0.05, 0.1)
CASES = [
    ("run", "", "run", FLOAT32),
    ("run/last", "", "run/last", FLOAT32),
    *(("exported", name, "exported mxnet", FLOAT32) for name in FLOAT32_RUNTIMES),
    ("quantized/int8", "mxnet", "quantized/int8 mxnet", INT8),
    ("quantized/int8", "onnxruntime", "quantized/int8 onnxruntime", INT8),
    ("quantized/int8", "openvino", "quantized/int8 onnxruntime", INT8),
]
NAMES = [" ".join(case[:2]).strip() for case in CASES]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a copy of all folders, which commands may write to."""
    place = tmp_path_factory.mktemp("old")
    for name in ("data", "run", "exported", "quantized"):
        shutil.copytree(HERE / name, place / name)
    return place


def need(runtime: str) -> None:
    """Skip where a runtime is not installed, or does not load, as MNN's wheel on some systems."""
    if runtime in MODULES:
        try:
            importlib.import_module(MODULES[runtime])
        except ImportError as error:
            pytest.skip(f"{runtime}: {error}")


def run(*words: object) -> None:
    assert main([str(word) for word in words]) == 0, words


def demo(model: Path, runtime: str, place: Path) -> list[dict[str, Any]]:
    """Return what demo finds in the pictures of the validation split."""
    choice = ("--runtime", runtime) if runtime else ()
    run("demo", "--model", model, *choice, IMAGES, "--out", place / "seen", "--json", place / "demo.json")
    return json.loads((place / "demo.json").read_text())


def assert_boxes(found: list[dict[str, Any]], expected: list[dict[str, Any]], pixels: float, score: float):
    """Compare boxes picture by picture; those that score alike may change places."""
    keys = {tuple(box) for box in found}
    assert keys == {tuple(expected[0])}
    # A box near demo's threshold may be found on one processor and not on the other.
    sure = [box for box in expected if box["score"] > 0.3 + score]
    assert len(sure) > 10
    assert len(sure) <= len(found) <= sum(1 for box in expected) + sum(b["score"] < 0.3 + score for b in found)
    for wanted in sure:
        near = [
            box
            for box in found
            if (Path(box["image"]).name, box["class"]) == (wanted["image"], wanted["class"])
            and abs(box["score"] - wanted["score"]) <= score
            and np.abs(np.subtract(box["box"], wanted["box"])).max() <= pixels
        ]
        assert len(near) == 1, f"{wanted} among {found}"


def assert_numbers(found: dict[str, Any], expected: dict[str, Any], tolerance: float, at: str = "") -> None:
    """Compare eval's JSON: the same keys in the same order, and numbers within the tolerance."""
    assert list(found) == list(expected), at
    for name, wanted in expected.items():
        if isinstance(wanted, dict):
            assert_numbers(found[name], wanted, tolerance, f"{at}{name} ")
        elif isinstance(wanted, float):
            assert math.isclose(found[name], wanted, rel_tol=0, abs_tol=tolerance), (at, name, found[name])
        else:
            assert found[name] == wanted, (at, name)


@pytest.mark.parametrize("model, runtime, key, tolerances", CASES, ids=NAMES)
def test_demo(old: Path, tmp_path: Path, model: str, runtime: str, key: str, tolerances: tuple) -> None:
    need(runtime)
    assert_boxes(demo(old / model, runtime, tmp_path), EXPECTED[key]["demo"], *tolerances[:2])


@pytest.mark.parametrize("model, runtime, key, tolerances", CASES, ids=NAMES)
def test_eval(old: Path, tmp_path: Path, model: str, runtime: str, key: str, tolerances: tuple) -> None:
    need(runtime)
    choice = ("--runtime", runtime) if runtime else ()
    words = ("--data", old / "data", "--json", tmp_path / "scores.json")
    run("eval", "--model", old / model, *choice, *words)
    numbers = json.loads((tmp_path / "scores.json").read_text())
    assert numbers.pop("runtime") == (runtime or "mxnet")
    places_and_times = {name: numbers.pop(name) for name in ("model", "data", "seconds", "pictures_per_second")}
    assert places_and_times["seconds"] > 0
    assert_numbers(numbers, EXPECTED[key]["eval"], tolerances[2])


@pytest.mark.parametrize("model, runtime", [("run", "auto"), ("exported", "mxnet"), ("quantized/int8", "mxnet")])
def test_predictor(old: Path, model: str, runtime: str) -> None:
    (key,) = {case[2] for case in CASES if case[0] == model and case[1] in (runtime, "")}
    found = Predictor.load(old / model, runtime, score_threshold=0.3)(IMAGES / "24.png")
    wanted = [box for box in EXPECTED[key]["demo"] if box["image"] == "24.png"]
    pixels = (INT8 if "int8" in model else FLOAT32)[0]
    assert len(wanted) > 1
    np.testing.assert_allclose(found.boxes, [box["box"] for box in wanted], rtol=0, atol=pixels)
