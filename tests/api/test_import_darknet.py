"""``gluon_yolo.import_darknet`` and ``import_fastestv2``: the model folder and the result."""

from __future__ import annotations

import pytest

import gluon_yolo
from gluon_yolo.cli import main
from gluon_yolo.cli.calling import flag_of
from gluon_yolo.errors import SettingError
from gluon_yolo.weights.darknet_header import Header
from gluon_yolo.weights.darknet_model import save
from tests.models.darknet import small
from tests.random_model import random_image


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return the small network's cfg, weights and names."""
    net = small.built(small.SMALL, class_names=["cat", "dog"])
    cfg = save(net, tmp_path_factory.mktemp("net"), "small", Header(0, 2, 3, 6400))
    return cfg, cfg.with_suffix(".weights"), cfg.with_suffix(".names")


def test_it_says_what_the_command_prints(files, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cfg, weights, names = map(str, files)
    assert main(["import", "darknet", cfg, weights, "--names", names, "--out", "models/a"]) == 0
    printed = capsys.readouterr().out
    done = gluon_yolo.import_darknet(*files, "models/b")
    assert str(done).replace("models/b", "models/a") + "\n" == printed
    assert printed.startswith(f"{cfg}: 3 layers, 2 of them convolutional\n")
    assert capsys.readouterr().out == ""


def test_the_folder_is_a_model(files, tmp_path):
    """Class names may be a sequence."""
    done = gluon_yolo.import_darknet(str(files[0]), str(files[1]), ["cat", "dog"], tmp_path / "model")
    assert done.record == tmp_path / "model" / "model.json" and done.record.is_file()
    assert (done.name, done.size_hw, done.fit, done.parameters) == ("small", (32, 64), "resize", 374)
    assert done.predictor(score_threshold=0.1)(random_image(60, 80)).boxes.shape[1] == 4
    exported = gluon_yolo.export(done, out=tmp_path / "out")
    assert exported.record == tmp_path / "out" / "small.json"
    shown = done._repr_html_()
    assert "<caption>small</caption>" in shown and "<td>2 classes</td>" in shown


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (None, "names FILE is missing: the names of the 2 classes of "),
        (["cat"], "names: has 1 name, where the [yolo] sections of "),
    ],
)
def test_errors_name_the_setting(files, tmp_path, names, message):
    """The message also names a file beside the cfg with the right number of names."""
    with pytest.raises(SettingError) as raised:
        gluon_yolo.import_darknet(files[0], files[1], names, tmp_path / "model")
    assert message in str(raised.value) and str(raised.value).endswith(f"is it names {files[2]}?")
    assert raised.value.named(flag_of).endswith(f"is it --names {files[2]}?")
    assert not (tmp_path / "model").exists()


def test_a_folder_that_holds_files(files, tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(SettingError, match="holds files already; choose another folder with out, or remove"):
        gluon_yolo.import_darknet(*files, tmp_path)


def test_fastestv2(shared_data, tmp_path, capsys):
    """Anchors and size as Python values give the command's result."""
    folder = shared_data / "fastestv2"
    (file,), names = folder.glob("coco*.pth"), folder / "coco.names"
    pairs = [(10, 10), (20, 20), (30, 30), (40, 40), (50, 50), (60, 60)]
    done = gluon_yolo.import_fastestv2(
        file, names.read_text().splitlines(), tmp_path / "a", anchors=pairs, size=(320, 352)
    )
    assert (done.size_hw, done.fit, done.network) == ((320, 352), "resize", "yolo_fastestv2_custom")
    assert done.spec.anchors == (((10, 10), (20, 20), (30, 30)), ((40, 40), (50, 50), (60, 60)))
    text = ",".join(f"{w},{h}" for w, h in pairs)
    words = ["import", "fastestv2", str(file), "--names", str(names), "--anchors", text, "--size", "320x352"]
    assert main([*words, "--out", str(tmp_path / "b")]) == 0
    assert capsys.readouterr().out == f"{done}\n".replace(str(tmp_path / "a"), str(tmp_path / "b"))
    with pytest.raises(SettingError, match="^size 350x350: both sides must be multiples of 32"):
        gluon_yolo.import_fastestv2(file, names, tmp_path / "c", size=350)
