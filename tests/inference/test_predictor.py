"""Predictor: one call from an image to detections, for every kind of model on disk."""

from __future__ import annotations

import json
import threading

import cv2
import numpy as np
import pytest

import gluon_yolo
from gluon_yolo.errors import UserError
from gluon_yolo.exporters.api import export
from gluon_yolo.exporters.request import NMSOptions
from gluon_yolo.inference.decode import RawMaps
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.inference.preprocess import Preprocess
from gluon_yolo.inference.runtimes import mxnet
from gluon_yolo.models.decode import Decode
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.nms import select
from gluon_yolo.spec import DetectionSpec
from tests.child import python
from tests.random_model import CLASSES, random_detector, random_image

SIZE_HW = (96, 128)
SPEC = DetectionSpec(CLASSES)


@pytest.fixture(scope="module")
def net():
    return random_detector()


@pytest.fixture(scope="module", params=["nms", "decoded", "raw", "run", "last", "weights file"])
def model(request, net, tmp_path_factory):
    """The path of a model on disk, of every kind that ``Predictor.load`` takes."""
    folder = tmp_path_factory.mktemp("model")
    if request.param in ("nms", "decoded", "raw"):
        export(net, folder, name="toy", size_hw=SIZE_HW, cut=request.param)
        return folder
    ModelRecord("toy", net.zoo_name, net.spec, SIZE_HW).write(folder / "model.json")
    (folder / "weights" / "last").mkdir(parents=True)
    if request.param == "last":
        net.save_parameters(str(folder / "weights" / "last" / "net-a.params"))
        state = {"files": {"net": {"name": "net-a.params"}}}
        (folder / "weights" / "last" / "state.json").write_text(json.dumps(state))
        return folder
    weights = folder / "weights" / "best.params"
    net.save_parameters(str(weights))
    return folder if request.param == "run" else weights


def reference(net, pixels):
    """The outputs of the Gluon network and its decoder, not fused."""
    decode = Decode(net.spec)
    decode.initialize()
    return [output.asnumpy() for output in decode(*net(mx.nd.array(pixels)))]


def assert_close(ours, theirs):
    assert np.abs(ours - theirs).max() <= 1e-5 * max(1, np.abs(theirs).max())


def test_every_model_gives_the_networks_numbers(net, model):
    """Also with fusion, and for an export with NMS, whose thresholds can still be changed."""
    predictor = Predictor.load(model, score_threshold=0.2, nms_threshold=0.6)
    pixels = np.stack([random_image(*SIZE_HW, seed=seed) for seed in (1, 2)])
    boxes, scores = reference(net, pixels)
    for found, own_boxes, own_scores in zip(predictor.detect_batch(pixels), boxes, scores):
        expected = select(own_boxes, own_scores, 0.2, 0.6)
        assert len(expected) > 20 and found.class_ids.tolist() == expected.class_ids.tolist()
        assert_close(found.boxes, expected.boxes)
        assert_close(found.scores, expected.scores)
    assert predictor.class_names == CLASSES and predictor.size_hw == SIZE_HW


def test_shapes_may_change_at_every_call(net):
    """More shapes than the runtime keeps, each twice, and again after the first were dropped."""
    runtime = mxnet.from_block(net)
    shapes = [(1, 96, 128), (2, 96, 128), (1, 64, 64), (1, 128, 96), (3, 32, 32), (1, 96, 128), (1, 64, 64)]
    assert len(set(shapes)) > mxnet.KEPT_SHAPES
    for seed, shape in enumerate(shapes):
        pixels = np.stack([random_image(*shape[1:], seed=seed + i) for i in range(shape[0])])
        for _ in range(2):
            for ours, theirs in zip(runtime(pixels), reference(net, pixels)):
                assert ours.shape == theirs.shape
                assert_close(ours, theirs)


def test_later_training_does_not_reach_into_a_predictor(net):
    other = random_detector(seed=5)
    runtime = mxnet.from_block(other)
    pixels = random_image(64, 64)[None]
    before = runtime(pixels)[1]
    for parameter in other.collect_params().values():
        parameter.set_data(parameter.data() * 0.5)
    assert np.array_equal(runtime(pixels)[1], before)


def test_from_network_reads_weights_of_the_zoo(net, tmp_path):
    net.save_parameters(str(tmp_path / "toy.params"))
    predictor = Predictor.from_network(
        net.zoo_name, tmp_path / "toy.params", CLASSES, SIZE_HW, score_threshold=0.2
    )
    pixels = random_image(*SIZE_HW)
    (expected,) = Predictor.from_block(net, SIZE_HW, score_threshold=0.2).detect_batch(pixels[None])
    assert np.array_equal(predictor(pixels).boxes, np.clip(expected.boxes, 0, [128, 96, 128, 96]))


def one_box(pixels):
    """Return a network that detects one circle at (32, 24, 64, 48) of its input."""
    scores = np.zeros((len(pixels), 1, len(CLASSES)), np.float32)
    scores[:, 0, 0] = 0.9
    return np.full((len(pixels), 1, 4), [32, 24, 64, 48], np.float32), scores


def test_boxes_come_back_in_the_images_pixels(tmp_path):
    """Stretched by 1.5 vertically and 2 horizontally; a path gives the same as the array."""
    predictor = Predictor(one_box, SPEC, SIZE_HW)
    image = random_image(144, 256)
    cv2.imwrite(str(tmp_path / "a.png"), image[:, :, ::-1])
    for found in (predictor(image), predictor(tmp_path / "a.png"), predictor(str(tmp_path / "a.png"))):
        assert found.boxes.tolist() == [[64, 36, 128, 72]] and found.class_ids.tolist() == [0]
    assert set(predictor.timings) == {"preprocess", "network", "postprocess"}
    assert predictor.timings["preprocess"] > 0
    assert predictor.detect_batch(np.zeros((2, *SIZE_HW, 3), np.uint8))[1].boxes.tolist() == [
        [32, 24, 64, 48]
    ]


@pytest.mark.parametrize("fit", ["resize", "letterbox", "darknet"])
def test_several_images_at_once(net, fit, tmp_path):
    """Of different sizes and kinds, three at a time: the same results as one by one, in order."""
    calls = []
    runtime = mxnet.from_block(net)

    def network(pixels):
        calls.append(len(pixels))
        return runtime(pixels)

    predictor = Predictor(network, net.spec, SIZE_HW, fit=Preprocess(fit), batch_size=3)
    images = [random_image(*hw, seed) for seed, hw in enumerate([(144, 256), (64, 64), (300, 100)])]
    cv2.imwrite(str(tmp_path / "a.png"), images[1][:, :, ::-1])
    several = [*images, tmp_path / "a.png", images[0][:, :, 0]]
    found = predictor(several)
    assert calls == [3, 2] and all(spent > 0 for spent in predictor.timings.values())
    for together, image in zip(found, several):
        alone = predictor(image)
        assert len(alone) > 5 and together.class_ids.tolist() == alone.class_ids.tolist()
        assert np.allclose(together.boxes, alone.boxes, atol=1e-3)
        assert np.allclose(together.scores, alone.scores, atol=1e-6)
    assert np.array_equal(found[1].boxes, found[3].boxes) and calls == [3, 2, 1, 1, 1, 1, 1]
    assert predictor([]) == [] and len(predictor(tuple(several))) == 5


@pytest.mark.parametrize("kind", ["grey", "opacity", "16 bit", "0..1"])
def test_arrays_of_any_kind(kind):
    """The network gets the same pixels, and the boxes are in the same image."""
    seen = []

    def network(pixels):
        seen.append(pixels)
        return one_box(pixels)

    image = np.repeat(random_image(64, 96)[:, :, :1], 3, axis=2)
    kinds = {
        "grey": image[:, :, 0],
        "opacity": np.dstack([image, image[:, :, 0]]),
        "16 bit": image.astype(np.uint16) * 257,
        "0..1": image / 255,
    }
    predictor = Predictor(network, SPEC, SIZE_HW)
    expected, given = predictor(image), predictor(kinds[kind])
    assert (seen[0] == seen[1]).all() and (expected.boxes == given.boxes).all()


def test_an_array_that_is_no_image_is_refused():
    with pytest.raises(UserError, match="channels come first"):
        Predictor(one_box, SPEC, SIZE_HW)(np.zeros((3, 96, 128), np.uint8))


def test_images_of_the_least_and_a_great_size():
    predictor = Predictor(one_box, SPEC, SIZE_HW)
    assert np.allclose(predictor(np.zeros((1, 1, 3), np.uint8)).boxes, [[0.25, 0.25, 0.5, 0.5]])
    assert predictor(np.zeros((6000, 8000, 3), np.uint8)).boxes.tolist() == [[2000, 1500, 4000, 3000]]
    letterboxed = Predictor(one_box, SPEC, SIZE_HW, fit=Preprocess("letterbox"))
    assert letterboxed(np.zeros((1, 8000, 3), np.uint8)).boxes.tolist() == [[2000, 0, 4000, 1]]


def test_several_threads(net):
    """With a runtime that computes one call at a time; each thread has its own timings."""
    predictor = Predictor.from_block(net, SIZE_HW, score_threshold=0.2)
    images = [random_image(100 + 10 * seed, 150, seed) for seed in range(4)]
    expected = [predictor(image) for image in images]
    problems, totals = [], {}

    def work(place):
        for _ in range(10):
            found = predictor(images[place])
            if not np.array_equal(found.boxes, expected[place].boxes):
                problems.append(place)
        totals[place] = predictor.timings

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(images))]
    before = predictor.timings
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems and len(totals) == 4 and predictor.timings == before
    assert all(spent > 0 for timings in totals.values() for spent in timings.values())


def test_no_call_no_timings():
    assert set(Predictor(one_box, SPEC, SIZE_HW).timings.values()) == {0.0}


def grid(pixels):
    """Return a network with 300 circles, each with four anchors, and stars with lower scores everywhere."""
    corner = np.stack(np.meshgrid(np.arange(20) * 32, np.arange(15) * 40), -1).reshape(-1, 2)
    once = np.concatenate([corner, corner + 20], axis=1).astype(np.float32)
    boxes = np.repeat(once, 4, axis=0) + np.tile(np.arange(4, dtype=np.float32) / 2, 300)[:, None]
    scores = np.zeros((1200, len(CLASSES)), np.float32)
    scores[:, 0] = np.linspace(0.99, 0.5, 1200)
    scores[:, 2] = scores[:, 0] / 2
    return boxes[None].repeat(len(pixels), 0), scores[None].repeat(len(pixels), 0)


@pytest.mark.parametrize(
    ("options", "found", "left_out"),
    [
        ({}, 100, True),
        ({"max_detections": 300}, 300, False),  # circles; no star has a score over 0.5
        ({"max_detections": 1000, "score_threshold": 0.2}, 600, False),
        ({"max_detections": 1000, "score_threshold": 0.2, "nms": "agnostic"}, 300, False),
        ({"max_detections": 1000, "score_threshold": 0.2, "classes_only": ["star"]}, 300, False),
        ({"max_detections": 1000, "max_candidates": 40}, 10, True),
    ],
)
def test_as_many_as_are_asked_for(options, found, left_out):
    """For one image and for a list; what a limit cut off is reported for each image."""
    predictor = Predictor(grid, SPEC, (640, 640), **{"score_threshold": 0.495, "batch_size": 2, **options})
    black = np.zeros((640, 640, 3), np.uint8)
    assert predictor.left_out == ()
    assert len(predictor(black)) == found and [one > 0 for one in predictor.left_out] == [left_out]
    assert [len(one) for one in predictor([black] * 3)] == [found] * 3
    assert [one > 0 for one in predictor.left_out] == [left_out] * 3
    if options.get("classes_only"):
        assert set(predictor(black).class_ids) == {2}


def test_what_was_trained_or_exported_for_more_gives_more(net, tmp_path):
    """The default limit is that of the record."""
    record = ModelRecord("toy", net.zoo_name, net.spec, SIZE_HW, max_detections=250)
    (tmp_path / "run" / "weights").mkdir(parents=True)
    record.write(tmp_path / "run" / "model.json")
    net.save_parameters(str(tmp_path / "run" / "weights" / "best.params"))
    assert Predictor.load(tmp_path / "run").max_detections == 250
    assert Predictor.load(tmp_path / "run", max_detections=7).max_detections == 7
    export(net, tmp_path / "out", name="toy", size_hw=SIZE_HW, suppression=NMSOptions(max_detections=150))
    assert Predictor.load(tmp_path / "out").max_detections == 150
    assert Predictor.load(tmp_path / "out").max_candidates is None


def test_candidates_are_the_records_where_the_detections_are(net, tmp_path):
    """Another limit of detections has the usual candidates."""
    numbers = NMSOptions(max_detections=150, max_candidates=500)
    export(net, tmp_path, name="toy", size_hw=SIZE_HW, suppression=numbers)
    predictor = Predictor.load(tmp_path)
    assert (predictor.max_detections, predictor.max_candidates) == (150, 500)
    assert "max_candidates=500" in repr(predictor)
    assert Predictor.load(tmp_path, max_detections=200).max_candidates is None
    assert Predictor.load(tmp_path, max_candidates=70).max_candidates == 70


@pytest.mark.slow
def test_the_threshold_with_the_best_f1(net, tmp_path):
    """It is the default for a run's best weights and for their exports, and not for other weights."""
    record = ModelRecord("toy", net.zoo_name, net.spec, SIZE_HW, best_threshold=0.42)
    (tmp_path / "run" / "weights").mkdir(parents=True)
    record.write(tmp_path / "run" / "model.json")
    for name in ("best", "epoch-0009"):
        net.save_parameters(str(tmp_path / "run" / "weights" / f"{name}.params"))
    gluon_yolo.export(tmp_path / "run", out=tmp_path / "out")
    gluon_yolo.export(tmp_path / "run" / "weights" / "epoch-0009.params", out=tmp_path / "other")
    gluon_yolo.export(tmp_path / "out", out=tmp_path / "again")
    for name in ("run", "run/best", "run/weights/best.params", "out", "again"):
        assert Predictor.load(tmp_path / name).score_threshold == 0.42, name
        assert Predictor.load(tmp_path / name, score_threshold=None).score_threshold == 0.42
        assert Predictor.load(tmp_path / name, score_threshold=0.0).score_threshold == 0
    for name in ("run/weights/epoch-0009.params", "other"):
        assert Predictor.load(tmp_path / name).score_threshold == 0.3, name
    assert Predictor(one_box, SPEC, SIZE_HW, None).score_threshold == 0.3


def test_a_graph_that_lets_fewer_stand_is_told(net, tmp_path, caplog):
    """ONNX's graph ends after NMS, and the boxes that NMS removed are not available."""
    pytest.importorskip("onnxruntime", reason="package onnxruntime is not installed")
    few = NMSOptions(score_threshold=0.1, max_detections=9)
    export(net, tmp_path, ["symbol", "onnx"], "toy", SIZE_HW, suppression=few)
    predictor = Predictor.load(tmp_path, "onnxruntime", max_detections=50, score_threshold=0.1)
    assert "onnxruntime reads a graph that ends with its own suppression, which lets 9" in caplog.text
    assert "compares the best" not in caplog.text
    Predictor.load(tmp_path, "onnxruntime", max_detections=5, max_candidates=900)
    assert "which compares the best 400 boxes of a picture, and not 900" in caplog.text
    assert "export it again with max_detections 50, or with cut decoded" in caplog.text
    found = predictor(random_image(*SIZE_HW))
    assert len(found) == 9 and predictor.left_out == (pytest.approx(found.scores[-1]),)
    caplog.clear()
    whole = Predictor.load(tmp_path, "mxnet", max_detections=50, score_threshold=0.1)
    assert len(whole(random_image(*SIZE_HW))) > 9 and not caplog.text


def test_it_tells_what_it_is():
    eighty = DetectionSpec([f"c{i}" for i in range(80)])
    text = repr(Predictor(one_box, SPEC, SIZE_HW, 0.25, runtime="ncnn", name="model", nms="agnostic"))
    assert text == (
        "Predictor(model='model', runtime='ncnn', size_hw=(96, 128), score_threshold=0.25, "
        "nms_threshold=0.45, nms='agnostic', max_detections=100, fit='resize', "
        "class_names=('circle', 'square', 'star'))"
    )
    text = repr(Predictor(one_box, eighty, SIZE_HW, classes_only=["c3", "c7"]))
    assert "class_names=('c0', 'c1', " in text and "... 80 in all" in text and len(text) < 400
    assert text.endswith("classes_only=('c3', 'c7'))")


def test_letterbox():
    """An image of 128x64 keeps its aspect ratio between margins of 16 rows."""
    predictor = Predictor(one_box, SPEC, SIZE_HW, fit=Preprocess("letterbox"))
    assert predictor(random_image(64, 128)).boxes.tolist() == [[32, 8, 64, 32]]


def test_boxes_without_end_are_dropped_and_broken_scores_refused():
    def overflowing(pixels):
        boxes, scores = (np.concatenate([array, array], axis=1) for array in one_box(pixels))
        boxes[:, 1, 2] = np.inf
        return boxes, scores

    assert len(Predictor(overflowing, SPEC, SIZE_HW)(random_image(96, 128))) == 1
    broken = Predictor(lambda pixels: (one_box(pixels)[0], one_box(pixels)[1] * np.nan), SPEC, SIZE_HW)
    with pytest.raises(UserError, match="not finite"):
        broken(random_image(96, 128))


@pytest.mark.parametrize(
    "damage",
    [
        lambda boxes, scores: (boxes[0], scores[0]),
        lambda boxes, scores: (boxes, scores[..., 0]),
        lambda boxes, scores: (boxes[..., :3], scores),
        lambda boxes, scores: (boxes, np.concatenate([scores, scores], axis=1)),
        lambda boxes, scores: (boxes, np.concatenate([scores, scores], axis=2)),
        lambda boxes, scores: (np.concatenate([boxes, boxes]), np.concatenate([scores, scores])),
        lambda boxes, scores: (boxes,),
        lambda boxes, scores: RawMaps([np.zeros((1, 24, 3, 4))] * 2, SPEC),
        lambda boxes, scores: RawMaps([np.zeros((1, 25, 3, 4))] * 3, SPEC),
        lambda boxes, scores: RawMaps([np.zeros((2, 24, 3, 4))] * 3, SPEC),
        lambda boxes, scores: RawMaps([np.zeros((1, 24, 12))] * 3, SPEC),
    ],
)
def test_an_output_of_other_shapes_is_refused(damage):
    broken = Predictor(lambda pixels: damage(*one_box(pixels)), SPEC, SIZE_HW, name="m")
    with pytest.raises(UserError, match=r"^m: the network's output has the shapes \(.*its file is damaged"):
        broken(random_image(96, 128))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"size_hw": (100, 128)}, "multiples of 32"),
        ({"size_hw": (0, 128)}, "multiples of 32"),
        ({"score_threshold": 1.5}, "score threshold 1.5"),
        ({"nms_threshold": -1}, "NMS threshold -1"),
        ({"batch_size": 0}, "batch size 0"),
        ({"max_detections": 0}, "max detections 0: expected 1 or more"),
        ({"max_candidates": -4}, "max candidates -4"),
        ({"nms": "soft"}, "nms 'soft': expected class or agnostic"),
        ({"classes_only": ["Star"]}, "class 'Star': the model does not know it; did you mean star"),
        ({"classes_only": ["star", "dog"]}, "'dog': .* it knows 'circle', 'square', 'star'"),
        ({"classes_only": []}, r"classes_only \[\]: expected a list of class names, at least one"),
        ({"classes_only": "star"}, "classes_only 'star': expected a list"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(UserError, match=message):
        Predictor(one_box, SPEC, **{"size_hw": SIZE_HW, **options})


def test_wrong_arrays_are_refused():
    predictor = Predictor(one_box, SPEC, SIZE_HW)
    for images in (np.zeros((96, 128, 3), np.uint8), np.zeros((1, 96, 128, 3), np.float32)):
        with pytest.raises(ValueError, match=r"expected \(B, h, w, 3\) uint8"):
            predictor.detect_batch(images)


def damage_nothing(folder):
    return folder / "absent"


def damage_record(folder):
    (folder / "toy.json").write_text('{"format": 1, "spec": {}}')
    return folder


def damage_json(folder):
    (folder / "toy.json").write_text("{")
    return folder / "toy.json"


def newer_format(folder):
    record = json.loads((folder / "toy.json").read_text())
    (folder / "toy.json").write_text(json.dumps({**record, "format": 99}))
    return folder


def drop_params(folder):
    (folder / "toy-0000.params").unlink()
    return folder


def cut_params(folder):
    data = (folder / "toy-0000.params").read_bytes()
    (folder / "toy-0000.params").write_bytes(data[: len(data) // 2])
    return folder


def cut_symbol(folder):
    data = (folder / "toy-symbol.json").read_text()
    (folder / "toy-symbol.json").write_text(data[: len(data) // 2])
    return folder


def other_params(folder):
    mx.nd.save(str(folder / "toy-0000.params"), {"arg:weight": mx.nd.zeros(3)})
    return folder


def add_second(folder):
    (folder / "second.json").write_text((folder / "toy.json").read_text())
    return folder


def empty_run(folder):
    run = folder / "run"
    run.mkdir()
    ModelRecord("toy", "yolo3_mobilenet0.25_custom", SPEC, SIZE_HW).write(run / "model.json")
    return run


def lone_weights(folder):
    (folder / "lone.params").write_bytes(b"")
    return folder / "lone.params"


def empty_folder(folder):
    (folder / "empty").mkdir()
    return folder / "empty"


@pytest.mark.parametrize(
    "damage, message",
    [
        (damage_nothing, "no such file or folder"),
        (empty_folder, "holds no model"),
        (damage_record, "missing or wrong"),
        (damage_json, "is not JSON"),
        (newer_format, "format 99"),
        (drop_params, "toy-0000.params: no such file"),
        (cut_params, "toy-0000.params: is damaged"),
        (cut_symbol, "toy-symbol.json: is damaged"),
        (other_params, "different models"),
        (add_second, "second.json, toy.json"),
        (empty_run, "no weights yet"),
        (lone_weights, "weights alone"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_wrong_with_a_model_is_said(net, tmp_path, damage, message):
    export(net, tmp_path, name="toy", size_hw=(64, 64), cut="raw")
    with pytest.raises(UserError, match=message):
        Predictor.load(damage(tmp_path))


def test_unknown_runtime(net, tmp_path):
    export(net, tmp_path, name="toy", size_hw=(64, 64), cut="raw")
    with pytest.raises(UserError, match="known are mxnet"):
        Predictor.load(tmp_path, runtime="abacus")


def test_importing_it_imports_no_mxnet():
    code = "import sys, gluon_yolo; gluon_yolo.Predictor; print('mxnet' in sys.modules)"
    assert python("-c", code).stdout == "False\n"


def test_detections_know_their_classes():
    predictor = Predictor(one_box, SPEC, SIZE_HW)
    image = np.zeros((*SIZE_HW, 3), np.uint8)
    for found in (predictor(image), *predictor([image, image]), *predictor.detect_batch(image[None])):
        assert found.class_names == SPEC.class_names and len(found.names()) == len(found) > 0


def test_other_options_of_the_same_network():
    own = Predictor(one_box, SPEC, SIZE_HW, 0.25, max_detections=7, fit=Preprocess("letterbox"), name="own")
    other = own.replace(score_threshold=0.5, name="other")
    assert repr(other) == repr(own).replace("0.25", "0.5").replace("'own'", "'other'") and other is not own
    assert own.replace(score_threshold=0.999)(np.zeros((*SIZE_HW, 3), np.uint8)).class_ids.tolist() == []
    with pytest.raises(UserError, match="score threshold 7: must lie within 0 and 1"):
        own.replace(score_threshold=7)


def test_a_table_for_a_notebook():
    shown = Predictor(one_box, SPEC, SIZE_HW, runtime="ncnn", name="<model>")._repr_html_()
    assert "<td>model</td><td>&#x27;&lt;model&gt;&#x27;</td>" in shown
    assert "<td>score_threshold</td><td>0.3</td>" in shown and "<td>runtime</td>" in shown
