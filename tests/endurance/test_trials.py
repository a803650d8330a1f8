"""A trial that is forked answers as one in a process of its own, also where the file ends the process."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from endurance.garbage.__main__ import damaged_file
from endurance.garbage.trials import Trials
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes import trial
from gluon_yolo.inference.runtimes.registry import RUNTIMES

OLD = Path(__file__).resolve().parents[1] / "old_work" / "exported"

pytestmark = pytest.mark.skipif(not RUNTIMES["mnn"].installed, reason="MNN is not installed")


def test_the_answers_are_the_same(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(OLD, tmp_path / "model"))
    record, file = ModelRecord.read(folder / "tiny.json"), folder / "tiny.mnn"
    good = file.read_bytes()
    trials = Trials()
    words = ("mnn", str(folder), "64", "64", "60")
    answers = []
    for number in (None, 3, 19, 164):  # as it was; of MNN 3.6.1 19 is SIGSEGV, 164 SIGFPE
        content = good if number is None else damaged_file([file], [good], 0, number)[1]
        file.write_bytes(content or b"")
        ours, theirs = trials.run(words, record), trial._run(words, record)
        for lines, status in (ours, theirs):
            assert trial.BEGUN in lines
            answers.append(([line for line in lines if line.startswith(trial.ENDED)], status))
        assert answers[-2] == answers[-1]
    assert answers[0] == ([f"{trial.ENDED}{{}}"], 0) and 0 < trials.seconds < 60
    assert len(set(map(str, answers))) > 2
    trials.close()
