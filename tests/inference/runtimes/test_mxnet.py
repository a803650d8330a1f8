"""The mxnet runtime: graphs of any precision and cut, from several threads."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

from gluon_yolo import Predictor
from gluon_yolo.errors import UserError
from gluon_yolo.exporters.mxnet.int8 import quantize
from gluon_yolo.exporters.mxnet.passes import convert, fuse
from gluon_yolo.exporters.mxnet.trace import DECODED, trace
from gluon_yolo.exporters.mxnet.write import save
from gluon_yolo.inference.exported_format import RAW_MAP, ExportedFormat
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes import mxnet, registry
from gluon_yolo.models.decode import Decode, Detect
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.system import memory
from tests.exporters.symbol_files import traced
from tests.inference.several_threads import assert_threads_agree, images
from tests.random_model import random_detector

PIXELS = images(2, 96, 128)
TAILS = {"nms": Detect, "decoded": Decode, "raw": None}
# Largest mean difference of scores from the network's own.
BOUNDS = {"float32": 1e-6, "fused": 1e-6, "bfloat16": 0.02, "int8": 0.02}


def lowered(kind, symbol, parameters):
    if kind == "float32":
        return symbol, parameters
    if kind == "int8":
        return quantize(symbol, parameters, [images(4, 96, 128)])
    return {"fused": fuse, "bfloat16": convert}[kind](symbol, parameters)


def exported(folder, net, kind, cut):
    """Write a model as ``export`` does, and return its record."""
    symbol, parameters = lowered(kind, *traced(net, TAILS[cut]))
    files = ("toy-symbol.json", "toy-0000.params")
    save(symbol, parameters, *(folder / file for file in files))
    decoded = () if cut == "raw" else tuple(f"{name}_output" for name in DECODED)
    graph = ExportedFormat(files, cut, tuple(symbol.list_outputs()), decoded)
    return ModelRecord("toy", net.zoo_name, net.spec, (96, 128), {"symbol": graph})


def reference(net):
    decode = Decode(net.spec)
    decode.initialize()
    return [output.asnumpy() for output in decode(*net(mx.nd.array(PIXELS)))]


@pytest.fixture(scope="module")
def net():
    return random_detector()


@pytest.mark.parametrize("cut", TAILS)
@pytest.mark.parametrize("kind", BOUNDS)
def test_every_precision_and_cut(tmp_path, net, kind, cut):
    record = exported(tmp_path, net, kind, cut)
    boxes, scores = mxnet.load(record, tmp_path)(PIXELS)
    own_boxes, own_scores = reference(net)
    assert boxes.shape == own_boxes.shape and scores.shape == own_scores.shape
    assert boxes.dtype == scores.dtype == np.float32
    error = np.abs(scores - own_scores).mean()
    assert error < BOUNDS[kind] and (error > 1e-4) == (kind in ("bfloat16", "int8"))


def test_a_symbol_without_the_outputs_of_its_record(tmp_path, net):
    record = exported(tmp_path, net, "float32", "nms")
    file = tmp_path / "toy-symbol.json"
    file.write_text(file.read_text().replace(RAW_MAP, "other").replace("decoded_boxes", "decoded_bones"))
    with pytest.raises(UserError, match=f"^{file}: has no output decoded_boxes_output, which toy.json names"):
        mxnet.load(record, tmp_path)


@pytest.mark.parametrize("name", ["mxnet", "torch"])
@pytest.mark.parametrize(("op", "number"), [("null", 1), ("Convolution", 9), ("BatchNorm", 7), ("heads", 5)])
def test_an_output_that_is_not_there(name, op, number, tmp_path, net):
    """Mxnet loads such a graph, and ends the process when it runs it."""
    pytest.importorskip(name)
    record = exported(tmp_path, net, "float32", "nms")
    file = tmp_path / "toy-symbol.json"
    graph = json.loads(file.read_text())
    if op == "heads":
        graph["heads"][0][1] = number
    else:
        source = next(place for place, node in enumerate(graph["nodes"]) if node["op"] == op)
        reader = next(node for node in graph["nodes"] if source in [entry[0] for entry in node["inputs"]])
        next(entry for entry in reader["inputs"] if entry[0] == source)[1] = number
    file.write_text(json.dumps(graph))
    with pytest.raises(UserError, match=f"^{file}: is damaged or no mxnet file"):
        registry.load(name, record, tmp_path)


def test_files_of_an_older_package(tmp_path, net):
    """Their raw maps have no names: they end at boxes and scores."""
    record = exported(tmp_path, net, "float32", "nms")
    file = tmp_path / "toy-symbol.json"
    file.write_text(file.read_text().replace(RAW_MAP, "convolution_"))
    for ours, theirs in zip(mxnet.load(record, tmp_path)(PIXELS), reference(net)):
        assert np.abs(ours - theirs).max() <= 1e-5 * max(1, np.abs(theirs).max())


@pytest.mark.parametrize(
    ("name", "attribute", "said"),
    [
        ("mxnet", "num_filter", r"mxnet cannot run it \(.*rror in operator"),
        ("torch", "num_group", r"stops while it is run; .* \(.*groups"),
    ],
)
def test_damage_that_shows_when_it_runs_names_the_file(name, attribute, said, tmp_path, net):
    pytest.importorskip(name)
    record = exported(tmp_path, net, "float32", "raw")
    file = tmp_path / "toy-symbol.json"
    file.write_text(re.sub(rf'"{attribute}": "\d+"', f'"{attribute}": "7"', file.read_text(), count=1))
    loaded = registry.load(name, record, tmp_path)
    with pytest.raises(UserError, match=f"toy-symbol.json: {said}"):
        loaded(PIXELS)


@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_several_threads(tmp_path, net, kind):
    assert_threads_agree(mxnet.load(exported(tmp_path, net, kind, "raw"), tmp_path))


def test_from_block_copies_the_weights(net):
    own = random_detector(seed=3)
    runtime = mxnet.from_block(own)
    before = runtime(PIXELS)[1].copy()
    own.heads.levels[0].bias.set_data(own.heads.levels[0].bias.data() + 5)
    assert (runtime(PIXELS)[1] == before).all()


@pytest.mark.parametrize("where", ["gpu", "processor without it"])
def test_bfloat16_becomes_float32_where_it_must(tmp_path, net, monkeypatch, where):
    """With the same rounded weights."""
    symbol, parameters = convert(*traced(net))
    monkeypatch.setattr(mxnet, "has_bfloat16", lambda: where == "gpu")
    runs, values = mxnet._prepared(symbol, parameters, 0 if where == "gpu" else None)
    assert {value.dtype for value in values.values()} == {np.dtype("float32").type}
    operators = {node["op"] for node in json.loads(runs.tojson(remove_amp_cast=False))["nodes"]}
    assert not operators & {"amp_cast", "amp_multicast"}
    rounded = parameters["heads_levels_0_weight"].asnumpy().view(np.uint16).astype(np.uint32) << 16
    assert (values["heads_levels_0_weight"].asnumpy().view(np.uint32).ravel() == rounded.ravel()).all()


SCRIPT = """
import sys
import numpy as np
from pathlib import Path
from gluon_yolo.inference.runtimes import mxnet
from gluon_yolo.inference.model_record import ModelRecord
has_bfloat16 = mxnet.has_bfloat16
mxnet.has_bfloat16 = lambda: has_bfloat16(Path(sys.argv[2]))
folder = Path(sys.argv[1])
network = mxnet.load(ModelRecord.read(folder / "toy.json"), folder)
boxes, scores = network(np.load(folder / "pixels.npy"))
np.save(folder / "scores.npy", scores)
"""


def test_bfloat16_on_a_processor_that_cannot(tmp_path, net):
    """Limited to AVX2, oneDNN has no bfloat16 kernel."""
    exported(tmp_path, net, "bfloat16", "decoded").write(tmp_path / "toy.json")
    np.save(tmp_path / "pixels.npy", PIXELS)
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("flags : fpu avx avx2 fma\n")
    environment = {**os.environ, "DNNL_MAX_CPU_ISA": "AVX2"}
    words = [sys.executable, "-c", SCRIPT, str(tmp_path), str(cpuinfo)]
    subprocess.run(words, check=True, env=environment)
    assert np.abs(np.load(tmp_path / "scores.npy") - reference(net)[1]).mean() < BOUNDS["bfloat16"]


@pytest.mark.parametrize(
    "text, expected",
    [("flags : avx512f avx512_bf16 amx\n", True), ("flags : avx512f avx512_vnni\n", False), (None, False)],
)
def test_has_bfloat16(tmp_path, text, expected):
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)
    assert mxnet.has_bfloat16(tmp_path / "cpuinfo") is expected


def test_int8_runs_on_the_processor_alone(net):
    symbol, parameters = lowered("int8", *traced(net))
    with pytest.raises(UserError, match="int8 model of mxnet's runs on the processor"):
        mxnet._prepared(symbol, parameters, 0)


def test_one_call_at_a_time(net, monkeypatch):
    """A plan of mxnet has memory for one call."""
    runtime = mxnet.from_block(net)
    plan, inside, most = runtime._plan, [], []

    def watched(shape):
        inside.append(shape)
        most.append(len(inside))
        planned = plan(shape)

        def run(*arrays):
            outputs = planned(*arrays)
            mx.nd.waitall()
            inside.pop()
            return outputs

        return run

    monkeypatch.setattr(runtime, "_plan", watched)
    workers = [threading.Thread(target=runtime, args=(PIXELS,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert most == [1] * 4


def test_raw_maps_have_names(net):
    names = trace(net, Detect(net.spec)).get_internals().list_outputs()
    assert {f"{RAW_MAP}{level}_output" for level in range(3)} <= set(names)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ([mx.nd.zeros(1)], "its arrays have no names"),
        ({"backbone.weight": mx.nd.zeros(1)}, r"lacks \d+ of the arrays"),  # from Gluon's save_parameters
    ],
)
def test_parameters_of_another_kind(net, tmp_path, arrays, message):
    record = exported(tmp_path, net, "float32", "raw")
    mx.nd.save(str(tmp_path / "toy-0000.params"), arrays)
    with pytest.raises(UserError, match=f"toy-0000.params: {message}"):
        mxnet.load(record, tmp_path)


def test_a_runs_network_is_freed_behind_the_runtimes_copy(monkeypatch):
    """Gluon's blocks refer to themselves: each loaded run would leave its weights once more."""
    monkeypatch.setattr(memory, "GROWTH", -(1 << 40))
    nets = []
    made = mxnet.from_record

    def watched(*args):
        net = made(*args)
        nets.append(weakref.ref(net))
        return net

    monkeypatch.setattr(mxnet, "from_record", watched)
    Predictor.load(Path(__file__).parents[2] / "old_work" / "run", "mxnet")
    assert [net() for net in nets] == [None]
