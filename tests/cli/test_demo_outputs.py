"""The outputs of ``demo`` beside its drawings: crops, predictions; choice and style of the detections."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from gluon_yolo.data.images.read import read_image
from gluon_yolo.inference.detections_text import read_predictions
from gluon_yolo.inference.inputs import ResultNames
from tests.cli.fake_demo import demo, make_images, use
from tests.cli.test_demo import contents, results, write_video


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    use(monkeypatch)
    return tmp_path


def refused(*words: object) -> bool:
    """Return whether the command line refuses the words."""
    try:
        return demo(*words) == 2
    except SystemExit as end:
        return end.code == 2


def test_classes_only(folder, capsys):
    make_images(folder, "in/a.png")
    assert demo("in", "--json", "found.json", "--classes-only", "circle, star/blue") == 0
    records = json.loads((folder / "found.json").read_text())
    assert [one["class"] for one in records] == ["star/blue", "circle"]
    assert "2 objects (star/blue 1, circle 1)" in capsys.readouterr().out
    assert demo("in", "--classes-only", "circle,sqare") == 2
    assert capsys.readouterr().err.endswith(
        "error: class 'sqare': the model does not know it; did you mean square?\n"
    )


def test_suppression_between_classes(folder, capsys):
    make_images(folder, "in/a.png")
    for nms, count in (("class", 3), ("agnostic", 2)):
        assert demo("in", "--nms", nms) == 0
        assert f"in/a.png: {count} objects (square 1, " in capsys.readouterr().out
    assert refused("in", "--nms", "soft")


def test_as_many_as_are_asked_for(folder, capsys, monkeypatch):
    """Of 300 objects with four boxes each: a note tells of the limit 100; the limit 1,000 is not reached."""

    def crowd(pixels):
        corner = np.stack(np.meshgrid(np.arange(20), np.arange(15)), -1).reshape(-1, 2) * [4.8, 6.4]
        boxes = np.repeat(np.concatenate([corner, corner + 3], axis=1), 4, axis=0)
        boxes += np.tile(np.arange(4) * 0.1, 300)[:, None]
        scores = np.zeros((1200, 3))
        scores[:, 0] = np.linspace(0.99, 0.5, 1200)
        tile = (len(pixels), 1, 1)
        return np.tile(boxes.astype(np.float32), tile), np.tile(scores.astype(np.float32), tile)

    use(monkeypatch, crowd)
    make_images(folder, "in/a.png")
    more = "the most that --max-detections 100 allows; there were more"
    assert demo("in") == 0
    assert f"in/a.png: 100 objects, {more}\n" in capsys.readouterr().out
    assert demo("in", "--max-detections", 1000) == 0
    said = capsys.readouterr().out
    assert "in/a.png: 300 objects (circle 300)" in said and "allows" not in said
    write_video("clip.avi", frames=3)
    assert demo("clip.avi") == 0
    assert "clip.avi: in 3 of 3 frames --max-detections 100 cut something off\n" in capsys.readouterr().out
    assert demo("in", "--max-candidates", 40) == 0
    compared = "10 objects of the best 40 boxes, and no more were looked at; there may be more: raise"
    assert f"in/a.png: {compared} --max-candidates\n" in capsys.readouterr().out
    assert demo("clip.avi", "--max-candidates", 40) == 0
    limits = "--max-detections 100 or --max-candidates 40"
    assert f"clip.avi: in 3 of 3 frames {limits} cut something off\n" in capsys.readouterr().out
    assert refused("in", "--max-detections", "many") and refused("in", "--max-detections", 0)
    assert refused("in", "--max-candidates", 0)


def test_crops(folder):
    """One folder for each class; whole pixels of the image, not of the drawing."""
    make_images(folder, "in/a.png")
    before = contents(folder / "in")
    assert demo("in", "--save-crops") == 0
    place = folder / "demo_out" / "crops"
    crops = {path.relative_to(place).as_posix() for path in place.glob("*/*")}
    assert crops == {"square/a_0.png", "star_blue/a_1.png", "circle/a_2.png"}
    image = read_image("in/a.png")
    # The network sees 96x96, the image is twice as high; the circle goes beyond it.
    assert (read_image("demo_out/crops/square/a_0.png") == image[48:144, 16:48]).all()
    assert (read_image("demo_out/crops/circle/a_2.png") == image[0:192, 64:96]).all()
    assert contents(folder / "in") == before


def test_crops_of_images_of_one_name_and_of_frames(folder):
    """a.png and a.jpg, and frames of a video beside an image with a frame's name, get different names."""
    make_images(folder, "in/a.png", "in/a.jpg", "in/clip_000001.png")
    write_video("in/clip.avi", frames=2)
    assert demo("in", "--save-crops", "--save-txt", "--classes-only", "square") == 0
    crops = sorted(path.name for path in (folder / "demo_out" / "crops" / "square").iterdir())
    assert crops == [
        "a_0.jpg", "a_2_0.png", "clip_000000_0.jpg", "clip_000001_0.jpg", "clip_000001_0.png"
    ]  # fmt: skip
    written = [name for name in results(folder) if "." in name]
    assert written == ["a.jpg", "a_2.png", "clip.mp4", "clip_000001.png"]
    labels = sorted(path.relative_to(folder / "demo_out/labels").as_posix() for path in folder.rglob("*.txt"))
    assert labels == ["a.txt", "a_2.txt", "clip/000000.txt", "clip/000001.txt", "clip_000001.txt"]


def test_a_crop_that_is_a_source_stays(folder):
    make_images(folder, "in/a.png", "demo_out/crops/square/a_0.png")
    before = (folder / "demo_out/crops/square/a_0.png").read_bytes()
    assert demo("in", "demo_out/crops/square", "--save-crops", "--classes-only", "square") == 0
    assert (folder / "demo_out/crops/square/a_0.png").read_bytes() == before
    assert len(list((folder / "demo_out/crops/square").iterdir())) == 3


def test_predictions(folder):
    make_images(folder, "in/a.png", "in/b.png")
    assert demo("in", "--save-txt") == 0
    lines = (folder / "demo_out" / "labels" / "a.txt").read_text().splitlines()
    assert lines[0] == "1 0.33333333 0.50000000 0.33333333 0.50000000 0.900000" and len(lines) == 3
    again = read_predictions(folder / "demo_out" / "labels" / "b.txt", (192, 96))
    assert again.class_ids.tolist() == [1, 2, 0] and again.boxes[0].tolist() == [16, 48, 48, 144]
    assert (folder / "demo_out" / "labels" / "classes.names").read_text() == "circle\nsquare\nstar/blue\n"
    assert (
        demo("in", "--save-txt", "--score-threshold", "0.95") == 0
    )  # over one's own, also where none is found
    assert (folder / "demo_out" / "labels" / "a.txt").read_text() == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--save-crops"], "--save-crops demo_out/crops: is a file"),
        (["--save-txt"], "--save-txt demo_out/labels: is"),
    ],
)
def test_places_are_looked_at_before_the_model_is_loaded(folder, capsys, monkeypatch, words, said):
    make_images(folder, "in/a.png")
    (folder / "demo_out").mkdir()
    (folder / "demo_out" / "crops").write_text("")
    (folder / "demo_out" / "labels").write_text("")
    monkeypatch.setattr("gluon_yolo.cli.demo.open_predictor", lambda args: pytest.fail("the model is loaded"))
    assert demo("in", *words) == 2
    assert said in capsys.readouterr().err


def test_names_as_long_as_file_systems_take(folder, capsys, monkeypatch):
    """With letters of three bytes in the class name and the image name."""
    use(monkeypatch, names=("正方形" * 40, "square", "star"))
    stem = "像" * 83  # 249 bytes
    make_images(folder, "in/a.png")
    (folder / "in" / "a.png").rename(folder / "in" / f"{stem}.png")
    assert demo("in", "--save-crops", "--save-txt") == 0
    crops = {path.relative_to(folder / "demo_out/crops") for path in folder.glob("demo_out/crops/*/*")}
    assert {path.parent.name for path in crops} == {"正方形" * 22, "square", "star"}
    assert all(str(path.stem).startswith("像" * 80) for path in crops) and len(crops) == 3
    assert results(folder) == ["crops", "labels", f"{'像' * 82}.png"]


def test_what_is_written_and_what_is_not(folder, capsys, monkeypatch):
    """A drawing whose crops fail is there; an image that cannot be read has no outputs."""
    make_images(folder, "in/a.png")
    (folder / "in" / "b.png").write_bytes(b"no picture")
    place = ResultNames.place

    def full(self, to, *words, **options):
        return to / "none" / "x.png" if to.name == "square" else place(self, to, *words, **options)

    monkeypatch.setattr(ResultNames, "place", full)
    assert demo("in", "--save-crops") == 1
    said = capsys.readouterr()
    assert "error: demo_out/crops/square/none/x.png: cannot be written: No such file" in said.err
    counts = "1 could not be read, 1 could not be written, see above"
    assert said.out.splitlines()[-1] == f"0 done, 0 objects; {counts}; results are in demo_out"


def test_how_it_is_drawn(folder, monkeypatch):
    make_images(folder, "in/a.png")
    written: list[str] = []
    monkeypatch.setattr(cv2, "putText", lambda canvas, text, *rest: written.append(text))
    for words, expected in (
        (["--hide-labels"], []),
        (["--hide-scores"], ["square", "star/blue", "circle"]),
        ([], ["0.90", "0.60", "0.40"]),
    ):
        written.clear()
        assert demo("in", *words) == 0
        assert [text.split()[-1] for text in written] == expected
    image = read_image("in/a.png")
    changed = {}
    for width in (1, 9):
        assert demo("in", "--hide-labels", "--line-width", width) == 0
        changed[width] = (read_image("demo_out/a.png") != image).any(axis=2).sum()
    assert changed[9] > 5 * changed[1]
    assert demo("in", "--line-width", 0) == 2
