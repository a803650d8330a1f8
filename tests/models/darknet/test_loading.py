"""Loading of darknet weights: complete, partial, for other classes, and files that do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.class_names import COCO_CLASSES, VOC_CLASSES
from gluon_yolo.errors import UserError
from gluon_yolo.models.build import find_architecture
from gluon_yolo.models.darknet.cfg import read_cfg
from gluon_yolo.weights.darknet_file import Weights, get_weights
from gluon_yolo.weights.darknet_header import Header
from gluon_yolo.weights.load import load_weights, structural_parameters
from tests.models.darknet import small
from tests.models.darknet.small import SMALL

HEAD = ("layer1.convolution.weight", "layer1.convolution.bias")
ROWS = {2: 7, 3: 8, 20: 25, 80: 85}  # channels of an anchor, by the number of classes


@pytest.fixture
def trained(tmp_path: Path):
    """The small network for two classes with its files ``small.cfg`` and ``small.weights``."""
    return written(SMALL, tmp_path)


def written(text: str, folder: Path):
    (folder / "small.cfg").write_text(text)
    net = small.built(text)
    get_weights(net).write(folder / "small.weights")
    return net


def fresh(folder: Path, class_names=None, anchors=None):
    net = find_architecture(str(folder / "small.cfg")).build(class_names, anchors)
    net.initialize_weights(seed=5)
    return net


def values(net) -> dict[str, np.ndarray]:
    return {name: p.data().asnumpy() for name, p in structural_parameters(net).items()}


def rows(net, name: str = HEAD[0]) -> np.ndarray:
    """Return the head's weight or bias by anchor and channel (2, 5 + C, ...)."""
    return values(net)[name].reshape(2, ROWS[net.spec.num_classes], -1)


def test_whole(trained, tmp_path):
    net = fresh(tmp_path, ["cat", "dog"])
    report = load_weights(net, tmp_path / "small.weights")
    assert report.whole and not report.left_out
    assert str(report) == f"{tmp_path / 'small.weights'}: 7 parameters taken"
    expected = values(trained)
    assert all((value == expected[name]).all() for name, value in values(net).items())


@pytest.mark.parametrize("folder", ["nano-coco", "fastest-voc", "yoloface-100k"])
def test_there_and_back_are_the_same_bytes(folder, shared_data, tmp_path):
    """Also by way of the package's own parameter file; the last two have values of 1e-44."""
    folder = shared_data / "darknet" / folder
    source = small.only(folder, "*.weights")
    known = find_architecture(str(small.only(folder, "*.cfg")))
    nets = [known.build(), known.build()]
    for net in nets:
        net.initialize_weights()
    assert load_weights(nets[0], source).whole
    nets[0].save_parameters(str(tmp_path / "ours.params"))
    assert load_weights(nets[1], tmp_path / "ours.params").whole
    get_weights(nets[1], Header.from_bytes(source.read_bytes())).write(tmp_path / "again.weights")
    assert (tmp_path / "again.weights").read_bytes() == source.read_bytes()


def test_a_partial_file_leaves_the_rest_fresh(trained, tmp_path):
    whole = get_weights(trained)
    Weights(whole.header, {0: whole.layers[0]}, whole=False).write(tmp_path / "small.conv.1")
    net = fresh(tmp_path)
    before = values(net)
    with pytest.raises(
        UserError, match=r"small.conv.1: not the weights of small: 2 of its parameters are abs"
    ):
        load_weights(net, tmp_path / "small.conv.1")
    report = load_weights(net, tmp_path / "small.conv.1", partial=True)
    assert report.fresh == HEAD and len(report.taken) == 5
    assert str(report).endswith(f"5 parameters taken, 2 left fresh ({', '.join(HEAD)})")
    for name, value in values(net).items():
        assert (value == (before if name in HEAD else values(trained))[name]).all()


def test_a_published_partial_file(shared_data):
    folder = shared_data / "darknet" / "nano-voc"
    net = find_architecture(str(small.only(folder, "*.cfg"))).build(["RBC", "WBC", "Platelets"])
    net.initialize_weights()
    report = load_weights(net, folder / "MobileNetV2-Nano.57", partial=True)
    layers = {int(name.partition(".")[0][len("layer") :]) for name in report.taken}
    assert max(layers) == 56 and len(layers) == 48 and not report.left_out and not report.adapted
    assert {name.partition(".")[0] for name in report.fresh} == {
        f"layer{layer.index}" for layer in net.plan.convolutions[48:]
    }


def test_other_classes_take_over_those_of_the_same_name(trained, tmp_path):
    net = fresh(tmp_path, ["dog", "cow", "fox"])
    drawn = rows(net)
    names = ["cat", "dog"]
    with pytest.raises(UserError, match="weights for 2 classes, but the network has 3"):
        load_weights(net, tmp_path / "small.weights")
    report = load_weights(net, tmp_path / "small.weights", partial=True, class_names=names)
    assert set(report.adapted) == set(HEAD) and not report.fresh and not report.left_out
    assert report.shared_classes == ("dog",)
    for name in HEAD:
        np.testing.assert_array_equal(rows(net, name)[:, :6], rows(trained, name)[:, [0, 1, 2, 3, 4, 6]])
    np.testing.assert_array_equal(rows(net)[:, 6:], drawn[:, 6:])


def test_the_same_classes_in_another_order(trained, tmp_path):
    net = fresh(tmp_path, ["dog", "cat"])
    report = load_weights(net, tmp_path / "small.weights", partial=True, class_names=["cat", "dog"])
    assert set(report.adapted) == set(HEAD) and not report.fresh
    np.testing.assert_array_equal(rows(net)[:, 5:], rows(trained)[:, [6, 5]])


@pytest.mark.parametrize("names", [VOC_CLASSES, COCO_CLASSES])
def test_published_numbers_of_classes_have_their_names(names, tmp_path):
    count = len(names)
    text = SMALL.replace("filters=14", f"filters={2 * (5 + count)}").replace("classes=2", f"classes={count}")
    trained = written(text, tmp_path)
    net = fresh(tmp_path, ["ghost", "dog"])
    report = load_weights(net, tmp_path / "small.weights", partial=True)
    assert report.shared_classes == ("dog",)
    np.testing.assert_array_equal(rows(net)[:, 6], rows(trained)[:, 5 + names.index("dog")])


def test_other_anchors_are_named(trained, tmp_path):
    net = fresh(tmp_path, anchors=(((5, 6), (7, 8)),))
    report = load_weights(net, tmp_path / "small.weights", partial=True)
    assert report.whole and report.left_out[0] == "anchors: 10,14, 23,27, here 5,6, 7,8"
    with pytest.raises(UserError, match="trained with the anchors"):
        load_weights(net, tmp_path / "small.weights")


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("sides", [(5, 6, 7), (5,), (5, 6, 7, 8)])
def test_a_level_of_more_or_fewer_anchors_starts_fresh(trained, tmp_path, classes, sides):
    """No row of the old head is in the new one, even where the sizes match."""
    names = [f"thing {index}" for index in range(classes)]
    net = fresh(tmp_path, names, anchors=(tuple((side, side + 1) for side in sides),))
    before = values(net)[HEAD[0]]
    report = load_weights(net, tmp_path / "small.weights", partial=True)
    assert report.fresh == HEAD and not report.adapted
    assert set(report.left_out) >= {f"{name}: 2 anchors a cell, here {len(sides)}" for name in HEAD}
    np.testing.assert_array_equal(values(net)[HEAD[0]], before)


@pytest.mark.parametrize("partial", [False, True])
def test_weights_of_another_cfg(tmp_path, partial):
    written(SMALL.replace("filters=8", "filters=16"), tmp_path)
    (tmp_path / "small.cfg").write_text(SMALL)
    net = fresh(tmp_path)
    before = values(net)
    with pytest.raises(UserError, match="small.weights: .*of another cfg"):
        load_weights(net, tmp_path / "small.weights", partial=partial)
    assert all((value == before[name]).all() for name, value in values(net).items())


def test_a_fine_tuned_network_from_its_folder(trained, tmp_path):
    """The cfg in the folder has the classes and anchors of the network."""
    net = fresh(tmp_path, ["a", "b", "c"], (((5, 6), (7.5, 8)),))
    (tmp_path / "run").mkdir()
    net.keep(tmp_path / "run")
    again = find_architecture("small", tmp_path / "run")
    assert (again.name, again.spec.anchors, again.spec.num_classes) == ("small", (((5, 6), (7.5, 8)),), 3)
    net.save_parameters(str(tmp_path / "run" / "net.params"))
    copy = again.build(["a", "b", "c"])
    copy.initialize_weights()
    assert load_weights(copy, tmp_path / "run" / "net.params").whole


def test_a_folders_cfg_by_its_path(trained, tmp_path):
    """The cfg has no name of its own, so the network has the folder's name."""
    trained.keep(tmp_path)
    (tmp_path / "network.cfg").rename(tmp_path / "model.cfg")
    assert find_architecture(str(tmp_path / "model.cfg")).name == "model"
    (tmp_path / "model.cfg").rename(tmp_path / "network.cfg")
    assert find_architecture(str(tmp_path / "network.cfg")).name == tmp_path.name


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.weights", b"", "a.weights: 0 bytes are too few"),
        ("small.cfg", None, r"small.cfg: is no darknet weights file"),
        ("a.params", b"[net]", "a.params: not a whole MXNet parameter file"),
    ],
)
def test_files_that_are_no_weights(trained, tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        load_weights(fresh(tmp_path), tmp_path / name)


def test_a_network_without_a_reader(trained, tmp_path):
    net = find_architecture("yolo3_mobilenet0.25_voc").build()
    net.initialize_weights()
    with pytest.raises(UserError, match="small.weights: looks like darknet weights, .*with network FILE.cfg"):
        load_weights(net, tmp_path / "small.weights")


def test_the_cfg_that_was_read_stays(trained, tmp_path):
    fresh(tmp_path, ["a", "b", "c"])
    assert read_cfg(tmp_path / "small.cfg").to_text() == small.parsed(SMALL).to_text()
