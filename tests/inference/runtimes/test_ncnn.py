"""The ncnn runtime: the network's boxes from exported files, and messages about invalid ones."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

pytest.importorskip("ncnn", reason="package ncnn is not installed")

from gluon_yolo.data.images.read import read_image  # noqa: E402
from gluon_yolo.errors import UserError  # noqa: E402
from gluon_yolo.exporters.ir.read_symbol import read_network  # noqa: E402
from gluon_yolo.exporters.ncnn.file import STORAGES, make_layers, write_model  # noqa: E402
from gluon_yolo.exporters.verify import Bound, compare  # noqa: E402
from gluon_yolo.inference.model_record import ExportedFormat, ModelRecord  # noqa: E402
from gluon_yolo.inference.predictor import Predictor  # noqa: E402
from gluon_yolo.inference.runtimes.ncnn import NcnnRuntime, load  # noqa: E402
from tests.child import python  # noqa: E402
from tests.exporters.ir.test_read_symbol import MIDDLES, raw_maps  # noqa: E402
from tests.exporters.networks import ZOO, settled, trained, trained_fastestv2  # noqa: E402
from tests.inference.several_threads import assert_threads_agree, images
from tests.models.darknet import small  # noqa: E402
from tests.random_model import CLASSES, random_detector, random_image  # noqa: E402

SIZES_HW = ((160, 128), (96, 224))
DARKNET = ("nano-coco", "nano-voc", "fastest-voc", "yoloface-50k", "yoloface-100k", "yoloface-500k")
FAST = tuple(name for name in ZOO if name.endswith(("0.25", "v2")))
# Bounds for float32: trained networks, and random ones, whose boxes are extreme.
TRAINED, RANDOM = Bound(3e-3, 2e-5), Bound(0.02, 5e-5)
HALF = Bound(8.0, 0.03)  # over all anchors, most of which are background


def write(net, folder, storage="float32"):
    write_model(make_layers(read_network(net)), folder, "toy", storage)


def record_of(net):
    graph = ExportedFormat(("toy.param", "toy.bin"), "raw", ("raw_0", "raw_1", "raw_2"))
    return ModelRecord("toy", net.zoo_name, net.spec, (96, 128), {"ncnn": graph})


def check(net, folder, bound, batches=None):
    """Compare with the network at two sizes, as float32, then as float16."""
    batches = batches or [images(1 + place, *hw) for place, hw in enumerate(SIZES_HW)]
    found = {}
    for storage in STORAGES:
        write(net, folder, storage)
        own = bound if storage == "float32" else HALF
        found[storage] = compare(net, load(record_of(net), folder), batches, own)
        assert found[storage].holds, found[storage]
    assert found["float16"].scores > found["float32"].scores  # it has read the smaller file


@pytest.mark.parametrize("name", FAST)
def test_family(name, tmp_path):
    check(settled(name, CLASSES), tmp_path, RANDOM)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ZOO if name not in FAST])
def test_larger_family(name, tmp_path):
    check(settled(name, CLASSES), tmp_path, RANDOM)


@pytest.mark.slow
def test_every_cfg(tmp_path, shared_data):
    for cfg in sorted((shared_data / "darknet" / "cfg").glob("*.cfg")):
        check(settled(str(cfg)), tmp_path, Bound())


def photos(shared_data):
    image = read_image(shared_data / "images" / "dog.jpg")
    return [cv2.resize(image, size_hw[::-1])[None] for size_hw in ((320, 320), (224, 352))]


@pytest.mark.parametrize("name", DARKNET)
def test_trained_darknet(name, tmp_path, shared_data):
    check(trained(name, shared_data), tmp_path, TRAINED, photos(shared_data))


def test_trained_fastestv2(tmp_path, shared_data):
    check(trained_fastestv2(shared_data), tmp_path, TRAINED, photos(shared_data))


@pytest.mark.parametrize("middle", MIDDLES)
def test_operator(middle, tmp_path):
    """Also for maps of odd sizes."""
    net = small.built(small.NET + small.BACKBONE + MIDDLES[middle] + small.YOLO)
    write(net, tmp_path)
    runtime = load(record_of(net), tmp_path)
    for height, width in ((32, 64), (48, 40)):
        image = random_image(height, width)
        (expected,), (given,) = raw_maps(net, image[None]), runtime.maps(image)
        assert given.shape == expected.shape[1:]
        assert np.abs(given - expected[0]).max() <= 2e-5 * max(1, np.abs(expected).max())


@pytest.fixture(scope="module")
def net():
    return random_detector()


@pytest.fixture
def folder(net, tmp_path):
    write(net, tmp_path)
    return tmp_path


def test_detections(net, folder):
    """A Predictor has the same detections as with the network itself."""
    ours = Predictor(load(record_of(net), folder), net.spec, (96, 128))
    theirs = Predictor.from_block(net, (96, 128))
    batch = images(2, 96, 128)
    for given, expected in zip(ours.detect_batch(batch), theirs.detect_batch(batch)):
        assert len(given) == len(expected) > 0
        assert (given.class_ids == expected.class_ids).all()
        assert np.allclose(given.boxes, expected.boxes, rtol=1e-4, atol=1e-2)
        assert np.allclose(given.scores, expected.scores, atol=1e-5)


@pytest.mark.parametrize("precision", ["bf16", "f16"])
def test_precision(net, folder, precision):
    """On a device without support ncnn computes in float32."""
    network = NcnnRuntime(folder, "toy", net.spec, precision=precision)
    found = compare(net, network, [images(1, 96, 128)], Bound(64, 0.2))
    assert found.holds, found


def test_unknown_precision(net, folder):
    with pytest.raises(ValueError, match="expected one of f32, bf16, f16, got 'int8'"):
        NcnnRuntime(folder, "toy", net.spec, precision="int8")


def test_threads_to_compute_with(net, folder, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert load(record_of(net), folder).threads == 3


def test_several_threads(net, folder):
    network = load(record_of(net), folder)
    assert_threads_agree(network)


def test_results_stay_when_the_next_image_comes(net, folder):
    network = load(record_of(net), folder)
    first = network.maps(random_image(64, 64))
    before = [array.copy() for array in first]
    network.maps(255 - random_image(64, 64))
    assert all((array == kept).all() for array, kept in zip(first, before))


def test_view_of_an_image(net, folder):
    """An array that is not contiguous has the same pixels."""
    network = load(record_of(net), folder)
    batch = images(2, 96, 160)[:, ::-1, 32:]
    for given, expected in zip(network(batch), network(batch.copy())):
        assert (given == expected).all()


def test_size_that_suits_no_grid(net, folder):
    with pytest.raises(UserError, match="size 64x50: both sides must be multiples of 32"):
        load(record_of(net), folder)(images(1, 64, 50))


@pytest.mark.parametrize("ending", ["param", "bin"])
def test_missing_file(net, folder, ending):
    (folder / f"toy.{ending}").unlink()
    with pytest.raises(UserError, match=rf"toy.{ending}: no such file; .*--format ncnn"):
        load(record_of(net), folder)


@pytest.mark.parametrize(
    ("ending", "kept"), [("param", 0), ("param", 500), ("param", -100), ("bin", 0), ("bin", 999), ("bin", -4)]
)
def test_damaged_file(net, folder, ending, kept):
    path = folder / f"toy.{ending}"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UserError, match=f"toy.{ending}: is damaged or no file of ncnn's"):
        load(record_of(net), folder)


def test_files_of_something_else(net, folder):
    path = folder / "toy.param"
    path.write_text(path.read_text().replace("raw_2", "logits"))
    with pytest.raises(
        UserError, match="toy.param: its outputs are raw_0, raw_1, logits, expected raw_0, raw_1"
    ):
        load(record_of(net), folder)


def test_no_gpu(net, folder):
    with pytest.raises(UserError, match="GPU 77: ncnn"):
        load(record_of(net), folder, gpu=77)


def test_mxnet_stays_away(net, folder):
    record_of(net).write(folder / "toy.json")
    code = (
        "import sys, pathlib, numpy as np\n"
        "sys.modules['mxnet'] = None\n"
        "from gluon_yolo.inference.runtimes.ncnn import load\n"
        "from gluon_yolo.inference.model_record import ModelRecord\n"
        f"folder = pathlib.Path({str(folder)!r})\n"
        "network = load(ModelRecord.read(folder / 'toy.json'), folder)\n"
        "print([array.shape for array in network(np.zeros((1, 64, 64, 3), np.uint8))])\n"
    )
    done = python("-c", code)
    assert done.stdout.strip() == "[(1, 252, 4), (1, 252, 3)]"
