"""TFLite files of whole networks: the network's maps and boxes, their layout, names and sizes."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="package ai-edge-litert is not installed")

from gluon_yolo.exporters import verify  # noqa: E402
from gluon_yolo.exporters.ir.read_symbol import read_network  # noqa: E402
from gluon_yolo.exporters.tflite.write import cut_graph, make_file  # noqa: E402
from gluon_yolo.inference.runtimes.fixed_shape import FixedShape  # noqa: E402
from gluon_yolo.inference.runtimes.tflite import TFLiteRuntime  # noqa: E402
from gluon_yolo.mxnet_compat import mx  # noqa: E402
from tests.exporters.ir.test_read_symbol import MIDDLES  # noqa: E402
from tests.exporters.networks import settled, trained, trained_fastestv2  # noqa: E402
from tests.exporters.tflite import litert  # noqa: E402
from tests.inference.several_threads import images  # noqa: E402
from tests.models.darknet import small  # noqa: E402
from tests.random_model import CLASSES, random_detector  # noqa: E402

TRAINED = ("nano-coco", "fastest-voc", "yolo-fastest-1.1", "yoloface-500k")


@pytest.fixture(scope="module")
def net():
    return random_detector()


def content_of(net, shape, cut="raw", **options):
    return make_file(cut_graph(read_network(net), net.spec, cut, shape[1:]), shape, **options)


def check(net, folder, *shapes, cut="decoded"):
    for shape in shapes:
        (folder / "toy.tflite").write_bytes(content_of(net, shape, cut))
        network = TFLiteRuntime(folder / "toy.tflite", net.spec, FixedShape(*shape))
        found = verify.compare(net, network, [images(*shape)])
        assert found.holds, found


@pytest.mark.parametrize("middle", MIDDLES)
def test_operator(middle):
    """All supported operators; the images give maps of odd sizes too."""
    net = small.built(small.NET + small.BACKBONE + MIDDLES[middle] + small.YOLO)
    for shape in ((1, 32, 64), (2, 48, 40)):
        pixels = images(*shape)
        (expected,) = net(mx.nd.array(pixels))
        (found,) = litert.run(content_of(net, shape), pixels).values()
        assert found.shape == expected.shape
        expected = expected.asnumpy()
        assert np.abs(found - expected).max() <= 2e-5 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("name", ["yolo3_mobilenet0.25", "yolo3_mobilenetv2_0.25", "yolo_fastestv2"])
def test_no_transposition_between_layers(name, tmp_path):
    net = settled(name, CLASSES)
    assert "TRANSPOSE" not in litert.kinds(content_of(net, (1, 64, 96)))
    check(net, tmp_path, (2, 64, 96))


@pytest.mark.parametrize("name", TRAINED)
def test_trained_darknet(name, tmp_path, shared_data):
    check(trained(name, shared_data), tmp_path, (1, 160, 128))


@pytest.mark.slow
def test_every_cfg(tmp_path, shared_data):
    for cfg in sorted((shared_data / "darknet" / "cfg").glob("*.cfg")):
        check(settled(str(cfg)), tmp_path, (1, 96, 128), (2, 160, 96))


def test_trained_fastestv2(tmp_path, shared_data):
    check(trained_fastestv2(shared_data), tmp_path, (1, 352, 352))


@pytest.mark.parametrize(
    ("cut", "outputs"),
    [
        ("raw", {"raw_0": (2, 8, 12, 24), "raw_1": (2, 4, 6, 24), "raw_2": (2, 2, 3, 24)}),
        ("decoded", {"boxes": (2, 378, 4), "scores": (2, 378, 3)}),
    ],
)
def test_file(net, cut, outputs):
    """Its signature, and that it has no operator beside those of TFLite."""
    content = content_of(net, (2, 64, 96), cut)
    model = litert.opened(content)
    assert model.version == 3 and model.description.startswith(b"gluon_yolo ")
    (graph,), (signature,) = model.subgraphs, model.signatureDefs
    assert signature.signatureKey == b"serving_default"
    assert [(entry.name, entry.tensorIndex) for entry in signature.inputs] == [(b"data", graph.inputs[0])]
    names = {entry.name.decode(): graph.tensors[entry.tensorIndex] for entry in signature.outputs}
    assert {name: tuple(tensor.shape) for name, tensor in names.items()} == outputs
    assert [tensor.name.decode() for tensor in names.values()] == list(outputs)
    assert not model.buffers[0].data and all(code.customCode is None for code in model.operatorCodes)
    assert len({tensor.name for tensor in graph.tensors}) == len(graph.tensors)


def test_constants_are_aligned(net):
    """To 16 bytes from the start of the file, as the schema says; LiteRT reads them where they lie."""
    content = content_of(net, (1, 64, 96))
    model = litert.schema.Model.GetRootAs(content)
    starts = []
    for place in range(1, model.BuffersLength()):
        data = model.Buffers(place).DataAsNumpy()
        starts.append(data.__array_interface__["data"][0])
    base = np.frombuffer(content, np.uint8).__array_interface__["data"][0]
    assert len(starts) > 50 and not [start for start in starts if (start - base) % 16]


def test_same_network_same_file(net):
    assert content_of(net, (1, 64, 96)) == content_of(net, (1, 64, 96))


def test_weights_in_half(net):
    """Kernels alone, each with a step that makes it float32; one beyond float16 stays as it is."""
    graph = read_network(net)
    large = next(node.inputs[1] for node in graph.nodes if node.op == "convolution")
    graph.weights[large][0, 0, 0, 0] = 1e5
    tensors = litert.opened(make_file(graph, (1, 64, 96), half=True)).subgraphs[0].tensors
    kinds = {tensor.name.decode(): tensor.type for tensor in tensors}
    half = [name for name, kind in kinds.items() if kind == litert.schema.TensorType.FLOAT16]
    convolutions = [node for node in graph.nodes if node.op == "convolution"]
    assert half == [f"{node.inputs[1]}_half" for node in convolutions[1:]]
    assert all(kinds[f"{node.name}_bias"] == litert.schema.TensorType.FLOAT32 for node in convolutions)


@pytest.mark.parametrize("half", [False, True])
def test_weights_that_several_read_are_there_once(half):
    """Those of Yolo-FastestV2's heads, and of its channel shuffles."""
    net = settled("yolo_fastestv2", CLASSES)
    constants = sum(array.size for array in read_network(net).weights.values())
    size = len(content_of(net, (1, 64, 96), half=half))
    assert size < (2 if half else 4) * (constants + 50_000) + 130_000
