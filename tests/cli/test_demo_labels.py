"""``demo --save-labels``: images and what was found in them, as a data set to train on; and ``--tile``."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from gluon_yolo.cli import main
from gluon_yolo.data.registry import open_source
from tests.cli.fake_demo import NAMES, demo, make_images, use
from tests.cli.test_demo import contents, write_video
from tests.inference.components import SPEC, components, spots


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    use(monkeypatch)
    return tmp_path


# In an image of 192x96 pixels (height first): a square, a star, and a circle across the right edge.
FOUND = {1: [16, 48, 48, 144], 2: [16, 48, 48, 140], 0: [64.4, 0, 96, 192]}


@pytest.mark.parametrize("format", ["yolo", "voc", "coco"])
def test_training_reads_it(folder, format, capsys):
    """Images byte by byte, also of one name; frames of a video; boxes as found."""
    make_images(folder, "in/a.png", "in/b.jpg", "more/a.png")
    write_video("in/clip.avi", frames=2)
    assert demo("in", "more", "--save-labels", format, "--json", "found.json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith(f"{open_source('demo_out/dataset').title}, 5 pictures with ")
    assert " demo_out/dataset" in lines[-2]
    assert "; look at them, then divide them: gluon-yolo data split " in lines[-2]
    source = open_source("demo_out/dataset")
    assert source.format == format
    data = source.open("train")
    stems = sorted(Path(data.name(i)).stem for i in range(len(data)))
    assert data.class_names == NAMES and stems == ["a", "a_2", "b", "clip_000000", "clip_000001"]
    files = {Path(data.name(i)).stem: i for i in range(len(data))}
    for stem, file in (("a", "in/a.png"), ("a_2", "more/a.png"), ("b", "in/b.jpg")):
        assert data.encoded(files[stem]) == Path(file).read_bytes()
        truth = data.annotations(files[stem])
        assert dict(zip(truth.class_ids.tolist(), truth.boxes.tolist())).keys() == FOUND.keys()
        for class_id, box in zip(truth.class_ids.tolist(), truth.boxes.tolist()):
            assert np.allclose(box, FOUND[class_id], atol=1e-2)
    assert sum(len(data.annotations(i)) for i in range(5)) == len(json.loads(Path("found.json").read_text()))
    assert not list(Path("demo_out").glob(".gluon-yolo-frames*"))
    assert main(["data", "check", "demo_out/dataset"]) == 0
    command = lines[-2].rpartition(": gluon-yolo ")[2].split()
    assert main([*command, "--val", "0.4"]) == 0  # the command that was printed
    said = capsys.readouterr().out
    assert "5 pictures divided; train on them: gluon-yolo train --data demo_out/dataset" in said


def test_the_labels_have_the_images_size_and_turn(folder):
    """An image that EXIF turns: its boxes are those of the upright image."""
    image = np.full((96, 192, 3), 90, np.uint8)
    cv2.imwrite("stored.jpg", image)
    data = Path("stored.jpg").read_bytes()
    turned = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    length = (len(turned) + 2).to_bytes(2, "big")
    Path("turned.jpg").write_bytes(data[:2] + b"\xff\xe1" + length + turned + data[2:])
    assert demo("turned.jpg", "--save-labels", "voc", "--classes-only", "square") == 0
    data = open_source("demo_out/dataset").open("train")
    assert data.size_hw(0) == (192, 96) and data.class_names == NAMES
    assert data.annotations(0).boxes.tolist() == [FOUND[1]]


def test_an_image_without_objects_is_background(folder):
    make_images(folder, "in/a.png")
    assert demo("in", "--save-labels", "yolo", "--score-threshold", "0.95") == 0
    data = open_source("demo_out/dataset").open("train")
    assert len(data) == 1 and len(data.annotations(0)) == 0 and data.class_names == NAMES


def test_what_is_less_than_a_pixel_is_no_box(folder, monkeypatch, capsys):
    """A reader would take such a box for an error."""

    def network(pixels):
        scores = np.zeros((1, 2, 3), np.float32)
        scores[0, :, 1] = 0.9, 0.8
        return np.array([[[16, 24, 48, 72], [95.5, 24, 130, 72]]], np.float32), scores

    use(monkeypatch, network)
    make_images(folder, "in/a.png")
    assert demo("in", "--save-labels", "coco") == 0
    assert "1 picture with 1 box: " in capsys.readouterr().out
    data = open_source("demo_out/dataset").open("train")
    assert data.annotations(0).boxes.tolist() == [FOUND[1]] and not data.report.broken_boxes


def test_nothing_is_overwritten(folder, capsys):
    make_images(folder, "in/a.png")
    assert demo("in", "--save-labels", "yolo") == 0
    before = contents(Path("demo_out/dataset"))
    capsys.readouterr()
    assert demo("in", "--save-labels", "yolo") == 2
    message = "error: --save-labels: demo_out/dataset: holds a finished data set already, which stays; name"
    assert message in capsys.readouterr().err
    assert before == contents(Path("demo_out/dataset"))
    assert demo("in", "--save-labels", "yolo", "--out", "other") == 0


def test_bad_sources_are_left_out(folder, capsys):
    make_images(folder, "in/a.png")
    (folder / "in" / "b.png").write_bytes(b"no picture")
    assert demo("in", "--save-labels", "coco") == 1
    assert len(open_source("demo_out/dataset").open("train")) == 1
    assert demo("in/b.png", "--save-labels", "coco", "--out", "none") == 1
    assert not (folder / "none" / "dataset").exists()


def test_names_that_the_format_cannot_hold(folder, monkeypatch, capsys):
    use(monkeypatch, names=("circle", "square", "star\nblue"))
    make_images(folder, "in/a.png")
    assert demo("in", "--save-labels", "yolo") == 2
    assert "star\\nblue" in capsys.readouterr().err and not (folder / "demo_out" / "dataset").exists()


def test_ctrl_c_keeps_what_was_found(folder, monkeypatch, capsys):
    make_images(folder, "in/a.png", "in/b.png", "in/c.png")
    calls = []

    def network(pixels):
        calls.append(len(pixels))
        if len(calls) == 4:  # the first is no image's
            raise KeyboardInterrupt
        boxes, scores = np.array([[[16, 24, 48, 72]]], np.float32), np.zeros((1, 1, 3), np.float32)
        scores[..., 1] = 0.9
        return boxes, scores

    use(monkeypatch, network)
    assert demo("in", "--save-labels", "voc") == 130
    assert "its labels are in demo_out/dataset" in capsys.readouterr().err
    assert len(open_source("demo_out/dataset").open("train")) == 2


def test_tiles(folder, monkeypatch, capsys):
    """Small squares of a large image; at a seam too. Without tiles there is nothing to see."""
    use(monkeypatch, components, SPEC.class_names)
    boxes = np.array([[10, 10, 22, 22], [85, 50, 97, 62], [300, 200, 312, 212]])
    cv2.imwrite("a.png", spots((400, 600), boxes, [0, 1, 0])[:, :, ::-1])
    assert demo("a.png") == 0 and "a.png: 0 objects; " in capsys.readouterr().out
    assert demo("a.png", "--tile", "96", "--overlap", "0.25", "--json", "found.json", "--save-txt") == 0
    assert "a.png: 3 objects (red 2, blue 1); " in capsys.readouterr().out
    found = json.loads(Path("found.json").read_text())
    assert sorted(one["box"] for one in found) == boxes.tolist()
    assert demo("a.png", "--tile", "110", "--max-candidates", "1") == 0
    more = "in some tile a limit cut boxes off: raise --max-detections or --max-candidates"
    assert f"a.png: 2 objects; {more}\n" in capsys.readouterr().out
    write_video("clip.avi", frames=2)
    assert demo("clip.avi", "--tile", "64") == 0
    for words, message in (
        (["--overlap", "0.3"], "--overlap: goes with --tile N, which cuts the pictures"),
        (["--tile-whole"], "--tile-whole: goes with --tile N, which cuts the pictures"),
        (["--tile", "many"], "--tile 'many': expected pixels as 416 or, height first, 320x416"),
        (["--tile", "64", "--overlap", "0.99"], "--overlap 0.99: must lie within 0 and 0.9"),
    ):
        assert demo("a.png", *words) == 2
        assert f"error: {message}" in capsys.readouterr().err


def test_too_many_tiles(folder, capsys):
    """The image is named, and the flags; the next one goes on."""
    cv2.imwrite("a.png", np.zeros((1700, 1700, 3), np.uint8))
    make_images(folder, "b.png")
    assert demo("a.png", "b.png", "--tile", "32", "--overlap", "0.5") == 1
    said = capsys.readouterr()
    message = "error: a.png: --tile 32: cuts a picture of 1700x1700 into 11,236 tiles, more than 10,000;"
    assert message in said.err and "or less --overlap" in said.err and "b.png: " in said.out


def test_a_limit_in_a_tile_is_told(folder, monkeypatch, capsys):
    use(monkeypatch, components, SPEC.class_names)
    boxes = np.array([[x, 10, x + 12, 22] for x in range(5, 80, 15)])
    cv2.imwrite("a.png", spots((96, 200), boxes, [0] * len(boxes))[:, :, ::-1])
    assert demo("a.png", "--tile", "96", "--max-detections", "4") == 0
    assert "4 objects, the most that --max-detections 4 allows" in capsys.readouterr().out
