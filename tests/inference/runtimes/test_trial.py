"""Files that may end the process: as written they are opened, changed ones refused, unknown ones tried."""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import gluon_yolo
from endurance.garbage.__main__ import damaged_file
from gluon_yolo import Predictor
from gluon_yolo.cli import main
from gluon_yolo.errors import MissingDependency, SettingError, UserError
from gluon_yolo.inference.file_digest import FileDigest
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes import registry, trial
from gluon_yolo.inference.runtimes.registry import RUNTIMES
from gluon_yolo.system import interpreter

OLD = Path(__file__).resolve().parents[2] / "old_work" / "exported"
PIXELS = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
FILES = {"mnn": "tiny.mnn", "ncnn": "tiny.param"}

needs_both = pytest.mark.skipif(
    not all(RUNTIMES[name].installed for name in FILES), reason="MNN or ncnn is not installed"
)
pytestmark = needs_both


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a model whose record has no digests, with a cache folder of its own."""
    monkeypatch.setenv("GLUON_YOLO_CACHE", str(tmp_path / "cache"))
    return Path(shutil.copytree(OLD, tmp_path / "model"))


def seal(folder: Path, unknown: str = "") -> None:
    """Write the digests into the record, as an export does; but for one file, as its user may do."""
    record = ModelRecord.read(folder / "tiny.json")
    names = {file for exported in record.formats.values() for file in exported.files} - {unknown}
    digests = {file: FileDigest.of(folder / file) for file in names}
    dataclasses.replace(record, files=digests).write(folder / "tiny.json")


def load(folder: Path, runtime: str) -> registry.Network:
    return trial.load(runtime, ModelRecord.read(folder / "tiny.json"), folder)


def damage(folder: Path, file: str, number: int) -> None:
    """Damage a file as `python -m endurance.garbage --seed 0` does at a number."""
    path = folder / file
    _, content = damaged_file([path], [path.read_bytes()], 0, number)
    assert content is not None
    path.write_bytes(content)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the runtimes of the trials that are started from now on."""
    commands: list[str] = []
    run = subprocess.run

    def watched(command, **options):
        if any(trial.__name__ in word for word in command):
            commands.append(command[3])
        return run(command, **options)

    monkeypatch.setattr(trial.subprocess, "run", watched)
    return commands


# Each of them ended the process, or gave numbers that are not finite, without a trial: MNN 3.6.1 and ncnn
# 1.0.20261020. Another version may refuse them by itself, and the answer is the same.
@pytest.mark.parametrize(
    ("runtime", "file", "number"),
    [
        ("mnn", "tiny.mnn", 19),  # SIGSEGV
        ("mnn", "tiny.mnn", 164),  # SIGFPE
        ("ncnn", "tiny.param", 43),
        ("ncnn", "tiny.bin", 119),  # numbers that are not finite
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_a_damaged_file_is_an_error_that_names_it(runtime, file, number, known, folder, tmp_path, capsys):
    if known:
        seal(folder)
    damage(folder, file, number)
    cv2.imwrite(str(tmp_path / "one.png"), PIXELS[0])
    words = ["demo", str(tmp_path / "one.png"), "--model", str(folder), "--out", str(tmp_path / "out")]
    assert main([*words, "--runtime", runtime]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith(f"error: {folder / FILES[runtime]}" if not known else f"error: {folder / file}: ")
    assert file in said
    assert ("it is not as the export wrote it" in said) == known


def test_a_file_that_was_changed_starts_no_process(folder, started):
    seal(folder)
    with (folder / "tiny.mnn").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(UserError) as caught:
        load(folder, "mnn")
    assert str(caught.value) == (
        f"{folder / 'tiny.mnn'}: it is not as the export wrote it (tiny.json has another size or SHA-256): "
        "export the model again with --format mnn; or, where another program changed it for you, remove "
        'tiny.mnn from "files" in tiny.json, and it is tried in another process first'
    )
    assert started == []


@pytest.mark.parametrize("runtime", FILES)
def test_files_as_they_were_written_start_no_process(runtime, folder, started):
    seal(folder)
    boxes, scores = load(folder, runtime)(PIXELS)
    assert started == [] and np.isfinite(scores).all()
    (folder / "tiny.onnx").write_bytes(b"")  # another format's file says nothing of this one's
    load(folder, runtime)
    assert started == []


CRASHING = [name for name, known in RUNTIMES.items() if known.crashes]


def test_whose_files_are_checked():
    assert CRASHING == ["ncnn", "mnn", "tflite", "opencv"]


@pytest.mark.parametrize("runtime", CRASHING)
def test_an_export_whose_file_is_damaged_is_refused(runtime, tmp_path, monkeypatch):
    if not RUNTIMES[runtime].installed:
        pytest.skip(f"{RUNTIMES[runtime].package} is not installed")
    monkeypatch.setenv("GLUON_YOLO_CACHE", str(tmp_path / "cache"))
    kind = RUNTIMES[runtime].formats[0]
    gluon_yolo.export(OLD.parent / "run", kind, tmp_path / "model", name="tiny")
    assert np.isfinite(load(tmp_path / "model", runtime)(PIXELS)[1]).all()
    file = tmp_path / "model" / ModelRecord.read(tmp_path / "model" / "tiny.json").formats[kind].files[0]
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match=f"{file.name}: it is not as the export wrote it"):
        load(tmp_path / "model", runtime)


def test_an_optimised_file_is_taken_after_one_trial(folder, started):
    """As ncnnoptimize does, layers get other names; the boxes are the same."""
    seal(folder, "tiny.param")
    expected = load(folder, "ncnn")(PIXELS)
    param = folder / "tiny.param"
    lines = param.read_text().splitlines(keepends=True)
    kind, name, *rest = lines[3].split()
    lines[3] = f"{kind} renamed_{name} {' '.join(rest)}\n"
    param.write_text("".join(lines))
    for _ in range(2):  # the second one knows it
        for ours, theirs in zip(load(folder, "ncnn")(PIXELS), expected):
            np.testing.assert_array_equal(ours, theirs)
    assert started == ["ncnn", "ncnn"]  # one for each state of the files


def test_a_record_without_digests_costs_one_trial(folder, started):
    for _ in range(2):
        assert Predictor.load(folder, "mnn").runtime == "mnn"
    assert started == ["mnn"]


@pytest.mark.parametrize("where", ["frozen", "in another program", "no more processes", "no package there"])
def test_where_no_process_can_be_started_the_file_is_opened(where, folder, tmp_path, monkeypatch):
    if where == "frozen":
        monkeypatch.setattr(sys, "frozen", True, raising=False)
    elif where == "in another program":
        monkeypatch.setattr(sys, "executable", "/usr/bin/uwsgi")
    elif where == "no more processes":
        monkeypatch.setattr(subprocess, "Popen", raising(OSError("Resource temporarily unavailable")))
    else:
        monkeypatch.setattr(interpreter, "module", lambda *words: answering("raise SystemExit(1)"))
    assert np.isfinite(load(folder, "mnn")(PIXELS)[1]).all()
    assert not (tmp_path / "cache" / "opened").exists()  # one that can start processes tries it


def raising(error):
    def raise_it(*args, **options):
        raise error

    return raise_it


def answering(text: str) -> list[str]:
    return [sys.executable, "-S", "-c", text]


def ended(**answer: str) -> str:
    return f"print({trial.ENDED + json.dumps(answer)!r})"


@pytest.mark.parametrize(
    ("does", "error", "said"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", UserError, "(its own reader crashed: SIGSEGV)"),
        ("os._exit(255)", UserError, "(its own reader crashed: it ended the process with 255)"),
        ("os.kill(os.getpid(), signal.SIGXCPU)", UserError, f"(no end within {trial.CPU_SECONDS} s)"),
        (ended(kind="", said="Broad cast error"), UserError, "(Broad cast error)"),
        (ended(kind="UserError", said="its outputs are x"), UserError, ": its outputs are x"),
        (ended(kind="SettingError", said="{gpu} 3: x"), SettingError, "gpu 3: x"),
        (ended(kind="MissingDependency", said="x is not installed"), MissingDependency, "x is not installed"),
    ],
)
def test_how_a_trial_ends(does, error, said, folder, monkeypatch):
    text = f"import os, signal\nprint({trial.BEGUN!r}, flush=True)\n{does}"
    monkeypatch.setattr(interpreter, "module", lambda *words: answering(text))
    with pytest.raises(UserError) as caught:
        load(folder, "mnn")
    assert type(caught.value) is error and said in str(caught.value)
    if error is UserError:
        assert str(caught.value).startswith(f"{folder / 'tiny.mnn'}: ")


def test_a_trial_without_end(folder, monkeypatch):
    text = f"import time\nprint({trial.BEGUN!r}, flush=True)\ntime.sleep(60)"
    monkeypatch.setattr(interpreter, "module", lambda *words: answering(text))
    monkeypatch.setattr(trial, "PATIENCE", 0.2)
    with pytest.raises(UserError, match=r"tiny\.mnn: cannot be read and run by mnn \(no end within 0 s\)"):
        load(folder, "mnn")


def test_without_digests_each_file_is_named(folder, monkeypatch):
    text = f"import os\nprint({trial.BEGUN!r}, flush=True)\nos._exit(1)"
    monkeypatch.setattr(interpreter, "module", lambda *words: answering(text))
    with pytest.raises(UserError) as caught:
        load(folder, "ncnn")
    assert str(caught.value) == (
        f"{folder / 'tiny.param'} (or tiny.bin beside it): cannot be read and run by ncnn (its own reader "
        "crashed: it ended the process with 1); export the model again with --format ncnn"
    )


def test_a_file_that_fails_is_tried_anew(folder, monkeypatch):
    """Nothing of it is remembered: it may be written again within the clock's step."""
    text = f"import os\nprint({trial.BEGUN!r}, flush=True)\nos._exit(1)"
    monkeypatch.setattr(interpreter, "module", lambda *words: answering(text))
    for _ in range(2):
        with pytest.raises(UserError, match="its own reader crashed"):
            load(folder, "mnn")


def test_a_signal_has_a_name():
    assert "SIGABRT" in trial._death(-signal.SIGABRT, 60)
