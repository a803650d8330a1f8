"""The C++ samples as they were built, the models that they are tried with, and the figures at the end."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Callable

import cv2
import pytest

from gluon_yolo.cli import main
from gluon_yolo.inference.model_files import find_model_record
from gluon_yolo.inference.model_record import ModelRecord
from tests.random_model import CLASSES, random_detector

BUILT = "GLUON_YOLO_SAMPLES"  # names the folder that deploy/build.sh wrote; `make samples-test` sets it
SAMPLES = {"ncnn": "ncnn", "mxnet": "mxnet_cpp"}  # a runtime's name in Python, and its sample's folder
BOTH = ("--format", "symbol,ncnn")
FIGURES: list[str] = []


@dataclasses.dataclass(frozen=True)
class Sample:
    """A built sample.

    Args:
        runtime: Python's name for what it runs models with.
        program: the executable.
    """

    runtime: str
    program: Path

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        # Idle threads that spin would take the time of the others on a busy machine.
        environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
        command = [str(self.program), *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)

    def detect(self, *words: object) -> list[dict[str, Any]]:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="session", params=SAMPLES)
def sample(request) -> Sample:
    if BUILT not in os.environ:
        pytest.skip(f"{BUILT} is not set: run `make samples-test`")
    program = Path(os.environ[BUILT]) / SAMPLES[request.param] / "detect"
    assert program.is_file(), f"{program}: build it with `make samples`"
    return Sample(request.param, program)


@pytest.fixture(autouse=True)
def _no_ipp():
    """Resize by OpenCV's own code, as in Debian: with Intel's IPP, as pip's has, levels differ by one."""
    before = cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(False)
    yield
    cv2.ipp.setUseIPP(before)


class Models:
    """Exports models, each once.

    Args:
        folder: to keep them in.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def random(self) -> Path:
        """Export a MobileNet1.0-YOLOv3 with random weights."""
        return self._exported("random", lambda: self._random_network("yolo3_mobilenet1.0_custom"), *BOTH)

    def variant(self, label: str, *words: str) -> Path:
        """Export a smaller one in another way, which the words tell the command."""
        return self._exported(label, lambda: self._random_network("yolo3_mobilenet0.25_custom"), *words)

    def darknet(self, data: Path, name: str) -> Path:
        """Export one of the darknet models of the shared data."""
        folder = data / "darknet" / name
        (cfg,), (weights,) = folder.glob("*.cfg"), folder.glob("*.weights")
        names = {"yoloface-500k": "face", "nano-coco": "coco"}[name]
        imported = ("import", "darknet", cfg, weights, "--names", data / "darknet" / f"{names}.names")
        return self._exported(name, lambda: self._imported(name, *imported), *BOTH)

    def fastestv2(self, data: Path) -> Path:
        """Export Yolo-FastestV2 of the shared data."""
        (weights,), names = (data / "fastestv2").glob("coco*.pth"), data / "fastestv2" / "coco.names"
        imported = ("import", "fastestv2", weights, "--names", names)
        return self._exported("fastestv2", lambda: self._imported("fastestv2", *imported), *BOTH)

    def changed(self, model: Path, label: str, **fields: Any) -> Path:
        """Return a copy of an exported model whose record says something else."""
        folder = self._folder / f"{model.name}-{label}"
        if not folder.is_dir():
            shutil.copytree(model, folder)
            file = find_model_record(folder)
            dataclasses.replace(ModelRecord.read(file), **fields).write(file)
        return folder

    def _exported(self, label: str, source: Callable[[], tuple[object, ...]], *words: object) -> Path:
        folder = self._folder / label
        if not folder.is_dir():
            command("export", *source(), *words, "--out", folder)
        return folder

    def _random_network(self, name: str) -> tuple[object, ...]:
        weights, classes = self._folder / f"{name}.params", self._folder / "classes.txt"
        random_detector(name).save_parameters(str(weights))
        classes.write_text("\n".join(CLASSES))
        return ("--network", name, "--weights", weights, "--classes", classes, "--size", "192x256")

    def _imported(self, label: str, *words: object) -> tuple[Path]:
        folder = self._folder / f"{label}-run"
        command(*words, "--out", folder)
        return (folder,)


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Models:
    return Models(tmp_path_factory.mktemp("models"))


def command(*words: object) -> None:
    """Run one of the package's commands."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        status = main([str(word) for word in words])
    assert status == 0, said.getvalue()


def pytest_terminal_summary(terminalreporter) -> None:
    """Print the figures that the tests took down."""
    for figure in FIGURES:
        terminalreporter.write_line(figure)
