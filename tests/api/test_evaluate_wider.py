"""``eval`` and ``gluon_yolo.evaluate`` on WIDER FACE: Easy, Medium, Hard, limits for crowds, predictions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import gluon_yolo
from gluon_yolo.api.evaluation_model import for_dense_images
from gluon_yolo.cli import main
from gluon_yolo.data.registry import open_source
from gluon_yolo.errors import SettingError
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.spec import DetectionSpec
from tests.evaluation.wider.official_files import write_official

pytest.importorskip("scipy", reason="package scipy is not installed")
SPEC = DetectionSpec(("face",), anchors=(((10, 10),),), strides=(32,))
FACES = {  # x y width height of a bright square, by image; its letters in the official files
    "0--Parade/0_Parade_1": ((20, 20, 36, 36), "h"),
    "4--Dancing/4_Dancing_2": ((50, 10, 60, 60), "emh"),
    "4--Dancing/4_Dancing_3": ((40, 40, 40, 40), ""),
}
ABSENT = "9--Press/9_Press_4"  # in the official files only


def squares(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Detect the bounds of the bright pixels; and, with a better score, what is in the lower left corner."""
    boxes = np.tile(np.array([[0, 80, 12, 92]], np.float32), (len(pixels), 2, 1))
    for i, image in enumerate(pixels):
        rows, columns = np.nonzero(image[:, :, 0] > 150)
        boxes[i, 0] = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    return boxes, np.tile(np.array([[[0.5], [0.9]]], np.float32), (len(pixels), 1, 1))


def both(pixels: np.ndarray) -> list[np.ndarray]:
    """Return the boxes of :func:`squares` as faces and hats."""
    boxes, scores = squares(pixels)
    return [boxes, np.repeat(scores, 2, axis=2)]


def crowd(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Detect 300 boxes that do not overlap, in each image."""
    corner = np.stack(np.meshgrid(np.arange(20) * 6, np.arange(15) * 6), -1).reshape(1, -1, 2)
    boxes = np.concatenate([corner, corner + 4], axis=2).astype(np.float32)
    scores = np.linspace(0.9, 0.1, 300, dtype=np.float32)[None, :, None]
    return np.tile(boxes, (len(pixels), 1, 1)), np.tile(scores, (len(pixels), 1, 1))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a folder in WIDER FACE's form, with the official files in ``truth``."""
    folder, lines = tmp_path / "wider", []
    for name, (box, _) in FACES.items():
        x, y, width, height = box
        image = np.full((100, 130, 3), 40, dtype=np.uint8)
        image[y : y + height, x : x + width] = 250
        file = folder / "WIDER_val" / "images" / f"{name}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(file), image)
        lines += [f"{name}.jpg", "1", " ".join(map(str, (*box, 0, 0, 0, 0, 0, 0))) + " "]
    (folder / "wider_face_split").mkdir()
    text = "\n".join(lines) + "\n"
    (folder / "wider_face_split" / "wider_face_val_bbx_gt.txt").write_text(text)
    events: dict[str, Any] = {}
    for name, face in {**FACES, ABSENT: ((1, 1, 5, 5), "emh")}.items():
        event, _, stem = name.partition("/")
        events.setdefault(event, {})[stem] = [face]
    write_official(tmp_path / "truth", events)
    return folder


def seeing(network: Any = squares, **options: Any) -> Predictor:
    return Predictor(network, SPEC, (96, 128), name="squares", runtime="toy", **options)


def evaluated(data: Path, predictor: Predictor | None = None, **options: Any) -> Any:
    return gluon_yolo.evaluate(predictor or seeing(), data, progress=False, **options)


def test_the_official_sets(data: Path) -> None:
    """The wrong boxes come first: three, before one face of Easy and Medium, and before two of Hard.

    The third face is in no set, so that its prediction counts neither way.
    """
    found = evaluated(data, wider_ground_truth=data.parent / "truth")
    numbers = found.numbers
    assert [numbers[name] for name in ("Easy", "Medium", "Hard")] == pytest.approx([1 / 4, 1 / 4, 2 / 5])
    assert numbers["wider"] == {
        "approximate": False,
        "pictures": 3,
        "of": 4,
        "faces": {"Easy": 1, "Medium": 1, "Hard": 2},
        "AP50": pytest.approx(1 / 2),
    }
    shown = "Easy 0.2500  Medium 0.2500  Hard 0.4000  AP50 of every face 0.5000"
    assert f"WIDER FACE: {shown}, in 3 of the 4 pictures" in str(found).splitlines()
    assert json.loads(found.to_json())["Hard"] == pytest.approx(0.4)


def test_approximate_sets(data: Path) -> None:
    """By the annotations' heights: 60 is in Easy; 36, 40 and 60 are in the others."""
    found = evaluated(data)
    assert [found[name] for name in ("Easy", "Medium", "Hard")] == pytest.approx([1 / 4, 1 / 2, 1 / 2])
    assert found["wider"]["approximate"] and found["wider"]["faces"] == {"Easy": 1, "Medium": 3, "Hard": 3}
    line = next(line for line in str(found).splitlines() if line.startswith("WIDER FACE, approximate, "))
    assert "faces higher than 50, 30, 10 pixels: Easy 0.2500" in line
    assert line.endswith("(the validation set has 3,226); wider_ground_truth DIR takes the official sets")


def test_the_command(data: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """It prints the line with the numbers and writes them, and the predictions."""
    monkeypatch.setattr("gluon_yolo.cli.eval.open_predictor", lambda args: seeing(score_threshold=0.01))
    out, truth = data.parent / "out", str(data.parent / "truth")
    words = ["eval", "--model", "m", "--data", str(data), "--wider-ground-truth", truth]
    words += ["--json", str(out / "s.json"), "--save-predictions", str(out / "predictions")]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "WIDER FACE: Easy 0.2500  Medium 0.2500  Hard 0.4000" in printed
    assert f"the predictions are in {out / 'predictions'}" in printed
    numbers = json.loads((out / "s.json").read_text())
    assert numbers["Easy"] == pytest.approx(0.25) and numbers["wider"]["pictures"] == 3
    assert (numbers["max_detections"], numbers["max_candidates"]) == (1000, 8000)
    files = sorted(path.relative_to(out / "predictions") for path in (out / "predictions").glob("*/*"))
    assert [str(path) for path in files] == [f"{name}.txt" for name in FACES]
    name, count, *rows = (out / "predictions" / "4--Dancing" / "4_Dancing_2.txt").read_text().splitlines()
    assert (name, count) == ("4_Dancing_2", "2") and len(rows) == 2
    wrong, face = ([float(word) for word in row.split(" ")] for row in rows)
    assert np.float32(wrong[4]) == np.float32(0.9) and face[4] == 0.5
    assert wrong[:4] == pytest.approx([0, 83.3, 12.2, 12.5], abs=0.1)
    assert face[:4] == pytest.approx([50, 10, 60, 60], abs=2)


def test_other_data_with_the_official_files(data: Path) -> None:
    """Images are found by their files' names, whatever folder and format they are in."""
    converted = data.parent / "voc"
    assert main(["data", "convert", str(data), str(converted), "--to", "voc"]) == 0
    found = evaluated(converted, wider_ground_truth=data.parent / "truth", save_predictions=data / "p")
    assert found["Hard"] == pytest.approx(2 / 5) and found["wider"]["pictures"] == 3
    assert (data / "p" / "0--Parade" / "0_Parade_1.txt").is_file()
    assert "wider" not in evaluated(converted).numbers
    with pytest.raises(SettingError, match="save_predictions: goes with WIDER FACE's data"):
        evaluated(converted, save_predictions=data / "p")


def test_in_the_report(data: Path) -> None:
    pytest.importorskip("bokeh", reason="package bokeh is not installed")
    page = evaluated(data).report(data.parent / "report.html").read_text()
    assert "WIDER FACE Easy, approximate" in page and "WIDER FACE Hard" in page
    page = evaluated(data, wider_ground_truth=data.parent / "truth").report(data.parent / "report.html")
    assert "WIDER FACE Easy" in page.read_text() and "approximate" not in page.read_text()


def test_several_classes(data: Path) -> None:
    predictor = Predictor(both, DetectionSpec(("face", "hat"), SPEC.anchors, SPEC.strides), (96, 128))
    dataset = open_source(data).open("val", ("face", "hat"))
    expected = r"has 2 classes \(face, hat\), and Easy, Medium and Hard are of one; name .* with only$"
    with pytest.raises(SettingError, match=expected):
        evaluated(dataset, predictor, wider_ground_truth=data.parent / "truth")


def test_none_of_the_images(data: Path) -> None:
    truth = write_official(data.parent / "other", {"9--Press": {"9_Press_4": [((1, 1, 5, 5), "emh")]}})
    expected = "wider_ground_truth .*other: has none of the 3 pictures of wider val, such as .*0_Parade_1.jpg"
    with pytest.raises(SettingError, match=expected):
        evaluated(data, wider_ground_truth=truth)


@pytest.mark.parametrize(
    ("options", "given", "expected"),
    [
        ({}, (None, None), (1000, 8000)),
        ({"max_detections": 2000}, (None, None), (2000, 16000)),
        ({"max_candidates": 9000}, (None, None), (1000, 9000)),
        ({}, (300, None), (300, 5000)),
        ({}, (None, 700), (1000, 700)),
        ({}, (20, 30), (20, 30)),
    ],
)
def test_limits(
    options: dict[str, int], given: tuple[int | None, int | None], expected: tuple[int, int]
) -> None:
    predictor = for_dense_images(seeing(**options), *given)
    assert (predictor.max_detections, predictor.max_candidates) == expected


def test_limits_in_an_evaluation(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    """They are lifted unless they are given; a graph's own limit is told, and named where it cuts off."""
    assert len(evaluated(data, seeing(crowd)).details.detections[0]) == 300
    limited = evaluated(data, seeing(crowd), max_detections=120)
    assert "in 3 pictures max_detections 120 or max_candidates 5000 cut off detections" in str(limited)

    def cut(pixels: np.ndarray) -> list[np.ndarray]:
        return [array[:, :90] for array in crowd(pixels)]

    own = evaluated(data, seeing(cut, network_limit=90))
    assert "squares: toy reads a graph that ends with its own suppression, which lets 90" in caplog.text
    assert "in 3 pictures the model's own suppression, after 90 boxes, cut off detections, which" in str(own)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "expected", "ap50"),
    [
        ("yoloface-500k", (0.7947, 0.7730, 0.5404), 0.4423),
        ("yoloface-500k-v2", (0.8251, 0.8008, 0.5674), 0.4651),
    ],
)
def test_reference(
    shared_data: Path, tmp_path: Path, name: str, expected: tuple[float, ...], ap50: float
) -> None:
    """The public evaluator's numbers of darknet's own boxes, on the 265 images of the shared data."""
    cfg, weights = (shared_data / "darknet" / name / f"{name}.{kind}" for kind in ("cfg", "weights"))
    (tmp_path / "face.names").write_text("face\n")
    model = gluon_yolo.import_darknet(cfg, weights, names=tmp_path / "face.names", out=tmp_path / "model")
    faces = shared_data / "widerface"
    found = gluon_yolo.evaluate(
        model.folder, faces, fit="darknet", wider_ground_truth=faces / "ground_truth", progress=False
    )
    assert [found[name] for name in ("Easy", "Medium", "Hard")] == pytest.approx(expected, abs=5e-4)
    assert found["wider"]["AP50"] == pytest.approx(ap50, abs=5e-4)
    assert found["wider"]["pictures"] == 265 and found["wider"]["of"] == 3226
