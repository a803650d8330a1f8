"""A run's folder from a stranger is data too when its training goes on: nothing of it runs or leaves it."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gluon_yolo import train
from gluon_yolo.errors import UserError
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.training.optimizer_pickle import read_states
from gluon_yolo.training.resumed import resumed_args
from tests.trust.planted import Bomb

OLD = Path(__file__).resolve().parents[1] / "old_work"
EPOCHS = 25  # one more than the run had


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run that can go on."""
    folder = Path(shutil.copytree(OLD / "run", tmp_path / "run"))
    (folder / "pictures").mkdir()
    shutil.copytree(OLD / "data", tmp_path / "data")
    edit(folder / "args.json", lambda args: args.update(data=str(tmp_path / "data")))
    return folder


def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def put_states(run: Path, content: bytes) -> Path:
    """Put a file of states into a run's checkpoint, and seal it as a training does."""
    last = run / "weights" / "last"
    path = last / "trainer-a.states"
    path.write_bytes(content)
    sealed = {"name": path.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    edit(last / "state.json", lambda record: record["files"].update(trainer=sealed))
    return path


def protocol_0(module: str, name: str, argument: str) -> bytes:
    """Return a pickle of the oldest kind that calls a function with a text."""
    return f"c{module}\n{name}\n(V{argument}\ntR.".encode()


def test_what_is_no_optimizer_is_not_unpickled(run: Path) -> None:
    mark = run.parent / "mark"
    path = put_states(run, pickle.dumps(({}, Bomb(mark))))
    with pytest.raises(UserError) as caught:
        train(resume=run, epochs=EPOCHS)
    said = f"{path}: holds a posix.system; only an optimizer's numbers are read"
    assert str(caught.value).startswith(said) and not mark.exists()


@pytest.mark.parametrize(
    "content",
    [
        protocol_0("os", "system", "touch {mark}"),
        protocol_0("builtins", "eval", "open('{mark}', 'w')"),
        protocol_0("builtins", "getattr", "x"),
        protocol_0("mxnet.ndarray.ndarray", "load", "{mark}"),
        protocol_0("mxnet.optimizer.optimizer", "os", "x"),
        protocol_0("mxnet.optimizer.optimizer", "pickle.loads", "x"),
        protocol_0("gluon_yolo.training.mxnet_adamw", "make_trainer", "x"),
        # An array at an address, which mxnet would free.
        b"(cmxnet.ndarray.ndarray\nNDArray\n(I4096\ntRcmxnet.optimizer.optimizer\nSGD\n)\x81t.",
        b"(dcbuiltins\nbytearray\n(L99999999999L\ntRt.",
        b"(ccopyreg\n_reconstructor\n(cbuiltins\nobject\ncbuiltins\nobject\nNtR0t.",
        b"(dNt.",
        b"(dcmxnet.optimizer.optimizer\nSGD\nt.",
        b"(d(dt.",
        b"",
        b"\x80\x04",
        b"\x80\x04]\x94" + b"(" * 10_000,
    ],
    ids=range(16),
)
def test_a_file_of_states_is_only_numbers(content: bytes, tmp_path: Path) -> None:
    path, mark = tmp_path / "x.states", tmp_path / "mark"
    path.write_bytes(content.replace(b"{mark}", str(mark).encode()))
    with pytest.raises(UserError) as caught:
        read_states(path, mx.optimizer.SGD)
    assert str(caught.value).startswith(f"{path}: ") and not mark.exists()


def test_settings_of_another_kind_are_refused(run: Path) -> None:
    """A number in the place of a method would be called."""
    path = run / "weights" / "last" / "trainer-a.states"
    states, optimizer = pickle.loads(path.read_bytes())  # of our own
    optimizer.update = 3
    put_states(run, pickle.dumps((states, optimizer)))
    with pytest.raises(UserError, match="its optimizer has a setting update, which SGD lacks"):
        train(resume=run, epochs=EPOCHS)


def test_the_states_are_those_that_mxnet_reads() -> None:
    path = OLD / "run" / "weights" / "last" / "trainer-a.states"
    states, optimizer = pickle.loads(path.read_bytes())  # of our own
    found = read_states(path, mx.optimizer.SGD)
    assert len(found.states) == len(states) > 10
    assert found.settings == {k: v for k, v in vars(optimizer).items() if k != "param_dict"}
    for number, state in states.items():
        read = found.states[number].read()
        assert read.context == state.context and read.dtype == state.dtype
        assert (read.asnumpy() == state.asnumpy()).all() and isinstance(read, mx.nd.NDArray)


def test_an_optimizer_that_has_moved_is_read(tmp_path: Path) -> None:
    content = (OLD / "run" / "weights" / "last" / "trainer-a.states").read_bytes()
    assert content.count(b"mxnet.optimizer.optimizer") == 1
    moved = tmp_path / "x.states"
    moved.write_bytes(content.replace(b"mxnet.optimizer.optimizer", b"gluon_yolo.training.moved"))
    assert read_states(moved, mx.optimizer.SGD).settings["momentum"] == 0.9


@pytest.mark.parametrize("kind", ["net", "trainer", "extra"])
def test_the_files_of_a_checkpoint_lie_in_it(kind: str, run: Path) -> None:
    state = run / "weights" / "last" / "state.json"
    name = json.loads(state.read_text())["files"][kind]["name"]
    shutil.move(str(state.parent / name), run.parent / "outside")
    edit(state, lambda record: record["files"][kind].update(name="../../../outside"))
    with pytest.raises(UserError, match="names a file that is not beside it") as caught:
        train(resume=run, epochs=EPOCHS)
    assert str(caught.value).startswith(f"{state}: ")


@pytest.mark.parametrize("file", ["log.txt", "metrics.csv", "weights/best.params", "weights/new.params"])
def test_a_training_does_not_write_through_a_link(file: str, run: Path) -> None:
    outside = run.parent / "of-the-user"
    if file != "weights/new.params":  # that one leads to a file that does not exist yet
        outside.write_text("precious\n")
    (run / file).unlink(missing_ok=True)
    (run / file).symlink_to("../" * (file.count("/") + 1) + outside.name)
    with pytest.raises(UserError) as caught:
        train(resume=run, epochs=EPOCHS)
    assert str(caught.value).startswith(f"{run / file}: is a link to ../")
    assert not outside.exists() or outside.read_text() == "precious\n"


def test_a_link_within_the_run_is_followed(run: Path) -> None:
    (run / "log.txt").rename(run / "log-1.txt")
    (run / "log.txt").symlink_to("log-1.txt")
    train(resume=run, epochs=EPOCHS)
    assert "epoch 24" in (run / "log-1.txt").read_text().lower()


def test_a_run_does_not_say_where_hosts_meet() -> None:
    """The processes unpickle what comes from there."""
    kept = {"engine": "torch", "hosts": "2", "meet": "198.51.100.7:29400"}
    with pytest.raises(UserError, match="met at 198.51.100.7:29400, which is not taken from a run's folder"):
        resumed_args({"resume": "run"}, kept)
    with pytest.raises(UserError, match="is not taken from a run's folder"):
        resumed_args({"resume": "run", "hosts": "2"}, kept)
    assert resumed_args({"resume": "run", "hosts": "1"}, kept)["hosts"] == "1"
    assert resumed_args({"resume": "run", "meet": "10.0.0.1:29400"}, kept)["meet"] == "10.0.0.1:29400"
    assert resumed_args({"resume": "run"}, {})["meet"] is None
