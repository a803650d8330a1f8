"""An error about a setting that no flag sets names the file, the line and the key of its value."""

from __future__ import annotations

import pytest

from gluon_yolo.cli import main
from gluon_yolo.data.registry import WRITERS, open_source
from gluon_yolo.errors import SettingError, UserError, blamed
from gluon_yolo.models.build import find_architecture
from gluon_yolo.training.merge import Given, Layer, merge
from gluon_yolo.training.trainer import Trainer
from tests.data.small_data import NAMES, small_data
from tests.models.darknet.small import SMALL

CFG = SMALL.replace("classes=2", "classes=3").replace("filters=14", "filters=16")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Return a .data file with four images for training and validation."""
    folder = tmp_path_factory.mktemp("data")
    writer = WRITERS["yolo"](folder / "out", NAMES)
    for split in ("train", "val"):
        writer.write(split, small_data(folder / "pictures"))
    return writer.finish()


@pytest.fixture
def said(tmp_path, capsys):
    """Return a function that runs a training that must not start, and returns its error message."""

    def said(*words: object) -> str:
        common = ["--gpus", "", "--save-prefix", f"{tmp_path}/runs/", "--pretrained-base", "no", "-j", "1"]
        assert main(["train", *common, *map(str, words)]) == 2
        assert not (tmp_path / "runs").exists()
        return capsys.readouterr().err.splitlines()[-1].replace(f"{tmp_path}/", "")

    return said


NET = "[net]\n"
STOP = "[convolutional]\nfilters=16\n"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (NET, f"{NET}learning_rate=0", "net.cfg:2: [net] learning_rate=0: expected a number above 0"),
        (NET, f"{NET}learning_rate=-1e-3", "net.cfg:2: [net] learning_rate=-1e-3: expected a number above 0"),
        (NET, f"{NET}momentum=1", "net.cfg:2: [net] momentum=1: expected a number below 1"),
        (NET, f"{NET}decay=-0.1", "net.cfg:2: [net] decay=-0.1: expected a number of 0 or more"),
        (NET, f"{NET}batch=0", "net.cfg:2: [net] batch=0: expected 1 or more"),
        (NET, f"{NET}max_batches=-1", "net.cfg:2: [net] max_batches=-1: expected 0 or more"),
        (NET, f"{NET}burn_in=-1", "net.cfg:2: [net] burn_in=-1: expected 0 or more"),
        (NET, f"{NET}power=0", "net.cfg:2: [net] power=0: expected a number above 0"),
        (NET, f"{NET}exposure=-1", "net.cfg:2: [net] exposure=-1: expected a number of 0 or more"),
        (
            NET,
            f"{NET}policy=steps\nsteps=1,2\nscales=.1,0",
            "net.cfg:4: [net] scales=.1,0: expected factors above 0",
        ),
        (
            NET,
            f"{NET}policy=step\nstep=0\nscale=.1",
            "net.cfg:3: [net] step=0: expected 1 or more",
        ),
        (NET, f"{NET}policy=exp\ngamma=0", "net.cfg:3: [net] gamma=0: expected a number above 0"),
        (NET, f"{NET}policy=exp\nbatch=2\ngamma=1e-200", "net.cfg:4: [net] gamma=1e-200: leaves nothing of "),
        ("num=3", "num=3\nrandom=-1", "net.cfg:26: [yolo] random=-1: expected a number of 0 or more"),
        ("num=3", "num=3\nrandom=1000", "net.cfg:26: [yolo] random=1000: expected a number below 10"),
        ("num=3", "num=3\njitter=-.5", "net.cfg:26: [yolo] jitter=-.5: expected a number of 0 or more"),
        (
            "num=3",
            "num=3\nlabel_smooth_eps=1",
            "net.cfg:26: [yolo] label_smooth_eps=1: expected a number bel",
        ),
        # errors that are found only where the setting is used
        (
            NET,
            f"{NET}batch=5",
            "net.cfg:2: [net] batch=5: as --batch-size: 5 pictures cannot be split evenly",
        ),
        (
            STOP,
            f"{STOP}stopbackward=1\n",
            "net.cfg:16: [convolutional] stopbackward=1: as --freeze 2: nothing",
        ),
        ("width=64", "width=9024", "net.cfg:2: [net] width=9024: as --data-shape 32x9024: expected 8192 pix"),
        ("num=3", "num=3\nrandom=9", "net.cfg:26: [yolo] random=9: as --random-shapes "),
    ],
)
def test_a_cfgs_values(old, new, message, data, tmp_path, said):
    text = CFG.replace("width=64", "width=1024") if "random=9" in new else CFG
    (tmp_path / "net.cfg").write_text(text.replace(old, f"{new}\n" if old == NET else new, 1))
    error = said("--network", tmp_path / "net.cfg", "--data", data, "--cpu-devices", 2)
    assert error.startswith(f"error: {message}")


def test_what_is_given_is_blamed_itself(data, tmp_path, said):
    (tmp_path / "net.cfg").write_text(CFG.replace(NET, f"{NET}batch=5\nlearning_rate=.1\n"))
    words = ["--network", tmp_path / "net.cfg", "--data", data, "--cpu-devices", 2]
    assert said(*words, "--batch-size", 7).startswith("error: --batch-size: 7 pictures cannot be split")
    assert said(*words, "--batch-size", 4, "--lr", -1).startswith("error: --lr -1.0: must be above 0")


@pytest.mark.parametrize(
    ("lines", "words", "message"),
    [
        ("anchors=6,8,9,10", "--network mobilenet0_25", "anchors=6,8,9,10: as --anchors: got 2, but the"),
        ("width=8224\nheight=32", "", "width=8224: as --data-shape 32x8224: expected 8192 pixels a side"),
        ("batch_size=5 # of all", "--cpu-devices 2", "batch_size=5: as --batch-size: 5 pictures"),
    ],
)  # fmt: skip
def test_a_data_files_values(lines, words, message, data, tmp_path, said):
    described = data.with_name("described.data")
    described.write_text(f"{data.read_text().rstrip()}\n{lines}\n")
    line = len(data.read_text().rstrip().splitlines()) + 1
    error = said("--data", described, *words.split())
    assert error.startswith(f"error: {described}: line {line}: {message}")


def test_where_every_flag_is_from(data, tmp_path):
    """Given flags have no place; a recipe overrides the cfg, and the data's own file both."""
    (tmp_path / "net.cfg").write_text(
        CFG.replace(NET, f"{NET}batch=5\nlearning_rate=.1\nmomentum=.5\nmax_batches=9\n")
    )
    described = data.with_name("described.data")
    described.write_text(f"{data.read_text().rstrip()}\nepochs=7\n")
    source, found = open_source(str(described)), find_architecture(str(tmp_path / "net.cfg"))
    given = {"network": str(tmp_path / "net.cfg"), "recipe": "small-data", "lr": 0.1}
    from_data = Layer(source.settings(), source.place_of)
    places = merge(Given(given), from_data, Layer(found.training_flags(4, {}), found.place_of)).places
    assert "lr" not in places
    assert places["batch_size"] == places["augment"] == "{recipe} small-data"
    assert places["momentum"] == f"{tmp_path}/net.cfg:4: [net] momentum=.5"
    assert places["data_shape"] == f"{tmp_path}/net.cfg:6: [net] width=64"  # not the recipe's
    assert places["epochs"].endswith(": epochs=7") and "described.data: line " in places["epochs"]


def test_other_errors_stay_as_they_are():
    for text in ("{lr} 3: no", "no {momentum}"):
        with pytest.raises(SettingError) as caught, blamed({"momentum": "a.cfg:1"}):
            raise SettingError(text)
        assert caught.value.message == text
    with pytest.raises(UserError, match="^weights.params: absent$"), blamed({"momentum": "a.cfg:1"}):
        raise UserError("weights.params: absent")


def test_weights_that_a_cfg_freezes_at_random(data, tmp_path, monkeypatch):
    monkeypatch.setattr(Trainer, "run", lambda self: setattr(self.stop, "asked", 2))
    path = tmp_path / "net.cfg"
    path.write_text(CFG.replace("activation=leaky", "activation=leaky\nstopbackward=1"))
    words = ["--network", str(path), "--data", str(data), "--gpus", "", "--pretrained-base", "no", "-j", "1"]
    main(["train", *words, "--save-prefix", f"{tmp_path}/runs/", "--epochs", "1", "--batch-size", "2"])
    log = (tmp_path / "runs" / "net-1" / "log.txt").read_text()
    place = f"{path}:13: [convolutional] stopbackward=1"
    assert (
        f"{place}: as --freeze 1: 1 of the frozen weights are random and stay so (layer0.convolution" in log
    )


def test_thousands_of_epochs_are_said_before_the_first(data, tmp_path, monkeypatch):
    """4 images with a cfg for 128 million; a flag or a recipe with fewer epochs ends the warning."""
    monkeypatch.setattr(Trainer, "run", lambda self: setattr(self.stop, "asked", 2))
    path = tmp_path / "net.cfg"
    path.write_text(CFG.replace(NET, f"{NET}batch=64\nmax_batches=2000000\n"))
    words = ["--network", str(path), "--data", str(data), "--gpus", "", "--pretrained-base", "no"]
    words += ["--save-prefix", f"{tmp_path}/runs/", "-j", "1", "--batch-size", "2"]
    logs = []
    for number, more in enumerate(((), ("--epochs", "100"), ("--recipe", "small-data")), 1):
        main(["train", *words, *more])
        logs.append((tmp_path / "runs" / f"net-{number}" / "log.txt").read_text())
    warning = (
        f"{path}:3: [net] max_batches=2000000: at batch=64 these are 32,000,000 epochs of this data, at 4 "
        "pictures an epoch; for fewer add --epochs 100, or another number, or --recipe small-data"
    )
    assert [warning in log for log in logs] == [True, False, False]
    assert "input 32x64" in logs[2]
