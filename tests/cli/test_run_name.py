"""The name of a run, and the exports and records that have it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from gluon_yolo.cli import main
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.training.run_name import name_of_run
from tests.cli.test_train_flags import fresh_flags, given
from tests.models.darknet import small
from tests.small_training import NAME, SMALL, draw_data

CUSTOM, PUBLISHED = "yolo3_mobilenet1.0_custom", "yolo3_mobilenet1.0_voc"


@pytest.mark.parametrize(
    "words, network, name",
    [
        ("--data {cells}", CUSTOM, "cells"),
        ("--data {cells}/", CUSTOM, "cells"),
        ("--data {cells}/../cells/.", CUSTOM, "cells"),
        ("--data {cells}/data.yaml", CUSTOM, "cells"),
        ("--data {cells}/annotations/instances_train.json", CUSTOM, "cells"),
        ("--data {cells}/packed/train.rec", CUSTOM, "packed"),
        ("--data /", CUSTOM, CUSTOM),
        ("--data {cells}", PUBLISHED, "cells"),
        ("--data {cells} --name eyes", CUSTOM, "eyes"),
        ("--data {cells}", "MobileNetV2-YOLOv3-Nano-coco", "cells"),
        ("--data-root {cells}", "MobileNetV2-YOLOv3-Nano-coco", "cells"),
        ("", PUBLISHED, PUBLISHED),
        ("--dataset coco", "yolo3_mobilenet1.0_coco", "yolo3_mobilenet1.0_coco"),
        ("--dataset voc", "yolo3_mobilenet1.0_coco", "voc"),
        ("--dataset coco", "MobileNetV2-YOLOv3-Nano-voc", "coco"),
        ("--data {odd}", CUSTOM, "a_b_ c"),
    ],
)
def test_a_run_is_called_after_its_data_unless_somebody_says_so(tmp_path, words, network, name):
    cells, odd = tmp_path / "cells", tmp_path / "a:b* c."
    for folder in (cells / "annotations", cells / "packed", odd):
        folder.mkdir(parents=True)
    said = shlex.split(words.format(cells=cells, odd="{odd}"))
    flags = fresh_flags(given(shlex.join(word.replace("{odd}", str(odd)) for word in said)))
    assert name_of_run(flags, network) == name


def test_the_folder_here_has_a_name(tmp_path, monkeypatch):
    (tmp_path / "cells").mkdir()
    monkeypatch.chdir(tmp_path / "cells")
    assert name_of_run(fresh_flags(given("--data .")), CUSTOM) == "cells"


@pytest.mark.parametrize("name", ["a/b", "..", "", "a:b", "nul"])
def test_names_that_no_file_can_have_are_refused_before_any_work(name, tmp_path, capsys):
    words = ["--data", str(tmp_path / "nothing"), "--name", name, "--save-prefix", f"{tmp_path}/"]
    assert main(["train", *words]) == 2
    assert capsys.readouterr().err.startswith(f"error: --name {name!r}: expected a plain file name ")
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return draw_data(tmp_path_factory.mktemp("data"))


def stems(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_fine_tuned_cfg_is_called_after_its_data(data, tmp_path, capsys):
    """Not after COCO, the data of the cfg's model; its exports in every format have the name too."""
    cfg = tmp_path / "parent-coco.cfg"
    cfg.write_text(small.SMALL)
    words = [*SMALL, "--network", str(cfg), "--data", str(data), "--save-prefix", f"{tmp_path}/runs/"]
    assert main(["train", *words, "--epochs", "1"]) == 0
    run = tmp_path / "runs" / "parent-coco-1"
    assert "name: shapes, which its exports take" in capsys.readouterr().err
    record = ModelRecord.read(run / "model.json")
    assert (record.name, record.network) == ("shapes", "parent-coco")
    assert json.loads((run / "args.json").read_text())["name"] == "shapes"

    assert main(["export", str(run), "--format", "symbol,darknet", "--out", str(tmp_path / "out")]) == 0
    files = {"shapes-symbol.json", "shapes-0000.params", "shapes.json"}
    assert stems(tmp_path / "out") == files | {"shapes.cfg", "shapes.weights", "shapes.names"}
    record = ModelRecord.read(tmp_path / "out" / "shapes.json")
    assert (record.name, record.network) == ("shapes", "parent-coco")

    assert main(["export", str(tmp_path / "out"), "--out", str(tmp_path / "again")]) == 0
    assert files - {"shapes.json"} < stems(tmp_path / "again")
    small_out = tmp_path / "small"
    status = main(
        ["quantize", str(run), "--data", str(data), "--out", str(small_out), "--precision", "int8"]
        + ["--format", "symbol", "--max-drop", "100"]
    )
    assert status == 0 and "shapes-symbol.json" in stems(small_out / "int8")
    assert json.loads((small_out / "report.json").read_text())["name"] == "shapes"


def test_a_name_of_ones_own_is_the_folders_too_and_stays(data, tmp_path, capsys, caplog):
    words = [*SMALL, "--data", str(data), "--save-prefix", f"{tmp_path}/my-", "--name", "first try"]
    assert main(["train", *words, "--epochs", "1"]) == 0
    run = tmp_path / "my-first try-1"
    args = json.loads((run / "args.json").read_text())
    (run / "args.json").write_text(json.dumps({**args, "epochs": 2}))
    capsys.readouterr()
    assert main(["train", "--resume", str(run), "--name", "other"]) == 0
    said = capsys.readouterr().err
    assert "ignored: --name other (the run has first try)" in caplog.text
    assert "name: first try, which its exports take" in said
    assert ModelRecord.read(run / "model.json").name == "first try"
    assert main(["export", str(run), "--out", str(tmp_path / "out")]) == 0
    assert "first try-symbol.json" in stems(tmp_path / "out")
    assert main(["export", str(run), "--out", str(tmp_path / "out2"), "--name", "mine"]) == 0
    assert "mine-symbol.json" in stems(tmp_path / "out2")


@pytest.mark.slow
def test_a_run_of_before_there_were_names_goes_on_and_keeps_its_networks(data, tmp_path, capsys):
    words = [*SMALL, "--data", str(data), "--save-prefix", f"{tmp_path}/"]
    assert main(["train", *words, "--epochs", "1"]) == 0
    run = tmp_path / f"{NAME}-1"
    args = json.loads((run / "args.json").read_text())
    del args["name"]
    (run / "args.json").write_text(json.dumps({**args, "epochs": 2}))
    model = json.loads((run / "model.json").read_text())
    (run / "model.json").write_text(json.dumps({**model, "name": NAME}))
    assert main(["train", "--resume", str(run)]) == 0
    assert f"name: {NAME}, which its exports take" in capsys.readouterr().err
    assert main(["export", str(run), "--out", str(tmp_path / "out")]) == 0
    assert f"{NAME}-symbol.json" in stems(tmp_path / "out")
