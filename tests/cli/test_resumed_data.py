"""A resumed run whose data has moved or changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from gluon_yolo.cli import main
from tests.small_training import SMALL, draw_data, rows


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """Return a folder with a run of one epoch and its data: ``runs/mine-1`` and ``shapes``."""
    place = tmp_path_factory.mktemp("moved")
    data = draw_data(place)
    words = ["train", "--data", str(data), "--save-prefix", f"{place}/runs/", "--name", "mine"]
    assert main([*words, *SMALL, "--epochs", "1"]) == 0
    return place


@pytest.fixture
def moved(finished, tmp_path) -> tuple[Path, Path]:
    """Return an interrupted run and the new path of its data."""
    run = shutil.copytree(finished / "runs" / "mine-1", tmp_path / "mine-1")
    args = json.loads((run / "args.json").read_text())
    gone = {**args, "data": str(tmp_path / "gone"), "epochs": 2}
    (run / "args.json").write_text(json.dumps(gone))
    return run, shutil.copytree(finished / "shapes", tmp_path / "new place")


def resumed(capsys, run: Path, *words: object) -> tuple[int, list[str]]:
    capsys.readouterr()
    status = main(["train", "--resume", str(run), *map(str, words)])
    return status, capsys.readouterr().err.splitlines()


def test_data_that_is_not_there_comes_with_the_way_on(moved, capsys):
    run, data = moved
    status, said = resumed(capsys, run)
    assert status == 2 and said[-1] == (
        f"error: {run.parent}/gone: no such file or folder, so no data. If what the run was trained on lies "
        f"elsewhere now: gluon-yolo train --resume {run} --data NEW"
    )
    # also with a class file that was deleted
    args = json.loads((run / "args.json").read_text())
    (run / "args.json").write_text(json.dumps({**args, "data": str(data), "classes": f"{run}/lost.names"}))
    status, said = resumed(capsys, run)
    assert status == 2 and said[-1].endswith(f" train --resume {run} --classes NEW")


def test_the_same_data_in_another_place_is_taken_and_kept(moved, capsys, monkeypatch):
    run, data = moved
    monkeypatch.chdir(data.parent)
    status, said = resumed(capsys, run, "--data", data.name)
    assert status == 0, said
    assert f"the run's pictures and boxes lie elsewhere now: --data {data}" in said
    assert not any("ignored" in line for line in said) and "resuming at epoch 1, batch 0" in said
    args = json.loads((run / "args.json").read_text())
    assert args["data"] == str(data) and args["epochs"] == 2
    assert [row["epoch"] for row in rows(run)] == ["0", "1"]


def test_of_a_published_data_sets_folder_too(moved, capsys):
    run, data = moved
    args = json.loads((run / "args.json").read_text())
    rooted = {**args, "data": None, "dataset": "voc", "data_root": args["data"]}
    (run / "args.json").write_text(json.dumps(rooted))
    status, said = resumed(capsys, run)
    assert status == 2 and said[-1].endswith(f"--resume {run} --data-root NEW")
    assert resumed(capsys, run, "--data-root", data)[0] == 0
    (run / "args.json").write_text(json.dumps({**rooted, "epochs": 3}))
    assert resumed(capsys, run, "--data", data)[0] == 0
    args = json.loads((run / "args.json").read_text())
    assert (args["data"], args["dataset"], args["data_root"]) == (str(data), None, None)


def move_a_box(data: Path) -> str:
    path = sorted((data / "Annotations").iterdir())[-1]  # of the validation split
    text = path.read_text()
    place = text.index("<xmin>") + len("<xmin>")
    end = text.index("<", place)
    path.write_text(f"{text[:place]}{float(text[place:end]) + 1}{text[end:]}")
    return "val: other pictures or boxes"


def lose_an_image(data: Path) -> str:
    path = data / "ImageSets" / "Main" / "train.txt"
    path.write_text("\n".join(path.read_text().split()[1:]) + "\n")
    return "train: 11 pictures and not 12"


@pytest.mark.parametrize("change", [move_a_box, lose_an_image])
def test_other_data_is_refused(moved, capsys, change):
    run, data = moved
    before = (run / "args.json").read_text()
    what = change(data)
    status, said = resumed(capsys, run, "--data", data)
    assert status == 2 and said[-1] == (
        f"error: {data} {what}: not the data that {run} was trained on. Name that, or start a new run from "
        f"its weights: --weights {run}"
    )
    assert (run / "args.json").read_text() == before


def test_a_run_from_before_data_was_recorded_takes_it_with_a_word(moved, capsys):
    run, data = moved
    (run / "data.json").unlink()
    status, said = resumed(capsys, run, "--data", data)
    assert status == 0
    assert (
        f"warning: --data {data}: taken for the data that the run was trained on, of which it kept no record"
        in said
    )
