"""The OpenCV runtime: the network's boxes from Caffe's files, and messages about invalid ones."""

from __future__ import annotations

import shutil

import pytest

pytest.importorskip("google.protobuf", reason="protobuf is not installed")

from gluon_yolo.errors import UserError  # noqa: E402
from gluon_yolo.exporters.api import export  # noqa: E402
from gluon_yolo.exporters.verify import Bound, compare  # noqa: E402
from gluon_yolo.inference.model_record import ModelRecord  # noqa: E402
from gluon_yolo.inference.runtimes.opencv import load  # noqa: E402
from gluon_yolo.inference.runtimes.registry import RUNTIMES  # noqa: E402
from tests.inference.several_threads import assert_threads_agree, images  # noqa: E402
from tests.random_model import random_detector  # noqa: E402

pytestmark = pytest.mark.skipif(
    not RUNTIMES["opencv"].installed, reason="this OpenCV has no reader of Caffe's files"
)


@pytest.fixture(scope="module")
def net():
    return random_detector()


@pytest.fixture(scope="module")
def model(net, tmp_path_factory):
    """An exported model's record and folder."""
    done = export(net, tmp_path_factory.mktemp("caffe"), ["caffe"], "toy", (64, 96))
    return ModelRecord.read(done.record), done.folder


def test_boxes(net, model):
    """For other batches than the export's."""
    found = compare(net, load(*model), [images(1, 64, 96), images(3, 64, 96)], Bound(0.02, 1e-4))
    assert found.holds, found


def test_several_threads(model):
    assert_threads_agree(load(*model), [(64, 96)] * 4)


def test_results_stay_when_the_next_image_comes(model):
    """Boxes and scores are decoded on access, from maps that the network must not write to again."""
    network = load(*model)
    expected = [array.copy() for array in network(images(1, 64, 96))]
    first = network(images(1, 64, 96))
    network(255 - images(1, 64, 96))
    assert all((array == other).all() for array, other in zip(first, expected))


def test_other_size_than_the_export_s(model):
    with pytest.raises(UserError, match="toy.prototxt: takes pictures of 64x96 alone, .* and not of 96x64"):
        load(*model)(images(1, 96, 64))


def test_no_gpu(model):
    with pytest.raises(UserError, match="GPU 0: OpenCV runs on the processor here; leave gpu away"):
        load(*model, gpu=0)


@pytest.mark.parametrize("absent", ["toy.prototxt", "toy.caffemodel"])
def test_no_file(model, tmp_path, absent):
    shutil.copytree(model[1], tmp_path, dirs_exist_ok=True)
    (tmp_path / absent).unlink()
    with pytest.raises(UserError, match=f"{absent}: no such file; .*--format caffe"):
        load(model[0], tmp_path)


@pytest.mark.parametrize("file", ["toy.prototxt", "toy.caffemodel"])
@pytest.mark.parametrize("change", [lambda whole: whole[: len(whole) // 2], lambda _: b"hello\n"])
def test_damaged_file(model, tmp_path, capfd, file, change):
    """OpenCV finds some damage when it reads, and some when it computes."""
    shutil.copytree(model[1], tmp_path, dirs_exist_ok=True)
    (tmp_path / file).write_bytes(change((tmp_path / file).read_bytes()))
    with pytest.raises(UserError, match="toy.prototxt: (is damaged|its outputs are) .*--format caffe"):
        load(model[0], tmp_path)(images(1, 64, 96))
    assert "libprotobuf" not in capfd.readouterr().err


def test_a_prototxt_that_crashes_opencv(model, tmp_path):
    """Its input has no shape, since the field has another name: protobuf says so before OpenCV sees it."""
    shutil.copytree(model[1], tmp_path, dirs_exist_ok=True)
    file = tmp_path / "toy.prototxt"
    file.write_text(file.read_text().replace("shape {", "leaky_relu0 {"))
    with pytest.raises(
        UserError, match=r"--format caffe \(.*:7: layer \"data\" .*leaky_relu0 is no field of"
    ):
        load(model[0], tmp_path)
