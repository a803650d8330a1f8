"""Where a run's weights begin: a file of another program, a place that has them, or the record of the run."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from gluon_yolo.cli import main
from gluon_yolo.errors import UserError
from gluon_yolo.models import zoo
from gluon_yolo.models.build import find_architecture
from gluon_yolo.mxnet_compat import mx
from gluon_yolo.spec import BackboneForm, DetectionSpec
from gluon_yolo.training import session, start
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.run_dir import RunFolder
from gluon_yolo.training.setup import build_network, load_starting_weights
from gluon_yolo.training.start import Start, find_again, find_start
from gluon_yolo.weights import dead_hosts, published
from gluon_yolo.weights.imagenet import SOURCES, parameter_names
from tests.small_training import NAME, SMALL, draw_data, parameters, start_run
from tests.weights.classifier_arrays import made_up, write_safetensors

HALF = (0.5, 0.5, 0.5)
TIMM = BackboneForm("relu6", mean=HALF, std=HALF)
(TIMM_V1,) = (source for source in SOURCES if source.name == "timm's MobileNetV1")


@pytest.fixture(scope="module")
def timm_file(tmp_path_factory):
    """Weights of timm's MobileNetV1 with a quarter of the width, which timm does not have."""
    net = zoo.build(NAME, ["object"])
    layers = [name for name in net.layer_names if name.startswith("backbone.")]
    places = net._collect_params_with_prefix()
    shapes = {theirs: places[ours].shape for theirs, ours in parameter_names(TIMM_V1, layers).items()}
    path = tmp_path_factory.mktemp("timm") / "model.safetensors"
    return write_safetensors(path, made_up(shapes))


def settings(**values):
    return TrainConfig(NAME, **values)


def test_a_file_of_timm_decides_the_form(timm_file):
    assert find_start(NAME, settings(pretrained_base=str(timm_file))) == Start(timm_file, TIMM)
    assert find_start(NAME, settings(pretrained_base="no")) == Start()
    # of another network: its reader explains that
    assert (
        find_start("yolo_fastestv2_custom", settings(pretrained_base=str(timm_file))).form == BackboneForm()
    )


@pytest.fixture(scope="module")
def run(timm_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    status, path = start_run(draw_data(folder), folder, "--epochs", "2", "--pretrained-base", str(timm_file))
    assert status == 0
    return path


def test_a_training_keeps_the_form_in_record_and_log(run, timm_file):
    record = DetectionSpec.from_dict(json.loads((run / "model.json").read_text("utf-8"))["spec"])
    assert record.backbone == TIMM
    said = f"backbone: {timm_file}: 135 parameters taken"
    assert said in (log := (run / "log.txt").read_text("utf-8"))
    assert "; built with relu6, mean 0.5 0.5 0.5, std 0.5 0.5 0.5, as these weights need" in log


def test_a_run_is_resumed_in_its_form_without_the_file(run, timm_file, tmp_path, monkeypatch):
    """The record is enough: the file is not read again."""
    other = shutil.copytree(run, tmp_path / run.name)
    args = json.loads((other / "args.json").read_text("utf-8"))
    (other / "args.json").write_text(json.dumps({**args, "epochs": 3}), "utf-8")
    monkeypatch.setattr("gluon_yolo.training.session.find_start", None)
    assert main(["train", "--resume", str(other)]) == 0
    record = json.loads((other / "model.json").read_text("utf-8"))
    assert record["spec"]["backbone"]["activation"] == "relu6"
    before, after = parameters(run), parameters(other)
    assert any(not np.array_equal(before[name], after[name]) for name in before)


def test_a_fine_tuning_takes_over_the_form(run):
    found = find_start(NAME, settings(weights=str(run)))
    assert found.form == TIMM and found.path == run / "weights" / "best.params"
    net = build_network(find_architecture(NAME), settings(weights=str(run)), ["object"], [mx.cpu()])
    assert net.spec.backbone == TIMM
    assert load_starting_weights(net, settings(weights=str(run))).line.startswith("weights: ")
    own = zoo.build(NAME, ["object"])
    own.initialize_weights()
    with pytest.raises(
        UserError, match="its backbone is relu6, .*, and the network is built with the one of"
    ):
        load_starting_weights(own, settings(weights=str(run)))


def test_exports_compute_in_the_form(run, tmp_path):
    assert main(["export", str(run), "--format", "symbol,onnx", "--out", str(tmp_path / "model")]) == 0
    (record,) = (tmp_path / "model").glob("*[!l].json")
    assert json.loads(record.read_text("utf-8"))["spec"]["backbone"] == {
        "activation": "relu6",
        "mean": list(HALF),
        "std": list(HALF),
        "divisor": 0,
    }


AUTO, FAMILY = "yolo3_mobilenet1.0_custom", "yolo3_mobilenet1.0"


@pytest.fixture
def places(monkeypatch, tmp_path):
    """No weights on this machine; ``find_for`` answers as the test wants."""
    monkeypatch.setenv("MXNET_HOME", str(tmp_path / "mxnet"))

    def put(answer):
        asked = []

        def find_for(family, ask_dead=False):
            asked.append((family, ask_dead))
            return answer

        monkeypatch.setattr(published, "find_for", find_for)
        return asked

    return put


def test_auto_and_yes_ask_the_places(places, timm_file):
    asked = places((timm_file, ()))
    for word in ("auto", "yes"):
        assert find_start(AUTO, TrainConfig(AUTO, pretrained_base=word)) == Start(timm_file, TIMM)
    assert asked == [(FAMILY, False), (FAMILY, True)]


def test_a_run_that_begins_again_keeps_the_form_of_its_record(places, timm_file):
    places((timm_file, ()))
    config = TrainConfig(AUTO)
    assert find_again(AUTO, config, TIMM) == Start(timm_file, TIMM)
    found = find_again(AUTO, config, BackboneForm())
    assert found.path is None and found.form == BackboneForm()
    assert found.reasons == (f"{timm_file}: not of the backbone with which the run began",)
    places((None, ("no answer",)))
    assert find_again(AUTO, config, TIMM) == Start(None, TIMM, ("no answer",))


def test_of_several_processes_only_the_first_looks_for_weights(run, places):
    """It sends them to the others, which need their form alone."""
    asked = places((None, ()))
    plan = SimpleNamespace(
        architecture=SimpleNamespace(name=AUTO),
        resumed=RunFolder(run),
        goes_on=False,
        processes=SimpleNamespace(is_first=False),
    )
    assert session._start(plan, TrainConfig(AUTO, pretrained_base="yes")) == Start(form=TIMM) and not asked


def test_weights_in_gluoncvs_store_come_first(places, tmp_path):
    asked = places((None, ()))
    (tmp_path / "mxnet" / "models").mkdir(parents=True)
    (tmp_path / "mxnet" / "models" / "mobilenet1.0-efbb2ca3.params").write_bytes(b"")
    assert find_start(AUTO, TrainConfig(AUTO)) == Start() and not asked


def test_a_network_with_spp_has_the_same_backbone(places, timm_file):
    asked = places((timm_file, ()))
    name = "yolo3_mobilenet1.0_spp_custom"
    assert find_start(name, TrainConfig(name)) == Start(timm_file, TIMM) and asked == [(FAMILY, False)]


def test_yes_forgets_dead_hosts(places, monkeypatch, tmp_path):
    monkeypatch.setenv("GLUON_YOLO_CACHE", str(tmp_path))
    places((None, ("nobody answers",)))
    dead_hosts.remember("host")
    find_start(AUTO, TrainConfig(AUTO))
    assert dead_hosts.is_dead("host")
    find_start(AUTO, TrainConfig(AUTO, pretrained_base="yes"))
    assert not dead_hosts.is_dead("host")


def test_one_line_says_why_nothing_was_taken(places, monkeypatch):
    def absent(net, backbone_only=False):
        raise UserError("the store is silent")

    monkeypatch.setattr("gluon_yolo.training.setup.load_pretrained", absent)
    places((None, ("one does not answer", "two has it not")))
    net = build_network(find_architecture(NAME), settings(), ["object"], [mx.cpu()])
    why = "one does not answer; two has it not; the store is silent"
    found = load_starting_weights(net, settings())
    assert found.line == f"weights: random, which takes more epochs: {why}"
    with pytest.raises(UserError, match=why):
        load_starting_weights(net, settings(pretrained_base="yes"))


def test_words_that_name_weights_elsewhere_reach_the_download(monkeypatch, timm_file, tmp_path):
    asked = []
    monkeypatch.setattr(start, "fetch_remote", lambda text: asked.append(text) or timm_file)
    flags = ["--epochs", "1", "--pretrained-base", "timm/mobilenetv1_025"]
    status, path = start_run(draw_data(tmp_path), tmp_path, *flags)
    assert status == 0 and asked == ["hf:timm/mobilenetv1_025"]
    assert json.loads((path / "args.json").read_text("utf-8"))["pretrained_base"] == asked[0]


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (
            "none.safetensors",
            "error: --pretrained-base none.safetensors: expected auto, yes, no, or a file, and there",
        ),
        (
            "https://127.0.0.1:9/w.pth",
            "error: --pretrained-base https://127.0.0.1:9/w.pth: a URL needs the checksum",
        ),
        (
            "https://127.0.0.1:9/w-01234567.pth",
            "GLUON_YOLO_OFFLINE is set; get the file another way and name it, or start without: --pre",
        ),
    ],
)
def test_mistakes_in_one_line(base, message, tmp_path, capsys):
    words = ["train", "--data-root", str(draw_data(tmp_path)), "--save-prefix", f"{tmp_path}/", *SMALL]
    assert main([*words, "--pretrained-base", base]) == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
