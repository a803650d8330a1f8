"""report.html of real trainings: while they go on, at their end, and where they fail."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.training.callbacks import report as report_callback
from gluon_yolo.training.callbacks.report import Report
from tests.child import python
from tests.small_trainer import small_trainer
from tests.training.callbacks.interruptions import Doing, fail, stop

pytest.importorskip("bokeh", reason="Bokeh is not installed: pip install '.[report]'")


def trainer_of(data: Path, run: Path, callbacks=(), **settings):
    trainer = small_trainer(data, run, callbacks, report=True, **settings)
    trainer.folder.write_args({"epochs": trainer.config.epochs, "data": str(data), "name": "shapes"})
    return trainer


def shown(run: Path) -> str:
    """Return the page's text without scripts, styles, images and tags."""
    html = (run / "report.html").read_text(encoding="utf-8")
    html = re.sub(r"<(script|style).*?</\1>", "", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", html)))


def test_the_page_of_a_whole_training(data, tmp_path):
    run = tmp_path / "run"
    trainer_of(data, run).run()
    text = shown(run)
    assert "state finished epochs 3 of 3" in text and "Error." not in text and "goes on" not in text
    for title in ("Losses by step", "Losses by epoch", "Mean average precision", "Precision over recall",
                  "Confusion matrix", "Kinds of errors", "Objects of each class", "Environment"):  # fmt: skip
        assert title in text, title
    assert "Of the validation after epoch 2." in text and "train --resume" not in text
    assert re.search(r"\d+ found, \d+ wrong, \d+ missed", text)
    html = (run / "report.html").read_text()
    assert len(html) < 5e6 and html.count("data:image/jpeg") >= 3


@pytest.mark.slow
def test_pages_are_written_as_the_training_goes_on_but_not_too_often(data, tmp_path, monkeypatch):
    times = iter(range(0, 10_000, 20))  # each look at the clock is 20 seconds later
    states: list[str] = []
    written = Report._write

    def write(self, trainer, state):
        states.append(f"{state} {trainer.progress.epoch}")
        written(self, trainer, state)

    monkeypatch.setattr(Report, "_write", write)
    monkeypatch.setattr(report_callback, "_SHARE", 1.0)  # 20 seconds for a page: the next one is due after 30
    trainer = trainer_of(data, tmp_path / "run", epochs=6, val_interval=6, save_interval=0)
    report = next(each for each in trainer.callbacks._all if isinstance(each, Report))
    report._clock = lambda: float(next(times))
    trainer.run()
    assert states[0] == "training 1" and states[-1] == "finished 6"
    assert 2 < len(states) < 7  # neither after every epoch nor only at the ends


@pytest.mark.slow
def test_a_stopped_run_says_how_to_go_on_and_a_resumed_one_keeps_its_steps(data, tmp_path):
    run = tmp_path / "run"
    assert trainer_of(data, run, [Doing("on_step_end", stop)]).run() is None
    text = shown(run)
    assert "state stopped epochs 1 of 3" in text and f"gluon-yolo train --resume {run}" in text
    resumed = trainer_of(data, run)
    resumed.resume()
    resumed.run()
    (report,) = (each for each in resumed.callbacks._all if isinstance(each, Report))
    assert report.state_dict()["points"][0]["step"] == 1 and len(report.state_dict()["points"]) == 9


def test_a_loss_that_is_not_finite_leaves_a_page_with_its_error(data, tmp_path):
    run = tmp_path / "run"
    with pytest.raises(UserError, match="not finite"):
        trainer_of(data, run, lr=1e30, epochs=2).run()
    text = shown(run)
    assert "state failed epochs 0 of 2" in text and "Error. epoch 0, batch " in text
    assert "not finite" in text and "Losses by step" in text and "Objects of each class" in text
    assert "goes on" not in text


def test_an_error_of_another_kind_is_named(data, tmp_path):
    with pytest.raises(ValueError):
        trainer_of(data, tmp_path / "run", [Doing("on_step_end", fail)]).run()
    assert "Error. ValueError: no luck" in shown(tmp_path / "run")


def test_a_training_goes_on_where_its_page_cannot_be_written(data, tmp_path, caplog, monkeypatch):
    def no_room(*_):
        raise UserError("report.html: cannot be written: No space left on device")

    monkeypatch.setattr("gluon_yolo.report.page.Page.write", no_room)
    assert trainer_of(data, tmp_path / "run", epochs=1).run() is not None
    warnings = [each.getMessage() for each in caplog.records if "report.html" in each.getMessage()]
    assert warnings and all(
        "not written: report.html: cannot be written: No space" in line for line in warnings
    )


ALONE = """
import sys
from pathlib import Path
from tests.small_trainer import small_trainer
small_trainer(Path(sys.argv[1]), Path(sys.argv[2])).run()
print(sorted({"bokeh", "jinja2", "tensorboardX"} & set(sys.modules)))
"""


@pytest.mark.slow
def test_a_training_that_asks_for_none_imports_nothing_of_it(data, tmp_path):
    done = python("-c", ALONE, data, tmp_path / "run")
    assert done.stdout.strip().splitlines()[-1:] == ["[]"], done.stderr
    assert not {"report.html", "log.jsonl", "tensorboard"} & {
        path.name for path in (tmp_path / "run").iterdir()
    }


def test_numbers_are_plain_for_the_checkpoint():
    report = Report()
    report._steps.add(1, np.float32(0.1), {"box": np.float64(2)})
    assert report.state_dict()["points"] == [{"step": 1, "lr": pytest.approx(0.1), "total": 2.0, "box": 2.0}]
