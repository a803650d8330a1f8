"""The assigner of a training: its spec in the network, in the run, in the cfg, and what is refused."""

from __future__ import annotations

import dataclasses
import json
import signal

import pytest

from gluon_yolo.cli import main
from gluon_yolo.inference.model_files import find_model_record
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.runtimes.mxnet import from_record
from gluon_yolo.models.build import find_architecture
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.spec import DetectionSpec
from gluon_yolo.training.assigner_choice import YOLO3_ASSIGNERS, assigned, assigner_line
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.prepare import architecture_of
from gluon_yolo.training.setup import build_network
from tests.models.darknet import small
from tests.printed import refused
from tests.small_training import assert_equal_runs, start_run

SPEC = DetectionSpec(("cat", "dog"), xy_scales=(1, 1.05, 2.5))

# the assigner, the ranges of centres
RANGES = [
    ("auto", (1, 1.05, 2.5)),
    ("best_shape", (1, 1.05, 2.5)),
    ("overlap", (1, 1.05, 2.5)),
    ("better", (1, 1.05, 2.5)),
    ("dynamic", (2, 2, 2.5)),
    ("neighbours", (2, 2, 2.5)),  # half a cell on each side of the cell; a larger range stays
]


@pytest.mark.parametrize(("assigner", "ranges"), RANGES)
def test_the_range_of_centres(assigner, ranges):
    expected = {"auto": SPEC.assigner, "better": "overlap"}.get(assigner, assigner)
    assert assigned(SPEC, assigner, "net") == dataclasses.replace(SPEC, assigner=expected, xy_scales=ranges)


def test_the_line_of_the_log():
    line = "assigner: neighbours; centres have a range of 2, 2, 2.5 cells"
    assert assigner_line(assigned(SPEC, "neighbours", "net")) == line


def test_a_network_with_other_heads():
    fastest = find_architecture("yolo_fastestv2_custom")
    config = TrainConfig(assigner="neighbours", data_shape=(352, 352), random_shape=False)
    said = (
        "--assigner neighbours: is for YOLOv3's heads; yolo_fastestv2_custom has its own, size_ratio: "
        "leave it out"
    )
    with refused(said):
        build_network(fastest, config, ("cat",), [mx.cpu()])
    for word in ("auto", "better"):
        assert assigned(fastest.spec, word, "") == fastest.spec


def test_a_cfg_keeps_its_range(tmp_path):
    """The cfg of the model's folder has scale_x_y, by which darknet and everything else decodes."""
    (tmp_path / "small.cfg").write_text(small.SMALL)
    architecture = find_architecture(str(tmp_path / "small.cfg"))
    config = TrainConfig(assigner="neighbours", data_shape=(64, 64), random_shape=False)
    names = [f"class {number}" for number in range(architecture.spec.num_classes)]
    net = build_network(architecture, config, names, [mx.cpu()])
    assert (net.spec.assigner, set(net.spec.xy_scales)) == ("neighbours", {2.0})
    net.keep(tmp_path)
    assert set(find_architecture("small", tmp_path).spec.xy_scales) == {2.0}


@pytest.mark.parametrize("assigner", [name for name in YOLO3_ASSIGNERS if name != "best_shape"])
def test_a_run_its_record_and_its_export(data, tmp_path, assigner):
    status, run = start_run(data, tmp_path, "--epochs", "1", "--assigner", assigner)
    assert status == 0 and json.loads((run / "args.json").read_text())["assigner"] == assigner
    record = ModelRecord.read(run / "model.json")
    ranges = (2.0,) * 3 if assigner != "overlap" else (1.0,) * 3
    assert (record.spec.assigner, record.spec.xy_scales) == (assigner, ranges)
    net = from_record(record, run, run / "weights" / "best.params")
    assert net.spec.xy_scales == ranges
    out = tmp_path / "model"
    assert main(["export", str(run), "--format", "symbol,onnx,ncnn", "--out", str(out)]) == 0
    assert ModelRecord.read(find_model_record(out)).spec.xy_scales == ranges
    assert f"assigner: {assigner}" in (run / "log.txt").read_text()


@pytest.mark.slow
def test_a_run_with_an_spp(data, tmp_path):
    """The run keeps the network's name, by which it is resumed, opened and exported."""
    status, _ = start_run(data, tmp_path, "--epochs", "1", "--spp")
    run = tmp_path / "yolo3_mobilenet0.25_spp_custom-1"
    record = ModelRecord.read(run / "model.json")
    assert status == 0 and record.network == "yolo3_mobilenet0.25_spp_custom"
    names = mx.nd.load(str(run / "weights" / "best.params"))
    assert "neck.blocks.0.spp.narrow.0.weight" in names
    assert main(["export", str(run), "--format", "symbol,onnx,ncnn", "--out", str(tmp_path / "model")]) == 0


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ("fastestv2", "--spp: is for YOLOv3's neck; yolo_fastestv2_custom has another one: leave it out"),
        ("CFG", "--spp: small is described by a cfg: write the layers into that"),
    ],
)
def test_an_spp_elsewhere(tmp_path, network, said):
    (tmp_path / "small.cfg").write_text(small.SMALL)
    with refused(said):
        architecture_of(network.replace("CFG", str(tmp_path / "small.cfg")), None, ("cat",), spp=True)


def test_the_usual_assigner_by_name_changes_nothing(data, tmp_path):
    _, usual = start_run(data, tmp_path / "usual", "--epochs", "1")
    _, named = start_run(data, tmp_path / "named", "--epochs", "1", "--assigner", "best_shape")
    assert_equal_runs(usual, named)


@pytest.mark.slow
def test_a_resumed_run_has_its_assigner(data, tmp_path, send_at):
    flags = ("--epochs", "2", "--mixup", "--no-mixup-epochs", "1", "--assigner", YOLO3_ASSIGNERS[-1])
    _, whole = start_run(data, tmp_path / "whole", *flags)
    send_at(signal.SIGTERM, "epoch 1 batch 1/3")
    status, other = start_run(data, tmp_path / "other", *flags)
    assert status == 143
    assert main(["train", "--resume", str(other)]) == 0
    assert_equal_runs(whole, other)
