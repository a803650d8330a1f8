"""``--batch-size auto``: the largest batch that fits, by an estimate on a CPU, by two steps on a GPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.cli import main
from gluon_yolo.errors import SettingError
from gluon_yolo.system.memory import GB, MACHINE, Memory
from gluon_yolo.training import memory_fit
from gluon_yolo.training.batch_auto import within, within_gpus
from gluon_yolo.training.config import TrainConfig
from gluon_yolo.training.config_forms import AUTO_BATCH, plain_settings
from gluon_yolo.training.engine_choice import TorchDevice
from gluon_yolo.training.memory_check import Wanted
from gluon_yolo.training.memory_estimate import Footprint
from gluon_yolo.training.run_dir import RunFolder
from tests.random_model import random_detector
from tests.small_training import draw_data, start_run


def wanted(devices: int = 1) -> Wanted:
    return Wanted(AUTO_BATCH, [(64, 96)], (64, 96), 32, devices)


@pytest.mark.parametrize(
    "free_gb, devices, images, batch",
    [
        # The estimate is 1 GB and 0.1 GB an image, and 1.15 of it is to be free.
        (1.15 * 3.05, 1, 1000, 20),
        (1.15 * 3.05, 3, 1000, 18),
        (1.15 * 3.05, 1, 20, 20),
        (1.15 * 3.05, 1, 7, 7),
        (1.15 * 3.05, 4, 7, 4),
        (1.15 * 3.05, 4, 3, 4),  # the images are repeated
        (1.15 * 1.15, 1, 1000, 1),
        (0.5, 1, 1000, 1),  # not even one fits: the check that comes next says so
        (0.5, 3, 1000, 3),
    ],
)
def test_on_a_cpu(free_gb, devices, images, batch):
    there = Memory(int(free_gb * GB), 0, MACHINE)
    found, line = within(wanted(devices), Footprint(1e9, 1e8), there, images)
    assert found == batch
    assert str(line).startswith(f"batch_size auto: {batch}, ") and " at 64x96; there is " in str(line)


def test_unknown_memory_is_an_error():
    with pytest.raises(SettingError, match="batch_size auto: this system does not say .*: give memory GB"):
        within(wanted(), Footprint(1e9, 1e8), None, 9)


@pytest.mark.parametrize(
    "free, devices, images, batch",
    [
        # 2 images take 400 MB, 4 take 600: 200 and 100 for each. 0.85 of 10 GB are 8.5.
        (10e9, 1, 1000, 83),
        (10e9, 2, 1000, 166),
        (10e9, 2, 101, 100),
        (0.1e9, 2, 1000, 2),
    ],
)
def test_on_gpus(free, devices, images, batch):
    asked = []
    peak = lambda images: asked.append(images) or 200e6 + 100e6 * images  # noqa: E731
    found, line = within_gpus(wanted(devices), peak, free, images)
    assert (found, asked) == (batch, [2, 4])
    assert "steps of 2 and 4 pictures took 0.40 and 0.60 GB" in str(line)


def test_forms():
    assert TrainConfig(batch_size="auto").batch_size == TrainConfig(batch_size=-1).batch_size == AUTO_BATCH
    assert TrainConfig.from_plain({"batch_size": "auto"}).batch_size == AUTO_BATCH
    assert plain_settings({"batch_size": AUTO_BATCH}) == {"batch_size": "auto"}
    assert plain_settings({"batch_size": 8}) == {"batch_size": 8}


@pytest.mark.parametrize("written", ["auto", "-1"])
def test_in_a_file(tmp_path, written):
    (tmp_path / "c.yaml").write_text(f"batch_size: {written}\n")
    config = TrainConfig.load(tmp_path / "c.yaml")
    assert config.batch_size == AUTO_BATCH and config.given == {"batch_size"}
    config.save(tmp_path / "again.yaml")
    assert TrainConfig.load(tmp_path / "again.yaml").batch_size == AUTO_BATCH


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return draw_data(tmp_path_factory.mktemp("data"))


def test_from_the_command_line(data, tmp_path, capsys):
    """All twelve images fit; the run keeps the number."""
    status, run = start_run(data, tmp_path, *"--epochs 1 --batch-size auto".split())
    assert status == 0 and RunFolder.open(run).args()["batch_size"] == 12
    said = "--batch-size auto: 12, as many as there are training pictures, which fit at 64x64; there is "
    assert said in capsys.readouterr().err
    assert TrainConfig.load(run / "config.yaml").batch_size == 12


def test_less_memory_and_two_devices(data, tmp_path, capsys):
    """The same numbers as the error of a batch that does not fit advises."""
    flags = ["--epochs", "1", "--cpu-devices", "2", "--memory", "0.3", "--data-shape", "128"]
    status, run = start_run(data, tmp_path / "a", *flags, "--batch-size", "4000")
    assert status == 2
    advised = int(capsys.readouterr().err.split("What fits: --batch-size ")[1].split(".")[0])
    status, run = start_run(data, tmp_path / "b", *flags, "--batch-size", "auto")
    assert status == 0 and RunFolder.open(run).args()["batch_size"] == advised < 12


@pytest.mark.parametrize("word", ["some", "2.5"])
def test_other_words_are_errors(capsys, word):
    assert main(["train", "--batch-size", word]) == 2
    assert f"expected a number or auto, got '{word}'" in capsys.readouterr().err


def test_mxnet_on_a_gpu_needs_a_number():
    gpu, config = TorchDevice("gpu", 0), TrainConfig(batch_size=AUTO_BATCH, engine="mxnet")
    with pytest.raises(SettingError, match="batch_size auto: on a GPU this needs engine torch; give a n"):
        memory_fit.fitted(config, None, [gpu], [[], []], {})


@pytest.mark.parametrize("more", [{}, {"ema": True, "optimizer": "adamw", "compile": True}])
def test_a_measured_step_leaves_the_network_as_it_is(more):
    pytest.importorskip("torch", reason="the steps are torch's")
    from gluon_yolo.training.torch_engine.memory import train_one

    net = random_detector()
    before = {name: each.data().asnumpy() for name, each in net.collect_params().items()}
    config = TrainConfig(data_shape=(64, 96), random_shape=False, engine="torch", **more)
    train_one(net, config, "cpu", 3, 5)
    for name, each in net.collect_params().items():
        np.testing.assert_array_equal(each.data().asnumpy(), before[name], err_msg=name)
