"""ONNX files: the network's boxes, for any batch and size, and valid content."""

from __future__ import annotations

import json

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="package onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="package onnxruntime is not installed")

from gluon_yolo.exporters import verify  # noqa: E402
from gluon_yolo.exporters.ir.read_symbol import read_network  # noqa: E402
from gluon_yolo.exporters.onnx.write import CUTS, make_model, write_model  # noqa: E402
from gluon_yolo.exporters.request import NMSOptions  # noqa: E402
from gluon_yolo.inference.model_record import ExportedFormat, ModelRecord  # noqa: E402
from gluon_yolo.inference.runtimes.onnxruntime import load  # noqa: E402
from gluon_yolo.models.decode import Detect  # noqa: E402
from gluon_yolo.mxnet_compat import mx  # noqa: E402
from tests.exporters.ir.test_read_symbol import MIDDLES  # noqa: E402
from tests.exporters.networks import ZOO, settled, trained, trained_fastestv2  # noqa: E402
from tests.models.darknet import small  # noqa: E402
from tests.random_model import CLASSES, random_detector, random_image  # noqa: E402

TRAINED = ("nano-coco", "nano-voc", "fastest-voc", "yoloface-50k", "yoloface-100k", "yoloface-500k")


def images(batch, height, width):
    return np.stack([random_image(height, width, seed) for seed in range(batch)])


def written(net, folder, **options):
    """Write a network and return ONNX Runtime's function of the file."""
    write_model(make_model(read_network(net), net.spec, "toy", **options), folder / "toy.onnx")
    formats = {"onnx": ExportedFormat(("toy.onnx",), "raw", ("raw_0",))}
    return load(ModelRecord("toy", net.zoo_name, net.spec, (64, 64), formats), folder)


def dims_of(value):
    """Return the sides of an input or output, numbers or names."""
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


def check(net, folder, *shapes, cut="decoded"):
    found = verify.compare(net, written(net, folder, cut=cut), [images(*shape) for shape in shapes])
    assert found.holds, found


@pytest.mark.parametrize("name", [name for name in ZOO if name.endswith(("0.25", "v2"))])
def test_family(name, tmp_path):
    check(settled(name, CLASSES), tmp_path, (1, 96, 128), (2, 160, 96))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ZOO if not name.endswith(("0.25", "v2"))])
def test_larger_family(name, tmp_path):
    check(settled(name, CLASSES), tmp_path, (1, 96, 128), (2, 160, 96))


@pytest.mark.parametrize("name", TRAINED)
def test_trained_darknet(name, tmp_path, shared_data):
    check(trained(name, shared_data), tmp_path, (1, 160, 128), (2, 128, 224))


@pytest.mark.slow
def test_every_cfg(tmp_path, shared_data):
    for cfg in sorted((shared_data / "darknet" / "cfg").glob("*.cfg")):
        check(settled(str(cfg)), tmp_path, (1, 96, 128), (2, 160, 96))


def test_trained_fastestv2(tmp_path, shared_data):
    check(trained_fastestv2(shared_data), tmp_path, (1, 352, 352), (2, 96, 160))


@pytest.mark.parametrize("middle", MIDDLES)
def test_operator(middle, tmp_path):
    """All supported operators; the images give maps of odd sizes too."""
    net = small.built(small.NET + small.BACKBONE + MIDDLES[middle] + small.YOLO)
    written(net, tmp_path, cut="raw")
    session = runtime.InferenceSession(str(tmp_path / "toy.onnx"), providers=["CPUExecutionProvider"])
    for pixels in (images(1, 32, 64), images(2, 48, 40)):
        for ours, theirs in zip(session.run(None, {"data": pixels}), net(mx.nd.array(pixels))):
            theirs = theirs.asnumpy()
            assert ours.shape == theirs.shape
            assert np.abs(ours - theirs).max() <= 2e-5 * max(1, np.abs(theirs).max())


@pytest.fixture(scope="module")
def net():
    return random_detector()


@pytest.mark.parametrize("cut", ["raw", "decoded"])
def test_pixels_as_floats(net, cut, tmp_path):
    found = verify.compare(net, written(net, tmp_path, cut=cut, pixels="float32"), [images(2, 96, 64)])
    assert found.holds, found


@pytest.mark.parametrize("size_hw", [(96, 128), (32, 32)])
@pytest.mark.parametrize(
    "numbers",
    [
        {},
        {"nms_threshold": 0.2, "score_threshold": 0.3, "max_detections": 7},
        {"nms_threshold": 0},
        {"max_candidates": 20},
        {"max_detections": 300},
    ],
    ids=str,
)
def test_suppression_is_detects(net, numbers, size_hw, tmp_path):
    """Also for an image with fewer anchors than candidates."""
    written(net, tmp_path, cut="nms", suppression=NMSOptions(**numbers))
    session = runtime.InferenceSession(str(tmp_path / "toy.onnx"), providers=["CPUExecutionProvider"])
    tail = Detect(net.spec, **numbers)
    tail.initialize()
    pixels = images(2, *size_hw)
    expected = [array.asnumpy() for array in tail(*net(mx.nd.array(pixels)))]
    assert [output.name for output in session.get_outputs()] == ["ids", "scores", "bboxes"]
    for ours, theirs in zip(session.run(None, {"data": pixels}), expected):
        assert ours.shape == theirs.shape and ours.dtype == np.float32
        assert np.abs(ours - theirs).max() <= 1e-5 * max(1, np.abs(theirs).max())
    assert (expected[0] >= 0).sum() >= 4


@pytest.mark.parametrize("cut", CUTS)
def test_file(net, cut, tmp_path):
    """Its content, as other programs read it."""
    written(net, tmp_path, cut=cut, metadata={"fit": "resize"})
    model = onnx.load(str(tmp_path / "toy.onnx"))
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == 7 and [(o.domain, o.version) for o in model.opset_import] == [("", 13)]
    (pixels,) = model.graph.input  # weights are no inputs
    assert pixels.name == "data" and pixels.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert dims_of(pixels) == ["batch", "height", "width", 3]
    names = [node.name for node in model.graph.node]
    assert len(set(names)) == len(names) and not [node for node in model.graph.node if node.domain]
    record = {prop.key: prop.value for prop in model.metadata_props}
    assert json.loads(record["class_names"]) == list(CLASSES) and record["cut"] == cut
    assert json.loads(record["spec"])["strides"] == [8, 16, 32] and record["fit"] == "resize"
    shapes = {
        o.name: [d.dim_param or d.dim_value for d in o.type.tensor_type.shape.dim] for o in model.graph.output
    }
    assert (
        shapes
        == {
            "raw": {f"raw_{n}": ["batch", 24, f"rows_{n}", f"columns_{n}"] for n in range(3)},
            "decoded": {"boxes": ["batch", "anchors", 4], "scores": ["batch", "anchors", 3]},
            "nms": {"ids": ["batch", 100, 1], "scores": ["batch", 100, 1], "bboxes": ["batch", 100, 4]},
        }[cut]
    )


def test_same_network_same_file():
    first, second = (
        make_model(read_network(random_detector()), random_detector().spec, "toy") for _ in range(2)
    )
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(deterministic=True)


def test_sizes_fixed_by_whom_runs_it(net, tmp_path):
    """ONNX Runtime then infers every shape from them, and is strict about the result."""
    network = written(net, tmp_path)
    options = runtime.SessionOptions()
    for name, size in (("batch", 2), ("height", 64), ("width", 96)):
        options.add_free_dimension_override_by_name(name, size)
    session = runtime.InferenceSession(str(tmp_path / "toy.onnx"), options, ["CPUExecutionProvider"])
    given = session.run(["boxes", "scores"], {"data": images(2, 64, 96)})
    for ours, theirs in zip(given, network(images(2, 64, 96))):
        assert np.allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("cut", CUTS)
def test_fixed_size(net, cut, tmp_path):
    """For converters that need it: all shapes are numbers, and nothing is computed from them."""
    network = written(net, tmp_path, cut=cut, fixed=(2, 64, 96))
    if cut != "nms":
        found = verify.compare(net, network, [images(2, 64, 96)])
        assert found.holds, found
    model = onnx.load(str(tmp_path / "toy.onnx"))
    assert dims_of(model.graph.input[0]) == [2, 64, 96, 3]
    assert {output.name: dims_of(output) for output in model.graph.output} == {
        "raw": {"raw_0": [2, 24, 8, 12], "raw_1": [2, 24, 4, 6], "raw_2": [2, 24, 2, 3]},
        "decoded": {"boxes": [2, 378, 4], "scores": [2, 378, 3]},
        "nms": {"ids": [2, 100, 1], "scores": [2, 100, 1], "bboxes": [2, 100, 4]},
    }[cut]
    decode = [node.op_type for node in model.graph.node if not node.name.startswith("suppress")]
    assert not {"Shape", "Expand", "Range", "CumSum", "Gather"} & set(decode)


def test_operators(net):
    """Only operators that most readers of ONNX support; for TensorRT the cast is the first one."""
    model = make_model(read_network(net), net.spec, "toy", "decoded")
    kinds = [node.op_type for node in model.graph.node]
    assert kinds[:2] == ["Cast", "Transpose"]
    assert not {"CumSum", "Range", "NonZero", "GatherND", "Where"} & set(kinds)


def test_other_sizes_up_to_the_longest(net, tmp_path):
    """The row of numbers is long enough for a map of 2048 cells per side; a longer side is an error."""
    network = written(net, tmp_path)
    found = verify.compare(net, network, [images(1, 32, 4096)])
    assert found.holds, found
    with pytest.raises(Exception, match="Expand"):  # ONNX Runtime has no narrower class
        network(images(1, 32, 2048 * 8 + 32))


@pytest.mark.parametrize("options", [{"cut": "all"}, {"pixels": "float16"}])
def test_bad_requests(net, options):
    with pytest.raises(ValueError, match="expected one of"):
        make_model(read_network(net), net.spec, "toy", **options)


@pytest.mark.parametrize("cut", CUTS)
def test_simplifies(net, cut, tmp_path):
    simplify = pytest.importorskip("onnxsim", reason="package onnxsim is not installed").simplify
    written(net, tmp_path, cut=cut)
    _, valid = simplify(onnx.load(str(tmp_path / "toy.onnx")))
    assert valid


@pytest.mark.parametrize("cut", ["nms", "decoded", "raw"])
def test_simplifier(net, cut):
    """It accepts the file, and finds nothing to simplify."""
    onnxsim = pytest.importorskip("onnxsim", reason="package onnxsim is not installed")
    model = make_model(read_network(net), net.spec, "toy", cut)
    simplified, same = onnxsim.simplify(model)
    assert same and len(simplified.graph.node) == len(model.graph.node)
