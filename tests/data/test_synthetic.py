"""The synthetic data set: equal for one seed, readable, and with boxes at its shapes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.boxes import iou_matrix
from gluon_yolo.cli import main
from gluon_yolo.data.synthetic import CLASS_NAMES, draw_scene, generate
from gluon_yolo.data.voc.dataset import open_voc
from gluon_yolo.errors import UserError


def files_of(root):
    return {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("drawn") / "set", images=20, seed=3)


class TestGenerate:
    def test_reads_back(self, drawn):
        train, val = open_voc(drawn, "train", CLASS_NAMES), open_voc(drawn, "val", CLASS_NAMES)
        assert (len(train), len(val), len(open_voc(drawn, "trainval"))) == (16, 4, 20)
        assert not {train.name(i) for i in range(16)} & {val.name(i) for i in range(4)}
        assert train.report.issues == [] and train.report.broken_boxes == 0
        assert train.class_names == CLASS_NAMES
        assert train.image(0).shape == (240, 320, 3)
        assert min(train.report.per_class.values()) > 0

    def test_same_seed_same_bytes(self, drawn, tmp_path):
        assert files_of(generate(tmp_path / "again", images=20, seed=3)) == files_of(drawn)

    def test_other_seed_other_images(self, drawn, tmp_path):
        other = files_of(generate(tmp_path / "other", images=20, seed=4))
        assert all(other[path] != data for path, data in files_of(drawn).items() if path.suffix == ".jpg")

    def test_an_image_does_not_depend_on_the_number(self, drawn, tmp_path):
        fewer = files_of(generate(tmp_path / "fewer", images=5, seed=3))
        whole = files_of(drawn)
        assert all(whole[path] == data for path, data in fewer.items() if path.suffix in (".jpg", ".xml"))

    def test_what_is_there_is_left_alone(self, drawn):
        image = next(drawn.glob("JPEGImages/*.jpg"))
        os.utime(image, (1, 1))
        generate(drawn, images=20, seed=3)
        assert image.stat().st_mtime == 1

    def test_an_interrupted_one_is_begun_again(self, tmp_path):
        root = generate(tmp_path / "set", images=5)
        marker = root / "synthetic.json"
        marker.write_text(json.dumps({**json.loads(marker.read_text()), "complete": False}))
        next(root.glob("JPEGImages/*.jpg")).unlink()
        assert len(open_voc(generate(root, images=5), "trainval")) == 5

    @pytest.mark.parametrize("files", [0, 1, 2])
    def test_one_killed_while_it_began_is_begun_again(self, tmp_path, monkeypatch, files):
        """Before, between and after the files of its marker: nothing else may be there before these."""

        class Killed(BaseException):
            pass

        def die(*words: object, **more: object) -> None:
            raise Killed

        doomed = ("atomic_io.os.replace", "atomic_io.os.fsync", "data.synthetic.threaded_map")[files]
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(f"gluon_yolo.{doomed}", die)
            patch.setattr(Path, "unlink", die)  # a killed process does not tidy up
            generate(tmp_path / "set", images=5)
        left = {path.name for path in (tmp_path / "set").iterdir()}
        assert left >= ({"synthetic.json.part"} if files < 2 else {"synthetic.json"})
        assert len(open_voc(generate(tmp_path / "set", images=5), "trainval")) == 5

    @pytest.mark.parametrize("marker", [None, "{", '{"pictures": 7}'])
    def test_nothing_else_is_overwritten(self, tmp_path, marker):
        (tmp_path / "mine.txt").write_text("keep")
        if marker:
            (tmp_path / "synthetic.json").write_text(marker)
        with pytest.raises(UserError, match="holds something else"):
            generate(tmp_path, images=5)

    def test_cannot_write(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(UserError, match="file.set: cannot write the data set"):
            generate(tmp_path / "file" / "set", images=5)

    @pytest.mark.parametrize("wrong", [{"images": 4}, {"size_hw": (32, 320)}, {"seed": -1}])
    def test_arguments(self, tmp_path, wrong):
        with pytest.raises(UserError, match="expected at least 5 pictures"):
            generate(tmp_path / "set", **wrong)


class TestScene:
    @pytest.mark.parametrize("size_hw", [(240, 320), (160, 100), (64, 64)])
    def test_boxes(self, size_hw):
        for seed in range(10):
            image, truth = draw_scene(np.random.default_rng(seed), size_hw)
            assert image.shape == (*size_hw, 3) and image.dtype == np.uint8
            assert 1 <= len(truth) <= 7
            assert truth.boxes.min() >= 0
            assert (truth.boxes[:, 2:] < (size_hw[1], size_hw[0])).all()
            np.testing.assert_array_equal(truth.boxes, np.round(truth.boxes))
            overlaps = iou_matrix(truth.boxes, truth.boxes) - np.eye(len(truth))
            assert overlaps.max(initial=0) <= 0.05

    def test_a_box_ends_where_its_shape_does(self, monkeypatch):
        """Draw one flat white shape on black, and find it again by its pixels."""
        import gluon_yolo.data.synthetic as scene

        monkeypatch.setattr(scene, "_OBJECTS_RANGE", (1, 1))
        monkeypatch.setattr(scene, "_background", lambda rng, size_hw: np.zeros((*size_hw, 3), np.float32))
        monkeypatch.setattr(scene, "_draw_clutter", lambda rng, image: None)
        monkeypatch.setattr(scene, "_with_noise", lambda rng, image: image)
        for seed in range(20):
            image, truth = draw_scene(np.random.default_rng(seed), (240, 320))
            y, x = np.nonzero(image.max(axis=2) > 5)
            np.testing.assert_allclose(truth.boxes[0], [x.min(), y.min(), x.max(), y.max()], atol=1.01)


def test_command(tmp_path, capsys):
    assert main(["synth", str(tmp_path / "shapes"), "--pictures", "5", "--seed", "1"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("5 pictures of circle, ") and last.endswith(f" are in {tmp_path / 'shapes'}")
    assert len(open_voc(tmp_path / "shapes", "val")) == 1
