"""Architectures: the same interface for a network of the zoo and for a darknet cfg."""

from __future__ import annotations

import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.models.build import find_architecture
from gluon_yolo.models.darknet.network import CFG
from tests.models.darknet.small import SMALL

ANCHORS = (((7, 9), (20, 30), (40, 50)),)


@pytest.fixture
def cfg(tmp_path):
    path = tmp_path / "tiny.cfg"
    path.write_text(SMALL)
    return path


# The given name, the endings that the data suggests, the name that is found.
NAMES = [
    ("mobilenet0_25", (), "yolo3_mobilenet0.25_custom"),
    ("darknet53", ("voc",), "yolo3_darknet53_voc"),
    ("fastestv2", ("coco",), "yolo_fastestv2_coco"),
    ("yolo_fastestv2_custom", ("coco",), "yolo_fastestv2_custom"),
]


@pytest.mark.parametrize("given, datasets, name", NAMES)
def test_names_of_the_zoo(given, datasets, name):
    assert find_architecture(given, datasets=datasets).name == name


def test_a_cfg(cfg):
    found = find_architecture(str(cfg))
    assert (found.name, found.size_hw, found.fit) == ("tiny", (32, 64), "resize")
    net = found.build()
    assert net.spec.class_names == ("class 0", "class 1") and net.zoo_name == "tiny"


def test_a_cfg_with_other_classes_and_anchors(cfg):
    net = find_architecture(str(cfg)).build(("cat", "dog", "cow"), ANCHORS)
    assert net.spec.class_names == ("cat", "dog", "cow") and net.spec.anchors == ANCHORS
    assert net.plan.convolutions[-1].output.channels == 3 * (5 + 3)


@pytest.mark.parametrize("count", [1, 3])
def test_anchors_for_another_number_of_levels(cfg, count):
    anchors = ANCHORS * (count + 1)
    with pytest.raises(UserError, match=f"has 1 levels, but the anchors are for {count + 1}"):
        find_architecture(str(cfg)).build(None, anchors)
    with pytest.raises(UserError, match="anchors: expected 3 levels"):
        find_architecture("mobilenet0_25").build(("cat",), ANCHORS * count if count != 3 else ANCHORS)


def test_what_a_folder_keeps_builds_the_same_network(cfg, tmp_path):
    net = find_architecture(str(cfg)).build(("cat", "dog", "cow"), ANCHORS)
    folder = tmp_path / "run"
    folder.mkdir()
    net.keep(folder)
    cfg.unlink()
    again = find_architecture("tiny", folder).build(("cat", "dog", "cow"), net.spec.anchors)
    assert (folder / CFG).is_file() and again.spec == net.spec and again.zoo_name == "tiny"
    shapes = {name: p.shape for name, p in net._collect_params_with_prefix().items()}
    assert {name: p.shape for name, p in again._collect_params_with_prefix().items()} == shapes


def test_a_models_folder_stands_for_its_cfg(cfg, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    find_architecture(str(cfg)).build().keep(folder)
    found = find_architecture(str(folder))
    assert found.name == "run" and found.build().spec == find_architecture(str(cfg)).build().spec


def test_a_network_of_the_zoo_keeps_nothing(tmp_path):
    find_architecture("mobilenet0_25").build(("cat",)).keep(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["nowhere/net.cfg", "./net.cfg"])
def test_no_such_cfg(name):
    with pytest.raises(UserError, match="net.cfg: cannot be read"):
        find_architecture(name)


def test_flags_of_the_usual_training():
    found = find_architecture("fastestv2")
    flags = found.training_flags(100, {})
    assert (flags["data_shape"], flags["lr_decay_epoch"], found.size_hw) == ("352", "150,250", (352, 352))
    assert "lr_decay_epoch" not in found.training_flags(100, {"lr_mode": "cosine"})
    shorter = found.training_flags(100, {"epochs": 30})
    assert (shorter["lr_decay_epoch"], shorter["warmup_epochs"]) == ("15,25", 0.5)
    assert find_architecture("mobilenet1_0").training_flags(100, {}) == {}


def test_flags_of_a_cfg(tmp_path, caplog):
    path = tmp_path / "net.cfg"
    path.write_text(
        SMALL.replace("[net]\n", "[net]\nbatch=8\nsubdivisions=4\nlearning_rate=.01\nmax_batches=100\n")
    )
    caplog.set_level("INFO", "gluon_yolo")
    flags = find_architecture(str(path)).training_flags(80, {})
    assert (flags["batch_size"], flags["lr"], flags["epochs"]) == (8, 0.01, 10)
    assert flags["data_shape"] == "32x64"
    assert "net.cfg: subdivisions=4" in caplog.text


def test_a_models_folder_without_its_cfg(tmp_path):
    with pytest.raises(UserError, match=r"network.cfg: no such file, .*: unknown network 'cells'"):
        find_architecture("cells", tmp_path)
    assert find_architecture("mobilenet0_25", tmp_path).name == "yolo3_mobilenet0.25_custom"
