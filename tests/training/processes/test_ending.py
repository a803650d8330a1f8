"""Endings: what a process can tell of an exception, and which exceptions mean that another one is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="several processes are torch's engine")

from gluon_yolo.errors import SettingError, UserError  # noqa: E402
from gluon_yolo.training.learnable import NothingToLearn  # noqa: E402
from gluon_yolo.training.processes.ending import BUG, LOST, STOPPED, USER, Ending, Lost, is_lost  # noqa: E402


class Stubborn(UserError):
    """An exception that cannot be pickled."""

    status = 7

    def __reduce__(self) -> str:
        raise TypeError("no")


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (UserError("a.jpg: cannot be read"), USER, 2),
        (SettingError("{lr} 3: too high"), USER, 2),
        (KeyError("anchor"), BUG, 1),
        (Lost("gone"), LOST, 75),
        (KeyboardInterrupt("by SIGINT"), STOPPED, 130),
        (torch.distributed.DistBackendError("NCCL error"), LOST, 75),
        (torch.distributed.DistStoreError("wait timeout"), LOST, 75),
        (RuntimeError("[gloo/transport/tcp/pair.cc:538] Connection closed by peer [127.0.0.1]:5"), LOST, 75),
        (RuntimeError("[../third_party/gloo] Timed out waiting 1000ms for recv operation"), LOST, 75),
        (RuntimeError("CUDA error: uncorrectable ECC error encountered"), LOST, 75),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), BUG, 1),
        (ValueError("gloo"), BUG, 1),
    ],
)
def test_kinds(error: BaseException, kind: str, status: int, tmp_path: Path) -> None:
    ending = Ending.of(error, 3)
    assert (ending.kind, ending.exit_status, ending.rank) == (kind, status, 3)
    assert is_lost(error) == (kind == LOST)
    ending.write(tmp_path, 3)
    assert Ending.read(tmp_path, 3) == ending
    raised = ending.exception()
    if kind in (USER, BUG, STOPPED):
        assert type(raised) is type(error) and str(raised) == str(error)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "[/__w/gloo/transport/tcp/pair.cc:537] Read error [127.0.0.1]:9438: Connection reset by peer. "
            "This is typically caused by a remote worker hanging. GLHF!",
            "process 3: the connection to another process on 127.0.0.1 is gone (Connection reset by peer)",
        ),
        (
            "[/__w/gloo/transport/tcp/pair.cc:553] Connection closed by peer [10.0.0.2]:31021",
            "process 3: the connection to another process is gone (Connection closed by peer)",
        ),
        ("CUDA error: unspecified launch failure\nmore", "process 3: CUDA error: unspecified launch failure"),
    ],
)
def test_a_lost_process_is_told_in_short(said: str, told: str) -> None:
    assert Ending.of(RuntimeError(said), 3).text == told
    assert Ending.of(Lost("as it is: GLHF"), 3).text == "as it is: GLHF"


def test_an_error_keeps_its_class_and_its_settings() -> None:
    error = Ending.of(NothingToLearn("{data}: no object"), 0).exception()
    assert type(error) is NothingToLearn and str(error) == "data: no object"


def test_what_other_processes_are_told() -> None:
    """A text, since the class may not be known to them; settings stay in braces."""
    told = Ending.from_bytes(Ending.of(SettingError("{lr} 3: too high"), 1).to_bytes())
    error = told.exception()
    assert isinstance(error, SettingError) and error.named(str.upper) == "LR 3: too high"
    assert (told.kind, told.rank, told.error) == (USER, 1, b"")


def test_an_exception_that_cannot_be_pickled_is_a_user_error_with_its_status() -> None:
    error = Ending.of(Stubborn("as it is {not a setting}"), 0).exception()
    assert type(error) is UserError and str(error) == "as it is {not a setting}" and error.status == 7


def test_the_traceback_of_a_bug_is_told() -> None:
    try:
        raise KeyError("anchor")
    except KeyError as error:
        ending = Ending.of(error, 2)
    assert "test_ending.py" in ending.trace and 'raise KeyError("anchor")' in ending.trace


def test_a_process_that_was_killed_while_it_wrote_said_nothing(tmp_path: Path) -> None:
    (tmp_path / "0.pickle").write_bytes(b"\x80\x04")
    assert Ending.read(tmp_path, 0) is None and Ending.read(tmp_path, 1) is None
