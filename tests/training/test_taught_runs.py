"""``train --teacher``: whole trainings that learn from a run, and teachers that cannot be used."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.cli import main
from gluon_yolo.data.registry import open_source
from gluon_yolo.inference.model_files import weights_of
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.weights.darknet_model import save
from tests.models.darknet import small
from tests.small_training import assert_equal_runs, rows

PARTS = ("objectness", "centre", "scale", "class")
TAUGHT = tuple(f"teacher_{part}" for part in PARTS)


@pytest.fixture(scope="module")
def teacher(train) -> Path:
    """Return a run of the data, whose network has been sure of something."""
    status, run = train("--epochs", "1", "--lr", "0.003", "--seed", "4")
    assert status == 0
    raise_objectness(run)
    return run


def raise_objectness(run: Path, by: float = 4.0) -> None:
    """Make a run's network surer of everything: the fifth of an anchor's channels is its objectness."""
    path = str(weights_of(run))
    arrays = mx.nd.load(path)
    for name, array in arrays.items():
        if name.startswith("heads.levels") and name.endswith("bias"):
            changed = array.asnumpy().reshape(3, -1)
            changed[:, 4] += by
            arrays[name] = mx.nd.array(changed.reshape(-1))
    mx.nd.save(path, arrays)


def error_of(capsys) -> str:
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    return line


ENGINES = ["mxnet", pytest.param("torch", marks=pytest.mark.slow)]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_stopped_and_resumed_it_ends_with_the_same_bits(train, teacher, send_at, capsys, engine):
    if engine == "torch":
        pytest.importorskip("torch", reason="the second engine needs PyTorch")
    words = (
        "--epochs",
        "2",
        "--engine",
        engine,
        "--teacher",
        os.path.relpath(teacher),
        "--distil-weight",
        "0.5",
    )
    status, whole = train(*words)
    assert status == 0
    said = capsys.readouterr().err
    assert f"teacher: yolo3_mobilenet0.25_custom of {teacher}; losses against it count 0.5 times as" in said
    assert all(f"{name} " in said for name in TAUGHT)
    for row in rows(whole):
        assert list(row)[2:10] == [*PARTS, *TAUGHT]
        parts = [float(row[name]) for name in (*PARTS, *TAUGHT)]
        assert min(parts) > 0 and float(row["total"]) == pytest.approx(sum(parts), rel=1e-5)
    assert json.loads((whole / "args.json").read_text())["teacher"] == str(teacher)
    send_at(signal.SIGTERM, "epoch 0 batch 2/3")
    status, run = train(*words)
    assert status == 143
    assert main(["train", "--resume", str(run)]) == 0
    assert_equal_runs(whole, run)


@pytest.fixture
def stopped(train, teacher, send_at, tmp_path) -> tuple[Path, Path]:
    """Return a run that was stopped, and its teacher."""
    own = shutil.copytree(teacher, tmp_path / "teacher")
    send_at(signal.SIGTERM, "epoch 0 batch 1/3")
    status, run = train("--epochs", "1", "--teacher", str(own))
    assert status == 143
    return run, own


def test_a_teacher_that_has_moved(stopped, capsys):
    run, teacher = stopped
    moved = teacher.rename(teacher.with_name("moved"))
    capsys.readouterr()
    assert main(["train", "--resume", str(run)]) == 2
    said = error_of(capsys)
    assert said.startswith(f"error: the teacher of this training: {teacher}")
    assert said.endswith(f"lies elsewhere now: gluon-yolo train --resume {run} --teacher NEW")
    assert main(["train", "--resume", str(run), "--teacher", str(moved)]) == 0
    assert json.loads((run / "args.json").read_text())["teacher"] == str(moved)
    assert len(rows(run)) == 1


def test_a_teacher_with_other_weights(stopped, capsys):
    run, teacher = stopped
    raise_objectness(teacher, 0.5)
    capsys.readouterr()
    assert main(["train", "--resume", str(run)]) == 2
    assert error_of(capsys) == (
        f"error: {run}/args.json: as --teacher {teacher}: has other weights than the teacher of {run} had; "
        f"name that one, or start a new run from its weights: --weights {run}"
    )


def test_a_run_without_a_teacher_stays_so(train, teacher, send_at, caplog):
    send_at(signal.SIGTERM, "epoch 0 batch 1/3")
    status, run = train("--epochs", "1")
    assert status == 143
    assert main(["train", "--resume", str(run), "--teacher", str(teacher)]) == 0
    assert f"keeps its own settings; ignored: --teacher {teacher} (the run has None)" in caplog.text
    assert not set(TAUGHT) & set(rows(run)[0]) and not (run / "teacher.json").exists()


@pytest.mark.slow
def test_an_exported_teacher(train, teacher, tmp_path, capsys):
    assert main(["export", str(teacher), "--out", str(tmp_path / "model"), "--format", "symbol"]) == 0
    status, run = train("--epochs", "1", "--teacher", str(tmp_path / "model"))
    assert status == 0
    status, other = train("--epochs", "1", "--teacher", str(teacher))
    assert status == 0
    assert rows(run) == rows(other)


@pytest.mark.slow
def test_an_imported_darknet_teacher(data, train, tmp_path, capsys):
    names = class_names(data)
    cfg = small.SMALL.replace("classes=2", f"classes={len(names)}")
    cfg = cfg.replace("filters=14", f"filters={2 * (5 + len(names))}")
    net = small.built(cfg, class_names=names[::-1])
    save(net, tmp_path / "net", "small")
    files = [str(tmp_path / "net" / f"small.{ending}") for ending in ("cfg", "weights", "names")]
    assert main(["import", "darknet", *files[:2], "--names", files[2], "--out", str(tmp_path / "model")]) == 0
    status, run = train("--epochs", "1", "--teacher", str(tmp_path / "model"))
    assert status == 0
    direct = ("--teacher", files[0], "--teacher-weights", files[1], "--teacher-classes", files[2])
    status, other = train("--epochs", "1", *direct)
    assert status == 0
    assert rows(run) == rows(other) and float(rows(run)[0]["teacher_objectness"]) > 0
    assert json.loads((other / "args.json").read_text())["teacher_weights"] == files[1]


def class_names(data: Path) -> list[str]:
    """Return the class names of drawn data."""
    return list(open_source(data).class_names(("train", "val")))


def test_a_teacher_of_other_classes(train, teacher, data, capsys):
    first, *others = class_names(data)
    capsys.readouterr()
    status, run = train("--epochs", "1", "--teacher", str(teacher), "--only", first)
    assert status == 2 and not run.exists()
    assert error_of(capsys) == (
        f"error: --teacher {teacher}: knows {1 + len(others)} classes ({', '.join([first, *others])}), the "
        f"data has 1 ({first}), which does not have the teacher's {', '.join(others)}. They must be the same "
        "by name, in any order: train the teacher on this data"
    )


def test_a_teacher_whose_weights_are_not_finite(train, teacher, tmp_path, capsys):
    bad = shutil.copytree(teacher, tmp_path / "bad")
    raise_objectness(bad, np.nan)
    capsys.readouterr()
    status, run = train("--epochs", "1", "--teacher", str(bad))
    assert status == 2 and not run.exists()
    assert error_of(capsys).startswith(
        f"error: --teacher {bad}: its weights heads.levels.0.bias are not finite"
    )


@pytest.mark.parametrize("what", ["nothing", "data", "folder"])
def test_what_is_no_teacher(train, data, tmp_path, capsys, what):
    (tmp_path / "folder").mkdir()
    path = data if what == "data" else tmp_path / what
    status, run = train("--epochs", "1", "--teacher", str(path))
    assert status == 2 and not run.exists()
    assert error_of(capsys).startswith(f"error: the teacher of this training: {path}")


@pytest.mark.slow
def test_several_processes_learn_as_one(train, teacher):
    """Each has a copy of the teacher, which sees the process's share of a batch."""
    pytest.importorskip("torch", reason="several processes need PyTorch")
    words = ("--epochs", "1", "--teacher", str(teacher), "--engine", "torch", "--freeze-bn", "--lr", "0.0005")
    runs = []
    for processes in ("1", "2"):
        status, run = train(*words, "--cpu-devices", processes)
        assert status == 0
        runs.append(run)
    one, two = (rows(run)[0] for run in runs)
    for name in (*PARTS, *TAUGHT):
        assert float(two[name]) == pytest.approx(float(one[name]), rel=1e-4), name
