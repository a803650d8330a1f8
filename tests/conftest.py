"""What all tests share: the folder of the shared data, and threads that do not compete for the processor."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest

from gluon_yolo.cli.calling import translate_log
from gluon_yolo.progress.heartbeat import HEARTBEAT
from gluon_yolo.system import cpu, memory

_ALONE = "GLUON_YOLO_TEST_ALONE"  # set in the process of a test that has one to itself
if os.environ.get(_ALONE) == "devices":
    cpu.prepare()  # here, since mxnet reads it when it is imported
if "PYTEST_XDIST_WORKER" in os.environ:  # two workers on two cores: more threads wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Each test has other shapes, and mxnet keeps the kernels of this many of each kind of operator.
os.environ.setdefault("MXNET_MKLDNN_CACHE_NUM", "100")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of shared test data: ``GLUON_YOLO_DATA``, or ``../shared/data`` beside the project.

    Where it is absent the test is skipped; with ``GLUON_YOLO_REQUIRE_DATA=1``, as in CI, it fails.
    """
    folder = Path(os.environ.get("GLUON_YOLO_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        message = f"no shared data in {folder}: set GLUON_YOLO_DATA"
        if os.environ.get("GLUON_YOLO_REQUIRE_DATA", "0") not in ("", "0"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _one_opencv_thread() -> Iterator[None]:
    """Keep OpenCV's own pool out of the way of mxnet's OpenMP threads and of the loader's."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


@pytest.fixture(scope="session", autouse=True)
def _calm_heart() -> Iterator[None]:
    """Keep lines that a slow machine would add out of what commands say."""
    before, HEARTBEAT.seconds = HEARTBEAT.seconds, 1e6
    yield
    HEARTBEAT.seconds = before


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what the package remembers of this machine out of the user's own cache, and do not download."""
    own = {"GLUON_YOLO_CACHE": str(tmp_path_factory.mktemp("cache")), "GLUON_YOLO_OFFLINE": "1"}
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    yield
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


_RESIDENT = Path("/proc/self/statm")  # on Linux; its second number is the resident memory in pages
_GROWTH = 150 * 2**20  # bytes
_kept = [0]  # resident memory after the last collection


@pytest.fixture(autouse=True)
def _give_memory_back() -> Iterator[None]:
    """Return to the system what tests have freed, once that is much: networks refer to themselves."""
    yield
    if _RESIDENT.exists() and _resident() > _kept[0] + _GROWTH:
        memory.give_back()
        _kept[0] = _resident()


def _resident() -> int:
    return int(_RESIDENT.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def command_line_log() -> None:
    """Let the log name flags, as it does once a command has begun."""
    translate_log(logging.getLogger("gluon_yolo"))


@pytest.fixture(autouse=True)
def _log_as_in_python() -> Iterator[None]:
    """Remove the log's filter that a command sets: it puts flags in the place of settings' names."""
    yield
    logging.getLogger("gluon_yolo").filters.clear()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is marked ``own_process`` or ``devices`` in a process that ends with it.

    mxnet keeps the memory of large networks. The setup for several CPU devices costs every process that has
    it half a gigabyte and more.
    """
    alone, devices = (pyfuncitem.get_closest_marker(name) for name in ("own_process", "devices"))
    if _ALONE in os.environ or not (alone or devices):
        return None
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    environment[_ALONE] = "devices" if devices else "1"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--no-header",
        "-p",
        "no:cacheprovider",
        pyfuncitem.nodeid,
    ]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, errors="replace"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return True


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Escape what is not UTF-8 in captured output, as files' names are: reports of workers are UTF-8."""
    outcome: Any = yield
    report = outcome.get_result()
    report.sections = [
        (title, text.encode("utf-8", "backslashreplace").decode("utf-8")) for title, text in report.sections
    ]
