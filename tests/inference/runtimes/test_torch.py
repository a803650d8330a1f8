"""The PyTorch runtime: mxnet's boxes, from networks in memory, runs and symbols of any precision and cut."""

from __future__ import annotations

import gc
import json
import sys
import weakref

import numpy as np
import pytest

from gluon_yolo import Predictor
from gluon_yolo.errors import MissingDependency, UserError
from gluon_yolo.exporters.api import export
from gluon_yolo.exporters.model_dir import write_folder
from gluon_yolo.inference.exported_format import RAW_MAP
from gluon_yolo.inference.runtimes import mxnet, registry
from gluon_yolo.models import zoo
from gluon_yolo.mxnet_compat import mx, nd
from tests.inference.runtimes.test_mxnet import TAILS, exported
from tests.inference.several_threads import assert_threads_agree, images
from tests.judged_networks import drawn
from tests.models.darknet import small
from tests.random_model import random_detector

pytest.importorskip("torch", reason="the runtime needs PyTorch")

from gluon_yolo.inference.runtimes import torch as runtime  # noqa: E402
from gluon_yolo.torch_compat import torch  # noqa: E402

PIXELS = images(2, 96, 128)
LIGHT = ("yolo3_mobilenet0.25_voc", "yolo3_mobilenetv2_0.25_voc", "yolo_fastestv2_voc")
CFG = small.SMALL


def assert_same(found, expected, tolerance: float = 1e-4) -> None:
    """Compare boxes in pixels and scores: differences over the largest value."""
    for ours, theirs in zip(found, expected):
        assert ours.shape == theirs.shape and ours.dtype == theirs.dtype == np.float32
        assert np.abs(ours - theirs).max() <= tolerance * max(1, np.abs(theirs).max())


@pytest.fixture(scope="module")
def net():
    return random_detector()


@pytest.mark.parametrize("name", [*LIGHT, "cfg"])
def test_networks_in_memory(name):
    net = small.built(CFG) if name == "cfg" else zoo.build(name)
    if name != "cfg":
        drawn(net, PIXELS)
    ours, theirs = runtime.from_block(net), mxnet.from_block(net)
    for pixels in (PIXELS, images(1, 64, 64)):
        assert_same(ours(pixels), theirs(pixels))
        for raw, expected in zip(ours(pixels)._maps, theirs(pixels)._maps):
            assert np.abs(raw - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("cut", TAILS)
@pytest.mark.parametrize("kind", ["float32", "fused", "bfloat16"])
def test_symbols(tmp_path, net, monkeypatch, kind, cut):
    """A bfloat16 model is computed in float32 with its rounded weights, as mxnet does on most processors."""
    monkeypatch.setattr(mxnet, "has_bfloat16", lambda: False)
    record = exported(tmp_path, net, kind, cut)
    assert_same(runtime.load(record, tmp_path)(PIXELS), mxnet.load(record, tmp_path)(PIXELS))


def test_a_symbol_of_an_older_package(tmp_path, net):
    """Its raw maps have no names: boxes and scores are computed too."""
    record = exported(tmp_path, net, "float32", "nms")
    file = tmp_path / "toy-symbol.json"
    file.write_text(file.read_text().replace(RAW_MAP, "convolution_"))
    assert_same(runtime.load(record, tmp_path)(PIXELS), mxnet.load(record, tmp_path)(PIXELS))


def test_int8_is_mxnets_own(tmp_path, net):
    record = exported(tmp_path, net, "int8", "raw")
    with pytest.raises(UserError, match="mxnet's own int8, which torch cannot compute; give runtime mxnet"):
        runtime.load(record, tmp_path)


def test_an_operator_without_counterpart_is_named(tmp_path, net):
    record = exported(tmp_path, net, "float32", "raw")
    file = tmp_path / "toy-symbol.json"
    file.write_text(file.read_text().replace('"act_type": "relu"', '"act_type": "softsign"'))
    problem = r"^.*toy-symbol.json: .* operator Activation \(.*\) with act_type=softsign .*; use mxnet"
    with pytest.raises(UserError, match=problem):
        runtime.load(record, tmp_path)


def test_a_norm_that_reads_the_pixels_as_its_statistics(tmp_path, net):
    record = exported(tmp_path, net, "float32", "raw")
    file = tmp_path / "toy-symbol.json"
    graph = json.loads(file.read_text())
    data = next(place for place, node in enumerate(graph["nodes"]) if node["name"] == "data")
    norm = next(node for node in graph["nodes"] if node["op"] == "BatchNorm")
    norm["inputs"][1][0] = data
    file.write_text(json.dumps(graph))
    with pytest.raises(UserError, match="toy-symbol.json: torch cannot load it .*; if it is damaged, export"):
        runtime.load(record, tmp_path)


def test_several_threads(net):
    assert_threads_agree(runtime.from_block(net))


def test_weights_are_copied_and_pixels_may_be_read_only(net):
    own = random_detector(seed=3)
    loaded, pixels = runtime.from_block(own), PIXELS.copy()
    pixels.flags.writeable = False
    before = loaded(pixels)[1].copy()
    own.heads.levels[0].bias.set_data(own.heads.levels[0].bias.data() + 5)
    assert (loaded(pixels)[1] == before).all()


def test_a_size_that_does_not_fit_is_said(net):
    with pytest.raises(UserError, match="size 90x128: both sides must be multiples of 32"):
        runtime.from_block(net)(images(1, 90, 128))


def test_a_gpu_that_is_not_there_is_said(net):
    if torch.cuda.is_available():
        pytest.skip("there are GPUs")
    with pytest.raises(UserError, match="GPU 0 was asked for, and "):
        runtime.from_block(net, gpu=0)


def test_predictors(tmp_path, net):
    """Of a network in memory, of a run, and of an exported model."""
    run = write_folder(net, tmp_path / "run", (96, 128))
    export(net, tmp_path / "toy", ["symbol"], "toy", (96, 128))
    expected = Predictor.from_block(net, (96, 128))(PIXELS[0])
    assert len(expected) > 3
    for predictor in (
        Predictor.from_block(net, (96, 128), runtime="torch"),
        Predictor.load(run, "torch"),
        Predictor.load(tmp_path / "toy", "torch"),
        Predictor.from_network(net.zoo_name, run, net.spec.class_names, (96, 128), runtime="torch"),
    ):
        found = predictor(PIXELS[0])
        assert predictor.runtime == "torch"
        assert np.allclose(found.boxes, expected.boxes, atol=0.01)
        assert (found.class_ids == expected.class_ids).all()
        assert np.allclose(found.scores, expected.scores, atol=1e-4)


def test_who_runs_networks(tmp_path, net):
    run = write_folder(net, tmp_path / "run", (96, 128))
    with pytest.raises(UserError, match="is a run, which only mxnet and torch read; .* load that with ncnn"):
        Predictor.load(run, "ncnn")
    with pytest.raises(UserError, match="^runtime ncnn: runs exported models; .* in mxnet and torch"):
        Predictor.from_block(net, (96, 128), runtime="ncnn")


def test_without_torch_it_says_what_to_install(tmp_path, net, monkeypatch):
    record = exported(tmp_path, net, "float32", "raw")
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith(("gluon_yolo.pytorch", "gluon_yolo.torch"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "gluon_yolo.inference.runtimes.torch")
    with pytest.raises(MissingDependency, match=r'torch is not installed: pip install "\.\[torch\]"'):
        registry.load("torch", record, tmp_path)


@pytest.mark.parametrize(
    ("gpu", "mxnet_can", "expected"),
    [(None, True, "mxnet"), (0, True, "mxnet"), (0, False, "torch")],
)
def test_auto_takes_torch_for_a_gpu_that_mxnet_cannot_use(monkeypatch, gpu, mxnet_can, expected):
    def check_gpu(index):
        if not mxnet_can:
            raise UserError("no kernels")

    monkeypatch.setattr(mxnet, "check_gpu", check_gpu)
    assert registry.builder_for(gpu) == expected


def test_auto_tries_it_for_exported_models_on_a_gpu_only(tmp_path, net):
    record = exported(tmp_path, net, "float32", "raw")
    assert registry.candidates(record) == ["mxnet"]
    assert registry.candidates(record, gpu=0) == ["mxnet", "torch"]


def test_the_graph_is_folded_and_calls_leave_torchs_switches(net):
    loaded = runtime.from_block(net)
    before = torch.backends.cudnn.allow_tf32, torch.is_grad_enabled()
    assert isinstance(loaded(PIXELS)._maps[0], np.ndarray)
    assert (torch.backends.cudnn.allow_tf32, torch.is_grad_enabled()) == before
    assert not any(node.op == "call_module" for node in loaded._module.graph.nodes)
    assert nd.array(PIXELS).context == mx.cpu()


def test_arrays_are_freed_with_the_predictor(net):
    """A graph of torch's refers to itself: Python would find that hundreds of predictors later."""
    predictor = Predictor.from_block(net, (64, 64), runtime="torch")
    predictor(PIXELS[0])
    array = weakref.ref(next(predictor._network._module.buffers()))
    gc.disable()
    try:
        del predictor
        assert array() is None
    finally:
        gc.enable()
