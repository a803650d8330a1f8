"""``gluon_yolo.export``: each way to name a model, the command's options, and the result."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import gluon_yolo
from gluon_yolo.cli import main
from gluon_yolo.cli.calling import flag_of
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.exporters.source_model import load_model
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.models import zoo
from gluon_yolo.weights.darknet_header import Header
from gluon_yolo.weights.darknet_model import save
from tests.child import python
from tests.models.darknet import small
from tests.random_model import CLASSES, random_detector, random_image
from tests.test_structure import PACKAGE

NAME = "yolo3_mobilenet0.25_custom"


@pytest.fixture(scope="module")
def net():
    return random_detector()


@pytest.fixture(scope="module")
def run(tmp_path_factory, net):
    """Return a run folder with the files that export reads."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "weights").mkdir()
    net.save_parameters(str(folder / "weights" / "best.params"))
    ModelRecord("cells", NAME, net.spec, (64, 96), max_detections=30).write(folder / "model.json")
    (folder / "classes.txt").write_text("\n".join(CLASSES))
    return folder


def test_no_module_takes_the_place_of_a_public_name():
    """Importing ``gluon_yolo/NAME.py`` or a folder NAME sets ``gluon_yolo.NAME`` to the module."""
    there = {path.stem for path in PACKAGE.iterdir()}
    assert not there & set(gluon_yolo.__all__)


@pytest.mark.parametrize("first", ["", "import gluon_yolo.exporters.api, gluon_yolo.api.export; "])
def test_export_is_a_function_whatever_is_imported_first(first):
    code = (
        "import gluon_yolo; print(gluon_yolo.export.__name__, callable(gluon_yolo.export)); "
        "from gluon_yolo import export; print(export is gluon_yolo.export)"
    )
    assert python("-c", first + code).stdout.split() == ["export", "True", "True"]


def test_it_says_what_the_command_prints(run, tmp_path, capsys):
    words = [
        "export",
        str(run),
        "--name",
        "toy",
        "--size",
        "64",
        "--max-detections",
        "7",
        "--out",
        str(tmp_path),
    ]
    assert main(words) == 0
    printed = capsys.readouterr().out
    done = gluon_yolo.export(run, out=tmp_path, name="toy", size=64, max_detections=7)
    assert f"{done}\n" == printed and printed.startswith(f"{NAME}, 3 classes, input 64x64\nsymbol  toy-")
    assert capsys.readouterr().out == ""
    assert done.record == tmp_path / "toy.json" and done.files == {
        "symbol": ("toy-symbol.json", "toy-0000.params")
    }
    assert ModelRecord.read(done.record).formats["symbol"].nms["max_detections"] == 7


def test_each_way_to_name_a_model(run, net, tmp_path):
    """A path, a file, the result of train or export, a network, a network's name with weights."""
    weights, classes = run / "weights" / "best.params", run / "classes.txt"
    exported = gluon_yolo.export(run, out=tmp_path / "a")
    ways = {
        "path": dict(model=str(run)),
        "file": dict(model=weights),
        "training": dict(model=SimpleNamespace(folder=run)),
        "export": dict(model=exported),
        "network": dict(model=net),
        "name": dict(model="mobilenet0_25", weights=weights, classes=classes),
        "names": dict(model="mobilenet0_25", weights=str(weights), classes=list(CLASSES)),
    }
    found = {}
    for way, given in ways.items():
        source = load_model(**given)
        found[way] = (source.size_hw, source.name, source.max_detections)
        assert source.net.spec == net.spec
    assert found["path"] == found["file"] == found["training"] == ((64, 96), "cells", 30)
    assert found["export"] == ((64, 96), "cells", 30)
    assert found["network"] == found["name"] == found["names"] == (zoo.entry(NAME).size_hw, None, 100)
    assert load_model(net, size_hw=(96, 64)).size_hw == (96, 64)


def test_a_darknet_network_in_memory_has_the_size_of_its_cfg():
    dark = small.built(
        small.SMALL.replace("channels=3", "channels=3\nletter_box=1"), class_names=["cat", "dog"]
    )
    source = load_model(dark)
    assert (source.size_hw, source.fit) == ((32, 64), "letterbox")


def test_what_was_written_is_used(run, net, tmp_path):
    """The exported files give the network's results; darknet files alone are read by their cfg."""
    image = random_image(90, 140)
    done = gluon_yolo.export(net, "symbol", tmp_path / "a", size=(64, 96))
    expected = gluon_yolo.Predictor.load(run, max_detections=100)(image)
    found = done.predictor(runtime="mxnet")(image)
    assert len(found) == len(expected) > 3
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=0.02)

    dark = small.built(small.SMALL, class_names=["cat", "dog"])
    files = save(dark, tmp_path / "net", "small", Header())
    given = dict(weights=files.with_suffix(".weights"), classes=files.with_suffix(".names"))
    done = gluon_yolo.export(files, ("darknet",), tmp_path / "b", **given)
    assert done.record is None and done.predictor().class_names == ("cat", "dog")


def test_a_notebook_shows_a_table(net, tmp_path):
    done = gluon_yolo.export(net, out=tmp_path / "<b>", name="toy", size=64)
    shown = done._repr_html_()
    assert shown.count("<tr>") == 2 and "<td>toy-symbol.json, toy-0000.params</td>" in shown
    assert "&lt;b&gt;" in shown and "<b>" not in shown


@pytest.mark.parametrize(
    ("given", "message", "on_the_command_line"),
    [
        ({"size": "big"}, "size 'big': expected pixels", "--size 'big'"),
        ({"size": 0}, "size '0': expected pixels", "--size '0'"),
        (
            {"batch_size": 2},
            "batch_size 2: goes with fixed_size; ",
            "--batch-size 2: goes with --fixed-size; ",
        ),
        ({"batch_size": 0}, "batch_size 0: expected 1 or more", "--batch-size 0: "),
        ({"nms_threshold": 2}, "nms_threshold 2: must lie within 0 and 1", "--nms-threshold 2: "),
        ({"score_threshold": -1}, "score_threshold -1: must lie", "--score-threshold -1: "),
        ({"max_detections": 0}, "max_detections 0: expected 1 or more", "--max-detections 0: "),
        ({"out": ""}, "out: is empty", "--out: is empty"),
        ({"out": "RUN"}, "model; choose another folder with out", "choose another folder with --out"),
        ({"model": 7}, "model of type int: expected a path, a network, or what train", "--model of type"),
        (
            {"model": "mobilenet0_25", "weights": "FILE"},
            "has no classes of its own; name them with classes FILE",
            "with --classes FILE",
        ),
    ],
)
def test_errors_name_the_setting(run, tmp_path, given, message, on_the_command_line):
    places = {"RUN": str(run), "FILE": str(run / "weights" / "best.params")}
    given = {name: places.get(value, value) for name, value in given.items()}
    with pytest.raises(SettingError) as raised:
        gluon_yolo.export(**{"model": run, "out": tmp_path / "out", **given})
    assert message in str(raised.value) and on_the_command_line in raised.value.named(flag_of)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("formats", "message"),
    [
        ("coreml", "format 'coreml': unknown"),
        ((), "no format is named"),
        (["symbol", "symbol"], "is named twice"),
    ],
)
def test_formats_that_are_none(run, tmp_path, formats, message):
    with pytest.raises(UserError, match=message):
        gluon_yolo.export(run, formats, tmp_path / "out")
    assert not (tmp_path / "out").exists()
