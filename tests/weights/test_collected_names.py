"""Files with mxnet's second names: GluonCV's of every kind, with any counters, and this package's own."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo import mxnet_compat
from gluon_yolo.cli import main
from gluon_yolo.errors import UserError
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.models import zoo
from gluon_yolo.models.decode import Detect
from gluon_yolo.mxnet_compat import gluon, mx, nd
from gluon_yolo.weights import collected_names, gluoncv
from gluon_yolo.weights.load import load_weights, structural_parameters
from tests.models.gluoncv_peer import random_images
from tests.weights.test_load import gluoncv_net, our_net, save_run

CLASSES = ("red", "green", "blue")
# All kinds of file for the smallest network, one for each other network.
ALL = ("collect", "export", "checkpoint", "part of a block")
DETECTORS = [
    *(("yolo3_mobilenet0.25_custom", way) for way in ALL),
    ("yolo3_mobilenet1.0_custom", "export"),
    pytest.param("yolo3_darknet53_custom", "checkpoint", marks=pytest.mark.slow),
]
BACKBONES = [
    *(("mobilenet0.25", way) for way in (*ALL, "collect, no prefix")),
    ("mobilenet1.0", "collect, no prefix"),
    ("mobilenetv2_0.5", "collect"),
    ("mobilenetv2_0.5", "checkpoint"),
    ("mobilenetv2_1.0", "collect, no prefix"),
    pytest.param("darknet53", "export", marks=[pytest.mark.own_process, pytest.mark.slow]),
]


def values(net) -> dict[str, np.ndarray]:
    return {name: p.data().asnumpy() for name, p in structural_parameters(net).items()}


def write(net, folder, way: str):
    """Write a network's parameters with one of mxnet's functions, and return the file."""
    path = folder / "net.params"
    if way == "export":
        net.hybridize()
        net(nd.zeros((1, 3, 64, 64)))
        net.export(str(folder / "net"), epoch=0)
        return folder / "net-0000.params"
    if way == "collect":
        net.collect_params().save(str(path))
    elif way == "collect, no prefix":
        net.collect_params().save(str(path), strip_prefix=net.prefix)
    elif way == "checkpoint":  # as Module's, in random order
        arrays = {p.name: p.data() for p in net.collect_params().values()}
        kinds = {name: "aux" if "running" in name else "arg" for name in arrays}
        mx.nd.save(str(path), {f"{kinds[name]}:{name}": arrays[name] for name in sorted(arrays)})
    elif way == "part of a block":
        whole = gluon.nn.HybridSequential()
        whole.add(gluon.nn.HybridSequential())
        whole[0].add(net)
        whole.save_parameters(str(path))
    else:
        net.save_parameters(str(path))
    return path


@pytest.fixture(scope="module", autouse=True)
def counted():
    """Advance mxnet's counters, so that no network below is the first of its process or kind."""
    for name in ("yolo3_mobilenet0.25_custom", "yolo3_darknet53_custom"):
        options = {"pretrained_base": False, "classes": list(CLASSES)}
        mxnet_compat.gluoncv().model_zoo.get_model(name, pretrained=False, **options)


@pytest.mark.parametrize(("name", "way"), DETECTORS)
def test_detectors_compute_what_gluoncvs_do(name, way, tmp_path):
    theirs = gluoncv_net(name, pretrained_base=False, classes=list(CLASSES))
    pixels, tensors = random_images(1, (64, 96), 0)
    net = zoo.build(name, CLASSES)
    net.initialize_weights(seed=1)
    report = load_weights(net, write(theirs, tmp_path, way))
    assert report.whole and not report.left_out

    places = theirs._collect_params_with_prefix()
    now, names = values(net), gluoncv.translate(places)
    assert len(names) == len(now)
    for their_name, our_name in names.items():
        np.testing.assert_array_equal(now[our_name], places[their_name].data().asnumpy())
    x = tensors
    for stage, ours in zip(theirs.stages, net.backbone(net.normalize(pixels))):
        x = stage(x)
        np.testing.assert_array_equal(ours.asnumpy(), x.asnumpy())
    if "darknet" in name:
        return  # with these weights all scores are 0 or 1: boxes may be in any order
    detect = Detect(net.spec)
    detect.initialize()
    for got, wanted in zip(detect(*net(pixels)), theirs(tensors)):
        scale = 96 if got.shape[2] == 4 else 1
        np.testing.assert_allclose(got.asnumpy() / scale, wanted.asnumpy() / scale, atol=1e-4)


@pytest.mark.parametrize(("name", "way"), BACKBONES)
def test_backbones_start_a_training(name, way, tmp_path):
    theirs = gluoncv_net(name)
    net = our_net(f"yolo3_{name}_custom", ["cat"])
    report = load_weights(net, write(theirs, tmp_path, way), partial=True, backbone_only=True)
    assert set(report.taken) == {name for name in values(net) if name.startswith("backbone.")}
    places = theirs._collect_params_with_prefix()
    now = values(net)
    for their_name, our_name in gluoncv.translate(places).items():
        np.testing.assert_array_equal(now[our_name], places[their_name].data().asnumpy())


def test_their_anchors_are_told(tmp_path):
    """A detector with other anchors is rejected, whatever its names."""
    anchors = [[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12], [13, 14, 15, 16, 17, 18]]
    yolo = mxnet_compat.gluoncv().model_zoo.yolo
    backbone = gluoncv_net("mobilenet0.25")
    stages = [backbone.features[:33], backbone.features[33:69], backbone.features[69:-2]]
    theirs = yolo.yolo3.YOLOV3(stages, [256, 128, 128], anchors, [8, 16, 32], list(CLASSES))
    theirs.initialize(force_reinit=True)
    theirs(nd.zeros((1, 3, 64, 64)))
    path = write(theirs, tmp_path, "collect")
    net = our_net("yolo3_mobilenet0.25_custom", CLASSES)
    with pytest.raises(UserError, match="trained with the anchors 1,2, 3,4, "):
        load_weights(net, path)
    report = load_weights(net, path, partial=True)
    assert report.left_out[0].startswith("anchors: 1,2, 3,4, ")


@pytest.mark.parametrize("way", ["save", "collect", "export"])
def test_half_precision(way, tmp_path):
    theirs = gluoncv_net("yolo3_mobilenet0.25_custom", pretrained_base=False, classes=list(CLASSES))
    path = write(theirs, tmp_path, way)
    halves = {name: array.astype("float16") for name, array in mx.nd.load(str(path)).items()}
    mx.nd.save(str(path), halves)
    net = our_net("yolo3_mobilenet0.25_custom", CLASSES)
    assert load_weights(net, path).whole
    now = values(net)
    assert {array.dtype for array in now.values()} == {np.dtype(np.float32)}
    first = next(
        array for name, array in halves.items() if name.endswith(("stages.0.0.weight", "_conv0_weight"))
    )
    np.testing.assert_array_equal(now["backbone.stages.0.0.0.weight"], first.asnumpy().astype(np.float32))


def test_another_network_is_not_taken_for_it(tmp_path):
    theirs = gluoncv_net("yolo3_mobilenet0.25_custom", pretrained_base=False, classes=list(CLASSES))
    path = write(theirs, tmp_path, "collect")
    other = our_net("yolo3_mobilenet0.5_custom", CLASSES)
    with pytest.raises(UserError, match="not the weights of yolo3_mobilenet0.5_custom: .* of another shape"):
        load_weights(other, path)
    fastest = our_net("yolo_fastestv2_custom", CLASSES)
    for partial in (False, True):
        with pytest.raises(UserError, match="holds no weights of yolo_fastestv2_custom; name the network"):
            load_weights(fastest, path, partial=partial)


# --- this package's networks, written by mxnet and by gluon_yolo export ---


@pytest.fixture
def ours():
    return our_net("yolo3_mobilenet0.25_custom", CLASSES)


@pytest.mark.parametrize("way", ["collect", "export", "part of a block"])
@pytest.mark.parametrize("name", ["yolo3_mobilenet0.25_custom", "yolo_fastestv2_custom"])
def test_our_networks_as_mxnet_writes_them(name, way, tmp_path):
    net, again = our_net(name, CLASSES), our_net(name, CLASSES, seed=8)
    path = tmp_path / "net.params"
    if way == "export":
        net.hybridize()
        net(nd.zeros((1, 64, 64, 3)))
        net.export(str(tmp_path / "net"), epoch=0)
        path = tmp_path / "net-0000.params"
    else:
        path = write(net, tmp_path, way)
    assert load_weights(again, path).whole
    expected = values(net)
    assert all((value == expected[name]).all() for name, value in values(again).items())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run's folder, to be exported."""
    folder = tmp_path_factory.mktemp("runs") / "own-1"
    net = our_net("yolo3_mobilenet0.25_custom", CLASSES)
    save_run(folder, net)
    ModelRecord("own-1", net.zoo_name, net.spec, (64, 64)).write(folder / "model.json")
    return folder, net


def exported(run, tmp_path, *words: str):
    out = tmp_path / "out"
    assert (
        main(["export", str(run[0]), "--out", str(out), "--format", "symbol", "--name", "own", *words]) == 0
    )
    return out / "own-0000.params"


@pytest.mark.parametrize("cut", ["nms", "raw"])
def test_our_exported_symbol_is_weights_too(run, cut, tmp_path):
    """With the class names of the record beside it."""
    path = exported(run, tmp_path, "--cut", cut)
    net = our_net("yolo3_mobilenet0.25_custom", CLASSES, seed=8)
    report = load_weights(net, path)
    assert report.whole and not report.left_out
    expected = values(run[1])
    assert all((value == expected[name]).all() for name, value in values(net).items())
    other = our_net("yolo3_mobilenet0.25_custom", ("blue", "cat"), seed=8)
    assert load_weights(other, path.parent, partial=True).shared_classes == ("blue",)


@pytest.mark.parametrize("words", [("--fuse",), ("--precision", "bfloat16")])
def test_folded_norms_are_said(run, words, tmp_path, ours):
    try:
        path = exported(run, tmp_path, *words)
    except AssertionError:
        pytest.skip("bfloat16 needs AVX-512")
    for partial in (False, True):
        with pytest.raises(UserError) as error:
            load_weights(ours, path, partial=partial)
        assert str(error.value) == (
            f"{path}: holds an exported graph's arrays, with batch norms folded into the convolutions, of "
            "which no network can be made again; give the run that it came from"
        )


def test_whole_numbers_are_no_weights(ours, tmp_path):
    path = tmp_path / "int8.params"
    ours.save_parameters(str(path))
    arrays = mx.nd.load(str(path))
    arrays["backbone.stages.0.0.0.weight"] = arrays["backbone.stages.0.0.0.weight"].astype("int8")
    mx.nd.save(str(path), arrays)
    with pytest.raises(
        UserError, match=r"int8.params: holds whole numbers \(backbone.*: int8\), as a quantized"
    ):
        load_weights(ours, path)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["mobilenet3_conv0_weight"], True),
        (["arg:conv0_weight"], True),
        (["arg:backbone_stages_0_0_0_weight"], True),
        (["stages.0.0.weight"], False),
        (["weight", "data"], False),
    ],
)
def test_which_names_are_collected(names, expected):
    assert collected_names.is_collected(names) == expected
