"""``demo`` keeps the user's files in its output folder, and overwrites its own."""

from __future__ import annotations

import json
import os

import pytest

from gluon_yolo.cli.demo_written import NOTES, Written
from tests.cli.fake_demo import make_images
from tests.cli.test_demo import contents, results, write_video
from tests.cli.test_demo_outputs import demo
from tests.cli.test_demo_outputs import folder as folder  # a fixture

TRUTH = "0 0.5 0.5 0.1 0.1\n"


@pytest.mark.parametrize(
    "mine",
    [
        ["labels/a.txt"],
        ["labels/train/000000.txt"],
        ["labels/train/deep/er/x.txt", "labels/classes.names"],
        ["labels/classes.names"],
        ["labels/train.cache"],
        ["labels/.hidden.txt"],
    ],
)
@pytest.mark.parametrize("source", ["train.avi", "in/a.png"])
def test_labels_that_no_demo_wrote(folder, capsys, monkeypatch, mine, source):
    """A data set may have labels in such a folder: an error before the model is loaded."""
    make_images(folder, "in/a.png")
    write_video("train.avi", frames=2)
    for name in mine:
        (folder / "D" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "D" / name).write_text(TRUTH)
    before = contents(folder)
    monkeypatch.setattr("gluon_yolo.cli.demo.open_predictor", lambda args: pytest.fail("the model is loaded"))
    assert demo(source, "--save-txt", "--out", "D") == 2
    said = capsys.readouterr().err
    assert said.startswith("error: --save-txt: D/labels holds label files that no demo wrote, or that were ")
    assert any(name[len("labels/") :] in said for name in mine)
    assert contents(folder) == before


def test_a_link_into_a_data_set(folder):
    make_images(folder, "in/a.png")
    (folder / "truth").mkdir()
    (folder / "truth" / "a.txt").write_text(TRUTH)
    (folder / "demo_out" / "labels").mkdir(parents=True)
    (folder / "demo_out" / "labels" / "train").symlink_to(folder / "truth")
    assert demo("in", "--save-txt") == 2


def test_ones_own_are_written_again_until_somebody_mends_them(folder, capsys):
    make_images(folder, "in/a.png", "in/b.png")
    write_video("in/clip.avi", frames=2)
    for _ in range(3):
        assert demo("in", "--save-txt", "--save-crops") == 0
    assert results(folder) == ["a.png", "b.png", "clip.mp4", "crops", "labels"]
    (folder / "demo_out" / "labels" / ".DS_Store").write_text("a file browser's")
    assert demo("in", "--save-txt") == 0
    label = folder / "demo_out" / "labels" / "clip" / "000001.txt"
    label.write_text(TRUTH)
    assert demo("in", "--save-txt") == 2
    assert "such as clip/000001.txt; they are not touched" in capsys.readouterr().err
    assert label.read_text() == TRUTH


def test_drawings_and_crops_keep_off_a_users_images(folder):
    """None of these images is a source."""
    mine = ["demo_out/a.png", "demo_out/clip.mp4", "demo_out/crops/square/a_2_0.png"]
    make_images(folder, "in/a.png", mine[0], mine[2])
    (folder / mine[1]).write_bytes(b"a film of mine")
    write_video("in/clip.avi", frames=2)
    before = {name: (folder / name).read_bytes() for name in mine}
    for _ in range(2):  # the second run overwrites the results of the first one
        assert demo("in", "--save-crops", "--classes-only", "square") == 0
        assert results(folder) == ["a.png", "a_2.png", "clip.mp4", "clip_2.mp4", "crops"]
        crops = sorted(path.name for path in (folder / "demo_out/crops/square").iterdir())
        assert crops == ["a_2_0.png", "a_2_0_2.png", "clip_2_000000_0.jpg", "clip_2_000001_0.jpg"]
    assert {name: (folder / name).read_bytes() for name in mine} == before


def test_a_kill_while_it_writes_leaves_what_the_next_run_takes_for_its_own(folder, monkeypatch):
    make_images(folder, "in/a.png", "in/b.png")

    class Killed(BaseException):
        pass

    def killed(part, path):
        rename(part, path)
        if path.name == "a.txt":
            raise Killed

    rename = os.replace
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("gluon_yolo.cli.demo_outputs.os.replace", killed)
        demo("in", "--save-txt")
    assert (folder / "demo_out" / "labels" / "a.txt").is_file()
    with (folder / "demo_out" / NOTES).open("a") as file:
        file.write('["labels/b')  # an incomplete line
    assert demo("in", "--save-txt") == 0 and demo("in", "--save-txt") == 0


def test_notes_do_not_grow_with_the_runs(tmp_path):
    for run in range(20):
        written = Written(tmp_path)
        for name in "ab":
            (tmp_path / name).write_text(f"{run}")
            written.note(tmp_path / name)
        assert written.count == 2
    lines = [line for line in (tmp_path / NOTES).read_text().splitlines() if line]
    assert len(lines) < 8 and json.loads(lines[-1])[:2] == ["b", 2]
