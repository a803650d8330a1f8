"""A run, an exported and a quantized folder of version 0.1.0 resume, evaluate, demo and export again.

README.md beside this file says how they were made, and where the tolerances come from. The command line and
``gluon_yolo.Predictor`` are all that is used: what lies below may be moved.
"""

from __future__ import annotations

import csv
import gzip
import importlib
import json
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
THRESHOLD = 0.3  # demo's
# What has to be importable where a runtime is named.
MODULES = {"onnxruntime": "onnxruntime", "openvino": "openvino", "ncnn": "ncnn", "mnn": "MNN"}
TIMED = ("seconds", "pictures_per_second")
LATER = ("confusion", "errors", "curves", "worst", "best")  # keys of eval that the old commit did not write
# How far boxes (pixels), scores and eval's numbers may be from those of the old commit.
FLOAT32 = (0.02, 2e-4, 1e-3)
INT8 = (1.0, 0.03, 0.05)
# Model, runtime, tolerances, and the expected numbers, of which one set has to be met.
CASES = [
    ("run", "", FLOAT32, ("run",)),
    ("run/last", "", FLOAT32, ("run/last",)),
    *(("exported", runtime, FLOAT32, ("exported mxnet",)) for runtime in ("mxnet", *MODULES)),
    ("quantized/int8", "mxnet", INT8, ("quantized/int8 mxnet", "quantized/int8 mxnet AVX2")),
    *(
        ("quantized/int8", runtime, INT8, ("quantized/int8 onnxruntime",))
        for runtime in ("onnxruntime", "openvino")
    ),
]
by_case = pytest.mark.parametrize(
    "model, runtime, tolerances, keys", CASES, ids=[f"{c[0]} {c[1]}" for c in CASES]
)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a copy of all folders, which commands may write to."""
    place = tmp_path_factory.mktemp("old")
    for name in ("data", "run", "exported", "quantized"):
        shutil.copytree(HERE / name, place / name)
    (place / "run" / "pictures").mkdir()  # as every run has it; git keeps no empty folder
    return place


def is_there(runtime: str) -> bool:
    """Say whether a runtime is installed and loads, which MNN's wheel does not everywhere."""
    try:
        importlib.import_module(MODULES.get(runtime, "json"))
    except ImportError:
        return False
    return True


def run(*words: object) -> None:
    assert main([str(word) for word in words]) == 0, words


def model_flags(model: Path, runtime: str) -> list[object]:
    if not is_there(runtime):
        pytest.skip(f"no {runtime} here")
    return ["--model", model, *(["--runtime", runtime] if runtime else [])]


def demo(model: Path, runtime: str, place: Path) -> list[dict[str, Any]]:
    """Return what demo finds in the pictures of the validation split."""
    words = [*model_flags(model, runtime), "--out", place / "seen", "--json", place / "demo.json"]
    run("demo", IMAGES, *words)
    found = json.loads((place / "demo.json").read_text())
    return [{**box, "image": Path(box["image"]).name} for box in found]


def strange(
    boxes: list[dict[str, Any]], others: list[dict[str, Any]], tolerances: tuple
) -> list[dict[str, Any]]:
    """Return the boxes without their like among others, but for those that score as good as the threshold."""
    pixels, score, _ = tolerances

    def alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
        return (
            list(one) == list(other)
            and (one["image"], one["class"]) == (other["image"], other["class"])
            and abs(one["score"] - other["score"]) <= score
            and bool(np.abs(np.subtract(one["box"], other["box"])).max() <= pixels)
        )

    sure = [box for box in boxes if box["score"] > THRESHOLD + score]
    assert len(sure) > 10
    return [box for box in sure if sum(alike(box, other) for other in others) != 1]


def assert_boxes(found: list[dict[str, Any]], keys: tuple[str, ...], tolerances: tuple) -> None:
    """Demand one set of expected boxes, no more and no fewer."""
    faults = []
    for key in keys:
        wanted = EXPECTED[key]["demo"]
        faults.append([*strange(found, wanted, tolerances), *strange(wanted, found, tolerances)])
    assert [] in faults


def differing(found: dict[str, Any], wanted: dict[str, Any], tolerance: float) -> list[object]:
    """Return where two results of eval differ: in keys, counts, or numbers by more than the tolerance."""
    if list(found) != list(wanted):
        return [list(found)]
    faults: list[object] = []
    for name, value in wanted.items():
        if isinstance(value, dict):
            faults += differing(found[name], value, tolerance)
        elif isinstance(value, float):
            faults += [(name, found[name], value)] * (abs(found[name] - value) > tolerance)
        else:
            faults += [(name, found[name], value)] * (found[name] != value)
    return faults


@by_case
def test_demo(old: Path, tmp_path: Path, model: str, runtime: str, tolerances: tuple, keys: tuple) -> None:
    assert_boxes(demo(old / model, runtime, tmp_path), keys, tolerances)


@by_case
def test_eval(old: Path, tmp_path: Path, model: str, runtime: str, tolerances: tuple, keys: tuple) -> None:
    words = [*model_flags(old / model, runtime), "--data", old / "data", "--json", tmp_path / "scores.json"]
    run("eval", *words)
    numbers = json.loads((tmp_path / "scores.json").read_text())
    assert numbers.pop("runtime") == (runtime or "mxnet")
    assert all(numbers.pop(name) for name in ("model", "data", *TIMED))
    assert tuple(numbers)[-len(LATER) :] == LATER and all(numbers.pop(name) for name in LATER)
    assert [] in [differing(numbers, EXPECTED[key]["eval"], tolerances[2]) for key in keys]


def test_predictor(old: Path) -> None:
    wanted = [box for box in EXPECTED["run"]["demo"] if box["image"] == "24.png"]
    for model, runtime in (("run", "auto"), ("exported", "mxnet")):
        found = Predictor.load(old / model, runtime, score_threshold=THRESHOLD)(IMAGES / "24.png")
        np.testing.assert_allclose(found.boxes, [box["box"] for box in wanted], rtol=0, atol=FLOAT32[0])
        np.testing.assert_allclose(found.scores, [box["score"] for box in wanted], rtol=0, atol=FLOAT32[1])


def rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a metrics.csv without what depends on the machine's speed."""
    with path.open(newline="") as file:
        return [
            {name: cell for name, cell in row.items() if name not in TIMED} for row in csv.DictReader(file)
        ]


def arrays(path: Path) -> dict[str, np.ndarray]:
    """Return a parameters file's arrays; mxnet has been prepared by the command that ran before."""
    mx = importlib.import_module("mxnet")
    return {name: array.asnumpy() for name, array in mx.nd.load(str(path)).items()}


def assert_close(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray], tolerance: float) -> None:
    assert list(found) == list(wanted)
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, rtol=tolerance, atol=tolerance, err_msg=name)


def test_resume(old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Stopped within epoch 22 of 24, it ends as the old commit ended it."""
    folder = shutil.copytree(old / "run", tmp_path / "run")
    run("train", "--resume", folder, "--data", old / "data")
    assert "resuming at epoch 22, batch 3" in capsys.readouterr().err
    found, wanted = rows(folder / "metrics.csv"), rows(HERE / "expected" / "metrics.csv")
    before = rows(HERE / "run" / "metrics.csv")
    assert found[: len(before)] == before and len(before) == 22
    assert [row["epoch"] for row in found] == [str(epoch) for epoch in range(24)]
    for row, other in zip(found[len(before) :], wanted[len(before) :]):
        assert list(row) == list(other)
        for name, cell in other.items():
            assert (row[name] == "") == (cell == "")
            assert not cell or float(row[name]) == pytest.approx(float(cell), rel=1e-4, abs=1e-4), name
    (last,) = (folder / "weights" / "last").glob("net-*.params")
    assert_close(arrays(last), arrays(HERE / "expected" / "last.params"), 1e-5)
    settings, old_settings = (
        json.loads((place / "args.json").read_text()) for place in (folder, HERE / "run")
    )
    assert settings.items() >= {**old_settings, "data": str(old / "data")}.items()

    run("train", "--resume", folder)  # where the data lies has been written down
    assert "finished: all 24 epochs are trained" in capsys.readouterr().out
    assert rows(folder / "metrics.csv") == found


@pytest.mark.parametrize("source", ["run", "exported"])
def test_export_again(old: Path, tmp_path: Path, source: str) -> None:
    """The same parameters, in files of the same names; in each runtime the same boxes."""
    out, before = tmp_path / "again", HERE / "exported"
    formats = ["symbol", *(name for name in ("onnx", "ncnn", "mnn") if name == "onnx" or is_there(name))]
    formats += ["darknet"] * (source == "run")
    run("export", old / source, "--name", "tiny", "--format", ",".join(formats), "--out", out)
    record, old_record = (json.loads((place / "tiny.json").read_text()) for place in (out, before))
    assert record["graphs"] == {name: old_record["graphs"][name] for name in record["graphs"]}
    assert set(record["graphs"]) == set(formats) - {"darknet"}
    for name, value in old_record.items():
        assert name in ("package", "graphs") or record[name] == value, name
    assert_close(arrays(out / "tiny-0000.params"), arrays(before / "tiny-0000.params"), 0)
    same = ["tiny.param", "tiny.bin"] * ("ncnn" in formats)
    same += ["tiny.cfg", "tiny.weights", "tiny.names"] * ("darknet" in formats)
    for name in same:
        assert (out / name).read_bytes() == (before / name).read_bytes(), name
    for runtime in filter(is_there, ("mxnet", *MODULES)):
        assert_boxes(demo(out, runtime, tmp_path), ("exported mxnet",), FLOAT32)


def test_darknets_files(old: Path, tmp_path: Path) -> None:
    """What was exported for darknet is read as darknet's own files are, to the same boxes."""
    files = [old / "exported" / f"tiny.{suffix}" for suffix in ("cfg", "weights", "names")]
    words = ["--out", tmp_path / "seen", "--json", tmp_path / "demo.json"]
    flags = [word for pair in zip(("--network", "--weights", "--classes"), files) for word in pair]
    run("demo", IMAGES, *flags, *words)
    found = json.loads((tmp_path / "demo.json").read_text())
    assert_boxes([{**box, "image": Path(box["image"]).name} for box in found], ("run",), FLOAT32)


def test_a_quantized_folder_is_not_exported(
    old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(old / "quantized" / "int8"), "--out", str(tmp_path / "again")]) == 2
    assert "in int8" in capsys.readouterr().err and not (tmp_path / "again").exists()


@pytest.mark.parametrize("network", ["mobilenet0_25", "fastestv2"])
def test_names_of_parameters(tmp_path: Path, network: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The zoo's networks take what an old checkpoint calls their parameters, and miss what it lacks."""
    shapes = json.loads(gzip.decompress((HERE / "expected" / "zoo.json.gz").read_bytes()))[network]
    run("summary", network)  # prepares mxnet
    mx = importlib.import_module("mxnet")
    (tmp_path / "classes.names").write_text("square\ndisc\n")
    words = ["--network", network, "--classes", tmp_path / "classes.names", "--size", "64"]
    words += ["--out", tmp_path / "seen", "--weights", tmp_path / "old.params"]
    words = ["demo", str(IMAGES / "24.png"), *map(str, words)]
    arrays = {
        name: mx.nd.full(shape, 1.0 if name.endswith("var") else 0.01) for name, shape in shapes.items()
    }
    mx.nd.save(str(tmp_path / "old.params"), arrays)
    assert main(words) == 0
    lost = next(name for name in shapes if name.startswith("backbone."))
    del arrays[lost]
    mx.nd.save(str(tmp_path / "old.params"), arrays)
    assert main(words) == 2
    assert lost in capsys.readouterr().err
