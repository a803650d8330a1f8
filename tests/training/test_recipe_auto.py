"""The recipe ``auto``: what it chooses for data of each kind, what it says, and that given flags win."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.detections import Detections
from gluon_yolo.training.recipe_auto import choose
from gluon_yolo.training.recipes import RECIPES
from gluon_yolo.training.run_dir import RunFolder
from tests.small_training import draw_data


class Boxes:
    """Images of some sizes in turn, each with one square object of some side in pixels, in turn."""

    class_names = ("a", "b")

    def __init__(self, images: int, sizes_hw: list[tuple[int, int]], sides: list[float]) -> None:
        self.images, self.sizes_hw, self.sides = images, sizes_hw, sides
        self.report = DatasetReport("boxes")

    def __len__(self) -> int:
        return self.images

    def size_hw(self, index: int) -> tuple[int, int]:
        return self.sizes_hw[index % len(self.sizes_hw)]

    def annotations(self, index: int) -> Detections:
        if not self.sides:
            return Detections(np.zeros((0, 4)), np.zeros(0, dtype=int))
        side = self.sides[index % len(self.sides)]
        return Detections(np.array([[0.0, 0.0, side, side]]), np.zeros(1, dtype=int))


VGA = [(480, 640)]


@pytest.mark.parametrize(
    "images, epochs",
    [(1, 100), (48, 100), (60, 80), (100, 48), (159, 31), (160, 30), (292, 30), (4999, 30), (20000, 30)],
)
def test_epochs(images, epochs):
    assert choose(Boxes(images, VGA, [200])).settings["epochs"] == epochs


@pytest.mark.parametrize(
    "sizes_hw, sides, shape",
    [
        (VGA, [200], "320"),
        (VGA, [21, *[200] * 9], "320"),  # the tenth part at 32 / 33 of the way from 21 to 200
        # Objects of s pixels have s * S / sqrt(480 * 640) = s * S / 554.3 at an input of S.
        (VGA, [20.8], "320"),
        (VGA, [20.7], "416"),
        (VGA, [15.9], "512"),
        (VGA, [13.1], "512"),
        (VGA, [12.9], "608"),
        (VGA, [4.0], "608"),
        (VGA, [], "320"),
        ([(96, 96)], [40], "224"),  # twice their size, but 224 at least
        ([(128, 128)], [40], "256"),
        ([(720, 1280)], [300], "256x416"),  # 240 x 427 in multiples of 32
        ([(1280, 720)], [300], "416x256"),
        ([(720, 1280), (480, 640)], [300], "320"),  # of several proportions
        ([(400, 620)], [200], "320"),  # 1.55
    ],
)
def test_shape(sizes_hw, sides, shape):
    assert choose(Boxes(200, sizes_hw, sides)).settings["data_shape"] == shape


def test_few_images_have_the_measured_values():
    few = choose(Boxes(200, VGA, [200]))
    assert few.settings == RECIPES["small-data"].settings
    assert "data_shape" not in choose(Boxes(200, VGA, [200]), own_size=True).settings
    assert choose(Boxes(200, VGA, [200]), devices=3).settings["batch_size"] == 6


def test_many_images():
    many = choose(Boxes(5000, VGA, [200])).settings
    assert (many["batch_size"], many["augment"], many["lr"]) == (16, "yolo3", 0.001)
    assert many["assigner"] == "auto"
    assert choose(Boxes(4999, VGA, [200])).settings["augment"] == "light"


def test_what_is_said():
    lines = [str(line) for line in choose(Boxes(60, VGA, [12.0])).lines({"lr": 0.1, "batch_size": 8})]
    assert lines == [
        "recipe auto, for 60 pictures with 60 objects of 2 classes; flags that are given count more:",
        "  epochs 80: so that about 4,800 pictures are seen",
        "  data_shape 608: small objects have 13 pixels there",
        "  augment light: gentle, as the pictures are few. Of a microscope or from above, where no side is "
        "up: augment overhead",
        "  anchors better: found on these boxes where that gains enough",
        "  assigner better: each object teaches several anchors, where the network's heads are YOLOv3's",
        "  no_random_shape lr_mode cosine warmup_epochs 2 no_wd: as measured for small sets",
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return draw_data(tmp_path_factory.mktemp("data"))


def test_from_the_command_line(data, tmp_path, capsys):
    """Twelve images of 96 x 96 pixels; what is given counts more, and a resumed run keeps all of it."""
    from gluon_yolo.cli import main

    flags = ["--gpus", "", "--pretrained-base", "no", "--epochs", "1", "--batch-size", "6"]
    command = ["train", "--data", str(data), "--network", "mobilenet0_25", "--recipe", "auto", *flags]
    assert main([*command, "--save-prefix", f"{tmp_path}/"]) == 0
    (run,) = tmp_path.glob("*-1")
    args = RunFolder.open(run).args()
    kept = {name: args[name] for name in ("epochs", "batch_size", "data_shape", "augment", "lr", "recipe")}
    assert kept == {
        "epochs": 1,
        "batch_size": 6,
        "data_shape": "224",
        "augment": "light",
        "lr": 0.0015,
        "recipe": "auto",
    }
    log = (run / "log.txt").read_text()
    assert "--recipe auto, for 12 pictures with 53 objects of 4 classes" in log
    assert "  --data-shape 224: " in log and "  --epochs " not in log and "  --batch-size " not in log
    capsys.readouterr()
    assert main(["train", "--resume", str(run)]) == 0
    assert " --recipe auto " in capsys.readouterr().out
