"""The runtime `auto`: the fastest one that works, measured once and cached."""

from __future__ import annotations

import itertools
import json
import logging
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from gluon_yolo.errors import MissingDependency, UserError
from gluon_yolo.inference.exported_format import ExportedFormat
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.inference.runtimes import autotune, autotune_cache, registry, trial
from gluon_yolo.inference.runtimes.registry import RUNTIMES
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.system import cache as system_cache

SPEC = DetectionSpec(("circle",))
SIZE_HW = (32, 32)
SPEEDS = {"mxnet": [20.0], "onnxruntime": [4.0], "openvino": [8.0], "ncnn": [12.0]}  # milliseconds
GRAPHS = {
    "symbol": ("toy-symbol.json", "toy-0000.params"),
    "onnx": ("toy.onnx",),
    "ncnn": ("toy.param", "toy.bin"),
}


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine with a given clock and load."""
    machine = SimpleNamespace(now=1.8e9, load=0.1)
    monkeypatch.setattr(autotune_cache, "now", lambda: machine.now)
    monkeypatch.setattr(autotune_cache, "load", lambda: machine.load)
    return machine


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setenv("GLUON_YOLO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "fastest"


@pytest.fixture
def speeds():
    return dict(SPEEDS)


@pytest.fixture
def loaded(speeds, monkeypatch):
    """Runtimes whose calls take ``speeds``, or raise it; return the list of those that were loaded.

    The milliseconds are given, and there are no processes: on a busy machine real times would rank the
    runtimes by chance.
    """
    names = []

    def load(name, record, folder, gpu=None):
        names.append(name)
        if isinstance(speeds[name], Exception):
            raise speeds[name]
        return lambda pixels: (np.zeros((1, 1, 4), np.float32), np.zeros((1, 1, 1), np.float32))

    class Watch:
        open = 0

        def __init__(self, name, path, size_hw, gpu):
            assert size_hw == SIZE_HW and path.name == "toy.json" and gpu is None
            load(name, None, path.parent)
            self.name = name
            Watch.open += 1

        def turn(self):
            speed = speeds[self.name]
            return speed() if callable(speed) else speed

        def close(self):
            Watch.open -= 1

    monkeypatch.setattr(registry, "load", load)
    monkeypatch.setattr(
        trial, "load", lambda name, record, folder, size_hw, gpu: load(name, record, folder, gpu)
    )
    monkeypatch.setattr(autotune, "CallTimer", Watch)
    monkeypatch.setattr(registry.Runtime, "installed", property(lambda self: self.package != "MNN"))
    yield names
    assert Watch.open == 0


def record_of(kinds=tuple(GRAPHS), **changes):
    exports = {kind: ExportedFormat(GRAPHS[kind], "raw", ("raw_0", "raw_1", "raw_2")) for kind in kinds}
    return ModelRecord("toy", "toy", SPEC, SIZE_HW, **{"formats": exports, "weights": "a1", **changes})


@pytest.fixture
def folder(tmp_path):
    for name in itertools.chain(*GRAPHS.values()):
        (tmp_path / name).write_text("weights")
    return tmp_path


def chosen(folder, record=None, **options):
    return autotune.choose(record or record_of(), folder / "toy.json", SIZE_HW, **options)[0]


def test_the_fastest_is_taken_and_named(folder, cache, loaded, caplog):
    caplog.set_level(logging.INFO, "gluon_yolo")
    record_of().write(folder / "toy.json")
    predictor = Predictor.load(folder)
    assert predictor.runtime == "onnxruntime" and set(loaded) == set(SPEEDS)
    figures = "onnxruntime 4.0 ms, openvino 8.0 ms, ncnn 12.0 ms, mxnet 20.0 ms"
    assert f"fastest runtime here: onnxruntime ({figures})" in caplog.text
    assert Predictor.load(folder, runtime="ncnn").runtime == "ncnn"


def test_it_is_measured_once(folder, cache, loaded, speeds):
    assert chosen(folder) == "onnxruntime"
    speeds["ncnn"] = [1.0]
    loaded.clear()
    assert chosen(folder) == "onnxruntime" and loaded == ["onnxruntime"]
    (file,) = cache.iterdir()
    assert json.loads(file.read_text())["runtime"] == "onnxruntime"


def test_it_is_measured_anew_when_asked_for(folder, cache, loaded, speeds, caplog):
    assert chosen(folder) == "onnxruntime"
    speeds["ncnn"] = [1.0]
    assert chosen(folder) == "onnxruntime" and chosen(folder, remeasure=True) == "ncnn"
    assert chosen(folder) == "ncnn"
    record_of().write(folder / "toy.json")
    speeds["mxnet"] = [0.5]
    assert Predictor.load(folder).runtime == "ncnn"
    assert Predictor.load(folder, remeasure=True).runtime == "mxnet"


@pytest.mark.parametrize(
    ("load", "days", "said"),
    [
        (0.1, 29.9, ""),
        (0.1, 31, "(the last time was 31 days ago)"),
        (0.1, -2, "(the clock was set back)"),
        (None, 29.9, ""),  # a system without a load
        (0.6, 0.9 / 24, ""),
        (0.6, 1.1 / 24, "(the last time was on a busy machine)"),
    ],
)
def test_the_choice_ages(folder, cache, loaded, speeds, machine, caplog, load, days, said):
    """Valid for a month, or for an hour if half of the cores were busy."""
    caplog.set_level(logging.INFO, "gluon_yolo")
    machine.load = load
    chosen(folder)
    note = "the machine was busy, so this is measured anew in an hour" if load == 0.6 else ""
    assert note in caplog.text and bool(note) == ("busy" in caplog.text)
    caplog.clear()
    machine.now += days * 86400
    speeds["ncnn"] = [1.0]
    assert chosen(folder) == ("ncnn" if said else "onnxruntime")
    assert said in caplog.text and bool(said) == bool(caplog.text)


def test_a_lucky_call_does_not_win(folder, cache, loaded, speeds, machine, caplog):
    """MNN as measured on a busy machine: 39 ms once, and more than a second in use."""
    caplog.set_level(logging.INFO, "gluon_yolo")
    lucky = itertools.cycle([[1223.0], [39.0], [1190.0]])
    speeds.update(onnxruntime=lambda: next(lucky), openvino=[69.0], ncnn=[80.0], mxnet=[90.0])
    assert chosen(folder) == "openvino"
    assert (
        "onnxruntime is not steady: its calls took 39.0 to 1223.0 ms; it is ranked by the slow" in caplog.text
    )
    assert (
        "(openvino 69.0 ms, ncnn 80.0 ms, mxnet 90.0 ms, onnxruntime 1223.0 ms); the machine was"
        in caplog.text
    )
    machine.now += 3700
    speeds["mxnet"] = [1.0]
    assert chosen(folder) == "mxnet"  # with unsteady calls the result is valid for an hour


def test_what_is_kept(folder, cache, loaded, machine):
    chosen(folder)
    (file,) = cache.iterdir()
    milliseconds = {name: SPEEDS[name][0] for name in ("onnxruntime", "openvino", "ncnn", "mxnet")}
    assert json.loads(file.read_text()) == {
        "runtime": "onnxruntime",
        "milliseconds": milliseconds,
        "measured": machine.now,
        "load": 0.1,
        "steady": True,
    }


def test_what_it_depends_on_is_measured_anew(folder, cache, loaded, monkeypatch):
    """Each change gives another file; the same again gives none."""
    cases = [
        {},
        {"record": record_of(weights="b2")},
        {"record": record_of(precision="int8")},
        {"record": record_of(("symbol", "onnx"))},
    ]
    for number, case in enumerate(cases, 1):
        for _ in range(2):
            chosen(folder, **case)
            assert len(list(cache.iterdir())) == number
    monkeypatch.setenv("OMP_NUM_THREADS", "17")
    chosen(folder)
    assert len(list(cache.iterdir())) == 5
    monkeypatch.setattr(autotune, "_version", lambda package: "99")
    chosen(folder)
    assert len(list(cache.iterdir())) == 6
    (folder / "toy.onnx").write_text("other weights")
    chosen(folder)
    assert len(list(cache.iterdir())) == 7


OLD = {"runtime": "ncnn", "milliseconds": {"ncnn": 1.0}}  # of a package that did not write the time


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{", json.dumps({"runtime": "abacus"}), json.dumps(OLD)),
        *(json.dumps({**OLD, "measured": when}) for when in ("yesterday", None)),
        json.dumps({**OLD, "runtime": "abacus", "measured": 1.8e9}),
        json.dumps({**OLD, "measured": 1.8e9, "load": "high"}),
    ],
)
def test_a_cache_of_something_else_is_written_anew(folder, cache, loaded, content):
    chosen(folder)
    (file,) = cache.iterdir()
    file.write_text(content)
    assert chosen(folder) == "onnxruntime"
    assert json.loads(file.read_text())["runtime"] == "onnxruntime"


def test_a_cache_that_cannot_be_written_is_no_error(folder, loaded, monkeypatch):
    (folder / "file").write_text("no folder")
    monkeypatch.setenv("GLUON_YOLO_CACHE", str(folder / "file"))
    assert chosen(folder) == "onnxruntime"


def test_the_cache_lies_where_the_system_keeps_them(folder, loaded, monkeypatch):
    monkeypatch.delenv("GLUON_YOLO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "xdg"))
    chosen(folder)
    assert len(list((folder / "xdg" / "gluon_yolo" / "fastest").iterdir())) == 1


def test_a_user_without_a_home(folder, loaded, monkeypatch):
    """As in a container that runs with a user id of its own."""

    def no_home(path):
        raise RuntimeError("Could not determine home directory.")

    for name in ("GLUON_YOLO_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(system_cache.Path, "expanduser", no_home)
    monkeypatch.setattr(system_cache.tempfile, "gettempdir", lambda: str(folder / "temporary"))
    assert chosen(folder) == "onnxruntime"
    assert len(list((folder / "temporary" / "gluon_yolo" / "fastest").iterdir())) == 1


def test_a_single_candidate_is_not_measured(folder, cache, loaded, speeds):
    def never():
        raise AssertionError

    speeds["ncnn"] = never
    assert chosen(folder, record_of(("ncnn",))) == "ncnn"
    assert not cache.exists()


def broken_run():
    raise RuntimeError("illegal instruction")


@pytest.mark.parametrize(
    "failure, said",
    [(UserError("toy.onnx: is damaged"), "toy.onnx: is damaged"), (broken_run, "illegal instruction")],
    ids=["load", "run"],
)
def test_one_that_fails_is_said_and_passed_over(folder, cache, loaded, speeds, caplog, failure, said):
    speeds["onnxruntime"] = failure
    assert chosen(folder) == "openvino"
    assert f"runtime onnxruntime is passed over: {said}" in caplog.text


def test_one_that_was_remembered_and_fails_now_is_passed_over(folder, cache, loaded, speeds, caplog):
    chosen(folder)
    speeds["onnxruntime"] = UserError("toy.onnx: is damaged")
    assert chosen(folder) == "openvino"
    assert "runtime onnxruntime is passed over: toy.onnx: is damaged" in caplog.text


def test_when_all_fail(folder, cache, loaded, speeds):
    speeds.update(dict.fromkeys(speeds, UserError("damaged")))
    with pytest.raises(UserError, match="toy runs in none of mxnet, onnxruntime, openvino, ncnn"):
        chosen(folder)
    with pytest.raises(UserError, match="^damaged$"):
        chosen(folder, record_of(("ncnn",)))


def test_a_file_of_one_size_is_no_candidate_for_another(folder, cache, loaded):
    """ONNX Runtime and OpenVINO would read it; if nothing else can run, the size is rejected."""
    fixed = ExportedFormat(("toy.onnx",), "decoded", ("boxes", "scores"), fixed=(1, 64, 64))
    exports = {**record_of().formats, "onnx": fixed}
    assert chosen(folder, record_of(formats=exports)) == "ncnn" and "onnxruntime" not in loaded
    with pytest.raises(UserError, match="toy.onnx: takes pictures of 64x64 alone, .* and not of 32x32"):
        chosen(folder, record_of(formats={"onnx": fixed}))


@pytest.mark.parametrize(
    ("scored", "installed", "expected"),
    [
        ((), ("onnxruntime", "openvino"), ["onnxruntime", "openvino"]),  # of an older package, or float
        (("onnxruntime",), ("onnxruntime", "openvino"), ["onnxruntime"]),
        (("onnxruntime",), ("openvino",), ["openvino"]),  # better than none
    ],
)
def test_int8_runs_in_what_it_was_scored_in(monkeypatch, scored, installed, expected):
    monkeypatch.setattr(registry.Runtime, "installed", property(lambda self: self.package in installed))
    graph = ExportedFormat(("toy.onnx",), "nms", ("ids", "scores", "bboxes"), runtimes=scored)
    assert registry.candidates(record_of(formats={"onnx": graph}, precision="int8")) == expected


def test_who_is_a_candidate(monkeypatch):
    monkeypatch.setattr(registry.Runtime, "installed", property(lambda self: self.package in ("ncnn", "MNN")))
    assert registry.candidates(record_of()) == ["ncnn"]
    assert registry.candidates(record_of(("symbol",))) == ["mxnet"]  # loading it tells what to install
    monkeypatch.setattr(registry.Runtime, "installed", False)
    assert registry.candidates(record_of()) == ["onnxruntime"]
    foreign = record_of(formats={"coreml": ExportedFormat(("toy.mlmodel",), "raw", ("raw_0",))})
    with pytest.raises(UserError, match="toy is there as coreml, which nothing here runs"):
        registry.candidates(foreign)


def test_a_runtime_that_is_not_installed_is_named(folder, monkeypatch):
    monkeypatch.setitem(RUNTIMES, "mnn", registry.Runtime("MNN", ("mnn",)))
    monkeypatch.setitem(__import__("sys").modules, "MNN", None)
    graph = ExportedFormat(("toy.mnn",), "decoded", ("boxes", "scores"))
    (folder / "toy.mnn").write_text("weights")
    with pytest.raises(MissingDependency, match="MNN"):
        registry.load("mnn", record_of(formats={"mnn": graph}), folder)


def test_of_threads_that_ask_at_once_one_measures(folder, cache, loaded, speeds):
    measured = threading.Event()

    def slow():
        measured.wait(0.2)  # time enough for the others to begin, too
        return [4.0]

    speeds["onnxruntime"] = slow
    found = []
    askers = [threading.Thread(target=lambda: found.append(chosen(folder))) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(60)
    assert found == ["onnxruntime"] * 8
    # Each candidate once to be measured; then the fastest one in each thread.
    assert [loaded.count(name) for name in ("mxnet", "ncnn", "onnxruntime")] == [1, 1, 1 + 8]
