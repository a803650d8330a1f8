"""Int8 ONNX models: their content, and their difference from the float network."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="package onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="package onnxruntime is not installed")

from gluon_yolo.errors import UserError  # noqa: E402
from gluon_yolo.exporters.ir.read_symbol import read_network  # noqa: E402
from gluon_yolo.exporters.mxnet import int8 as mxnet_int8  # noqa: E402
from gluon_yolo.exporters.mxnet.trace import trace  # noqa: E402
from gluon_yolo.exporters.onnx import int8 as onnx_int8  # noqa: E402
from gluon_yolo.exporters.onnx.int8_layers import layers as layers_of  # noqa: E402
from gluon_yolo.exporters.onnx.write import make_model  # noqa: E402
from gluon_yolo.exporters.quantize.sensitivity import disagreement  # noqa: E402
from gluon_yolo.inference.exported_format import ExportedFormat  # noqa: E402
from gluon_yolo.inference.model_record import ModelRecord  # noqa: E402
from gluon_yolo.inference.runtimes import onnxruntime, openvino  # noqa: E402
from gluon_yolo.inference.runtimes.onnxruntime import OnnxRuntime, has_vnni  # noqa: E402
from gluon_yolo.inference.runtimes.openvino import OpenVINORuntime  # noqa: E402
from tests.child import ROOT  # noqa: E402
from tests.random_model import random_detector, random_image  # noqa: E402

IMAGES = np.stack([random_image(64, 96, seed) for seed in range(4)])


@pytest.fixture(scope="module")
def net():
    return random_detector()


@pytest.fixture(scope="module")
def graph(net):
    return read_network(net)


@pytest.fixture(scope="module")
def ranges(net, graph):
    return onnx_int8.calibrate(graph, net.spec, [IMAGES[:3], IMAGES[3:]])


@pytest.fixture(scope="module")
def decoded(net, graph):
    return make_model(graph, net.spec, "toy", "decoded", metadata={"fit": "letterbox"})


def loaded(model, net, folder, runtime=OnnxRuntime):
    path = folder / "toy.onnx"
    path.write_bytes(model.SerializeToString())
    return runtime(path, net.spec)


def convolutions(model):
    """Return, by the name of a convolution, whether its weight is int8."""
    produced = {output: node for node in model.graph.node for output in node.output}
    return {
        node.name: node.input[1] in produced and produced[node.input[1]].op_type == "DequantizeLinear"
        for node in model.graph.node
        if node.op_type == "Conv"
    }


def test_near_the_network_in_float(net, graph, decoded, ranges, tmp_path):
    float32 = loaded(decoded, net, tmp_path)(IMAGES)
    int8 = loaded(onnx_int8.quantize(decoded, graph, ranges), net, tmp_path)(IMAGES)
    assert 0 < disagreement(float32, int8) < 0.15
    narrow = {name: (low / 8, high / 8) for name, (low, high) in ranges.items()}
    clipped = loaded(onnx_int8.quantize(decoded, graph, narrow), net, tmp_path)(IMAGES)
    assert disagreement(float32, clipped) > 3 * disagreement(float32, int8)


def test_other_batches_and_sizes(net, graph, decoded, ranges, tmp_path):
    network = loaded(onnx_int8.quantize(decoded, graph, ranges), net, tmp_path)
    boxes, scores = network(np.stack([random_image(32, 64)] * 3))
    assert boxes.shape == (3, 126, 4) and scores.shape == (3, 126, 3)
    np.testing.assert_array_equal(boxes[0], boxes[2])


def test_openvino_reads_it(net, graph, decoded, ranges, tmp_path):
    pytest.importorskip("openvino")
    model = onnx_int8.quantize(decoded, graph, ranges)
    one, two = (loaded(model, net, tmp_path, runtime)(IMAGES) for runtime in (OnnxRuntime, OpenVINORuntime))
    assert disagreement(one, two) < 0.1


def test_layers_are_called_as_in_the_symbol(net, graph):
    assert layers_of(graph) == mxnet_int8.layers(trace(net, None))


@pytest.mark.parametrize("cut", ["nms", "decoded", "raw"])
def test_file(net, graph, ranges, cut):
    """Plain ONNX with the inputs, outputs and metadata of the float model; only the heads are float."""
    float32 = make_model(graph, net.spec, "toy", cut, metadata={"fit": "letterbox"})
    before = float32.SerializeToString()
    model = onnx_int8.quantize(float32, graph, ranges)
    assert float32.SerializeToString() == before
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version == 7 and [(o.domain, o.version) for o in model.opset_import] == [("", 13)]
    assert not [node.op_type for node in model.graph.node if node.domain]
    assert list(model.graph.input) == list(float32.graph.input)
    assert list(model.graph.output) == list(float32.graph.output)
    properties = {prop.key: prop.value for prop in model.metadata_props}
    assert properties == {**{p.key: p.value for p in float32.metadata_props}, "precision": "int8"}
    heads = {f"heads_levels_{level}" if cut != "raw" else f"raw_{level}" for level in range(3)}
    assert {name for name, int8 in convolutions(model).items() if not int8} == heads
    assert len(before) > 3 * len(model.SerializeToString())


def test_weights_have_a_scale_a_channel(graph, decoded, ranges):
    model = onnx_int8.quantize(decoded, graph, ranges)
    first = layers_of(graph)[0]
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    (quantized,) = (tensor for name, tensor in weights.items() if name == f"{first}_weight_quantized")
    assert quantized.data_type == onnx.TensorProto.INT8
    assert list(weights[f"{first}_weight_scale"].dims) == [quantized.dims[0]]


def test_layers_left_in_float(net, graph, decoded, ranges, tmp_path):
    layers = layers_of(graph)
    some = onnx_int8.quantize(decoded, graph, ranges, layers[3:5])
    assert [name for name in layers if not convolutions(some)[name]] == list(layers[3:5])
    float32 = loaded(decoded, net, tmp_path)(IMAGES)
    none = loaded(onnx_int8.quantize(decoded, graph, ranges, layers), net, tmp_path)(IMAGES)
    np.testing.assert_array_equal(none[0], float32[0])


def test_onnx_runtime_does_not_quantize_what_is_to_stay_in_float(net, graph, ranges):
    """By default it does, with one scale for all channels, where a float layer is between int8 ones."""
    layer = layers_of(graph)[1]
    (weight,) = (node.inputs[1] for node in graph.nodes if node.name == layer)
    uneven = graph.weights[weight].copy()
    uneven[0] *= 1000  # one of eight channels, each with its own plane
    graph = dataclasses.replace(graph, weights={**graph.weights, weight: uneven})
    decoded = make_model(graph, net.spec, "toy", "decoded")
    model = onnx_int8.quantize(decoded, graph, ranges, [layer]).SerializeToString()
    outputs = []
    for level in ("ORT_ENABLE_ALL", "ORT_DISABLE_ALL"):
        options = runtime.SessionOptions()
        options.graph_optimization_level = getattr(runtime.GraphOptimizationLevel, level)
        session = runtime.InferenceSession(model, options, ["CPUExecutionProvider"])
        outputs.append(session.run(["boxes", "scores"], {"data": IMAGES}))
    assert disagreement(*outputs) < 0.02


@pytest.mark.parametrize(
    "flags, there", [("fma avx512_vnni", True), ("avx2 avx_vnni", True), ("avx2 fma", False), (None, False)]
)
def test_processors_that_sum_int8_exactly(flags, there, tmp_path):
    if flags is not None:
        (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags : fpu {flags}\n")
    assert has_vnni(tmp_path / "cpuinfo") is there


def test_exact_on_any_processor(net, graph, decoded, ranges, tmp_path, monkeypatch):
    """On a CPU without VNNI the runtime uses exact sums; the boxes are the same."""
    entries = []
    options = runtime.SessionOptions

    class Watched(options):
        def add_session_config_entry(self, *entry):
            entries.append(entry)
            super().add_session_config_entry(*entry)

    monkeypatch.setattr(runtime, "SessionOptions", Watched)
    model = onnx_int8.quantize(decoded, graph, ranges)
    found = []
    for there in (True, False):
        monkeypatch.setattr(onnxruntime, "has_vnni", lambda there=there: there)
        found.append(loaded(model, net, tmp_path)(IMAGES))
    assert entries == [("session.x64quantprecision", "1")]
    assert disagreement(*found) < 0.02


def test_a_portable_file_needs_nothing_of_the_kind(net, graph, decoded, ranges, tmp_path, monkeypatch):
    """Its sums never overflow, so the fast computation is exact."""
    entries = []
    options = runtime.SessionOptions

    class Watched(options):
        def add_session_config_entry(self, *entry):
            entries.append(entry)

    monkeypatch.setattr(runtime, "SessionOptions", Watched)
    monkeypatch.setattr(onnxruntime, "has_vnni", lambda: False)
    (tmp_path / "toy.onnx").write_bytes(onnx_int8.quantize(decoded, graph, ranges).SerializeToString())
    for portable, expected in ((True, []), (False, [("session.x64quantprecision", "1")])):
        record = ModelRecord(
            "toy",
            "toy",
            net.spec,
            (64, 96),
            {"onnx": ExportedFormat(("toy.onnx",), "decoded", ("boxes", "scores"), portable=portable)},
            "int8",
        )
        onnxruntime.load(record, tmp_path)
        assert entries == expected


@pytest.mark.parametrize(
    ("weight", "reach"),
    [
        # one channel per row: the two largest of one sign, or the largest alone
        ([[3, 1, 2], [3, -1, -2], [1, -5, 0], [2, 2, -2], [0, 0, 0]], [5, 3, 5, 4, 0]),
        ([[4.0], [-2.0]], [4, 2]),  # a single weight per channel is not added to another
    ],
)
def test_ranges_of_weights(weight, reach):
    """(O, C, 1, 1); with a single input channel, a depthwise convolution, only the largest counts."""
    weight = np.array(weight, np.float32)[:, :, None, None]
    assert onnx_int8.pair_ranges(weight).tolist() == reach
    depthwise = np.moveaxis(weight, 1, 2)
    assert onnx_int8.pair_ranges(depthwise).tolist() == np.abs(weight).max(axis=(1, 2, 3)).tolist()


@pytest.mark.parametrize("portable", [True, False])
def test_no_sum_of_two_products_leaves_16_bits(graph, decoded, ranges, portable):
    """255 times the two largest weights of one sign, in every layer that is not depthwise."""
    model = onnx_int8.quantize(decoded, graph, ranges, portable=portable)
    weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    largest = []
    for name, weight in weights.items():
        if name.endswith("_weight_quantized") and weight.shape[1] > 1:
            rows = weight.reshape(len(weight), -1).astype(int)
            for signed in (rows, -rows):
                largest.append(255 * np.sort(np.maximum(signed, 0), axis=1)[:, -2:].sum(axis=1).max())
    assert len(largest) > 20 and bool(max(largest) <= 32767) is portable


OPENVINO = """
import sys, numpy as np
from pathlib import Path
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes.openvino import load
record, pictures, out = map(Path, sys.argv[1:])
boxes, scores = load(ModelRecord.read(record), record.parent)(np.load(pictures))
np.savez(out, boxes=boxes, scores=scores)
"""


@pytest.mark.parametrize("portable", [True, False])
def test_openvino_without_vnni(net, graph, decoded, ranges, tmp_path, portable):
    """Its oneDNN does not use VNNI: what could overflow is not computed in int8."""
    pytest.importorskip("openvino", reason="package openvino is not installed")
    model = onnx_int8.quantize(decoded, graph, ranges, portable=portable)
    (tmp_path / "toy.onnx").write_bytes(model.SerializeToString())
    np.save(tmp_path / "pictures.npy", IMAGES)
    held = ExportedFormat(("toy.onnx",), "decoded", ("boxes", "scores"), portable=portable)
    ModelRecord("toy", "toy", net.spec, (64, 96), {"onnx": held}, "int8").write(tmp_path / "toy.json")
    given = []
    for isa in ("DEFAULT", "AVX2"):
        words = [
            sys.executable,
            "-c",
            OPENVINO,
            *(tmp_path / name for name in ("toy.json", "pictures.npy", isa)),
        ]
        subprocess.run(words, check=True, cwd=ROOT, env={**os.environ, "ONEDNN_MAX_CPU_ISA": isa})
        arrays = np.load(tmp_path / f"{isa}.npz")
        given.append((arrays["boxes"], arrays["scores"]))
    assert disagreement(*given) < (1e-6 if portable else 0.03)


def test_openvino_that_cannot_compute_it_otherwise(net, graph, decoded, ranges, tmp_path, monkeypatch):
    """It runs one image at a time then, since it fails to compile several; a failure gives a message."""
    pytest.importorskip("openvino", reason="package openvino is not installed")
    monkeypatch.setattr(openvino, "sums_saturate", lambda: True)
    path = tmp_path / "toy.onnx"
    path.write_bytes(onnx_int8.quantize(decoded, graph, ranges, portable=False).SerializeToString())
    network, told = (
        OpenVINORuntime(path, net.spec, precision="int8", portable=there) for there in (False, True)
    )
    network(IMAGES)
    assert list(network._compiled) == [(1, 64, 96, 3)] and told._shape.batch is None

    def fails(*_):
        raise RuntimeError("No suitable implementations found")

    monkeypatch.setattr(network, "_core", SimpleNamespace(compile_model=fails))
    with pytest.raises(
        UserError, match="toy.onnx: in int8 it overflows on a processor without VNNI, and this"
    ):
        network(IMAGES[:, :32])
    monkeypatch.setattr(told, "_core", SimpleNamespace(compile_model=fails))
    with pytest.raises(UserError, match=r"toy\.onnx: .*\(No suitable implementations found\)"):
        told(IMAGES)


def test_only_what_touches_a_layer_is_in_int8(graph, decoded, ranges):
    """One convolution alone: its input, and its output after the activation."""
    layers = layers_of(graph)
    model = onnx_int8.quantize(decoded, graph, ranges, [name for name in layers if name != layers[2]])
    assert [name for name, int8 in convolutions(model).items() if int8] == [layers[2]]
    assert sum(node.op_type == "QuantizeLinear" for node in model.graph.node) == 2


@pytest.mark.slow
def test_entropy_is_within_what_was_seen(net, graph, ranges):
    stages = []
    clipped = onnx_int8.calibrate(graph, net.spec, [IMAGES], "entropy", lambda *step: stages.append(step))
    assert clipped.keys() == ranges.keys()
    width = {name: high - low for name, (low, high) in clipped.items()}
    for name, (low, high) in ranges.items():
        assert low <= clipped[name][0] < clipped[name][1] <= high
    assert any(width[name] < 0.9 * (high - low) for name, (low, high) in ranges.items())
    assert stages[:4] == [("pictures", number, None) for number in (1, 2, 3, 4)]
    assert stages[-1] == ("ranges", len(ranges), len(ranges))


def test_images_one_by_one_are_the_images_together(net, graph, ranges):
    assert onnx_int8.calibrate(graph, net.spec, ([image] for image in IMAGES)) == ranges


@pytest.mark.parametrize(
    "batches, method, message",
    [
        ([], "minmax", "calibration: no pictures"),
        ([IMAGES], "mean", "method 'mean': expected one of minmax, entropy"),
    ],
)
def test_bad_requests(net, graph, batches, method, message):
    with pytest.raises(UserError, match=message):
        onnx_int8.calibrate(graph, net.spec, batches, method)


def test_unknown_layer(graph, decoded, ranges):
    with pytest.raises(UserError, match="excluded layer 'nothing': the network has none of that name"):
        onnx_int8.quantize(decoded, graph, ranges, ["nothing"])


def test_damaged_weights():
    net = random_detector()
    broken = next(iter(net.collect_params(".*weight").values()))
    broken.set_data(broken.data() * float("inf"))
    with pytest.raises(UserError, match="is not finite: the network's weights are damaged"):
        onnx_int8.calibrate(read_network(net), net.spec, [IMAGES[:1]])
