"""``eval``: from arguments to tables, with a network that detects bright squares."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from gluon_yolo.cli import eval as command
from gluon_yolo.cli import main
from gluon_yolo.data.images.read import read_image
from gluon_yolo.drawing.write import write_image
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.spec import DetectionSpec

pytest.importorskip("pycocotools")

MODEL_NAMES = ("circle", "square", "star")
SPEC = DetectionSpec(MODEL_NAMES, anchors=(((10, 10),),), strides=(32,))
SQUARES = {"a": (10, 20, 50, 60), "b": (40, 8, 110, 78), "c": (5, 5, 95, 95)}


def bright_squares(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Detect the bounds of the bright pixels as a square, and a star, a class that the data does not have."""
    boxes, scores = np.zeros((len(pixels), 2, 4), np.float32), np.zeros((len(pixels), 2, 3), np.float32)
    for i, image in enumerate(pixels):
        rows, columns = np.nonzero(image[:, :, 0] > 150)
        boxes[i] = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        scores[i, 0, 1], scores[i, 1, 2] = 0.9, 0.95
    return boxes, scores


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return three images with a bright square each, in VOC's and COCO's layout, for the predictor."""
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "ImageSets" / "Main" / "val.txt").write_text("".join(f"{stem}\n" for stem in SQUARES))
    content: dict = {"images": [], "annotations": [], "categories": [{"id": 3, "name": "square"}]}
    for number, (stem, (x1, y1, x2, y2)) in enumerate(SQUARES.items(), 1):
        image = np.full((100, 120, 3), 40, dtype=np.uint8)
        image[y1:y2, x1:x2] = 250
        write_image(tmp_path / "JPEGImages" / f"{stem}.png", image)
        (tmp_path / "Annotations" / f"{stem}.xml").write_text(
            f"<annotation><filename>{stem}.png</filename><size><width>120</width><height>100</height></size>"
            f"<object><name>square</name><bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin><xmax>{x2}</xmax>"
            f"<ymax>{y2}</ymax></bndbox></object></annotation>"
        )
        content["images"].append({"id": number, "file_name": f"{stem}.png", "width": 120, "height": 100})
        box = {"id": number, "image_id": number, "category_id": 3, "bbox": [x1, y1, x2 - x1, y2 - y1]}
        content["annotations"].append(box)
    (tmp_path / "instances.json").write_text(json.dumps(content))

    def seeing(args: object) -> Predictor:
        return Predictor(bright_squares, SPEC, (96, 128), score_threshold=0.01)

    monkeypatch.setattr(command, "open_predictor", seeing)
    return tmp_path


def grey(image: np.ndarray) -> np.ndarray:
    return image[:, :, 0]


def see_through(image: np.ndarray) -> np.ndarray:
    return np.dstack([image, image[:, :, :1]])


def wide(image: np.ndarray) -> np.ndarray:
    return image.astype(np.uint16) * 257


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("kind", [grey, see_through, wide])
def test_images_of_any_kind_have_the_same_scores(data: Path, kind: Any, suffix: str) -> None:
    words = ["--model", "m", "--data-root", str(data), "--json"]
    assert main(["eval", *words, str(data / "plain.json")]) == 0
    for path in list((data / "JPEGImages").iterdir()):
        image = kind(read_image(path))
        path.unlink()
        assert cv2.imwrite(str(path.with_suffix(suffix)), image)
    assert main(["eval", *words, str(data / "kind.json")]) == 0
    plain, other = (json.loads((data / f"{name}.json").read_text()) for name in ("plain", "kind"))
    assert plain["AP"] == other["AP"] > 0.7 and plain["VOC_mAP50"] == other["VOC_mAP50"] == 1


def test_without_pycocotools(
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Only VOC's numbers are printed, with a warning."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "pycocotools" else find_spec(name)
    )
    assert main(["eval", "--model", "m", "--data-root", str(data), "--json", str(data / "s.json")]) == 0
    said = capsys.readouterr()
    *_, scores, place = said.out.splitlines()
    assert scores == "VOC07 mAP50 1.0000  VOC mAP50 1.0000"
    assert place == f"the scores are in {data / 's.json'}"
    assert "AP" not in json.loads((data / "s.json").read_text())
    assert "COCO's numbers are left out, since they need pycocotools" in caplog.text


def test_a_batch_is_held_against_memory_as_far_as_there_are_images(data: Path, monkeypatch: Any) -> None:
    asked = []
    monkeypatch.setattr(
        "gluon_yolo.api.evaluate.check_batch", lambda run, size_hw, batch, beside: asked.append(batch)
    )
    words = ["eval", "--model", "m", "--data-root", str(data)]
    for batch in ("1000000", "1"):
        assert main([*words, "--batch-size", batch]) == 0
    images = len((data / "ImageSets" / "Main" / "val.txt").read_text().split())
    assert asked == [images, 1] and images > 1


def test_scores_voc(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = data / "out"
    words = ["--model", "m", "--data-root", str(data), "--batch-size", "2"]
    words += ["--json", str(out / "scores.json"), "--save-pictures", str(out / "pictures")]
    assert main(["eval", *words]) == 0
    printed = capsys.readouterr().out
    numbers = json.loads((out / "scores.json").read_text())
    assert numbers["VOC07_mAP50"] == numbers["VOC_mAP50"] == pytest.approx(1.0)
    assert numbers["AP50"] == pytest.approx(1.0) and numbers["AP"] > 0.7
    assert numbers["APs"] is None and numbers["APm"] > 0.7  # no object is small
    assert list(numbers["per_class"]) == ["square"]  # the model's other classes are not in the data
    assert numbers["per_class"]["square"]["truths"] == 3
    assert "\nVOC07 mAP50 1.0000  VOC mAP50 1.0000  COCO AP 0." in printed
    assert "square" in printed and "AR100" in printed
    images = sorted((out / "pictures").iterdir())
    assert [image.name for image in images] == ["00000_a.jpg", "00001_b.jpg", "00002_c.jpg"]
    assert read_image(images[0]).shape == (108, 252, 3)


@pytest.mark.parametrize(
    ("words", "threshold", "counts"),
    [
        ([], 0.3, (3, 0, 0)),
        (["--shown-threshold", "0.95"], 0.95, (0, 0, 3)),
        (["--score-threshold", "0.5"], 0.5, (3, 0, 0)),  # detections with lower scores are not counted
        (["--score-threshold", "0.92"], 0.92, (0, 0, 3)),
    ],
)
def test_precision_recall_and_f1(
    data: Path, words: list[str], threshold: float, counts: tuple, capsys: Any, monkeypatch: Any
) -> None:
    def seeing(args: Any) -> Predictor:
        return Predictor(bright_squares, SPEC, (96, 128), score_threshold=args.score_threshold)

    monkeypatch.setattr(command, "open_predictor", seeing)
    place = ["--data-root", str(data), "--json", str(data / "s.json")]
    assert main(["eval", "--model", "m", *place, *words]) == 0
    numbers = json.loads((data / "s.json").read_text())
    for part in (numbers, numbers["per_class"]["square"]):
        assert (part["TP"], part["FP"], part["FN"]) == counts
        assert part["recall"] == counts[0] / 3 and part["precision"] == (1 if counts[0] else None)
    assert numbers["F1_threshold"] == threshold
    said = capsys.readouterr().out
    assert f"\nscore > {threshold:g} " in said and f"\nscore > {threshold:g}: precision " in said
    if threshold == 0.3:
        assert numbers["best_F1"] == 1 and numbers["best_threshold"] == pytest.approx(
            (0.9 + 0.01) / 2, abs=1e-6
        )
        line = "score > 0.3: precision 1.000, recall 1.000, F1 1.000 (found 3, wrong 0, missed 0); F1 is best"
        assert line in said


def some_wrong(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Detect the squares, and a square in the left upper corner of each image, with the score 0.8."""
    boxes, scores = bright_squares(pixels)
    corner = np.tile(np.array([[[0, 0, 8, 6]]], np.float32), (len(pixels), 1, 1))
    wrong = np.tile(np.array([[[0, 0.8, 0]]], np.float32), (len(pixels), 1, 1))
    return np.concatenate([boxes, corner], axis=1), np.concatenate([scores, wrong], axis=1)


def test_errors_and_detections(data: Path, monkeypatch: Any, capsys: Any) -> None:
    """The tables, the JSON, and a file that pycocotools scores as ``eval`` does."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    monkeypatch.setattr(command, "open_predictor", lambda args: Predictor(some_wrong, SPEC, (96, 128), 0.01))
    words = ["--annotations", str(data / "instances.json"), "--images", str(data / "JPEGImages")]
    words += ["--json", str(data / "s.json"), "--save-detections", str(data / "new" / "results.json")]
    assert main(["eval", "--model", "m", *words]) == 0
    printed = capsys.readouterr().out
    matrix = printed[printed.index("score > 0.3, found as") :].splitlines()
    assert [line.split() for line in matrix[2:5:2]] == [["square", "3", "0"], ["(background)", "3", "-"]]
    assert "\nbackground            3      0.000  IoU up to 0.1 with every object\n" in printed
    assert printed.splitlines()[-1] == (
        f"the scores are in {data / 's.json'}; the detections are in {data / 'new' / 'results.json'}"
    )
    numbers = json.loads((data / "s.json").read_text())
    assert numbers["confusion"] == [
        {"annotated": "square", "detected": "square", "count": 3},
        {"annotated": None, "detected": "square", "count": 3},
    ]
    assert numbers["errors"]["background"] == {"count": 3, "AP50_lost": 0}
    assert numbers["errors"]["AP50"] == numbers["AP50"] == 1
    assert numbers["errors"]["per_class"]["square"]["false_positives"]["count"] == 3
    assert [row["FP"] for row in numbers["worst"]] == [0, 0, 0] and numbers["best_threshold"] > 0.8
    assert len(numbers["curves"]["F1"]) == 101 and numbers["curves"]["precision"][-1] is None
    truth = COCO(str(data / "instances.json"))
    for annotation in truth.dataset["annotations"]:  # its own keys, which the file leaves out
        annotation.update(iscrowd=0, area=annotation["bbox"][2] * annotation["bbox"][3])
    judge = COCOeval(truth, truth.loadRes(str(data / "new" / "results.json")), "bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    assert judge.stats[0] == pytest.approx(numbers["AP"], abs=1e-12) and numbers["AP"] > 0.7
    assert len(json.loads((data / "new" / "results.json").read_text())) == 6


def test_what_a_limit_cut_off_is_said(data: Path, monkeypatch: Any, capsys: Any) -> None:
    """Once, with the number of images; the limit is in the JSON."""
    for most, said in (
        (1, "in 3 pictures --max-detections 1 cut off detections, which score 0.900 at most\n"),
        (9, ""),
    ):
        limited = Predictor(bright_squares, SPEC, (96, 128), score_threshold=0.01, max_detections=most)
        monkeypatch.setattr(command, "open_predictor", lambda args, limited=limited: limited)
        assert main(["eval", "--model", "m", "--data-root", str(data), "--json", str(data / "s.json")]) == 0
        printed = capsys.readouterr().out
        assert said in printed and ("cut off" in printed) == bool(said)
        numbers = json.loads((data / "s.json").read_text())
        assert (numbers["max_detections"], numbers["nms"]) == (most, "class")
        assert "max_candidates" not in numbers


def test_candidates_that_cut_off_are_said(data: Path, monkeypatch: Any, capsys: Any) -> None:
    limited = Predictor(bright_squares, SPEC, (96, 128), score_threshold=0.01, max_candidates=1)
    monkeypatch.setattr(command, "open_predictor", lambda args: limited)
    assert main(["eval", "--model", "m", "--data-root", str(data), "--json", str(data / "s.json")]) == 0
    limits = "--max-detections 100 or --max-candidates 1"
    assert f"in 3 pictures {limits} cut off detections, which score 0.900" in capsys.readouterr().out
    assert json.loads((data / "s.json").read_text())["max_candidates"] == 1


def test_flags_of_the_model_reach_the_predictor(data: Path, monkeypatch: Any) -> None:
    asked: dict[str, Any] = {}

    def load(path: str, runtime: str, **options: Any) -> Predictor:
        asked.update(options)
        return Predictor(bright_squares, SPEC, (96, 128))

    monkeypatch.undo()
    monkeypatch.setattr("gluon_yolo.cli.flags.model.Predictor.load", load)
    words = ["--max-detections", "700", "--nms", "agnostic", "--nms-threshold", "0.6"]
    words += ["--max-candidates", "5000"]
    assert main(["eval", "--model", "m", "--data-root", str(data), *words]) == 0
    assert (asked["max_detections"], asked["nms"], asked["nms_threshold"]) == (700, "agnostic", 0.6)
    assert asked["max_candidates"] == 5000
    asked.clear()
    assert main(["eval", "--model", "m", "--data-root", str(data)]) == 0
    assert not {"max_detections", "max_candidates"} & set(asked) and asked["nms"] == "class"


def test_scores_coco_files(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ["--annotations", str(data / "instances.json"), "--images", str(data / "JPEGImages")]
    assert main(["eval", "--model", "m", *files, "--json", str(data / "scores.json")]) == 0
    numbers = json.loads((data / "scores.json").read_text())
    assert numbers["AP"] > 0.9 and numbers["VOC_mAP50"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        # the arguments, what the message must name
        (["--model", "m", "--annotations", "ROOT/instances.json"], "go together"),
        (["--model", "m", "--annotations", "A", "--images", "B", "--data-root", "ROOT"], "the data once"),
        (["--model", "m", "--data-root", "ROOT/nowhere"], "nowhere"),
    ],
)
def test_says_what_is_wrong(
    data: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", *(word.replace("ROOT", str(data)) for word in words)]) == 2
    printed = capsys.readouterr().err
    assert printed.splitlines()[-1].startswith("error: ") and message in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--json", "ROOT/instances.json/x"], "cannot be written"),
        (["--json", "ROOT/JPEGImages"], "JPEGImages: is a folder"),
        (["--json", "ROOT/instances.json"], "is what --annotations reads"),
        (["--save-detections", "ROOT/instances.json"], "is what --annotations reads"),
        (["--save-detections", "ROOT/JPEGImages"], "JPEGImages: is a folder"),
        (["--json", "ROOT/s", "--save-detections", "ROOT/s"], "s: is the file of --json; name another file"),
        (["--save-pictures", "ROOT/instances.json"], "instances.json: is a file"),
    ],
)
def test_places_are_looked_at_before_the_model_is_loaded(
    data: Path,
    words: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(command, "open_predictor", lambda args: pytest.fail("the model is loaded"))
    before = sorted(data.rglob("*"))
    files = ["--annotations", "ROOT/instances.json", "--images", "ROOT/JPEGImages", *words]
    assert main(["eval", "--model", "m", *(word.replace("ROOT", str(data)) for word in files)]) == 2
    assert message in capsys.readouterr().err and sorted(data.rglob("*")) == before


@pytest.mark.parametrize(("calls", "kept"), [(1, ""), (3, "; 2 of the pictures are in ROOT/seen")])
def test_a_stopped_eval_says_what_it_leaves(
    data: Path,
    calls: int,
    kept: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    left = iter(range(calls - 1))

    def stopped(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return bright_squares(pixels)

    monkeypatch.setattr(command, "open_predictor", lambda args: Predictor(stopped, SPEC, (96, 128)))
    words = ["--json", str(data / "s.json"), "--save-pictures", str(data / "seen"), "--batch-size", "1"]
    assert main(["eval", "--model", "m", "--data-root", str(data), *words]) == 130
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"stopped: eval; no scores are written{kept.replace('ROOT', str(data))}"
    assert not (data / "s.json").exists() and (data / "seen").exists() == bool(kept)


def test_names_both_when_classes_disagree(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    xml = data / "Annotations" / "a.xml"
    xml.write_text(xml.read_text().replace("square", "Square"))
    assert main(["eval", "--model", "runs/mine", "--data-root", str(data)]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    for part in ("runs/mine", "3 (circle, square, star)", "2 (Square, square)", "does not know Square"):
        assert part in error


def test_needs_one_model(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["--network", "yolo3_mobilenet1.0_voc"], ["--model", "m", "--weights", "w"]):
        assert main(["eval", *words]) == 2
        assert "error: name one model: --model PATH" in capsys.readouterr().err


@pytest.mark.parametrize("way", ["annotations", "data"])
def test_a_class_under_another_name(data: Path, way: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is refused with advice; a class map works, and so does leaving the class out."""
    content = json.loads((data / "instances.json").read_text())
    content["categories"] = [{"id": 3, "name": "quadrat"}, {"id": 4, "name": "couch"}]
    (data / "instances.json").write_text(json.dumps(content))
    named = ["--annotations", str(data / "instances.json"), "--images", str(data / "JPEGImages")]
    words = [
        "eval",
        "--model",
        "m",
        *(named if way == "annotations" else ["--data", str(data / "instances.json")]),
    ]
    (data / "map.txt").write_text("quadrat = square\n")
    assert main([*words, "--class-map", str(data / "map.txt")]) == 2  # the map has no couch
    only = ["--only", "square", "--class-map", str(data / "map.txt"), "--json", str(data / "s.json")]
    assert main([*words, *only]) == 0
    numbers = json.loads((data / "s.json").read_text())
    assert list(numbers["per_class"]) == ["square"] and numbers["VOC_mAP50"] == 1


@pytest.mark.parametrize("mark", ["", "<difficult>1</difficult>"])
def test_says_that_there_is_nothing_to_score_against(
    data: Path, caplog: pytest.LogCaptureFixture, mark: str
) -> None:
    for label in (data / "Annotations").iterdir():
        text = label.read_text().replace("<name>", f"{mark}<name>")
        label.write_text(text if mark else text.partition("<object>")[0] + "</annotation>")
    (data / "classes.names").write_text("square\n")
    words = ["--data-root", str(data), "--classes", str(data / "classes.names")]
    assert main(["eval", "--model", "m", *words]) == 0
    assert "val: no object to find in any picture, so no score means anything" in caplog.text
