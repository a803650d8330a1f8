"""``demo``: from images, folders, patterns and videos to drawings, lines and JSON; sources stay unchanged."""

from __future__ import annotations

import json
import re
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from gluon_yolo.cli import demo as command
from gluon_yolo.cli import main
from gluon_yolo.cli.calling import this_python
from gluon_yolo.data.images.read import read_image
from gluon_yolo.errors import UserError
from gluon_yolo.inference.predictor import Predictor
from gluon_yolo.spec import DetectionSpec
from tests.data.image_content import exif, webp
from tests.random_model import random_image

SPEC = DetectionSpec(("circle", "square"))
LINE = (
    r"(.+): (\d+) objects? \((.*)\); pre-process [\d.]+ ms, network [\d.]+ ms, post-process [\d.]+ ms -> (.+)"
)


def two_boxes(pixels):
    """Return the same boxes and scores for every image: a square, and a circle with a lower score."""
    boxes = np.tile(np.array([[16, 24, 48, 72], [64, 0, 96, 96]], np.float32), (len(pixels), 1, 1))
    return boxes, np.tile(np.array([[0.0, 0.9], [0.4, 0.0]], np.float32), (len(pixels), 1, 1))


@pytest.fixture(autouse=True)
def fake_model(monkeypatch):
    monkeypatch.setattr(command, "open_predictor", lambda args: Predictor(two_boxes, SPEC, (96, 96)))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Change to a folder with a folder ``in`` of two images."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for name, seed in (("a.png", 1), ("b.jpg", 2)):
        cv2.imwrite(f"in/{name}", random_image(192, 96, seed))
    return tmp_path


def write_video(path, frames=7, fps=10):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (128, 96))
    assert writer.isOpened()
    for seed in range(frames):
        writer.write(random_image(96, 128, seed))
    writer.release()


def count_frames(path):
    capture = cv2.VideoCapture(str(path))
    count = 0
    while capture.read()[0]:
        count += 1
    return count


def results(folder):
    """Return the names of demo's results, without its own notes, which begin with a dot."""
    return sorted(path.name for path in (folder / "demo_out").iterdir() if path.name[0] != ".")


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_folder_to_drawings_lines_and_json(folder, capsys):
    before = contents(folder / "in")
    assert main(["demo", "in", "--json", "found.json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for line, name in zip(lines, ("a.png", "b.jpg")):
        match = re.fullmatch(LINE, line)
        assert match and match.groups() == (f"in/{name}", "2", "square 1, circle 1", f"demo_out/{name}")
        drawn, image = read_image(f"demo_out/{name}"), read_image(f"in/{name}")
        assert drawn.shape == image.shape and (drawn != image).any()
    assert lines[2:] == ["2 done, 4 objects; results are in demo_out and found.json"]
    # The network sees 96x96, the images are twice as high.
    assert json.loads((folder / "found.json").read_text())[:2] == [
        {"image": "in/a.png", "class": "square", "score": 0.9, "box": [16, 48, 48, 144]},
        {"image": "in/a.png", "class": "circle", "score": 0.4, "box": [64, 0, 96, 192]},
    ]
    assert contents(folder / "in") == before
    assert results(folder) == ["a.png", "b.jpg"]


def test_patterns_and_repeats_count_once(folder, capsys):
    assert main(["demo", "in/*.png", "in/a.png", "in/../in/a.png", "in/**/b.jpg"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 done, 4 objects; results are in demo_out"


def test_sources_are_never_overwritten(folder):
    """Neither with results in the source folder, nor through a link in the place of a result."""
    (folder / "demo_out").mkdir()
    (folder / "demo_out" / "a.png").symlink_to(folder / "in" / "a.png")
    before = contents(folder / "in")
    assert main(["demo", "in", "--out", "in"]) == 0
    assert main(["demo", "in/a.png", "in/b.jpg"]) == 0
    after = contents(folder / "in")
    assert {path: after[path] for path in before} == before
    assert sorted(path.name for path in after if path.name[0] != ".") == [
        "a.png", "a_2.png", "b.jpg", "b_2.jpg"
    ]  # fmt: skip
    assert results(folder) == ["a.png", "a_2.png", "b.jpg"]


def test_sources_of_one_name_get_a_result_each(folder):
    """Also names that differ only in case, which some file systems do not distinguish."""
    (folder / "more").mkdir()
    cv2.imwrite("more/A.png", random_image(96, 96, 5))
    cv2.imwrite("more/a.jpg", random_image(96, 96, 6))
    assert main(["demo", "in/a.png", "more"]) == 0
    assert results(folder) == ["A_2.png", "a.jpg", "a.png"]


def test_images_of_any_kind(folder, capsys):
    """Grey, RGBA, 16 bit, one pixel, large: each gets a drawing of its own size."""
    image = random_image(192, 96, 1)
    kinds = {
        "grey.png": image[:, :, 0],
        "opacity.png": np.dstack([image, image[:, :, 0]]),
        "16bit.png": image.astype(np.uint16) * 257,
        "16bit.tiff": image.astype(np.uint16) * 257,
        "one.png": image[:1, :1],
        "wide.jpg": random_image(16, 3000, 2),
    }
    (folder / "kinds").mkdir()
    for name, pixels in kinds.items():
        assert cv2.imwrite(f"kinds/{name}", pixels)
    (folder / "kinds" / "zero.png").write_bytes(b"")
    assert main(["demo", "kinds", "--json", "found.json"]) == 1
    said = capsys.readouterr()
    assert said.err == "error: kinds/zero.png: cannot read the picture: the file is empty\n"
    assert said.out.splitlines()[-1].startswith("6 done, 12 objects; 1 could not be read")
    found = json.loads((folder / "found.json").read_text())
    for name, pixels in kinds.items():
        height, width = pixels.shape[:2]
        assert read_image(f"demo_out/{name}").shape == (height, width, 3)
        box = next(record["box"] for record in found if record["image"] == f"kinds/{name}")
        assert box == pytest.approx([width / 6, height / 4, width / 2, height * 3 / 4], abs=0.01)


def test_a_folder_of_images_with_any_ending(folder, capsys):
    """Files with other endings are counted; files that are no images are named."""
    jpeg = (folder / "in" / "b.jpg").read_bytes()
    (folder / "in" / "a.png").unlink()
    for name in ("c.JFIF", "d.jpe", "e.mpo", "f.Tif", "g.gif", "h.gif", "i.HEIC", "noending", "labels.txt"):
        (folder / "in" / name).write_bytes(jpeg)
    (folder / "in" / "j.jpg").write_bytes(b"GIF89a")
    (folder / "in" / "k.jpg").write_bytes(b"<html><body>Log in")
    cv2.imwrite("in/l.pgm", random_image(192, 96, 1)[:, :, 0])
    assert main(["demo", "in"]) == 1
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        "note: in: left out: 2 .gif, 1 .heic, which are not read: save them as PNG or JPEG; and 1 without an "
        "ending (a JPEG by its content): give them the ending of what they are",
        "error: in/j.jpg: is a GIF, which is not read: save it as PNG or JPEG",
        "error: in/k.jpg: cannot read the picture: damaged, or no picture at all: it is a web page (HTML); "
        "such as a login page, saved in the picture's place; get it again",
    ]
    assert said.out.splitlines()[-1].startswith("6 done, 12 objects; 2 could not be read")
    written = ["b.jpg", "c.jpg", "d.jpe", "e.jpg", "f.Tif", "l.jpg"]
    assert results(folder) == written


def test_a_pattern_takes_endings_in_any_letter_case(folder):
    (folder / "in" / "b.jpg").rename(folder / "in" / "b.JPG")
    assert main(["demo", "in/*.jpg", "in/a.p[n]g"]) == 0
    assert results(folder) == ["a.png", "b.JPG"]


def test_an_image_turned_by_exif(folder, capsys):
    """The boxes and the drawing belong to the upright image."""
    (folder / "in" / "turned.webp").write_bytes(webp(random_image(96, 192, 1), exif(6)))
    assert main(["demo", "in/turned.webp", "--json", "found.json"]) == 0
    assert json.loads((folder / "found.json").read_text())[0]["box"] == [16, 48, 48, 144]
    assert read_image("demo_out/turned.webp").shape == (192, 96, 3)


def test_the_runtime_is_named(folder, monkeypatch, capsys):
    named = Predictor(two_boxes, SPEC, (96, 96), runtime="abacus")
    monkeypatch.setattr(command, "open_predictor", lambda args: named)
    assert main(["demo", "in/a.png"]) == 0
    assert capsys.readouterr().out.startswith("runtime: abacus\nin/a.png: ")


@pytest.mark.parametrize(
    ("words", "note"),
    [
        ([], "; score > 0.412, with which F1 was best in its validation; --score-threshold for another"),
        (["--score-threshold", "0.412"], ""),
    ],
)
def test_a_threshold_of_the_model_is_named(folder, monkeypatch, capsys, words, note):
    own = Predictor(two_boxes, SPEC, (96, 96), 0.412, runtime="abacus")
    monkeypatch.setattr(command, "open_predictor", lambda args: own)
    assert main(["demo", "in/a.png", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"runtime: abacus{note}" and lines[-1].startswith("1 done, 1 object;")


def test_what_cannot_be_read_is_named_and_passed_over(folder, capsys):
    (folder / "in" / "aa.png").write_bytes((folder / "in" / "a.png").read_bytes()[:60])
    (folder / "in" / "clip.avi").write_bytes(b"no video")
    assert main(["demo", "in", "nowhere", "none*.jpg"]) == 1
    said = capsys.readouterr()
    for name in (
        "nowhere: no such file",
        "none*.jpg: no file fits",
        "in/aa.png: cannot read",
        "in/clip.avi: cannot",
    ):
        assert f"error: {name}" in said.err
    assert said.out.splitlines()[-1] == (
        "2 done, 4 objects; 4 could not be read, see above; results are in demo_out"
    )
    assert results(folder) == ["a.png", "b.jpg"]


def test_a_damaged_model_is_no_fault_of_the_images(folder, monkeypatch, capsys):
    def broken(pixels):
        boxes, scores = two_boxes(pixels)
        return boxes, scores * (np.nan if pixels.any() else 1)  # the first call is of zeros

    own = Predictor(broken, SPEC, (96, 96))
    own.name = "m"
    monkeypatch.setattr(command, "open_predictor", lambda args: own)
    assert main(["demo", "in"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: m: the network's scores are not finite numbers: its weights are damaged")


def test_a_hint_is_written_as_the_program_is_called(folder, monkeypatch, capsys):
    def refused(path):
        raise UserError(f"{path}: see `gluon-yolo data check DATA`")

    monkeypatch.setattr("gluon_yolo.inference.inputs.read_image", refused)
    monkeypatch.setattr(sys, "argv", [str(Path(command.__file__).parents[1] / "__main__.py")])
    assert main(["demo", "in/a.png"]) == 1
    said = capsys.readouterr().err
    assert said == f"error: in/a.png: see `{this_python()} -m gluon_yolo data check DATA`\n"


def test_video(folder, capsys):
    write_video("in/clip.avi")
    assert main(["demo", "in/clip.avi", "--json", "found.json"]) == 0
    line, last = capsys.readouterr().out.splitlines()
    assert line.startswith("in/clip.avi: 7 frames, 14 objects (square 7, circle 7); pre-process ")
    assert re.search(r" ms a frame, [\d.]+ frames a second -> demo_out/clip.mp4$", line)
    assert last.startswith("1 done, 14 objects")
    records = json.loads((folder / "found.json").read_text())
    assert [record["frame"] for record in records] == [number // 2 for number in range(14)]
    assert count_frames("demo_out/clip.mp4") == 7
    assert cv2.VideoCapture("demo_out/clip.mp4").get(cv2.CAP_PROP_FPS) == 10
    assert results(folder) == ["clip.mp4"]


def test_video_stops_after_frames(folder):
    write_video("in/clip.avi")
    assert main(["demo", "in/clip.avi", "--frames", "3"]) == 0
    assert count_frames("demo_out/clip.mp4") == 3


def test_video_that_breaks_off_keeps_what_it_has(folder, capsys):
    write_video("in/clip.avi", frames=20)
    data = (folder / "in" / "clip.avi").read_bytes()
    (folder / "in" / "clip.avi").write_bytes(data[: len(data) * 3 // 5])
    assert main(["demo", "in/clip.avi", "--json", "found.json"]) == 0
    said = capsys.readouterr()
    count = count_frames("demo_out/clip.mp4")
    assert 5 < count < 15 and f"in/clip.avi: {count} frames, {2 * count} objects" in said.out
    assert f"warning: in/clip.avi: ends after {count} of 20 frames: the file is cut short" in said.err
    assert len(json.loads((folder / "found.json").read_text())) == 2 * count


def test_error_in_a_video_leaves_no_file_and_no_thread(folder, monkeypatch, capsys):
    write_video("in/clip.avi")

    def broken(pixels):
        boxes, scores = two_boxes(pixels)
        return boxes, scores * (np.nan if pixels.any() else 1)

    monkeypatch.setattr(
        command, "open_predictor", lambda args: Predictor(broken, SPEC, (96, 96), name="model")
    )
    assert main(["demo", "in/clip.avi", "in/a.png"]) == 2
    assert "error: model: the network's scores are not finite" in capsys.readouterr().err
    assert list(folder.glob("demo_out/*")) == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("gluon_yolo-")]


def interrupt(monkeypatch, call):
    """Send Ctrl-C in the n-th call of the network; the warm-up is the first."""
    calls = []

    def interrupted(pixels):
        calls.append(1)
        if len(calls) == call:
            raise KeyboardInterrupt
        return two_boxes(pixels)

    monkeypatch.setattr(command, "open_predictor", lambda args: Predictor(interrupted, SPEC, (96, 96)))


def test_interrupted_video_keeps_what_is_done(folder, monkeypatch, capsys):
    write_video("in/clip.avi")
    interrupt(monkeypatch, call=5)
    assert main(["demo", "in/clip.avi", "--json", "found.json"]) == 130
    assert count_frames("demo_out/clip.mp4") == 3
    assert len(json.loads((folder / "found.json").read_text())) == 6


def test_a_stopped_demo_says_what_it_leaves(folder, monkeypatch, capsys):
    interrupt(monkeypatch, call=3)
    assert main(["demo", "in", "--json", "found.json"]) == 130
    line = "demo, at source 2 of 2; what was drawn until then is in demo_out, 2 objects in found.json"
    assert capsys.readouterr().err == f"stopped: {line}\n"
    assert results(folder) == ["a.png"]
    assert len(json.loads((folder / "found.json").read_text())) == 2


def test_a_demo_that_is_stopped_while_it_loads_leaves_nothing(folder, monkeypatch, capsys):
    before = set(folder.iterdir())

    def stopped(args):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "open_predictor", stopped)
    assert main(["demo", "in", "--json", "new/found.json"]) == 130
    assert capsys.readouterr().err == "stopped: demo, before the first source; nothing is written\n"
    assert set(folder.iterdir()) == before


def test_nothing_but_what_cannot_be_read(folder, capsys):
    (folder / "text.jpg").write_text("no picture")
    assert main(["demo", "text.jpg"]) == 1
    line = "0 done, 0 objects; 1 could not be read, see above; nothing is written\n"
    assert capsys.readouterr().out == line and not (folder / "demo_out").exists()


@pytest.mark.parametrize("number", ["57", "99", "99999999999999999999"])
def test_webcam_that_is_not_there(folder, capfd, number):
    """One line is printed, and no line of OpenCV's."""
    assert main(["demo", number]) == 1
    assert capfd.readouterr().err == f"error: webcam {number}: cannot be opened; is it connected, and free?\n"


@pytest.mark.parametrize(
    "words, message",
    [
        (["nowhere.jpg"], "nowhere.jpg: no such file"),
        (["in", "--json", "in/a.png"], "--json in/a.png: is one of the sources"),
        (["in", "--out", "in/a.png/out"], "in/a.png/out: cannot be written"),
        (["in", "--json", "in"], "--json in: is a folder"),
        (["in", "--json", "/dev/null"], "--json /dev/null: is a device or pipe"),
        (["in", "--json", "in/a.png/x"], "--json in/a.png/x: cannot be written: Not a directory"),
        (["in", "--json", "new/out", "--out", "new/out/in"], "is the folder of --out new/out/in"),
        (["in", "--json", ""], "--json: is empty"),
        (["in", "--classes", "names", "--json", "names"], "--json names: is what --classes reads"),
        (["in", "--out", "/proc/there"], "--out /proc/there: cannot be written"),
    ],
)
def test_bad_requests(folder, capsys, words, message, monkeypatch):
    """Each is refused before the model is loaded, and no file is written."""
    (folder / "names").write_text("cat")
    before = contents(folder)
    monkeypatch.setattr(command, "open_predictor", lambda args: pytest.fail("the model is loaded"))
    assert main(["demo", *words]) == 2
    assert message in capsys.readouterr().err
    assert contents(folder) == before
