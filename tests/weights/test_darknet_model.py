"""A network loaded from its two darknet files, and saved to them."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.models.darknet.cfg import read_cfg
from gluon_yolo.mxnet_compat import nd
from gluon_yolo.weights.darknet_header import Header
from gluon_yolo.weights.darknet_model import header_of, load, make_origin, save
from tests.models.darknet import small
from tests.models.darknet.judge import compare
from tests.random_model import random_image


def test_saved_and_loaded_it_is_the_same(tmp_path):
    net = small.built(small.SMALL, class_names=["cat", "dog"])
    cfg = save(net, tmp_path / "out", "net", Header(seen=640))
    assert cfg == tmp_path / "out" / "net.cfg"
    assert (tmp_path / "out" / "net.names").read_text() == "cat\ndog\n"
    again, header = load(cfg, cfg.with_suffix(".weights"), ["cat", "dog"])
    assert header == header_of(make_origin(cfg, "w", Header(seen=640))) == Header(seen=640)
    assert header_of(None) is None and header_of({"kind": "fastestv2"}) is None
    assert again.spec == net.spec
    image = nd.array(random_image(32, 64)[None], dtype="uint8")
    for given, wanted in zip(again(image), net(image)):
        np.testing.assert_array_equal(given.asnumpy(), wanted.asnumpy())


def test_opencv_reads_what_is_saved(tmp_path):
    cfg = save(small.built(small.SMALL), tmp_path, "net")
    compare(read_cfg(cfg), cfg.with_suffix(".weights"), [random_image(32, 64)], tmp_path)


def test_faces_are_found(shared_data):
    """Published weights detect 50 of some 55 faces, of one size, in the image's upper half."""
    folder = shared_data / "darknet" / "yoloface-500k"
    net, _ = load(small.only(folder, "*.cfg"), small.only(folder, "*.weights"), ["face"])
    found = Predictor.from_block(net, (256, 320))(shared_data / "images" / "faces.jpg")
    assert len(found) >= 45
    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    assert (sides > 15).all() and (sides < 45).all()
    assert found.boxes[:, 3].max() < 505 * 0.6


def test_partial_weights_are_no_network(shared_data):
    folder = shared_data / "darknet" / "nano-voc"
    with pytest.raises(UserError, match="layers 0 to 56, a partial file: 48 .*; 59 are in .*-voc.cfg"):
        load(small.only(folder, "*.cfg"), folder / "MobileNetV2-Nano.57")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file: cannot be written"):
        save(small.built(small.SMALL), tmp_path / "file", "net")
