"""``gluon_yolo.evaluate`` gives the same numbers, text and files as the command ``eval``."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import gluon_yolo
from gluon_yolo.api import evaluate as module
from gluon_yolo.api.evaluation_data import EvaluationData
from gluon_yolo.cli import main
from gluon_yolo.data.images.read import read_image
from gluon_yolo.data.registry import open_source
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.evaluation.result import Evaluation
from gluon_yolo.inference.model_record import ModelRecord
from gluon_yolo.inference.predictor import Predictor
from tests.cli.test_eval import SPEC, bright_squares, some_wrong
from tests.cli.test_eval import data as both  # noqa: F401 - the fixture

pytest.importorskip("pycocotools")


@pytest.fixture
def coco(tmp_path_factory: Any) -> Path:
    """Return the folder of the images' COCO annotations."""
    return tmp_path_factory.mktemp("coco") / "instances.json"


@pytest.fixture
def data(both: Path, coco: Path) -> Path:  # noqa: F811
    """Return a data set in VOC's layout: three images with a bright square each."""
    return (both / "instances.json").rename(coco) and both


def seeing(**options: Any) -> Predictor:
    return Predictor(bright_squares, SPEC, (96, 128), name="squares", **options)


def without_speed(numbers: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in numbers.items() if "second" not in name}


def scored(model: Any, where: Any, **options: Any) -> Any:
    return gluon_yolo.evaluate(model, where, progress=False, **options)


def test_the_same_as_the_command(data: Path, capsys: Any, monkeypatch: Any) -> None:
    """JSON, text and images are equal, except for the time and the names of settings."""
    limited = seeing(score_threshold=0.01, max_detections=1)
    monkeypatch.setattr("gluon_yolo.cli.eval.open_predictor", lambda args: limited)
    words = ["--model", "squares", "--data", str(data), "--json", str(data / "command.json")]
    assert main(["eval", *words, "--save-pictures", str(data / "command")]) == 0
    printed = capsys.readouterr().out
    found = scored(limited, data, save_images=data / "python")
    found.to_json(data / "python.json")
    commands, ours = (json.loads((data / f"{name}.json").read_text()) for name in ("command", "python"))
    assert list(commands) == list(ours) and without_speed(commands) == without_speed(ours)
    assert ours["APs"] is None and ours["max_detections"] == 1

    def lines(text: str) -> list[str]:
        return [line for line in text.splitlines() if "pictures in" not in line]

    *tables, places = lines(printed)
    assert places.startswith("the scores are in ")
    assert lines(str(found)) == [line.replace("--max-detections", "max_detections") for line in tables]
    assert "in 3 pictures --max-detections 1 cut off detections, which score 0.900 at most" in tables
    assert found.table in printed and str(found).startswith(found.table)
    names = [path.name for path in sorted((data / "python").iterdir())]
    assert names == ["00000_a.jpg", "00001_b.jpg", "00002_c.jpg"]
    for name in names:
        assert (read_image(data / "python" / name) == read_image(data / "command" / name)).all()


def test_what_a_notebook_shows(data: Path) -> None:
    found = scored(seeing(), data)
    frame = found.per_class
    assert list(frame.index) == ["square"] and frame.loc["square", "truths"] == 3
    assert frame.loc["square", "AP07"] == pytest.approx(1) and "COCO_AP" in frame.columns
    shown = found._repr_html_()
    assert "<th>VOC07 AP50</th>" in shown and "<td>square</td>" in shown and "AR100" in shown
    assert "score &gt; 0.3" in shown and "VOC07 mAP50 1.0000" in shown
    assert found["VOC_mAP50"] == pytest.approx(1)
    assert repr(found).startswith(f"Evaluation(squares on {data.name} val: VOC07 mAP50 1.0000")


def test_what_is_wrong_as_frames_and_figure(data: Path) -> None:
    pytest.importorskip("pandas")
    found = scored(Predictor(some_wrong, SPEC, (96, 128), name="squares"), data, shown_threshold=0.5)
    matrix = found.confusion
    assert list(matrix.index) == list(matrix.columns) == ["square", "(background)"]
    assert matrix.to_numpy().tolist() == [[3, 0], [3, 0]]
    assert found.errors.loc["background"].to_dict() == {"count": 3, "AP50_lost": 0}
    assert list(found.errors.index)[-1] == "false_negatives"
    assert found.errors_per_class.loc["square", "missed"] == 0
    assert found.curves.together.precision[700] == 1 / 2 and found.curves.together.precision[850] == 1
    # At the best threshold, between 0.8 and 0.9, nothing is wrong.
    worst = found.worst(2)
    assert worst.columns.tolist() == ["picture", "TP", "FP", "FN"] and worst.index.tolist() == [0, 1]
    assert worst.iloc[0].tolist() == [str(data / "JPEGImages" / "a.png"), 1, 0, 0]
    assert len(found.best(None)) == 3 and len(found.worst(0)) == 0
    assert len(found.details.detections[2]) == 2
    pytest.importorskip("matplotlib")
    axes = found.plot_confusion().axes[0]
    assert axes.get_title() == "score > 0.5, IoU from 0.5 on"
    assert [text.get_text() for text in axes.texts] == ["3", "3"]
    shown = found._repr_html_()
    for part in (
        "confusion matrix",
        "<td>background</td><td>3</td>",
        "worst pictures",
        "a.png</td><td>1</td>",
    ):
        assert part in shown


def test_detections_as_a_file(data: Path) -> None:
    """Of a data set without ids: they count from 1."""
    scored(seeing(), data, save_detections=data / "results.json")
    rows = json.loads((data / "results.json").read_text())
    assert [(row["image_id"], row["category_id"]) for row in rows] == [(1, 1), (2, 1), (3, 1)]
    assert rows[0]["bbox"] == pytest.approx([10, 20, 40, 40], abs=2)


def test_numbers_alone_have_no_details(data: Path) -> None:
    numbers = {name: value for name, value in scored(seeing(), data).numbers.items() if name != "confusion"}
    alone = Evaluation(numbers)
    with pytest.raises(ValueError, match="details: expected those of gluon_yolo.evaluate, got None"):
        alone.worst()
    assert "found as" not in str(alone) and "confusion" not in alone._repr_html_()


def test_data_of_every_kind(data: Path, coco: Path) -> None:
    """A path, a source, a data set, the two files of COCO, and settings in an EvaluationData."""
    source = open_source(data, "voc")
    files = {"annotations": coco, "images": data / "JPEGImages"}
    ways: list[tuple[Any, dict[str, Any]]] = [
        (data, {}),
        (str(data), {"val_split": "val"}),
        (source, {}),
        (source.open("val"), {}),
        (None, files),
        (EvaluationData(data_root=data, dataset="voc", val_split="val"), {}),
    ]
    for where, options in ways:
        assert scored(seeing(), where, **options)["VOC_mAP50"] == pytest.approx(1), where


def test_classes_by_another_name(data: Path, coco: Path) -> None:
    content = json.loads(coco.read_text())
    for image in content["images"]:
        image["file_name"] = str(data / "JPEGImages" / image["file_name"])
    content["categories"] = [{"id": 3, "name": "quadrat"}, {"id": 4, "name": "couch"}]
    coco.write_text(json.dumps(content))
    (data / "map.txt").write_text("quadrat = square\n")
    with pytest.raises(SettingError, match="squares and .* disagree on the classes.*with class_map FILE"):
        scored(seeing(), coco, class_map=data / "map.txt")
    found = scored(seeing(), coco, class_map=data / "map.txt", only=["square"])
    assert list(found["per_class"]) == ["square"] and found["VOC_mAP50"] == 1


def test_a_predictor_is_asked_as_average_precision_needs_it(data: Path) -> None:
    """It is evaluated with the score threshold 0.01; its other settings count, and it is not changed."""
    own = seeing(score_threshold=0.92, nms="agnostic", max_detections=7)
    found = scored(own, data)
    assert (found["score_threshold"], found["nms"], found["max_detections"]) == (0.01, "agnostic", 7)
    assert found["VOC_mAP50"] == 0 and own.score_threshold == 0.92  # the star scores better and hides it
    found = scored(own, data, nms="class", nms_threshold=0.6)
    assert (found["VOC_mAP50"], found["nms_threshold"]) == (pytest.approx(1), 0.6)
    assert scored(own, data, nms="class", score_threshold=0.92)["VOC_mAP50"] == 0


def test_a_path_is_loaded_with_what_is_asked(data: Path, monkeypatch: Any) -> None:
    asked: dict[str, Any] = {}

    def load(path: Path, runtime: str, **options: Any) -> Predictor:
        asked.update(options, path=path, runtime=runtime)
        return seeing(score_threshold=options["score_threshold"])

    monkeypatch.setattr(module.Predictor, "load", load)
    scored("exported", data, size="96x128", fit="letterbox", gpu=0, runtime="onnxruntime", nms="agnostic")
    assert asked.pop("fit").mode == "letterbox"
    assert asked == {
        **{"path": Path("exported"), "runtime": "onnxruntime", "size_hw": (96, 128), "gpu": 0},
        **{"score_threshold": 0.01, "nms_threshold": 0.45, "nms": "agnostic"},
    }
    asked.clear()
    scored(SimpleNamespace(folder=data / "run"), data)  # the result of train
    assert asked == {"path": data / "run", "runtime": "auto", "score_threshold": 0.01, "nms_threshold": 0.45}


@pytest.mark.parametrize("way", ["path", "predictor", "trained"])
def test_a_run_is_scored_on_its_own_data(
    data: Path, tmp_path_factory: Any, monkeypatch: Any, caplog: Any, way: str
) -> None:
    run = tmp_path_factory.mktemp("runs") / "mine"
    (run / "weights").mkdir(parents=True)
    ModelRecord("run", "toy", SPEC, (96, 128)).write(run / "model.json")
    (run / "args.json").write_text(json.dumps({"data": str(data), "val_split": "val", "lr": 0.1}))
    own = seeing().replace(name=str(run))
    monkeypatch.setattr(module.Predictor, "load", lambda *words, **options: own)
    model = {"path": run, "predictor": own, "trained": SimpleNamespace(folder=run)}[way]
    monkeypatch.setattr(logging.getLogger("gluon_yolo"), "filters", [])  # without the command line's filter
    with caplog.at_level(logging.INFO, "gluon_yolo"):
        assert scored(model, None)["pictures"] == 3
    assert f"no data is given: scored on what the run was validated on, {data.name} val" in caplog.messages
    (data / "ImageSets" / "Main" / "other.txt").write_text("a\n")
    assert scored(model, None, val_split="other")["pictures"] == 1
    (run / "args.json").write_text(json.dumps({"data": str(data / "gone")}))
    with pytest.raises(SettingError, match="there is nothing now; name the data to score on with data PATH"):
        scored(model, None)


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (seeing(), {"size": 96}, "size: the Predictor has its own; give it to Predictor.load"),
        (seeing(), {"annotations": "A"}, "annotations FILE and images DIR go together"),
        (
            seeing(),
            {"annotations": "A", "images": "B"},
            "name the data once: annotations and images, or data and val_split",
        ),
        (seeing(), {"only": ["star"]}, "only star: there is no such class"),
        ("nowhere", {}, "nowhere"),
        ("nowhere", {"size": "33x"}, "size '33x': expected pixels as 416 or, height first, 320x416"),
    ],
)
def test_what_is_wrong_is_named_as_python_calls_it(
    data: Path, model: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        scored(model, data, **options)
    assert "--" not in str(caught.value)


def test_how_data_is_opened_is_no_matter_of_what_is_open(data: Path) -> None:
    with pytest.raises(SettingError, match="^skip_bad: says how data is opened, and a Dataset is open$"):
        scored(seeing(), open_source(data).open("val"), skip_bad=True)


def test_each_image_is_watched(data: Path) -> None:
    seen: dict[int, tuple[tuple[int, ...], list[str]]] = {}

    def watch(index: int, image: np.ndarray, found: Any) -> None:
        seen[index] = (image.shape, found.names())

    scored(seeing(), data, watch=watch, save_images=data / "seen")
    assert seen == dict.fromkeys(range(3), ((100, 120, 3), ["square"]))  # the data has no star
    assert len(list((data / "seen").iterdir())) == 3
