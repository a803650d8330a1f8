"""``report`` and the flags that write reports: what they write, and what a mistake prints."""

from __future__ import annotations

import json
import re
import shutil
from html import unescape
from pathlib import Path

import pytest

import gluon_yolo
from gluon_yolo.cli import main
from gluon_yolo.system import run_note
from tests.missing_package import uninstall
from tests.small_training import draw_data, start_run

pytest.importorskip("bokeh", reason="Bokeh is not installed: pip install '.[report]'")


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """Return a run of two epochs with all logs that can be asked for; beside it is its data."""
    folder = tmp_path_factory.mktemp("trained")
    status, run = start_run(draw_data(folder), folder, "--epochs", "2", "--report", "--jsonl")
    assert status == 0
    return run


@pytest.fixture
def copied(trained, tmp_path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def shown(page: Path) -> str:
    html = page.read_text(encoding="utf-8")
    html = re.sub(r"<(script|style).*?</\1>", "", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", html)))


def test_a_training_with_report_leaves_one(trained):
    text = shown(trained / "report.html")
    assert "state finished epochs 2 of 2" in text and "Precision over recall" in text
    assert "gluon-yolo export" in text and f"gluon-yolo demo --model {trained} PICTURES" in text
    assert (trained / "log.jsonl").read_text().count('"kind": "epoch"') == 2
    args = json.loads((trained / "args.json").read_text())
    assert args["report"] is True and args["jsonl"] is True and args["tensorboard"] is False


def test_the_page_of_a_finished_run(copied, capsys):
    (copied / "report.html").unlink()
    assert main(["report", str(copied)]) == 0
    page = copied / "report.html"
    size = page.stat().st_size / 1e6
    assert capsys.readouterr().out == f"the report is in {page}, {size:.1f} MB: open it in a browser\n"
    text = shown(page)
    assert "state finished epochs 2 of 2" in text and "Losses by step" in text
    assert "Objects of each class" in text and "Precision over recall" not in text


def test_a_page_with_scores_elsewhere(copied, tmp_path):
    out = tmp_path / "new" / "page.html"
    assert main(["report", str(copied), "--score", "--out", str(out)]) == 0
    assert "Precision over recall" in shown(out) and "Kinds of errors" in shown(out)


def test_eval_writes_a_page(trained, tmp_path, capsys):
    out = tmp_path / "scores.html"
    assert main(["eval", "--model", str(trained), "--report", str(out)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"the report is in {out}"
    text = shown(out)
    assert f"Scores of {trained}" in text and "Confusion matrix" in text and "score_threshold" in text


def test_numbers_that_are_none_are_left_out(copied):
    table = copied / "metrics.csv"
    names, first, *more = table.read_text().splitlines()
    cells = dict(zip(names.split(","), first.split(",")), seconds="0x10")
    table.write_text("\n".join([names, ",".join(cells.values()), *more, ""]))
    assert main(["report", str(copied)]) == 0
    assert "epochs 2 of 2" in shown(copied / "report.html")


@pytest.mark.parametrize("change", [{"points": [{"lr": 0.1}]}, {"points": 3}, {"sums": {"total": "much"}}])
def test_a_damaged_record_of_the_steps(change, copied, capsys):
    state = copied / "weights" / "last" / "state.json"
    record = json.loads(state.read_text())
    record["callbacks"]["Report"].update(change)
    state.write_text(json.dumps(record))
    assert main(["report", str(copied)]) == 2
    assert capsys.readouterr().err.startswith(
        f"error: {copied}/weights/last: damaged: its state of Report has no losses by step"
    )


def test_from_python(copied):
    path = gluon_yolo.write_report(copied, copied / "other.html")
    assert path == copied / "other.html" and "epochs 2 of 2" in shown(path)


def test_a_run_without_data_says_so(copied):
    args = json.loads((copied / "args.json").read_text())
    (copied / "args.json").write_text(json.dumps({**args, "data_root": "/nothing/here"}))
    assert main(["report", str(copied)]) == 0
    text = shown(copied / "report.html")
    assert "The run's data cannot be opened: " in text and "Losses by epoch" in text


def test_a_failed_and_a_killed_run_say_why(copied):
    with (copied / "log.txt").open("a") as log:
        log.write("2026-11-28 04:00:00 ERROR epoch 1: the loss is not finite\nTraceback\n")
    gluon_yolo.write_report(copied)
    text = shown(copied / "report.html")
    assert "Error. epoch 1: the loss is not finite" in text and "state failed" in text
    with run_note.noted(copied):
        gluon_yolo.write_report(copied)
        assert "state being trained while this page was written" in shown(copied / "report.html")
        note = json.loads((copied / run_note.FILE).read_text())
    (copied / run_note.FILE).write_text(json.dumps({**note, "process": 2**22 + 1}))
    gluon_yolo.write_report(copied)
    assert "Error. its training was killed, probably by the system" in shown(copied / "report.html")


def test_a_run_that_was_killed_before_its_first_checkpoint(copied):
    shutil.rmtree(copied / "weights" / "last")
    (copied / "metrics.csv").unlink()
    gluon_yolo.write_report(copied)
    assert "state stopped epochs 0 of 2" in shown(copied / "report.html")


MISTAKES = [
    (["report"], "missing: RUN"),
    (["report", "{tmp}/nothing"], "nothing: no such run"),
    (["report", "{tmp}"], "not a run's folder: args.json and model.json missing"),
    (["report", "{run}", "--out", ""], "--out: is empty; name a place, or leave the flag out"),
    (["report", "{run}", "--out", "{tmp}"], "--out {tmp}: is a folder; name another place"),
    (["report", "{run}", "--out", "/proc/x/page.html"], "--out /proc/x/page.html: cannot be written"),
    (["eval", "--model", "{run}", "--report", "{tmp}"], "--report {tmp}: is a folder; name another place"),
    (["eval", "--model", "{run}", "--json", "a", "--report", ""], "--report: is empty"),
]


@pytest.mark.parametrize("words, message", MISTAKES, ids=lambda value: " ".join(value)[-40:])
def test_mistakes(words, message, trained, tmp_path, capsys):
    words, message = (
        [word.format(tmp=tmp_path, run=trained) for word in words],
        message.format(tmp=tmp_path),
    )
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and "Traceback" not in error


@pytest.mark.parametrize(
    "flag, package, extra",
    [("--report", "bokeh", "report"), ("--tensorboard", "tensorboardX", "tensorboard")],
)
def test_a_training_without_the_package_ends_before_it_begins(
    flag, package, extra, tmp_path, monkeypatch, capsys
):
    uninstall(monkeypatch, package)
    status, run = start_run(draw_data(tmp_path), tmp_path, "--epochs", "1", flag)
    assert status == 2 and not run.exists()
    assert f'error: {package} is not installed: pip install ".[{extra}]"' in capsys.readouterr().err


@pytest.mark.slow
def test_a_resumed_run_may_be_asked_for_a_report(tmp_path):
    data = draw_data(tmp_path)
    _, run = start_run(data, tmp_path, "--epochs", "1")
    args = json.loads((run / "args.json").read_text())
    (run / "args.json").write_text(json.dumps({**args, "epochs": 2}))
    assert main(["train", "--resume", str(run), "--report", "--jsonl"]) == 0
    assert "epochs 2 of 2" in shown(run / "report.html")
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines if line["kind"] == "epoch"] == [1]
