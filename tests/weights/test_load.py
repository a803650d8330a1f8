"""Loading weights: GluonCV's files and this package's, complete or partial, and error messages."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gluon_yolo import mxnet_compat
from gluon_yolo.class_names import VOC_CLASSES
from gluon_yolo.errors import UserError
from gluon_yolo.models import zoo
from gluon_yolo.mxnet_compat import mx, nd
from gluon_yolo.spec import DEFAULT_ANCHORS, BackboneForm
from gluon_yolo.weights import load, pth_file
from gluon_yolo.weights.darknet_header import read_parts
from gluon_yolo.weights.load import load_pretrained, load_weights, structural_parameters

SMALL = "yolo3_mobilenet0.25"


def gluoncv_net(name: str, **options):
    """Build one of GluonCV's networks with weights and statistics that are no identities."""
    net = mxnet_compat.gluoncv().model_zoo.get_model(name, pretrained=False, **options)
    mx.random.seed(0)
    net.initialize(mx.init.MSRAPrelu(factor_type="in", slope=0.1))
    net(nd.zeros((1, 3, 64, 64)))
    rng = np.random.default_rng(0)
    for parameter in net.collect_params().values():
        if parameter.name.endswith(("gamma", "running_var")):
            parameter.set_data(nd.array(rng.uniform(0.8, 1.2, parameter.shape)))
        elif parameter.name.endswith(("beta", "running_mean")):
            parameter.set_data(nd.array(rng.normal(0, 0.2, parameter.shape)))
    return net


def our_net(name: str = f"{SMALL}_custom", class_names=("cat", "dog"), anchors=None, seed: int = 7):
    net = zoo.build(name, class_names, anchors)
    net.initialize_weights(seed=seed)
    return net


def values(net) -> dict[str, np.ndarray]:
    return {name: p.data().asnumpy() for name, p in structural_parameters(net).items()}


def head_rows(net, level: int = 0) -> np.ndarray:
    """Return a head's weights by anchor and channel (3, 5 + C, K)."""
    weight = net.heads.levels[level].weight.data().asnumpy()
    return weight.reshape(3, 5 + net.spec.num_classes, -1)


@pytest.fixture(scope="module")
def voc_file(tmp_path_factory):
    """The file of GluonCV's narrow VOC detector."""
    path = tmp_path_factory.mktemp("gluoncv") / "voc.params"
    gluoncv_net(f"{SMALL}_voc", pretrained_base=False).save_parameters(str(path))
    return path


@pytest.fixture(scope="module")
def net_of_our_file():
    """A network for cat and dog that no test changes."""
    return our_net()


@pytest.fixture
def our_file(tmp_path, net_of_our_file):
    """Its file, alone in its folder."""
    net_of_our_file.save_parameters(str(tmp_path / "own.params"))
    return tmp_path / "own.params"


@pytest.fixture(scope="module")
def net():
    """A network for cat and dog with other weights, for files that are rejected."""
    return our_net(seed=8)


# A backbone of GluonCV's, and the index after the last feature of each stage.
# tests/models/test_gluoncv_parity.py compares the values of whole detectors.
BACKBONES = [
    ("mobilenet1.0", (33, 69, 81)),
    ("mobilenet0.75", (33, 69, 81)),
    ("mobilenet0.5", (33, 69, 81)),
    ("mobilenet0.25", (33, 69, 81)),
    ("mobilenetv2_1.0", (9, 16, 23)),
    ("mobilenetv2_0.5", (9, 16, 23)),
    ("darknet53", (15, 24, 29)),
]


@pytest.mark.parametrize(("name", "ends"), BACKBONES)
def test_backbones_compute_what_gluoncvs_do(name, ends, tmp_path):
    theirs = gluoncv_net(name)
    theirs.save_parameters(str(tmp_path / "theirs.params"))
    ours = our_net(f"yolo3_{name}_custom", ["cat"])
    heads = [p for name, p in structural_parameters(ours).items() if not name.startswith("backbone.")]
    before = [p.data().asnumpy() for p in heads]
    report = load_weights(ours, tmp_path / "theirs.params", partial=True)

    names = structural_parameters(ours)
    assert set(report.taken) == {name for name in names if name.startswith("backbone.")}
    assert set(report.fresh) == set(names) - set(report.taken) and not report.adapted
    assert all(line.startswith("output.") for line in report.left_out)  # only the classifier
    assert all((p.data().asnumpy() == value).all() for p, value in zip(heads, before))

    x = nd.array(np.random.default_rng(1).normal(0, 1, (2, 3, 64, 96)))
    for features, begin, end in zip(ours.backbone(x), (0, *ends), ends):
        for layer in theirs.features[begin:end]:
            x = layer(x)
        scale = np.abs(x.asnumpy()).max()
        np.testing.assert_allclose(features.asnumpy() / scale, x.asnumpy() / scale, atol=1e-5)


def test_gluoncv_detector_fits_whole(voc_file):
    net = our_net(f"{SMALL}_voc", None)
    before = values(net)
    report = load_weights(net, voc_file)
    assert report.whole and not report.left_out and set(report.taken) == set(before)
    assert all((value != before[name]).any() for name, value in values(net).items())
    assert str(report) == f"{voc_file}: {len(before)} parameters taken"


def test_our_own_file_fits_whole(our_file, net_of_our_file):
    net = our_net(seed=8)
    report = load_weights(net, str(our_file))
    assert report.whole and not report.left_out
    expected = values(net_of_our_file)
    assert all((value == expected[name]).all() for name, value in values(net).items())


def test_every_device_gets_the_weights(our_file):
    net = zoo.build(f"{SMALL}_custom", ["cat", "dog"])
    net.initialize_weights(ctx=[mx.cpu(0), mx.cpu(1)], seed=8)
    load_weights(net, our_file)
    for parameter in structural_parameters(net).values():
        first, second = parameter.list_data()
        np.testing.assert_array_equal(first.asnumpy(), second.asnumpy())


# --- fine-tuning ---


def test_finetuning_carries_classes_over_by_name(voc_file):
    whole = our_net(f"{SMALL}_voc", None)
    load_weights(whole, voc_file)
    net = our_net(class_names=("dog", "robot", "cat"))
    robot = head_rows(net)[:, 5 + 1].copy()
    report = load_weights(net, voc_file, partial=True)

    assert report.shared_classes == ("dog", "cat") and not report.whole
    assert set(report.adapted) == {
        f"heads.levels.{n}.{kind}" for n in range(3) for kind in ("weight", "bias")
    }
    assert not report.fresh and not report.left_out
    for level in range(3):
        ours, theirs = head_rows(net, level), head_rows(whole, level)
        np.testing.assert_array_equal(ours[:, :5], theirs[:, :5])
        np.testing.assert_array_equal(ours[:, 5], theirs[:, 5 + VOC_CLASSES.index("dog")])
        np.testing.assert_array_equal(ours[:, 7], theirs[:, 5 + VOC_CLASSES.index("cat")])
    np.testing.assert_array_equal(head_rows(net)[:, 6], robot)
    text = str(report)
    assert (
        "6 of the heads adapted (classes taken over: dog, cat; others are fresh)" in text
        and "left" not in text
    )


def test_finetuning_to_no_known_class(voc_file):
    net = our_net(class_names=["robot"])
    report = load_weights(net, voc_file, partial=True)
    assert report.shared_classes == () and "classes taken over: none" in str(report)


def test_finetuning_another_network_takes_what_fits(voc_file):
    net = our_net("yolo3_mobilenet0.5_custom", ["cat"])
    report = load_weights(net, voc_file, partial=True)
    assert report.taken and report.fresh and report.left_out
    assert all(": shape (" in line for line in report.left_out)
    assert "left fresh (" in str(report) and "left out (" in str(report)


def save_run(folder, net):
    """Save a network as a run does: weights, and a record with its spec."""
    (folder / "weights").mkdir(parents=True)
    net.save_parameters(str(folder / "weights" / "best.params"))
    (folder / "model.json").write_text(json.dumps({"format": 1, "spec": net.spec.to_dict()}))


def test_a_run_says_its_own_class_names(tmp_path):
    first = our_net(class_names=("cat", "dog", "bird"))
    save_run(tmp_path / "run", first)
    same = our_net(class_names=("cat", "dog", "bird"), seed=8)
    assert load_weights(same, tmp_path / "run").whole

    net = our_net(class_names=("bird", "cat"), seed=8)
    report = load_weights(net, tmp_path / "run", partial=True)
    assert report.shared_classes == ("bird", "cat")
    np.testing.assert_array_equal(head_rows(net)[:, 5:], head_rows(first)[:, [7, 5]])


def test_the_only_class_of_both_may_have_two_names(tmp_path):
    first = our_net(class_names=("Face",))
    save_run(tmp_path / "run", first)
    net = our_net(class_names=("face",), seed=8)
    report = load_weights(net, tmp_path / "run", partial=True)
    assert report.whole and report.one_class == "Face"
    assert str(report).endswith("parameters taken, the only class, called Face there, among them")
    np.testing.assert_array_equal(head_rows(net), head_rows(first))
    with pytest.raises(UserError, match="weights for other class names"):
        load_weights(our_net(class_names=("face",), seed=8), tmp_path / "run")
    backbone = load_weights(net, tmp_path / "run", partial=True, backbone_only=True)
    assert not backbone.one_class


def test_the_same_classes_in_another_order_are_sorted_out(tmp_path):
    first = our_net(class_names=("cat", "dog"))
    save_run(tmp_path / "run", first)
    net = our_net(class_names=("dog", "cat"), seed=8)
    with pytest.raises(UserError, match="weights for other class names, or in another order, than dog, cat"):
        load_weights(net, tmp_path / "run")
    assert not load_weights(net, tmp_path / "run", partial=True).fresh
    np.testing.assert_array_equal(head_rows(net)[:, 5:], head_rows(first)[:, [6, 5]])


def test_a_run_with_another_number_of_anchors_gives_all_but_its_heads(tmp_path):
    """Heads of 2 x (5 + 9) channels and of 4 x (5 + 2): the shapes are equal, the meaning is not."""
    wide, narrow = (((1, 2),) * 4,) * 3, (((1, 2),) * 2,) * 3
    save_run(tmp_path / "run", our_net(class_names=tuple("abcdefghi"), anchors=narrow))
    net = our_net(anchors=wide, seed=8)
    before = values(net)
    report = load_weights(net, tmp_path / "run", partial=True)
    heads = [name for name in before if name.startswith("heads.")]
    assert list(report.fresh) == heads and not report.adapted
    assert "heads.levels.0.weight: 2 anchors a cell, here 4" in report.left_out
    assert "heads.levels.0.weight: 2 anchors a cell, here 4" in str(report)
    assert all((values(net)[name] == before[name]).all() for name in heads)

    with pytest.raises(UserError, match=r"trained with the anchors .*; build the network with the file's"):
        load_weights(net, tmp_path / "run")


def test_class_names_may_be_given(our_file, net_of_our_file):
    net = our_net(class_names=["fox"], seed=8)
    load_weights(net, our_file, partial=True, class_names=("fox", "hare"))
    np.testing.assert_array_equal(head_rows(net)[:, 5], head_rows(net_of_our_file)[:, 5])


def test_another_programs_record_is_no_run(our_file):
    net = our_net(seed=8)
    for text in ("not JSON", "[]", "{}", '{"spec": {"weights": 1}}'):
        (our_file.parent / "model.json").write_text(text)
        assert load_weights(net, our_file).whole


def test_twenty_own_classes_are_not_taken_for_vocs(voc_file):
    """A GluonCV detector with 20 other classes, which are given."""
    net = our_net(class_names=[f"part {i}" for i in range(20)])
    assert load_weights(net, voc_file).whole


# --- what does not fit ---


def refused(net, source, **options) -> str:
    """Return the message, after a check that the network was not changed."""
    before = values(net)
    with pytest.raises(UserError) as caught:
        load_weights(net, source, **options)
    after = values(net)
    assert all((after[name] == value).all() for name, value in before.items())
    assert str(caught.value).startswith(f"{source}")
    return str(caught.value)


def test_missing_files(net, tmp_path):
    said = "no such weights file; give a weights file or a run's folder"
    assert said in refused(net, tmp_path / "none.params")
    assert f"{tmp_path}: has no weights/best.params; name a model's folder" in refused(net, tmp_path)


@pytest.mark.parametrize("content", ["nothing", "text", "front", "most"])
def test_damaged_files(net, our_file, content):
    whole = our_file.read_bytes()
    parts = {
        "nothing": b"",
        "text": b"no parameters\n" * 99,
        "front": whole[:20],
        "most": whole[: -len(whole) // 4],
    }
    our_file.write_bytes(parts[content])
    assert "not a whole MXNet parameter file" in refused(net, our_file)
    assert "not a whole MXNet parameter file" in refused(net, our_file, partial=True)


def test_arrays_without_names(net, tmp_path):
    mx.nd.save(str(tmp_path / "list.params"), [nd.zeros(3)])
    assert "holds no named parameters" in refused(net, tmp_path / "list.params")


@pytest.mark.parametrize("names", [["fc.weight"], ["features.0.weight", "features.4.0.body.0.weight"]])
@pytest.mark.parametrize("partial", [False, True])
def test_files_of_other_kinds_of_networks(net, tmp_path, names, partial):
    mx.nd.save(str(tmp_path / "other.params"), {name: nd.zeros((2, 2)) for name in names})
    said = refused(net, tmp_path / "other.params", partial=partial)
    assert f"holds no weights of {SMALL}_custom; name the network that it came from" in said


def test_another_width(voc_file):
    said = refused(our_net("yolo3_mobilenet0.5_voc", None), voc_file)
    assert "not the weights of yolo3_mobilenet0.5_voc" in said
    assert "of its parameters are absent or of another shape (backbone.stages.0.0.0.weight, " in said


def test_a_backbone_is_no_detector(net, tmp_path):
    gluoncv_net("mobilenet0.25").save_parameters(str(tmp_path / "base.params"))
    said = refused(net, tmp_path / "base.params")
    assert "not the weights of" in said and "(neck.blocks.0.body.0.0.weight, " in said


def test_another_number_of_classes(net, voc_file):
    said = refused(net, voc_file)
    assert (
        "weights for 20 classes, but the network has 2; give the class names that it was trained on" in said
    )


def test_class_names_that_are_not_the_files(net, our_file):
    said = refused(net, our_file, partial=True, class_names=("a", "b", "c"))
    assert "weights for 2 classes, with 3 class names to them" in said


def test_other_anchors(voc_file, tmp_path):
    """Anchors define the meaning of a box, and no parameter's shape depends on them."""
    anchors = (*DEFAULT_ANCHORS[:2], ((116, 90), (156, 198), (373, 327)))
    net = our_net(f"{SMALL}_voc", None, anchors)
    assert "trained with the anchors 10,13, 16,30, " in refused(net, voc_file)
    report = load_weights(net, voc_file, partial=True)
    assert report.left_out[-1].startswith("anchors: 10,13, 16,30, ")
    save_run(tmp_path / "run", net)
    assert "build the network with the file's anchors" in refused(
        our_net(f"{SMALL}_voc", None), tmp_path / "run" / "weights" / "best.params"
    )
    assert load_weights(net, tmp_path / "run").whole


# --- GluonCV's model store ---


@pytest.fixture
def store(monkeypatch):
    """GluonCV's model store with answers of the test; nothing is downloaded."""
    store = mxnet_compat.gluoncv().model_zoo.model_store

    def answer(result):
        asked = []

        def get_model_file(name):
            asked.append(name)
            if isinstance(result, Exception):
                raise result
            return str(result)

        monkeypatch.setattr(store, "get_model_file", get_model_file)
        return asked

    return answer


def test_published_backbone(store, tmp_path):
    net = our_net()
    gluoncv_net("mobilenet0.25").save_parameters(str(tmp_path / "mobilenet0.25-f0046a3d.params"))
    asked = store(tmp_path / "mobilenet0.25-f0046a3d.params")
    report = load_pretrained(net, backbone_only=True)
    assert asked == ["mobilenet0.25"] and all(name.startswith("backbone.") for name in report.taken)


def test_a_network_in_another_form_refuses_gluoncvs_backbone(tmp_path):
    path = tmp_path / "mobilenet0.25.params"
    gluoncv_net("mobilenet0.25").save_parameters(str(path))
    net = zoo.build("yolo3_mobilenet0.25_custom", ["cat"], form=BackboneForm("relu6"))
    net.initialize_weights()
    with pytest.raises(UserError, match="its backbone is the one of yolo3_mobilenet0.25_custom, .* relu6"):
        load_weights(net, path, partial=True)


def test_published_backbone_of_the_old_kind(store, tmp_path):
    """Files from before mxnet 1.3 name their arrays by prefix, not by name in the network."""
    theirs, path = gluoncv_net("mobilenet0.25"), tmp_path / "mobilenet0.25-f0046a3d.params"
    theirs.collect_params().save(str(path), strip_prefix=theirs.prefix)
    assert not any("." in name for name in nd.load(str(path)))
    store(path)
    net = our_net()
    assert load_pretrained(net, backbone_only=True).taken
    images = nd.random.uniform(-2, 2, (1, 3, 64, 64))
    expected = theirs.features[:-2](images).asnumpy()
    np.testing.assert_allclose(net.backbone(images)[-1].asnumpy(), expected, atol=1e-5)


# network, backbone alone, GluonCV's name of the weights
PUBLISHED = [
    ("yolo3_mobilenet1.0_voc", False, "yolo3_mobilenet1.0_voc"),
    ("yolo3_mobilenet1.0_coco", True, "mobilenet1.0"),
    ("yolo3_mobilenetv2_0.5_custom", True, "mobilenetv2_0.5"),
    ("yolo3_darknet53_voc", False, "yolo3_darknet53_voc"),
    ("yolo3_darknet53_custom", True, "darknet53"),
]


@pytest.mark.parametrize(("name", "backbone_only", "published"), PUBLISHED)
def test_names_in_the_store(store, name, backbone_only, published, monkeypatch):
    asked = store("the.params")
    monkeypatch.setattr(load, "load_weights", lambda net, path, partial: (path, partial))
    net = zoo.build(name, ["cat"])
    assert load_pretrained(net, backbone_only) == ("the.params", True)
    assert asked == [published]


def test_every_zoo_backbone_is_published():
    published = mxnet_compat.gluoncv().model_zoo.model_store._model_sha1
    yolo3 = [name for name in zoo.names() if name.startswith("yolo3_")]
    assert yolo3 and {name[len("yolo3_") :].rsplit("_", 1)[0] for name in yolo3} <= set(published)


def test_store_cannot_be_reached(net, store, monkeypatch):
    monkeypatch.setenv("MXNET_HOME", "/somewhere")
    store(ConnectionError("no route"))
    with pytest.raises(UserError) as caught:
        load_pretrained(net, backbone_only=True)
    said = str(caught.value)
    assert said.startswith("/somewhere/models/mobilenet0.25-f0046a3d.params: not there and could not be")
    assert "(ConnectionError)" in said and "--pretrained-base no" in said


def test_nothing_published_under_the_name(net, store):
    asked = store("the.params")
    with pytest.raises(UserError, match=f"GluonCV publishes no weights named {SMALL}_custom"):
        load_pretrained(net)
    assert not asked


@pytest.mark.parametrize(("backbone_only", "what"), [(False, "it"), (True, "its backbone")])
def test_a_network_that_gluoncv_does_not_have(store, backbone_only, what):
    asked = store("the.params")
    fastest = our_net("yolo_fastestv2_custom")
    with pytest.raises(
        UserError, match=f"GluonCV publishes no weights of {what}; give a file with --weights"
    ):
        load_pretrained(fastest, backbone_only)
    assert not asked


# --- files that are no weights, whatever their name ---

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 34876004\n"
PAGE = b"\n<!DOCTYPE html>\n<html><title>Sign in</title></html>\n"


@pytest.mark.parametrize("name", ["a.params", "a.weights", "a.pth", "a", "a.conv.57"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (POINTER, "is a pointer of Git LFS and not the file itself; fetch that with `git lfs pull`"),
        (PAGE, "is a web page and no weights, as a download leaves that failed; get it anew"),
    ],
)
def test_what_lies_in_the_place_of_weights(net, tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    assert refused(net, path) == f"{path}: {message}"
    for reader in (pth_file.read, lambda path: next(read_parts(path))):
        with pytest.raises(UserError) as error:
            reader(path)
        assert str(error.value) == f"{path}: {message}"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("class.names", b"cat\ndog\n", "is no weights file that is read here: neither ours or GluonCV's"),
        ("model.onnx", b"\x08\x07\x12\x07pytorch" * 9, "is no weights file that is read here"),
        # darknet's, with any name
        ("yolov3_final", b"\0\0\0\0\2\0\0\0\5\0\0\0" + bytes(8), "looks like darknet weights"),
        (
            "yolov3.params",
            b"\0\0\0\0\2\0\0\0\5\0\0\0" + bytes(8),
            "looks like darknet weights, which is no use",
        ),
        (
            "yolov3.conv.15",
            b"\0\0\0\0\1\0\0\0\0\0\0\0" + bytes(8),
            "looks like darknet weights, which is no use",
        ),
    ],
)
def test_kinds_by_content(net, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    assert message in refused(net, tmp_path / name)
