"""Yolo-FastestV2 with its published weights: the original's numbers."""

from __future__ import annotations

import numpy as np
import pytest

from gluon_yolo.class_names import COCO_CLASSES
from gluon_yolo.errors import UserError
from gluon_yolo.models import zoo
from gluon_yolo.models.decode import Decode
from gluon_yolo.models.summary import summarize
from gluon_yolo.mxnet_compat import autograd, nd
from gluon_yolo.nms import select
from gluon_yolo.weights import fastestv2, pth_file
from gluon_yolo.weights.load import load_weights, structural_parameters

MODEL = "coco2017-0.241078ap-model.pth"


def built(class_names=None):
    net = zoo.build("yolo_fastestv2_custom" if class_names else "yolo_fastestv2_coco", class_names)
    net.initialize_weights()
    return net


@pytest.fixture(scope="module")
def published(shared_data):
    """Return the arrays of the published detector, by this package's names."""
    return fastestv2.read(shared_data / "fastestv2" / MODEL)


@pytest.fixture(scope="module")
def judged(shared_data):
    """Return the network with the published weights, its raw maps of the dog, and the original's."""
    net = built()
    assert load_weights(net, shared_data / "fastestv2" / MODEL).whole
    net.hybridize()
    with np.load(shared_data / "fastestv2" / "expected_dog.npz") as file:
        expected = dict(file)
    pixels = np.ascontiguousarray(expected["pixels_bgr"][None, :, :, ::-1])
    return net, net(nd.array(pixels, dtype="uint8")), expected


def test_the_six_raw_maps(judged):
    _, maps, expected = judged
    for raw, stride in zip(maps, (16, 32)):
        parts = np.split(raw.asnumpy(), [12, 15], axis=1)
        for part, kind in zip(parts, ("reg", "obj", "cls")):
            np.testing.assert_allclose(part, expected[f"{kind}_stride{stride}"], atol=1e-4, rtol=0)


def test_the_four_boxes(judged):
    net, maps, expected = judged
    decode = Decode(net.spec)
    decode.initialize()
    found = select(*(x.asnumpy()[0] for x in decode(*maps)), score_threshold=0.3, nms_threshold=0.4)
    wanted = expected["detections_xyxy_score_class"]
    np.testing.assert_allclose(found.boxes, wanted[:, :4], atol=0.1)
    np.testing.assert_allclose(found.scores, wanted[:, 4], atol=1e-5)
    assert [COCO_CLASSES[i] for i in found.class_ids] == ["dog", "car", "bicycle", "car"]
    assert found.class_ids.tolist() == wanted[:, 5].astype(int).tolist()


def test_parameters_and_cost_are_those_published():
    """0.25 M parameters; 0.212 GFLOPs at 352, which include more than the convolutions."""
    summary = summarize(built(), (352, 352))
    assert summary.parameters - summary.statistics == 243_095
    assert round(summary.parameters / 1e6, 2) == 0.25
    assert round(summary.flops / 1e9, 3) == 0.208


def test_every_parameter_has_its_name(shared_data, published):
    parameters = structural_parameters(built())
    assert {name: array.shape for name, array in published.items()} == {
        name: parameter.shape for name, parameter in parameters.items()
    }
    backbone = fastestv2.read(shared_data / "fastestv2" / "backbone.pth")
    assert set(backbone) == {name for name in parameters if name.startswith("backbone.")}


@pytest.mark.parametrize(("file", "prefix", "counters"), [(MODEL, "backbone.", 73), ("backbone.pth", "", 55)])
def test_the_first_convolution_gets_red_first(file, prefix, counters, shared_data):
    path = shared_data / "fastestv2" / file
    theirs, ours = pth_file.read(path), fastestv2.read(path)
    assert len(theirs) - len(ours) == counters == sum("num_batches" in name for name in theirs)
    first = theirs[f"{prefix}first_conv.0.weight"]
    for place, their_place in ((0, 2), (1, 1), (2, 0)):
        np.testing.assert_array_equal(ours["backbone.stages.0.0.0.weight"][:, place], first[:, their_place])
    second = theirs[f"{prefix}stage2.0.branch_main.0.weight"]
    np.testing.assert_array_equal(ours["backbone.stages.0.2.main.0.0.weight"], second)


def arrays_for(names) -> dict[str, np.ndarray]:
    return {name: np.zeros((1, 3, 1, 1), np.float32) for name in names}


def test_names_by_hand():
    names = fastestv2.detector_names()
    assert len(names) == len(set(names.values())) == 73 * 5 + 3 * 2
    for theirs, ours in (
        ("backbone.first_conv.1.running_var", "backbone.stages.0.0.1.running_var"),
        ("backbone.stage2.0.branch_proj.2.weight", "backbone.stages.0.2.projection.1.0.weight"),
        ("backbone.stage3.7.branch_main.6.bias", "backbone.stages.0.13.main.2.1.beta"),
        ("backbone.stage4.0.branch_main.3.weight", "backbone.stages.1.0.main.1.0.weight"),
        ("fpn.conv1x1_3.1.weight", "neck.levels.0.narrow.1.gamma"),
        ("fpn.reg_head_2.block.9.running_mean", "neck.levels.1.boxes.3.1.running_mean"),
        ("fpn.cls_head_3.block.5.weight", "neck.levels.0.classes.2.0.weight"),
        ("output_obj_layers.bias", "heads.objectness.bias"),
    ):
        assert names[theirs] == ours


def test_what_has_no_place_keeps_its_name():
    arrays = arrays_for([*fastestv2.detector_names(), "fpn.more.weight"])
    assert "fpn.more.weight" in fastestv2.translate(arrays, "w.pth")


@pytest.mark.parametrize(
    ("dropped", "message"),
    [
        (("output_obj_layers.bias",), r"1 of 371 arrays are absent \(output_obj_layers.bias\)"),
        (("output_", "fpn."), r"96 of 371 arrays are absent \(fpn.conv1x1_3.0.weight, .*, \.\.\.\)"),
        (("backbone.", "fpn.", "output_"), "371 of 371 arrays are absent"),
    ],
)
def test_what_is_absent_is_said(dropped, message):
    names = [name for name in fastestv2.detector_names() if not name.startswith(dropped)]
    with pytest.raises(UserError, match=f"^w.pth: .*{message}"):
        fastestv2.translate(arrays_for([*names, "other.weight"]), "w.pth")


@pytest.mark.parametrize("path", ["module.", "model.net."])
@pytest.mark.parametrize("names", [fastestv2.detector_names(), fastestv2.backbone_names()])
def test_what_stands_before_the_names_does_not_matter(path, names):
    """With DataParallel every tensor is called module.NAME."""
    given = {f"{path}{name}": array for name, array in arrays_for(names).items()}
    given[f"{path}first_conv.1.num_batches_tracked"] = np.zeros(())
    assert set(fastestv2.translate(given, "w.pth")) == set(names.values())


def test_a_backbone_with_a_hole():
    names = [name for name in fastestv2.backbone_names() if name != "stage4.3.branch_main.6.bias"]
    with pytest.raises(UserError, match=r"1 of 275 arrays are absent \(stage4.3.branch_main.6.bias\)"):
        fastestv2.translate(arrays_for(names), "w.pth")


def test_the_backbone_starts_a_training_of_other_classes(shared_data):
    net = built(("cat", "dog"))
    report = load_weights(net, shared_data / "fastestv2" / "backbone.pth", partial=True)
    assert len(report.taken) == 275 and not report.adapted and not report.left_out
    assert all(name.startswith(("neck.", "heads.")) for name in report.fresh)


def test_classes_of_the_same_name_are_taken_over(shared_data, published):
    net = built(("cat", "robot"))
    report = load_weights(net, shared_data / "fastestv2" / MODEL, partial=True, class_names=COCO_CLASSES)
    assert set(report.adapted) == {"heads.classes.weight", "heads.classes.bias"} and not report.fresh
    bias = net.heads.classes.bias.data().asnumpy()
    assert bias[0] == published["heads.classes.bias"][COCO_CLASSES.index("cat")]
    boxes_bias = net.heads.boxes.bias.data().asnumpy()
    np.testing.assert_array_equal(boxes_bias, published["heads.boxes.bias"])


def test_any_size_and_number_of_classes():
    net = built(("cat", "dog"))
    net.hybridize()
    for size_hw in ((64, 96), (32, 64)):
        maps = net(nd.zeros((2, *size_hw, 3), dtype="uint8"))
        assert [raw.shape for raw in maps] == [(2, 17, size_hw[0] // s, size_hw[1] // s) for s in (16, 32)]


def test_every_parameter_trains_on_the_cpu():
    """With parts of 24 channels mxnet's own concatenation fails."""
    net = built(("cat", "dog"))
    net.initialize_weights(seed=0)
    net.hybridize()
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3))
    with autograd.record():
        loss = sum((raw**2).mean() for raw in net(nd.array(pixels, dtype="uint8")))
    loss.backward()
    trained = {
        name: parameter.grad().asnumpy()
        for name, parameter in structural_parameters(net).items()
        if parameter.grad_req != "null"
    }
    assert len(trained) == 73 * 3 + 6
    for name, gradient in trained.items():
        assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0, name
