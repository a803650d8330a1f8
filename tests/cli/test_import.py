"""``import``: from another program's model to a folder that the other commands accept."""

from __future__ import annotations

import json
import os

import cv2
import numpy as np
import pytest

from gluon_yolo import Predictor
from gluon_yolo.cli import main
from gluon_yolo.exporters import model_dir as model_folder
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.models.build import find_architecture
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.weights.darknet_header import Header
from gluon_yolo.weights.darknet_model import save
from gluon_yolo.weights.load import load_weights, structural_parameters
from tests.models.darknet import small
from tests.random_model import random_image

TEXT = small.SMALL.replace("channels=3", "channels=3\nletter_box=1\nburn_in=9\nmomentum=.9")
HEADER = Header(0, 2, 3, 6400)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Change to a folder with the small network's files in ``net``: cfg, weights, names."""
    net = small.built(TEXT, class_names=["cat", "dog"])
    save(net, tmp_path / "net", "small", HEADER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


FILES = ["net/small.cfg", "net/small.weights"]
NAMES = ["--names", "net/small.names"]


def imported(*words: str) -> int:
    return main(["import", "darknet", *words])


def test_a_model_that_every_command_takes(place, capsys):
    assert imported(*FILES, *NAMES, "--out", "models/small") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "net/small.cfg: 3 layers, 2 of them convolutional"
    assert said[1] == "net/small.cfg: no part in what the network computes: burn_in, momentum"
    assert said[2] == "net/small.weights: all of its weights, by darknet 0.2.3 after 6,400 pictures"
    assert said[3].startswith("small: 374 parameters, 0.000 GFLOPs, 2 classes, input 32x64 by letterbox, ")
    files = sorted(str(path.relative_to(place)) for path in (place / "models").rglob("*.*"))
    assert files == [f"models/small/{name}" for name in ("model.json", "network.cfg", "weights/best.params")]
    record = ModelRecord.read(place / "models" / "small" / "model.json")
    assert (record.network, record.size_hw, record.fit) == ("small", (32, 64), "letterbox")
    assert record.spec.class_names == ("cat", "dog")
    assert record.origin["header"] == [0, 2, 3, 6400] and record.origin["kind"] == "darknet"
    assert record.origin["cfg"] == str(place / "net" / "small.cfg")

    commands = [line.split() for line in said if line.startswith("  gluon-yolo ")]
    assert [command[1] for command in commands] == ["demo", "eval", "export", "train"]
    demo = [word.replace("PICTURES", "a.png") for word in commands[0][1:]]
    cv2.imwrite("a.png", random_image(100, 80)[:, :, ::-1])
    assert main([*demo, "--score-threshold", "0.1", "--json", "a.json"]) == 0
    expected = Predictor.load("models/small", score_threshold=0.1)(random_image(100, 80))
    assert len(json.loads((place / "a.json").read_text())) == len(expected) > 0
    network, source = commands[3][3], commands[3][5]
    net = find_architecture(network).build(["dog"])
    net.initialize_weights()
    assert net.zoo_name == "small"
    assert load_weights(net, source, partial=True).shared_classes == ("dog",)


def test_direct_use_is_the_same(place):
    """``--network FILE.cfg`` takes input size and fit from the cfg."""
    assert imported(*FILES, *NAMES, "--out", "model") == 0
    cv2.imwrite("a.png", random_image(100, 80)[:, :, ::-1])
    direct = ["--network", FILES[0], "--weights", FILES[1], "--classes", "net/small.names"]
    for words, name in ((["--model", "model"], "a.json"), (direct, "b.json")):
        assert main(["demo", "a.png", *words, "--score-threshold", "0.1", "--json", name]) == 0
    assert (place / "a.json").read_text() == (place / "b.json").read_text() != "[\n\n]\n"


def test_an_empty_folder_may_be_there(place):
    (place / "model").mkdir()
    assert imported(*FILES, *NAMES, "--out", "model") == 0
    assert Predictor.load("model").class_names == ("cat", "dog")


def broken(place, kind: str) -> list[str]:
    """Return the arguments of an import that fails."""
    cfg, weights_file = FILES
    names = NAMES
    data = (place / weights_file).read_bytes()
    if kind == "short":
        (place / weights_file).write_bytes(data[:-5])
    elif kind == "other cfg":
        (place / cfg).write_text(TEXT.replace("filters=8", "filters=9"))
    elif kind == "partial":
        (place / weights_file).write_bytes(data[: 20 + 4 * (8 * 4 + 8 * 27)])
    elif kind == "cut":
        (place / cfg).write_text("\n".join(TEXT.splitlines()[:12]))
    elif kind == "count":
        (place / "one.names").write_text("cat\n")
        names = ["--names", "one.names"]
    elif kind == "no names":
        names = []
    elif kind == "no names near":
        (place / "net" / "small.names").rename(place / "net" / "small.txt")
        names = []
    elif kind == "text":
        (place / weights_file).write_text(TEXT)
    elif kind == "not finite":  # the output, not the weights
        (place / weights_file).write_bytes(data[:-448] + np.full(112, 3e38, "<f4").tobytes())
    elif kind == "swapped":
        cfg, weights_file = weights_file, cfg
    return [cfg, weights_file, *names]


MISSING = "--names FILE is missing: the names of the 2 classes of net/small.cfg, one a line; "


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("short", "net/small.weights: ends within layer 1, the [convolutional] on line 17 of net/small."),
        ("other cfg", "net/small.weights: "),
        ("partial", "net/small.weights: layers 0 to 0, a partial file: 1 convolutional layers, "),
        ("cut", "net/small.cfg:9: [convolutional] has no activation; is the file cut short?"),
        ("count", "one.names: has 1 name, where the [yolo] sections of net/small.cfg have 2 classes; is it "),
        ("no names", f"{MISSING}is it "),
        ("no names near", f"{MISSING}give that file"),
        ("text", "net/small.weights: is no darknet weights file: it does not begin with a version"),
        (
            "not finite",
            "net/small.weights: gives numbers that are not finite: its weights are damaged, or those of ",
        ),
        ("swapped", "net/small.weights net/small.cfg: first the .cfg, then the .weights"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(place, capsys, kind, message):
    words = broken(place, kind)
    before = sorted(place.rglob("*"))
    assert imported(*words, "--out", "models/small") == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"error: {message}") and not printed.out
    if message.endswith("is it "):
        assert f"is it --names {place / 'net' / 'small.names'}?" in printed.err
    assert [path for path in sorted(place.rglob("*")) if path not in before and path.name != "models"] == []


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("net", "net: holds files already; choose another folder with --out, or remove it first"),
        ("file", "file: is a file; choose another folder with --out"),
        ("file/model", "file/model: cannot be written: "),
    ],
)
def test_folders_that_cannot_be_had(place, capsys, out, message):
    (place / "file").write_text("")
    before = sorted(place.rglob("*"))
    assert imported(*FILES, *NAMES, "--out", out) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")
    assert sorted(place.rglob("*")) == before


def test_no_half_folder_is_left(place, monkeypatch):
    def fails(*args):
        raise RuntimeError("differs")

    monkeypatch.setattr(model_folder, "check_same", fails)
    before = sorted(place.iterdir())
    with pytest.raises(RuntimeError):
        imported(*FILES, *NAMES, "--out", "model")
    assert sorted(place.iterdir()) == before


def test_what_differs_is_no_model(place, monkeypatch):
    """The folder is verified by loading it."""

    def other(record, folder, path):
        net, _ = small.built(TEXT, class_names=["cat", "dog"]), os.stat(path)
        net._blocks[1].convolution.bias.set_data(mx.nd.ones(14))
        return net

    monkeypatch.setattr(model_folder, "from_record", other)
    with pytest.raises(RuntimeError, match="what was written differs from the network by"):
        imported(*FILES, *NAMES, "--out", "model")


def test_the_kinds_are_listed(capsys):
    assert main(["import"]) == 0
    said = capsys.readouterr().out
    assert "  darknet   a darknet network" in said and "  fastestv2 a Yolo-FastestV2" in said
    assert main(["import", "onnx", "x"]) == 2
    assert "KIND onnx: there is darknet, fastestv2" in capsys.readouterr().err


def test_fastestv2(shared_data, tmp_path, capsys):
    folder = shared_data / "fastestv2"
    (file,) = folder.glob("coco*.pth")
    out = str(tmp_path / "model")
    assert main(["import", "fastestv2", str(file), "--names", str(folder / "coco.names"), "--out", out]) == 0
    said = capsys.readouterr().out
    assert "80 classes, input 352x352 by resize, strides 16, 32" in said
    assert f"gluon-yolo train --network yolo_fastestv2_custom --weights {out} --data DATA" in said
    found = Predictor.load(out, score_threshold=0.3)(shared_data / "images" / "dog.jpg")
    names = (folder / "coco.names").read_text().splitlines()
    assert {"dog", "bicycle"} <= {names[class_id] for class_id in found.class_ids}


def test_a_fastestv2_of_other_anchors(shared_data, tmp_path, capsys):
    folder = shared_data / "fastestv2"
    (file,) = folder.glob("coco*.pth")
    words = ["import", "fastestv2", str(file), "--names", str(folder / "coco.names")]
    anchors = "10,10,20,20,30,30,40,40,50,50,60,60"
    assert main([*words, "--anchors", anchors, "--size", "320", "--out", str(tmp_path / "a")]) == 0
    record = ModelRecord.read(tmp_path / "a" / "model.json")
    assert record.size_hw == (320, 320)
    assert record.spec.anchors == (((10, 10), (20, 20), (30, 30)), ((40, 40), (50, 50), (60, 60)))
    (tmp_path / "one.names").write_text("cat\n")
    words[4] = str(tmp_path / "one.names")
    assert main([*words, "--out", str(tmp_path / "b")]) == 2
    assert "weights for 80 classes, with 1 class name to them" in capsys.readouterr().err
    words[2:5] = [str(folder / "backbone.pth"), "--names", str(folder / "coco.names")]
    assert main([*words, "--out", str(tmp_path / "b")]) == 2
    assert "backbone.pth: not the weights of yolo_fastestv2" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, said",
    [
        ("--size 350", "--size 350x350: both sides must be multiples of 32"),
        ("--size 336", "--size 336x336: both sides must be multiples of 32"),
        ("--anchors 10,13,16,30", "weights of 3, 3 anchors a level, but the network has 1, 1"),
        ("--anchors 10,10,20,20,30,30,40,40,50,50,60,60,70,70,80,80", "but the network has 4, 4"),
    ],
)
def test_a_fastestv2_that_does_not_suit_its_flags(shared_data, tmp_path, capsys, words, said):
    folder = shared_data / "fastestv2"
    (file,) = folder.glob("coco*.pth")
    command = ["import", "fastestv2", str(file), "--names", str(folder / "coco.names")]
    assert main([*command, "--out", str(tmp_path / "out"), *words.split()]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"", b"no tensors here\n" * 9])
def test_what_is_called_pth_and_is_none(shared_data, tmp_path, capsys, content):
    (tmp_path / "a.pth").write_bytes(content)
    names = str(shared_data / "fastestv2" / "coco.names")
    words = ["import", "fastestv2", str(tmp_path / "a.pth"), "--names", names, "--out", str(tmp_path / "out")]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert f"{tmp_path / 'a.pth'}: " in said and "darknet" not in said


def test_numbers_are_kept_exactly(place):
    assert imported(*FILES, *NAMES, "--out", "model") == 0
    expected = structural_parameters(small.built(TEXT))
    for name, array in mx.nd.load("model/weights/best.params").items():
        if name in expected:
            np.testing.assert_array_equal(array.asnumpy(), expected[name].data().asnumpy())
