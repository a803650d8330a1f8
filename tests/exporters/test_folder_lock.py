"""The lock of a folder: one process at a time writes."""

from __future__ import annotations

import threading

import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.exporters.folder_lock import locked_folder
from gluon_yolo.exporters.staging import staged
from gluon_yolo.inference.exported_format import ExportedFormat
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.system import folder_lock

fcntl = pytest.importorskip("fcntl", reason="this system has no flock")


def test_a_second_run_is_refused_until_the_first_has_ended(tmp_path):
    with (
        locked_folder(tmp_path),
        pytest.raises(UserError, match="another run is writing there; wait"),
        locked_folder(tmp_path),
    ):
        pass
    with locked_folder(tmp_path):
        pass
    with pytest.raises(ZeroDivisionError), locked_folder(tmp_path):
        raise ZeroDivisionError
    with locked_folder(tmp_path):
        pass


def test_folders_that_it_made_go_when_nothing_is_in_them(tmp_path):
    with locked_folder(tmp_path / "a" / "b"):
        assert (tmp_path / "a" / "b").is_dir()
    assert not list(tmp_path.iterdir())
    with locked_folder(tmp_path / "a" / "b"):
        (tmp_path / "a" / "file").touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "file"]
    with locked_folder(tmp_path / "a"):  # an existing folder, empty or not
        (tmp_path / "a" / "file").unlink()
    assert (tmp_path / "a").is_dir()


def test_a_folder_that_is_removed_before_it_is_locked_is_made_anew(tmp_path, monkeypatch):
    """As when a first process fails between the second one's open and lock."""
    folder, flock = tmp_path / "a", fcntl.flock
    calls = []

    def removed_then_locked(handle, how):
        calls.append(handle)
        if len(calls) == 1:
            folder.rmdir()
        flock(handle, how)

    monkeypatch.setattr(folder_lock.fcntl, "flock", removed_then_locked)
    with locked_folder(folder):
        assert folder.is_dir() and len(calls) == 2
        with pytest.raises(UserError), locked_folder(folder):
            pass


def test_a_disk_without_locks(tmp_path, monkeypatch):
    def unknown(handle, how):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(folder_lock.fcntl, "flock", unknown)
    with locked_folder(tmp_path), locked_folder(tmp_path):
        pass


def test_of_runs_that_publish_at_once_one_is_whole_and_the_others_are_refused(tmp_path):
    """All begin together and write while another one does."""
    refused, begun, names = [], threading.Barrier(4), ("a", "b", "c.onnx")
    record = ModelRecord("toy", "yolo3_toy", DetectionSpec(("cat",)), (64, 64))

    def publish(who):
        begun.wait()
        try:
            with staged(tmp_path / "out", record, {"darknet": ["a", "b"], "onnx": ["c.onnx"]}) as coming:
                for name in names:
                    (coming.aside / name).write_text(who)
                coming.formats["onnx"] = ExportedFormat(("c.onnx",), "raw", (who,))
                while len(refused) < 3:
                    threading.Event().wait(0.001)
        except UserError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=publish, args=(str(number),), daemon=True) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(refused) == 3 and all("another run is writing there" in said for said in refused)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [*names, "toy.json"]
    (who,) = {(tmp_path / "out" / name).read_text() for name in names}
    assert ModelRecord.read(tmp_path / "out" / "toy.json").exported("onnx", tmp_path / "out").outputs == (
        who,
    )
