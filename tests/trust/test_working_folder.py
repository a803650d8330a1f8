"""A user stands in a stranger's folder: what lies there is not imported by the processes that we start."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes import trial
from gluon_yolo.inference.runtimes.autotune_timer import CallTimer
from gluon_yolo.inference.runtimes.registry import RUNTIMES
from gluon_yolo.system import interpreter
from tests.trust.planted import plant_modules

ROOT = Path(__file__).resolve().parents[2]
OLD = ROOT / "tests" / "old_work"
SHADOWS = ("json", "queue", "numpy", "gluon_yolo", "tempfile", "runpy", "site", "MNN", "_tools", "cv2")


@pytest.fixture
def strange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Stand in an exported model's folder with modules in it; return it, and where they leave a mark."""
    folder = Path(shutil.copytree(OLD / "exported", tmp_path / "model"))
    mark = tmp_path / "mark"
    plant_modules(folder, mark, *SHADOWS)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return folder, mark


@pytest.mark.parametrize("command", ["code", "module"])
def test_a_process_imports_nothing_from_the_working_folder(
    command: str, strange: tuple[Path, Path], tmp_path: Path
) -> None:
    words = {
        "code": interpreter.code("import json, queue, sys; print(json.__file__, *sys.argv[1:])", "a", "b c"),
        "module": interpreter.module("platform"),
    }[command]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0 and not strange[1].exists(), done.stderr
    if command == "code":
        assert done.stdout.endswith("__init__.py a b c\n") and str(strange[0]) not in done.stdout


def test_a_module_planted_here_would_run(strange: tuple[Path, Path]) -> None:
    """The trap is one: plain Python falls into it."""
    subprocess.run([sys.executable, "-c", "import queue"], capture_output=True)
    assert strange[1].read_text() == "queue "


@pytest.mark.skipif(not RUNTIMES["onnxruntime"].installed, reason="onnxruntime is not installed")
def test_the_fastest_runtime_is_found(strange: tuple[Path, Path]) -> None:
    timer = CallTimer("onnxruntime", strange[0] / "tiny.json", (64, 64))
    try:
        assert timer.turn()
    finally:
        timer.close()
    assert not strange[1].exists()


def test_a_changed_file_is_tried(strange: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The record of this model has no digests: it is opened in another process first."""
    pytest.importorskip("ncnn")
    monkeypatch.setenv("GLUON_YOLO_CACHE", str(strange[1].parent / "cache"))
    trial.load("ncnn", ModelRecord.read(strange[0] / "tiny.json"), strange[0])
    assert list((strange[1].parent / "cache" / "opened").iterdir()) and not strange[1].exists()


def test_doctor_looks_at_the_runtimes(strange: tuple[Path, Path]) -> None:
    from gluon_yolo.cli.doctor import _runtime_state

    pytest.importorskip("onnxruntime")
    assert _runtime_state("onnxruntime").endswith(" ready") and not strange[1].exists()


@pytest.mark.skipif(sys.version_info < (3, 11), reason="before 3.11 Python has no PYTHONSAFEPATH")
def test_worker_processes_load_images(tmp_path: Path) -> None:
    """``multiprocessing`` starts Python with the working folder in its path."""
    folder, mark = tmp_path / "strange", tmp_path / "mark"
    folder.mkdir()
    script = tmp_path / "script" / "load.py"
    script.parent.mkdir()
    script.write_text(
        "import sys\n"
        "from tests.data.loading.test_loader import Memory, loader\n"
        "if __name__ == '__main__':\n"
        "    with loader(Memory(4), workers=2, worker_type='process') as processes:\n"
        "        print(len(list(processes.epoch(0))))\n"
    )
    plant_modules(folder, mark, "multiprocessing", "queue", "json", "pickle")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop(interpreter.SAFE_PATH, None)
    done = subprocess.run(
        [sys.executable, str(script)], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0 and not mark.exists(), done.stderr


def test_the_variable_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(interpreter.SAFE_PATH, raising=False)
    with interpreter.safe_path():
        assert os.environ[interpreter.SAFE_PATH] == "1"
    assert interpreter.SAFE_PATH not in os.environ
    monkeypatch.setenv(interpreter.SAFE_PATH, "")
    with interpreter.safe_path():
        assert os.environ[interpreter.SAFE_PATH] == ""
    assert os.environ[interpreter.SAFE_PATH] == ""


def test_every_process_is_started_so() -> None:
    """No other file starts Python: where one does, its working folder is a stranger's."""
    sources = {path.relative_to(ROOT): path.read_text() for path in (ROOT / "gluon_yolo").rglob("*.py")}
    starters = {str(path) for path, text in sources.items() if "sys.executable" in text}
    assert starters == {"gluon_yolo/system/interpreter.py", "gluon_yolo/cli/calling.py"}
    assert "subprocess" not in sources[Path("gluon_yolo/cli/calling.py")]
