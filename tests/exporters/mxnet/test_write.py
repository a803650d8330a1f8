"""Exported symbols: the network's results in three other programs, and no partial or wrong files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from gluon_yolo.errors import UserError
from gluon_yolo.exporters.api import export
from gluon_yolo.exporters.mxnet import write
from gluon_yolo.exporters.verify import WrongResults
from gluon_yolo.models.decode import Decode, Detect
from gluon_yolo.mxnet_compat import gluon, mx
from tests.random_model import CLASSES, random_detector, random_image

SIZE_HW = (96, 128)
TAILS = {"nms": Detect, "decoded": Decode}
OUTPUTS = {
    "nms": ["ids_output", "scores_output", "bboxes_output"],
    "decoded": ["boxes_output", "scores_output"],
    "raw": ["raw_0_output", "raw_1_output", "raw_2_output"],
}

# Uses mxnet only. NumPy's removed names are restored, as every user of mxnet 1.9.1 must do.
STRANGER = """
    import sys
    import numpy as np
    removed = dict(bool=bool, float=float, int=int, object=object, str=str, float_=np.float64)
    removed.update(product=np.prod, round_=np.round, NaN=np.nan, NAN=np.nan, Inf=np.inf, PINF=np.inf)
    removed.update(dict.fromkeys("infty NINF PZERO NZERO cumproduct alltrue sometrue in1d row_stack".split()))
    removed.update(dict.fromkeys("unicode_ msort trapz mirr npv pmt ppmt pv rate".split()))
    for name in removed.keys() - vars(np).keys():
        setattr(np, name, removed[name])
    import mxnet as mx

    prefix, pixels_file, out_file = sys.argv[1:]
    symbol, arguments, statistics = mx.model.load_checkpoint(prefix, 0)
    pixels = mx.nd.array(np.load(pixels_file))
    executor = symbol.bind(mx.cpu(), {**arguments, "data": pixels}, grad_req="null", aux_states=statistics)
    np.savez(out_file, *[output.asnumpy() for output in executor.forward(is_train=False)])
    assert not any(name.startswith(("gluon_yolo", "gluoncv")) for name in sys.modules)
"""


@pytest.fixture(scope="module", params=["nms", "decoded", "raw"])
def exported(request, tmp_path_factory):
    """One export per cut: its record's path, the pixels, and the network's own results for them."""
    net = random_detector()
    folder = tmp_path_factory.mktemp(request.param)
    path = export(net, folder, name="toy", size_hw=SIZE_HW, cut=request.param).record
    pixels = np.stack([random_image(*SIZE_HW, seed=seed) for seed in (1, 2)])
    expected = net(mx.nd.array(pixels))
    if request.param in TAILS:
        tail = TAILS[request.param](net.spec)
        tail.initialize()
        expected = tail(*expected)
    return path, pixels, [output.asnumpy() for output in expected]


def assert_same(given, expected):
    assert len(given) == len(expected)
    for ours, theirs in zip(given, expected):
        ours = ours if isinstance(ours, np.ndarray) else ours.asnumpy()
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() <= 1e-5 * max(1, np.abs(theirs).max())


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_symbol_block(exported, dtype):
    path, pixels, expected = exported
    block = gluon.SymbolBlock.imports(
        str(path.with_name("toy-symbol.json")), ["data"], str(path.with_name("toy-0000.params"))
    )
    assert_same(block(mx.nd.array(pixels, dtype=dtype)), expected)


def test_module(exported):
    path, pixels, expected = exported
    graph, arguments, statistics = mx.model.load_checkpoint(str(path.with_name("toy")), 0)
    module = mx.mod.Module(graph, data_names=["data"], label_names=None)
    module.bind(for_training=False, data_shapes=[("data", (1, *SIZE_HW, 3))])
    module.set_params(arguments, statistics)
    for i in range(len(pixels)):
        module.forward(mx.io.DataBatch([mx.nd.array(pixels[i : i + 1])]), is_train=False)
        assert_same(module.get_outputs(), [output[i : i + 1] for output in expected])


def test_script_that_knows_mxnet_alone(exported, tmp_path):
    path, pixels, expected = exported
    script = tmp_path / "stranger.py"
    script.write_text(textwrap.dedent(STRANGER))
    np.save(tmp_path / "pixels.npy", pixels)
    words = [path.with_name("toy"), tmp_path / "pixels.npy", tmp_path / "outputs.npz"]
    environment = {**os.environ, "PYTHONPATH": ""}
    subprocess.run([sys.executable, script, *words], check=True, cwd=tmp_path, env=environment)
    outputs = np.load(tmp_path / "outputs.npz")
    assert_same([outputs[f"arr_{i}"] for i in range(len(expected))], expected)


@pytest.mark.parametrize("cut", OUTPUTS)
def test_boxes_that_overflow_are_no_difference(tmp_path, cut):
    """As in a network after a few batches: exp(200) is infinite."""
    net = random_detector()
    for level in net.heads.levels:
        bias = level.bias.data().asnumpy()
        bias[2::8] = 200
        level.bias.set_data(mx.nd.array(bias))
    exported = export(net, tmp_path, name="toy", size_hw=SIZE_HW, cut=cut)
    assert exported.parities["symbol"].holds and exported.record.exists()


def test_detections_are_worth_comparing(exported):
    path, _, expected = exported
    if "nms" in path.parent.name:
        ids, scores, bboxes = expected
        assert set(ids[ids >= 0]) == {0, 1, 2} and 20 < (scores > 0.01).sum() and bboxes.max() > 30


def test_record_says_what_the_model_is(exported):
    path, _, expected = exported
    record = json.loads(path.read_text())
    assert (
        record["format"] == 2
        and record["name"] == "toy"
        and record["network"] == "yolo3_mobilenet0.25_custom"
    )
    assert record["input"] == {
        "name": "data",
        "layout": "NHWC",
        "colour": "RGB",
        "range": [0, 255],
        "size_hw": list(SIZE_HW),
        "fit": "resize",
    }
    assert record["spec"]["class_names"] == list(CLASSES)
    graph = record["graphs"]["symbol"]
    assert graph["outputs"] == OUTPUTS[graph["cut"]]
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "toy-0000.params",
        "toy-symbol.json",
        "toy.json",
    ]


def test_other_sizes_and_batches(exported):
    """The graph fixes neither batch nor size."""
    path, _, expected = exported
    block = gluon.SymbolBlock.imports(
        str(path.with_name("toy-symbol.json")), ["data"], str(path.with_name("toy-0000.params"))
    )
    outputs = block(mx.nd.array(np.zeros((3, 160, 96, 3))))
    assert [output.shape[0] for output in outputs] == [3] * len(expected)


def test_same_weights_same_files(tmp_path):
    """For any number of networks built before, and any number of devices of batch normalisation."""
    first, second = random_detector(seed=3), random_detector(seed=4, norm="sync")
    ours, theirs = first._collect_params_with_prefix(), second._collect_params_with_prefix()
    for name, parameter in theirs.items():
        parameter.set_data(ours[name].data())
    for folder, net in (("a", first), ("b", second)):
        export(net, tmp_path / folder, name="toy", size_hw=(64, 64))
    for ending in ("-symbol.json", "-0000.params", ".json"):
        assert (tmp_path / f"a/toy{ending}").read_bytes() == (tmp_path / f"b/toy{ending}").read_bytes()


def test_small_input_has_fewer_anchors_than_candidates(tmp_path):
    assert export(random_detector(), tmp_path, size_hw=(32, 32)).record.is_file()


def test_wrong_files_never_appear(tmp_path, monkeypatch):
    """Files that do not give the network's results are removed, and older ones stay."""
    net = random_detector()
    before = export(net, tmp_path, name="toy", size_hw=(64, 64), cut="raw").record.read_bytes()
    save = mx.nd.save
    monkeypatch.setattr(
        write.mx.nd,
        "save",
        lambda file, arrays: save(file, {name: 1.001 * array for name, array in arrays.items()}),
    )
    with pytest.raises(WrongResults, match="toy-symbol.json: largest difference from the network"):
        export(net, tmp_path, name="toy", size_hw=(64, 64), cut="raw")
    monkeypatch.undo()
    assert (tmp_path / "toy.json").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 3


def test_broken_weights_are_refused(tmp_path):
    net = random_detector()
    net.heads.levels[0].bias.set_data(mx.nd.full(net.heads.levels[0].bias.shape, np.nan))
    with pytest.raises(UserError, match="not finite"):
        export(net, tmp_path, name="toy", size_hw=(64, 64))
    assert not list(tmp_path.iterdir())
