"""``train``: the published commands on small data, and the messages for input that cannot be used."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gluon_yolo import mxnet_compat
from gluon_yolo.cli import main
from gluon_yolo.data.anchors import box_sizes, by_level, find_anchors, format_anchors, refine_anchors
from gluon_yolo.data.voc.dataset import open_voc
from gluon_yolo.evaluation.coco_ap import truth_of
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.models import zoo
from gluon_yolo.models.build import find_architecture
from gluon_yolo.system import run_note
from gluon_yolo.system.cuda import READY
from gluon_yolo.training import setup
from tests.cli.test_train_flags import COCO, VOC
from tests.small_training import DOOR, NAME, ROOT, SMALL, draw_data, start_run
from tests.system.test_run_note import DYING

# These flags make a published command run in seconds.
TINY = shlex.split(
    '--gpus "" --network mobilenet0_25 --batch-size 4 -j 2 --epochs 1 --data-shape 64 --no-random-shape '
    "--pretrained-base no"
)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return draw_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory) -> Path:
    """Return a run of one epoch."""
    status, run = start_run(data, tmp_path_factory.mktemp("runs"), "--epochs", "1")
    assert status == 0
    return run


@pytest.fixture
def refused(tmp_path, capsys) -> Callable[..., str]:
    """Return a function that runs a training that must not start, and returns its error message."""

    def refused(*words: object, lines: int = 1) -> str:
        out = tmp_path / "out"
        flags = [*SMALL, "--epochs", "2", "--save-prefix", f"{out}/", *map(str, words)]
        assert main(["train", *flags]) == 2
        said = capsys.readouterr()
        assert not said.out and "Traceback" not in said.err
        last = said.err.splitlines()[-lines:]
        assert [line.startswith("error: ") for line in last] == [True] + [False] * (lines - 1)
        assert not list(out.glob("*")), "no run's folder is left behind"
        return "\n".join(last)[len("error: ") :]

    return refused


def test_the_published_voc_command_trains(data, tmp_path, capsys):
    words = [*shlex.split(VOC), *TINY, "--data-root", str(data), "--save-prefix", f"{tmp_path}/"]
    assert main(["train", *words]) == 0
    assert f"done: best weights {tmp_path}/{NAME}-1/weights/best.params" in capsys.readouterr().out


def test_the_published_coco_command_trains(data, tmp_path, capsys):
    root = coco_of(data, tmp_path / "coco")
    words = [*shlex.split(COCO), *TINY, "--data-root", str(root), "--save-prefix", f"{tmp_path}/"]
    assert main(["train", *words]) == 0
    said = capsys.readouterr()
    assert f"done: best weights {tmp_path}/{NAME}-1/weights/best.params (fitness " in said.out
    assert "COCO AP50" in said.err


def coco_of(voc: Path, root: Path) -> Path:
    """Write the images and boxes in COCO's layout."""
    (root / "annotations").mkdir(parents=True)
    for part in ("train", "val"):
        content = truth_of(open_voc(voc, part))
        (root / f"{part}2017").mkdir()
        for image in content["images"]:
            shutil.copy(image["file_name"], root / f"{part}2017")
            image["file_name"] = Path(image["file_name"]).name
        (root / "annotations" / f"instances_{part}2017.json").write_text(json.dumps(content))
    return root


@pytest.mark.parametrize("command", [VOC, COCO], ids=["voc", "coco"])
def test_gpus_that_are_not_there(refused, data, command):
    if any(line.endswith(READY) for line in mxnet_compat.gpu_report()):
        pytest.skip("this machine has a GPU that mxnet can use")
    assert 'for training give --gpus ""' in refused(*shlex.split(command), "--data-root", data)


def test_the_door_prints_one_line_and_exits_with_2(tmp_path):
    done = subprocess.run(
        [*DOOR, *SMALL, "--data-root", str(tmp_path / "nowhere")], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1


def test_data_that_is_not_there(refused, data, tmp_path):
    nowhere = tmp_path / "nowhere"
    assert refused("--data-root", nowhere).startswith(f"{nowhere}: ")
    assert f"{data}" in refused("--data-root", data, "--train-split", "tarin")
    (tmp_path / "names.txt").write_text("circle\nsquare\nstar\n")
    said = refused("--data-root", data, "--classes", tmp_path / "names.txt", lines=2)
    assert said.startswith(f"{data}/Annotations/scene_00000.xml: ") and "unknown class 'triangle'" in said


def test_an_empty_split(refused, data, tmp_path):
    root = shutil.copytree(data, tmp_path / "copy")
    for part in ("train", "val"):
        path = root / "ImageSets" / "Main" / f"{part}.txt"
        before = path.read_text()
        path.write_text("\n")
        assert str(path) in refused("--data-root", root)
        path.write_text(before)


def without_objects(root: Path, part: str) -> None:
    for stem in (root / "ImageSets" / "Main" / f"{part}.txt").read_text().split():
        path = root / "Annotations" / f"{stem}.xml"
        text = path.read_text()
        path.write_text(text[: text.index("<object>")] + "</annotation>")


def test_nothing_to_learn_from(data, tmp_path, capsys):
    """Before the run folder is made; the status is 1, because the input is valid."""
    root = shutil.copytree(data, tmp_path / "copy")
    without_objects(root, "train")
    words = [*SMALL, "--epochs", "1", "--data-root", str(root), "--save-prefix", f"{tmp_path}/out/"]
    for more in ([], ["--anchors", "auto"]):
        assert main(["train", *words, *more]) == 1
        said = capsys.readouterr().err.splitlines()[-1]
        assert said == "error: copy train: no object in any training picture, so nothing to learn from"
    assert not (tmp_path / "out").exists()


def test_objects_that_are_lost_are_said(data, tmp_path, capsys):
    """Images of 96x96 at input size 32x32; most boxes are one pixel wide."""
    root = shutil.copytree(data, tmp_path / "copy")
    for path in sorted((root / "Annotations").glob("*.xml"))[:-3]:
        text = re.sub(r"<xmin>(\d+)</xmin>", "<xmin>50</xmin>", path.read_text())
        path.write_text(re.sub(r"<xmax>(\d+)</xmax>", "<xmax>51</xmax>", text))
    words = [*SMALL, "--epochs", "1", "--data-root", str(root), "--save-prefix", f"{tmp_path}/out/"]
    assert main(["train", *words, "--data-shape", "32", "--skip-bad"]) == 0
    said = capsys.readouterr().err
    assert re.search(
        r"warning: copy train: \d\d % of the \d+ objects are narrower or lower than a pixel at", said
    )
    assert "--data-shape 96 would keep nine of ten" in said


def test_nothing_to_find_in_the_validation_images(refused, data, tmp_path):
    root = shutil.copytree(data, tmp_path / "copy")
    without_objects(root, "val")
    assert refused("--data-root", root) == "copy val: no object in any picture, so nothing to validate on"


@pytest.mark.parametrize(
    "words, said",
    [
        ("--network mobilenet9", "--network: unknown network 'mobilenet9'; did you mean"),
        ("--data-shape 60", "--data-shape 60x60: both sides must be multiples of 32"),
        ("--data-shape big", "--data-shape 'big': expected pixels as 416"),
        ("--lr 0", "--lr 0.0: must be above 0"),
        ("--lr-decay-epoch 1;2", "--lr-decay-epoch '1;2': expected epochs with commas between"),
        ("--cpu-devices 3", "--batch-size: 4 pictures cannot be split evenly over 3 devices; use 3 or 6"),
        ("--gpus a", '--gpus: expected numbers as 0,1 or "" for the CPU'),
        ("--syncbn --freeze-bn", "--syncbn and --freeze-bn exclude each other"),
        ("--start-epoch 2", "--start-epoch 2: training ends with epoch 1"),
        ("--box-loss ciou --freeze ,", "--freeze ,: names nothing"),
        ("--freeze nothing.here", "--freeze nothing.here: "),
        ("--network fastestv2 --box-loss yolo3", "box loss 'yolo3'"),
        ("--weights nowhere.params", "{cwd}/nowhere.params: no such weights file"),
        ("--resume nowhere.params", "{cwd}/nowhere.params: no such weights file"),
        ("--resume nowhere", "nowhere: no such run"),
    ],
)
def test_flags_that_cannot_be_meant(refused, data, words, said):
    assert refused("--data-root", data, *shlex.split(words)).startswith(said.format(cwd=Path.cwd()))


def test_a_file_in_the_place_of_the_output_folder(data, tmp_path, capsys):
    (tmp_path / "runs").write_text("in the way")
    status, _ = start_run(data, tmp_path / "runs")
    assert status == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert (
        error
        == f"error: {tmp_path}/runs: cannot be written: File exists; choose a folder that can be written"
    )


def test_weights_that_are_none_or_of_another_network(refused, data, finished, tmp_path):
    damaged = tmp_path / "damaged.params"
    damaged.write_bytes((finished / "weights" / "best.params").read_bytes()[:5000])
    assert refused("--data-root", data, "--weights", damaged).startswith(f"{damaged}: not a whole MXNet")

    other = tmp_path / "other.params"
    net = zoo.build("yolo3_mobilenetv2_0.25_custom", ("circle", "square", "star", "triangle"))
    net.initialize_weights(seed=0)
    net.save_parameters(str(other))
    said = refused("--data-root", data, "--weights", other)
    assert said.startswith(f"{other}: weights of another network than {NAME}: ")

    wider = refused("--data-root", data, "--weights", finished, "--network", "mobilenet1_0")
    assert "weights of another network than yolo3_mobilenet1.0_custom: 37 of its 241 parameters fit" in wider


def test_the_log_says_how_well_the_anchors_suit(finished):
    lines = (finished / "log.txt").read_text().splitlines()
    (line,) = [line for line in lines if "anchors: 9, mean best IoU 0." in line]
    assert line.endswith(" on the training boxes at 64x64")


def test_found_anchors_stay_with_the_run(data, tmp_path, monkeypatch):
    status, run = start_run(data, tmp_path, "--anchors", "auto", "--epochs", "1")
    assert status == 0
    found = find_anchors(box_sizes(open_voc(data, "train"), (64, 64)))
    args = json.loads((run / "args.json").read_text())
    assert args["anchors"] == format_anchors(found)
    assert Predictor.load(run).spec.anchors == by_level(found, 3)

    for name in ("found_anchors", "better_anchors"):
        monkeypatch.setattr(setup, name, lambda *words: pytest.fail("anchors are found once"))
    (run / "args.json").write_text(json.dumps({**args, "epochs": 2}))
    assert main(["train", "--resume", str(run)]) == 0
    assert Predictor.load(run).spec.anchors == by_level(found, 3)


@pytest.mark.parametrize(
    "words, better", [((), True), (("--anchors", "own"), False), (("--anchors", "better"), True)]
)
def test_a_recipe_takes_better_anchors_where_they_gain(data, tmp_path, capsys, words, better):
    recipe = ("--recipe", "small-data") if words != ("--anchors", "better") else ()
    status, run = start_run(data, tmp_path, *recipe, "--epochs", "1", *words)
    said = capsys.readouterr().err
    assert status == 0
    assert ("anchors: found on the training pictures, level by level: mean best IoU 0." in said) == better
    own = find_architecture(NAME).spec.anchors
    expected = refine_anchors(box_sizes(open_voc(data, "train"), (64, 64)), own) if better else own
    assert Predictor.load(run).spec.anchors == expected
    assert (json.loads((run / "args.json").read_text())["anchors"] is None) != better


@pytest.fixture
def copied(finished, data, tmp_path) -> tuple[Path, Path]:
    """Return copies of an interrupted run and its data, which the test may damage."""
    root = shutil.copytree(data, tmp_path / "data")
    run = shutil.copytree(finished, tmp_path / "run")
    args = json.loads((run / "args.json").read_text())
    (run / "args.json").write_text(json.dumps({**args, "data_root": str(root), "epochs": 2}))
    return run, root


@pytest.mark.parametrize(
    "epochs, said", [(1, "finished: its 1 epoch is trained"), (2, "resuming at epoch 1")]
)
def test_a_killed_run_is_tidied(copied, capsys, epochs, said):
    """Of one that was killed behind its last checkpoint, its report is written."""
    run, _ = copied
    args = json.loads((run / "args.json").read_text())
    (run / "args.json").write_text(json.dumps({**args, "epochs": epochs, "report": True}))
    parts = [run / "report.html.part", run / "weights" / "epoch-0001.params.part"]
    for part in parts:
        part.touch()
    child = [sys.executable, "-c", DYING, str(run)]
    assert subprocess.run(child, cwd=ROOT).returncode == -signal.SIGKILL and run_note.was_killed(run)
    assert main(["train", "--resume", str(run)]) == 0
    printed = capsys.readouterr()
    assert said in printed.out + printed.err
    assert (run / "report.html").stat().st_size > 10_000
    assert not any(part.exists() for part in parts) and run_note.story(run) == ""


def spoil_net(run: Path, root: Path) -> None:
    path = next((run / "weights" / "last").glob("net-*"))
    path.write_bytes(path.read_bytes()[:-1])


def spoil_state(run: Path, root: Path) -> None:
    (run / "weights" / "last" / "state.json").write_text("{")


def lose_checkpoint(run: Path, root: Path) -> None:
    """Leave a second epoch in a run whose checkpoint is lost."""
    shutil.rmtree(run / "weights" / "last")
    table = run / "metrics.csv"
    first = table.read_text().splitlines()[1]
    table.write_text(f"{table.read_text()}1{first[first.index(',') :]}\n")


def take_other_network(run: Path, root: Path) -> None:
    path = run / "weights" / "last" / "state.json"
    path.write_text(path.read_text().replace(NAME, "yolo3_mobilenet1.0_custom"))


def lose_a_class(run: Path, root: Path) -> None:
    for path in (root / "Annotations").iterdir():
        path.write_text(path.read_text().replace("triangle", "star"))


def lose_images(run: Path, root: Path) -> None:
    path = root / "ImageSets" / "Main" / "train.txt"
    path.write_text("\n".join(path.read_text().split()[:8]))


@pytest.mark.parametrize(
    "spoil, said",
    [
        (
            spoil_net,
            r"{run}/weights/last/net-\w.params: damaged: it has \d+ bytes, \d+ were written; start again",
        ),
        (spoil_state, "{run}/weights/last/state.json: cannot be read: "),
        (lose_checkpoint, "{run}/weights/last/state.json: no checkpoint there"),
        (take_other_network, "{run}/weights/last: holds the network yolo3_mobilenet1.0_custom, not " + NAME),
        (lose_a_class, "{run}/weights/last: holds 4 classes, not 3; resume with the run's own data set"),
        (lose_images, "{run}: its epochs had 3 batches, the data now gives 2: restore the data, or start"),
    ],
)
def test_a_run_that_cannot_go_on(copied, capsys, spoil, said):
    run, root = copied
    spoil(run, root)
    rows = (run / "metrics.csv").read_text()
    assert main(["train", "--resume", str(run)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert re.match("error: " + said.format(run=re.escape(str(run))), error), error
    assert (run / "metrics.csv").read_text() == rows


def test_a_run_that_began_with_coco_goes_on_without_pycocotools(copied, monkeypatch, capsys):
    """``--val-metric`` is not given, so the error does not name it."""
    run, _ = copied
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "pycocotools" else find(name)
    )
    assert main(["train", "--resume", str(run)]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"error: {run}: its epochs are compared by fitness, which needs pycocotools: pip install pycocotools"
    )


def test_without_matplotlib_a_training_goes_without_curves_and_says_so_first(
    data, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in [name for name in sys.modules if name.startswith("matplotlib.")]:
        monkeypatch.delitem(sys.modules, name)
    status, run = start_run(data, tmp_path, "--epochs", "1")
    said = capsys.readouterr().err
    warning = "warning: curves.png will not be drawn: matplotlib is not installed: pip install matplotlib"
    assert status == 0 and said.index(warning) < said.index("epoch 0 batch 1/3")
    assert (run / "weights" / "best.params").exists() and not (run / "curves.png").exists()


def test_the_limit_of_detections_is_kept_with_the_model(data, tmp_path):
    """In the model record, which demo, eval and export read."""
    status, run = start_run(data, tmp_path, "--epochs", "1", "--max-detections", "250", "--num-samples", "4")
    assert status == 0
    assert json.loads((run / "model.json").read_text())["max_detections"] == 250
    assert json.loads((run / "args.json").read_text())["max_detections"] == 250
    assert Predictor.load(run).max_detections == 250


def test_what_is_frozen_at_random_is_said(data, tmp_path, capsys):
    words = ["--network", "mobilenet0_25", *TINY, "--data-root", str(data), "--freeze", "backbone"]
    assert main(["train", *words, "--save-prefix", f"{tmp_path}/"]) == 0
    said = capsys.readouterr().err
    assert "frozen: backbone: " in said and "of the frozen weights are random and stay so" in said
