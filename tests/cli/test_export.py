"""``export``: from a run or a network with weights to files, which demo uses."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from gluon_yolo import Predictor
from gluon_yolo.boxes import iou_matrix
from gluon_yolo.cli import main
from gluon_yolo.inference.model_files import find_model_record
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.models.build import find_architecture
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.weights.darknet_header import Header
from gluon_yolo.weights.darknet_model import load, save
from tests.models.darknet import small
from tests.random_model import CLASSES, random_detector, random_image


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return a run folder with the files that export reads."""
    folder = tmp_path_factory.mktemp("run")
    net = random_detector()
    (folder / "weights").mkdir()
    net.save_parameters(str(folder / "weights" / "best.params"))
    ModelRecord(net.zoo_name, net.zoo_name, net.spec, (96, 128)).write(folder / "model.json")
    (folder / "classes.txt").write_text("\n".join(CLASSES))
    return folder


def test_run_to_export_to_demo(run, tmp_path, capsys):
    """With a real network: the results of demo are those of Predictor."""
    assert main(["export", str(run), "--out", str(tmp_path / "out"), "--name", "toy"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == [
        "yolo3_mobilenet0.25_custom, 3 classes, input 96x128",
        "symbol  toy-symbol.json, toy-0000.params",
    ]
    assert said[2].startswith("        largest difference from the network on 3 pictures: boxes 0 pixels")
    assert f"gluon-yolo demo --model {tmp_path / 'out'} PICTURES" in said[-1]

    image = random_image(200, 300)
    cv2.imwrite(str(tmp_path / "a.png"), image[:, :, ::-1])
    words = [
        "--model",
        str(tmp_path / "out"),
        "--out",
        str(tmp_path / "demo"),
        "--json",
        str(tmp_path / "a.json"),
    ]
    assert main(["demo", str(tmp_path / "a.png"), *words, "--score-threshold", "0.2"]) == 0
    expected = Predictor.load(run, score_threshold=0.2)(image)
    records = json.loads((tmp_path / "a.json").read_text())
    assert len(records) == len(expected) > 20
    assert np.abs(np.array([record["box"] for record in records]) - expected.boxes).max() < 0.02
    assert [record["class"] for record in records] == [CLASSES[class_id] for class_id in expected.class_ids]


@pytest.mark.parametrize("cut, outputs", [("raw", 3), ("decoded", 2)])
def test_network_with_weights(run, tmp_path, cut, outputs):
    words = ["--network", "mobilenet0_25", "--weights", str(run / "weights" / "best.params")]
    words += ["--classes", str(run / "classes.txt"), "--size", "64x96", "--cut", cut, "--out", str(tmp_path)]
    assert main(["export", *words]) == 0
    record = ModelRecord.read(tmp_path / "yolo3_mobilenet0.25_custom.json")
    graph = record.formats["symbol"]
    assert record.size_hw == (64, 96) and graph.cut == cut and len(graph.outputs) == outputs


def test_thresholds_are_written(run, tmp_path):
    words = ["--nms-threshold", "0.6", "--score-threshold", "0.2", "--max-detections", "7"]
    assert main(["export", str(run), "--out", str(tmp_path), *words]) == 0
    nms = ModelRecord.read(tmp_path / "yolo3_mobilenet0.25_custom.json").formats["symbol"].nms
    assert nms == {"nms_threshold": 0.6, "score_threshold": 0.2, "max_candidates": 400, "max_detections": 7}


@pytest.mark.parametrize("kind", ["symbol", "onnx"])
def test_more_detections_have_more_candidates(run, tmp_path, kind):
    """An export of the export has the same number by default."""
    pytest.importorskip("onnx")
    words = ["export", str(run), "--format", f"symbol,{kind}" if kind != "symbol" else kind]
    assert main([*words, "--max-detections", "250", "--out", str(tmp_path / "a")]) == 0
    assert main(["export", str(tmp_path / "a"), "--format", kind, "--out", str(tmp_path / "b")]) == 0
    for folder in ("a", "b"):
        record = ModelRecord.read(tmp_path / folder / "yolo3_mobilenet0.25_custom.json")
        nms = record.formats[kind].nms
        assert (nms["max_candidates"], nms["max_detections"], record.max_detections) == (2000, 250, 250)


@pytest.mark.parametrize(
    ("words", "graph", "in_record"),
    [
        (["--max-candidates", "90"], (90, 90), 90),
        (["--max-candidates", "5000", "--max-detections", "1000"], (5000, 1000), 5000),
        (["--max-candidates", "8000", "--max-detections", "1000"], (8000, 1000), None),  # the usual number
    ],
)
def test_candidates_are_written(run, tmp_path, words, graph, in_record):
    """Into the graph, and into the record where they are not the usual ones; an export of the export too."""
    assert main(["export", str(run), *words, "--out", str(tmp_path / "a")]) == 0
    assert main(["export", str(tmp_path / "a"), "--out", str(tmp_path / "b")]) == 0
    for folder in ("a", "b"):
        path = tmp_path / folder / "yolo3_mobilenet0.25_custom.json"
        nms = ModelRecord.read(path).formats["symbol"].nms
        assert (nms["max_candidates"], nms["max_detections"]) == graph
        assert json.loads(path.read_text()).get("max_candidates") == in_record


def test_second_model_in_a_folder_is_named(run, tmp_path, capsys):
    """The command in the last line works."""
    for name in ("one", "two"):
        assert main(["export", str(run), "--out", str(tmp_path), "--name", name]) == 0
    assert f"--model {tmp_path / 'two.json'} PICTURES" in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize(
    "words, message",
    [
        ([], "name one model"),
        (["RUN", "--network", "mobilenet1_0"], "name one model"),
        (["--network", "mobilenet1_0"], "name one model"),
        (["nowhere"], "nowhere: no such file or folder"),
        (["RUN", "--size", "100"], "multiples of 32"),
        (["RUN", "--size", "big"], "--size 'big'"),
        (["RUN", "--format", "symbol,coreml"], "format 'coreml': unknown; known are symbol, onnx, ncnn, "),
        (["RUN", "--format", "darknet", "--cut", "raw"], "cut raw: darknet has no such choice"),
        (["RUN", "--precision", "float16"], "precision float16: symbol has float32 and bfloat16"),
        (["RUN", "--nms-threshold", "2"], "--nms-threshold 2.0: must lie within 0 and 1"),
        (["RUN", "--max-detections", "0"], "--max-detections 0"),
        (["RUN", "--max-candidates", "0"], "--max-candidates 0"),
        (
            ["RUN", "--max-candidates", "99", "--max-detections", "100"],
            "--max-candidates 99: fewer than --max-detections 100, which are chosen from them; give 100",
        ),
        (["--network", "yolo3_mobilenet1.0_voc", "--weights", "RUN/weights/best.params"], "best.params"),
    ],
)
def test_bad_requests(run, tmp_path, capsys, words, message):
    assert (
        main(["export", *[word.replace("RUN", str(run)) for word in words], "--out", str(tmp_path / "out")])
        == 2
    )
    assert message in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.json"))


def test_what_a_second_export_does_to_the_first(run, tmp_path, capsys):
    """Another format of the same model is added; another size replaces the first export."""
    pytest.importorskip("ncnn", reason="package ncnn is not installed")
    words = ["export", str(run), "--out", str(tmp_path), "--name", "toy"]
    assert main(words) == 0 and main([*words, "--format", "ncnn"]) == 0
    assert "there before, of the same weights: symbol\n" in capsys.readouterr().out
    assert main([*words, "--format", "ncnn", "--size", "64"]) == 0
    assert "removed toy-symbol.json, toy-0000.params: for another size\n" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["toy.bin", "toy.json", "toy.param"]


@pytest.mark.parametrize("words", [["--fuse"], ["--precision", "bfloat16"]], ids=" ".join)
def test_a_symbol_for_inference(run, tmp_path, capsys, words):
    """With fewer operators, or weights of half the size, the detections are the same."""
    if words[-1] == "bfloat16" and not has_avx512():
        pytest.skip("this processor lacks AVX-512")
    assert main(["export", str(run), "--out", str(tmp_path / "as_is")]) == 0
    assert main(["export", str(run), "--out", str(tmp_path / "out"), *words]) == 0
    (before,), (after,) = ((tmp_path / name).glob("*-symbol.json") for name in ("as_is", "out"))
    counts = [
        [node["op"] for node in json.loads(path.read_text())["nodes"]].count("BatchNorm")
        for path in (before, after)
    ]
    assert counts[0] > 30 and counts[1] == 0
    image = random_image(90, 140, seed=2)
    expected = Predictor.load(run, score_threshold=0.4)(image)
    found = Predictor.load(tmp_path / "out", "mxnet", score_threshold=0.4)(image)
    assert iou_matrix(expected.boxes, found.boxes).max(axis=1)[:2].min() > (
        0.5 if words[0] == "--precision" else 0.99
    )


def has_avx512():
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.is_file() and "avx512bw" in cpuinfo.read_text()


def test_a_models_own_folder_is_not_written_into(run, capsys):
    before = sorted(run.rglob("*"))
    assert main(["export", str(run), "--out", str(run)]) == 2
    assert f"{run}: is the folder of a run or of an imported model" in capsys.readouterr().err
    assert sorted(run.rglob("*")) == before


def test_an_export_is_exported_again(run, tmp_path):
    """The files are the same; another format is added to them."""
    assert main(["export", str(run), "--out", str(tmp_path / "one")]) == 0
    assert main(["export", str(tmp_path / "one"), "--out", str(tmp_path / "again")]) == 0
    for path in (tmp_path / "one").iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    pytest.importorskip("ncnn", reason="package ncnn is not installed")
    assert main(["export", str(tmp_path / "one"), "--format", "ncnn", "--out", str(tmp_path / "one")]) == 0
    assert list(ModelRecord.read(find_model_record(tmp_path / "one")).formats) == ["symbol", "ncnn"]


def test_an_export_keeps_its_name(run, tmp_path):
    """A further format is added to it, whatever its name is."""
    pytest.importorskip("ncnn", reason="package ncnn is not installed")
    assert main(["export", str(run), "--name", "cells", "--out", str(tmp_path)]) == 0
    assert main(["export", str(tmp_path), "--format", "ncnn", "--out", str(tmp_path)]) == 0
    record = ModelRecord.read(find_model_record(tmp_path))
    assert record.name == "cells" and list(record.formats) == ["symbol", "ncnn"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--fuse"], "-0000.params: its weights are folded, or of another network; export the run"),
        (
            ["--format", "ncnn"],
            "holds ncnn in float32, of which no network can be made again; export the run",
        ),
    ],
)
def test_an_export_without_its_weights(run, tmp_path, capsys, words, message):
    pytest.importorskip("ncnn", reason="package ncnn is not installed")
    assert main(["export", str(run), "--out", str(tmp_path / "one"), *words]) == 0
    assert main(["export", str(tmp_path / "one"), "--out", str(tmp_path / "again")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "again").exists()


# --- darknet ---


@pytest.fixture
def imported(tmp_path):
    """Return a small darknet network: its files in ``net``, its model folder ``model``."""
    net = small.built(small.SMALL, class_names=["cat", "dog"])
    cfg = save(net, tmp_path / "net", "small", Header(0, 1, 0, 77))
    words = [str(cfg), str(cfg.with_suffix(".weights")), "--names", str(cfg.with_suffix(".names"))]
    assert main(["import", "darknet", *words, "--out", str(tmp_path / "model")]) == 0
    return tmp_path


def test_darknets_files_again(imported, capsys):
    """The model's record has the header of the weights."""
    out = imported / "out"
    assert main(["export", str(imported / "model"), "--format", "darknet", "--out", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["small.cfg", "small.names", "small.weights"]
    for name in ("small.weights", "small.names", "small.cfg"):
        assert (out / name).read_bytes() == (imported / "net" / name).read_bytes()
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["small, 2 classes, input 32x64", "darknet  small.weights, small.names, small.cfg"]
    assert said[-2].endswith(f"darknet detector test FILE.data {out}/small.cfg {out}/small.weights PICTURE")
    use = f"the model is in {out}; use it with: gluon-yolo demo --network {out}/small.cfg "
    assert said[-1].startswith(use)
    words = said[-1].split("gluon-yolo ")[1].replace("PICTURES", str(imported / "none.jpg")).split()
    assert main(words) == 2 and "none.jpg: no such file" in capsys.readouterr().err


def test_an_imported_model_as_a_symbol(imported, capsys):
    assert main(["export", str(imported / "model"), "--out", str(imported / "out")]) == 0
    assert ModelRecord.read(imported / "out" / "small.json").size_hw == (32, 64)
    image = random_image(64, 64)
    one, two = (Predictor.load(imported / name, score_threshold=0.1)(image) for name in ("model", "out"))
    assert len(one) == len(two) > 0
    np.testing.assert_allclose(one.boxes, two.boxes, atol=1e-3)


def test_a_darknet_networks_symbol_as_darknets_files(imported):
    """The record of the export has the cfg and the header of the weights."""
    for source, kind in (("model", "symbol"), ("symbol", "darknet")):
        words = ["--format", kind, "--out", str(imported / kind)]
        assert main(["export", str(imported / source), *words]) == 0
    for name in ("small.weights", "small.names", "small.cfg"):
        assert (imported / "darknet" / name).read_bytes() == (imported / "net" / name).read_bytes()


def test_fine_tuned_for_other_classes_and_anchors(imported):
    """The cfg has the run's classes, anchors, input size and fit."""
    folder = imported / "run"
    net = find_architecture(str(imported / "net" / "small.cfg")).build(["a", "b", "c"], (((3, 4), (5.5, 6)),))
    net.initialize_weights(seed=3)
    (folder / "weights").mkdir(parents=True)
    net.save_parameters(str(folder / "weights" / "best.params"))
    ModelRecord("run", "small", net.spec, (64, 96), fit="letterbox").write(folder / "model.json")
    net.keep(folder)
    words = ["--format", "darknet", "--name", "mine", "--out", str(imported / "out")]
    assert main(["export", str(folder), *words]) == 0
    again, header = load(*(imported / "out" / f"mine.{end}" for end in ("cfg", "weights")), ["a", "b", "c"])
    assert again.spec == net.spec and header == Header()
    assert (again.plan.image.height, again.plan.image.width, again.plan.letterbox) == (64, 96, True)
    assert (imported / "out" / "mine.names").read_text() == "a\nb\nc\n"
    pixels = mx.nd.array(random_image(64, 96)[None], dtype="uint8")
    np.testing.assert_array_equal(again(pixels)[0].asnumpy(), net(pixels)[0].asnumpy())


def test_darknet_without_an_import(imported):
    """Input size and fit are the cfg's own."""
    files = [str(imported / "net" / f"small.{end}") for end in ("cfg", "weights", "names")]
    words = ["--network", files[0], "--weights", files[1], "--classes", files[2]]
    assert main(["export", *words, "--out", str(imported / "symbol")]) == 0
    record = ModelRecord.read(imported / "symbol" / "small.json")
    assert record.size_hw == (32, 64) and record.spec.class_names == ("cat", "dog")
    assert main(["export", *words, "--format", "darknet", "--out", str(imported / "again")]) == 0
    again = (imported / "again" / "small.weights").read_bytes()
    original = (imported / "net" / "small.weights").read_bytes()
    assert again[20:] == original[16:]  # behind the headers; in version 0.1 it is shorter


@pytest.mark.parametrize(
    "words, message",
    [
        (["--size", "33"], "size 33x33: both sides must be multiples of 2"),
        (["--name", "a/b"], "name 'a/b': expected a plain file name"),
    ],
)
def test_bad_requests_for_darknet(imported, capsys, words, message):
    out = imported / "out"
    assert main(["export", str(imported / "model"), "--format", "darknet", "--out", str(out), *words]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_network_that_is_no_darknet_network(run, tmp_path, capsys):
    assert main(["export", str(run), "--format", "darknet", "--out", str(tmp_path / "out")]) == 2
    message = "yolo3_mobilenet0.25_custom: is no darknet network, so that no cfg describes it; export it in "
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_files_that_do_not_give_the_network_are_not_written(imported, monkeypatch, capsys):
    def other(*args):
        net, header = load(*args)
        net._blocks[1].convolution.bias.set_data(mx.nd.ones(14))
        return net, header

    monkeypatch.setattr("gluon_yolo.exporters.darknet.darknet_model.load", other)
    words = ["--format", "symbol,darknet", "--out", str(imported / "out")]
    assert main(["export", str(imported / "model"), *words]) == 1
    assert "error: small.cfg: largest difference from the network on 3 pictures" in capsys.readouterr().err
    assert not (imported / "out").exists()


@pytest.mark.parametrize(
    "name, message",
    [
        (
            "small.weights",
            "small.weights: darknet's weights do not say of which network they are: import both",
        ),
        ("small.cfg", "small.cfg: a cfg has no weights: import both"),
        ("small.pth", "small.pth: import it: `gluon-yolo import fastestv2"),
    ],
)
def test_other_programs_files_in_the_place_of_a_model(imported, capsys, name, message):
    path = str(imported / "net" / name)
    assert main(["export", path, "--out", str(imported / "out")]) == 2
    assert message in capsys.readouterr().err
    cv2.imwrite(str(imported / "a.png"), random_image(32, 32))
    for words in (["--model", path], ["--weights", path]):
        assert main(["demo", str(imported / "a.png"), *words, "--out", str(imported / "seen")]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("cut", ["nms", "decoded", "raw"])
def test_onnx(run, tmp_path, capsys, cut):
    """In both runtimes, the detections of the file are those of the run."""
    for package in ("onnx", "onnxruntime", "openvino"):
        pytest.importorskip(package, reason=f"package {package} is not installed")
    out = tmp_path / "out"
    words = ["--format", "onnx", "--cut", cut, "--nms-threshold", "0.5", "--score-threshold", "0.2"]
    assert main(["export", str(run), "--out", str(out), *words]) == 0
    said = capsys.readouterr().out
    assert "largest difference from the network on 3 pictures: boxes " in said
    assert sorted(path.suffix for path in out.iterdir()) == [".json", ".onnx"]
    image = random_image(90, 140, seed=2)
    thresholds = {"score_threshold": 0.25, "nms_threshold": 0.5}
    expected = Predictor.load(run, **thresholds)(image)
    assert len(expected) > 3
    for runtime in ("auto", "onnxruntime", "openvino"):
        found = Predictor.load(out, runtime, **thresholds)(image)
        assert found.class_ids.tolist() == expected.class_ids.tolist()
        np.testing.assert_allclose(found.boxes, expected.boxes, atol=0.05)
        np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)
    (onnx_file,) = out.glob("*.onnx")
    assert len(Predictor.load(onnx_file, **thresholds)(image)) == len(expected)


@pytest.mark.parametrize("precision, pixels, score", [("float32", 0.05, 1e-4), ("float16", 2.0, 0.03)])
def test_ncnn(run, tmp_path, capsys, precision, pixels, score):
    pytest.importorskip("ncnn", reason="package ncnn is not installed")
    words = ["--format", "ncnn", "--precision", precision, "--out", str(tmp_path)]
    assert main(["export", str(run), *words]) == 0
    assert "largest difference from the network on 3 pictures: " in capsys.readouterr().out
    assert ModelRecord.read(find_model_record(tmp_path)).precision == precision
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".bin", ".json", ".param"]
    image = random_image(90, 140, seed=2)
    expected = Predictor.load(run, score_threshold=0.4)(image)
    assert len(expected) > 2
    for path in (tmp_path, *tmp_path.glob("*.param")):
        found = Predictor.load(path, score_threshold=0.4)(image)
        if precision == "float32":
            assert found.class_ids.tolist() == expected.class_ids.tolist()
        best = iou_matrix(expected.boxes, found.boxes).argmax(axis=1)
        np.testing.assert_allclose(found.boxes[best][:2], expected.boxes[:2], atol=pixels)
        np.testing.assert_allclose(found.scores[best][:2], expected.scores[:2], atol=score)


def test_a_runtime_that_has_no_file(run, tmp_path, capsys):
    assert main(["export", str(run), "--out", str(tmp_path)]) == 0
    image = tmp_path / "a.png"
    cv2.imwrite(str(image), random_image(60, 60))
    words = ["demo", "--model", str(tmp_path), "--runtime", "onnxruntime", str(image)]
    assert main([*words, "--out", str(tmp_path / "out")]) == 2
    assert "is there as symbol, and not as onnx; add that with" in capsys.readouterr().err


def test_fixed_size(run, tmp_path, capsys):
    """For readers that need fixed sizes; the message names the size, and ``--cut`` works too."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    words = [
        "export",
        str(run),
        "--format",
        "onnx,symbol",
        "--name",
        "toy",
        "--size",
        "64x96",
        "--fixed-size",
    ]
    assert main([*words, "--out", str(tmp_path / "one")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1] == "onnx    toy.onnx, for 1 picture of 64x96 at a time, and nothing else"
    assert said[3] == "symbol  toy-symbol.json, toy-0000.params"
    graph = ModelRecord.read(tmp_path / "one" / "toy.json").formats["onnx"]
    assert (graph.cut, graph.fixed) == ("decoded", (1, 64, 96))
    assert main([*words, "--batch-size", "4", "--cut", "raw", "--out", str(tmp_path / "four")]) == 0
    assert "toy.onnx, for 4 pictures of 64x96 at a time, and nothing else" in capsys.readouterr().out
    graph = ModelRecord.read(tmp_path / "four" / "toy.json").formats["onnx"]
    assert (graph.cut, graph.fixed) == ("raw", (4, 64, 96))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--batch-size", "2"],
            "--batch-size 2: goes with --fixed-size; without it the files take any batch",
        ),
        (["--fixed-size"], "a fixed size is of the formats onnx, openvino, mnn"),
    ],
)
def test_fixed_size_that_cannot_be(run, tmp_path, capsys, words, said):
    assert main(["export", str(run), *words, "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "out").exists()
