"""RunFolder with its metrics file and its log."""

from __future__ import annotations

import logging
import os
import sys

import pytest
from tqdm import tqdm

from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.training.logging import start_log
from gluon_yolo.training.run_dir import RunFolder

log = logging.getLogger("gluon_yolo")


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder.create(tmp_path / "runs", "yolo3_mobilenet1.0_voc")
    folder.write_args({"epochs": 3, "gpus": ""})
    folder.write_model({"network": "yolo3_mobilenet1.0_voc", "size_hw": [320, 320]})
    return folder


def test_create_never_takes_an_earlier_run(tmp_path):
    (tmp_path / "net-7").mkdir()
    (tmp_path / "net-x").mkdir()
    (tmp_path / "other-net-9").mkdir()
    names = [RunFolder.create(tmp_path, "net").path.name for _ in range(3)]
    assert names == ["net-8", "net-9", "net-10"]
    assert (tmp_path / "net-8" / "weights").is_dir() and (tmp_path / "net-8" / "pictures").is_dir()


def test_create_takes_a_path_before_the_name(tmp_path):
    assert RunFolder.create(tmp_path, "mine/net").path == tmp_path / "mine" / "net-1"


def test_open_finds_what_was_written(folder):
    found = RunFolder.open(folder.path)
    assert found.args() == {"epochs": 3, "gpus": ""}
    assert found.model() == {"network": "yolo3_mobilenet1.0_voc", "size_hw": [320, 320]}


def test_open_names_the_runs_there_are(folder, tmp_path):
    for wrong in (folder.path.with_name("other"), tmp_path / "runs"):
        with pytest.raises(UserError, match="there are: .*yolo3_mobilenet1.0_voc-1"):
            RunFolder.open(wrong)
    with pytest.raises(UserError, match="not a run's folder: args.json and model.json missing$"):
        RunFolder.open(folder.images)


@pytest.mark.parametrize(
    "rows, snapshots, fresh",
    [
        (0, [], True),
        (1, ["epoch-0000.params"], True),  # killed before the first checkpoint
        (2, [], False),
        (1, ["epoch-0000.params", "epoch-0001.params"], False),
        (0, ["epoch-0009.params"], False),
    ],
)
def test_a_run_is_fresh_before_its_first_checkpoint(folder, rows, snapshots, fresh):
    for row in range(rows):
        folder.metrics.append({"epoch": row})
    for name in snapshots:
        (folder.weights / name).touch()
    assert folder.is_fresh() == fresh
    (folder.weights / "last").mkdir()
    (folder.weights / "last" / "state.json").touch()
    assert not folder.is_fresh()


def test_what_a_kill_left_half_written_is_removed(folder):
    for path in (folder.path / "curves.png", folder.weights / "best.params", folder.images / "one.jpg"):
        path.touch()
        path.with_name(f"{path.name}.part").touch()
    folder.remove_parts()
    assert not list(folder.path.rglob("*.part")) and len(list(folder.path.rglob("*.p*ng"))) == 1
    assert (folder.weights / "best.params").exists() and (folder.images / "one.jpg").exists()


def test_a_broken_file_is_named(folder):
    (folder.path / "args.json").write_text('{"epochs": ')
    with pytest.raises(UserError, match="args.json: cannot be read"):
        folder.args()
    (folder.path / "model.json").write_text("[]")
    with pytest.raises(UserError, match="model.json: expected a JSON object"):
        folder.model()


# What a damaged args.json may hold for a setting, and what the error says behind the file's name.
WRONG_SETTINGS = (
    ("only", {}, "only {}: expected a text"),
    ("data", ["a"], 'data ["a"]: expected a text'),
    ("data", True, "data true: expected a text"),
    ("classes", {}, "classes {}: expected a text"),
    ("skip_bad", "yes", "skip_bad yes: expected true or false"),
    ("no_random_shape", 0, "no_random_shape 0: expected true or false"),
    ("epochs", "many", "epochs many: expected a whole number"),
    ("epochs", 1.5, "epochs 1.5: expected a whole number"),
    ("epochs", None, "epochs: needs a value"),
    ("lr", "fast", "lr fast: expected a number"),
    ("lr", 10**400, "lr 10000000000"),
    ("warmup_epochs", "9" * 5000, "warmup_epochs 99999"),
    ("lr_decay_epoch", "9" * 5000, "lr_decay_epoch '99999"),
    ("seed", float("inf"), "seed Infinity: expected a whole number"),
    ("data_shape", "big", "data_shape 'big': expected pixels"),
    ("lr_decay_epoch", "a,b", "lr_decay_epoch 'a,b': expected epochs"),
    ("lr_decay", "0.1,x", "lr_decay x: expected a number"),
)


@pytest.mark.parametrize(
    ("name", "value", "said"), WRONG_SETTINGS, ids=[said[:24] for _, _, said in WRONG_SETTINGS]
)
def test_a_setting_of_a_wrong_type_is_named_with_its_file(folder, name, value, said):
    folder.write_args({"epochs": 3, name: value})
    with pytest.raises(UserError) as raised:
        folder.args()
    assert str(raised.value).startswith(f"{folder.path / 'args.json'}: {said}")
    assert not isinstance(raised.value, SettingError)  # which the command line would call a flag


def test_settings_of_another_version_stay(folder):
    folder.write_args({"epochs": 3, "of_tomorrow": [1]})
    assert folder.args() == {"epochs": 3, "of_tomorrow": [1]}


def test_an_unwritable_place_is_named(folder, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="file: cannot be written: .*exists; choose"):
        RunFolder.create(tmp_path / "file", "net")
    gone = RunFolder(tmp_path / "gone")
    for write in (
        lambda: gone.write_args({}),
        lambda: gone.metrics.append({"epoch": 0}),
        lambda: start_log(gone.log),
    ):
        with pytest.raises(UserError, match="gone.*: cannot be written: No such file"):
            write()


def test_metrics_have_one_header_and_plain_numbers(folder):
    folder.metrics.append({"epoch": 0, "lr": 0.001, "loss": 12.34567891, "note": "a, b", "mAP": None})
    folder.metrics.append({"epoch": 1, "loss": 11.0})
    lines = folder.metrics.path.read_text().splitlines()
    assert lines == ["epoch,lr,loss,note,mAP", '0,0.001,12.3457,"a, b",', "1,,11,,"]
    assert RunFolder.open(folder.path).metrics.rows()[0]["note"] == "a, b"


def test_metrics_take_a_new_column(folder):
    folder.metrics.append({"epoch": 0, "loss": 2.0})
    folder.metrics.append({"epoch": 1, "loss": 1.0, "mAP": 0.5})
    assert folder.metrics.path.read_text().splitlines() == ["epoch,loss,mAP", "0,2,", "1,1,0.5"]


def test_metrics_of_a_resumed_run_drop_what_is_trained_anew(folder):
    folder.metrics.keep_before(3)  # there is no file yet
    assert not folder.metrics.path.exists()
    for epoch in range(5):
        folder.metrics.append({"epoch": epoch, "loss": 5.0 - epoch})
    with folder.metrics.path.open("a") as file:
        file.write("5,0.")  # an incomplete row, as after a kill
    folder.metrics.keep_before(3)
    folder.metrics.append({"epoch": 3, "loss": 9.0})
    lines = folder.metrics.path.read_text().splitlines()
    assert lines == ["epoch,loss", "0,5", "1,4", "2,3", "3,9"]


def test_log_goes_to_file_and_console_once(folder, capsys):
    state = log.level, log.propagate, list(log.handlers)
    stop = start_log(folder.log)
    log.info("epoch %d", 0)
    log.warning("careful")
    log.debug("not shown")
    stop()
    log.error("after the end")
    stop = start_log(folder.log)
    log.info("resumed")
    stop()
    assert capsys.readouterr().err.splitlines() == ["epoch 0", "warning: careful", "resumed"]
    written = folder.log.read_text().splitlines()
    assert [line[20:] for line in written] == ["INFO epoch 0", "WARNING careful", "INFO resumed"]
    assert (log.level, log.propagate, log.handlers) == state


def test_log_does_not_break_a_progress_bar(folder, capsys):
    stop = start_log(folder.log)
    with tqdm(total=2, file=sys.stderr, ascii=True) as bar:
        log.info("message")
        bar.update(2)
    stop()
    shown = capsys.readouterr().err.replace("\r", "\n").splitlines()
    assert "message" in [line.strip() for line in shown]


def test_names_that_are_no_text_are_logged(folder, capsys):
    stop = start_log(folder.log)
    log.info("data: %s", os.fsdecode(b"d\xff\xc3\xa4"))
    log.info("and on")
    stop()
    assert "Logging error" not in capsys.readouterr().err
    written = folder.log.read_text(encoding="utf-8").splitlines()
    assert [line[20:] for line in written] == ["INFO data: d\\udcffä", "INFO and on"]
