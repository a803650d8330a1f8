"""data tile: from a data set of any format to its tiles, which training reads."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from gluon_yolo.cli import main
from gluon_yolo.data.registry import WRITERS, open_source
from gluon_yolo.data.synthetic import generate
from gluon_yolo.data.tiled_dataset import TiledDataset
from gluon_yolo.data.tiles import Tiling
from tests.data.small_data import MANY_CLASSES
from tests.random_model import random_image


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("shapes") / "data", images=6, size_hw=(96, 144))


@pytest.mark.parametrize("format", MANY_CLASSES)
def test_every_format_is_read_and_written(shapes, tmp_path, format, capsys):
    """What is written is what the tiles of the data are, and without errors; how to train on it is said."""
    source = open_source(shapes)
    writer = WRITERS[format](tmp_path / "in", source.open("train").class_names)
    for part in ("train", "val"):
        writer.write(part, source.open(part))
    place = writer.finish()
    capsys.readouterr()
    words = ["--tile", "64", "--overlap", "0.25", "--visible", "0.5"]
    assert main(["data", "tile", str(place), str(tmp_path / "out"), *words]) == 0
    said = capsys.readouterr().out
    assert "train on it: gluon-yolo train --data " in said
    out = open_source(Path(said.splitlines()[-1].rpartition(" --data ")[2].strip("'")))
    assert out.format == format
    for part in ("train", "val"):
        found, expected = out.open(part), TiledDataset(source.open(part), Tiling((64, 64), 0.25), 0.5)
        assert len(found) == len(expected) > 4 and found.class_names == expected.class_names
        line = f"{len(expected)} tiles ({expected.empty_tiles} without objects); "
        assert line in said and f"there are {expected.report.boxes} in the tiles" in said
        for index in range(len(found)):
            assert found.encoded(index) == expected.encoded(index)
            ours, theirs = found.annotations(index), expected.annotations(index)
            np.testing.assert_allclose(ours.boxes, theirs.boxes, atol=1e-3)
            np.testing.assert_array_equal(ours.class_ids, theirs.class_ids)
    assert main(["data", "check", str(out.path)]) == 0


def large(folder: Path) -> Path:
    """Write COCO's layout: an image of 300x200 with two objects and a crowd, and one without objects."""
    folder.mkdir()
    for name in "ab":
        cv2.imwrite(str(folder / f"{name}.png"), random_image(200, 300))
    images = [{"id": i, "file_name": f"{n}.png", "width": 300, "height": 200} for i, n in enumerate("ab")]
    boxes = [[10, 10, 20, 20], [5, 90, 290, 20], [200, 150, 80, 40]]
    annotations = [
        {"id": i, "image_id": 0, "category_id": 4, "bbox": box, "iscrowd": int(i == 2)}
        for i, box in enumerate(boxes)
    ]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 4, "name": "ship"}]}
    (folder / "instances_train.json").write_text(json.dumps(content))
    return folder


def test_what_is_left_out_is_said(tmp_path, capsys, caplog):
    """The wide ship is in no tile, since a tile shows a third of it; the crowd is lost, as in convert."""
    words = ["--tile", "100", "--to", "voc", "--visible", "0.5", "--empty", "1"]
    assert main(["data", "tile", str(large(tmp_path / "in")), str(tmp_path / "out"), *words]) == 0
    said = capsys.readouterr().out.splitlines()
    counts = (
        "2 pictures, 13 tiles (12 without objects); of 2 objects there are 1 in the tiles, 1 part left out"
    )
    assert f"train: {counts}" in said
    place = f"{tmp_path}/out"
    assert f"Pascal VOC: {place}; to train, divide it: gluon-yolo data split {place}" in said[-1]
    lost = "1 object of 2 in no tile, since each tile shows less than --visible of it: give a larger --tile"
    assert lost in caplog.text and "not written: 1 crowd box left out" in caplog.text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tile", "8"], "error: --tile 8: expected 32 or more"),
        (["--overlap", "1"], "error: --overlap 1.0: must lie within 0 and 0.9"),
        (["--visible", "2"], "error: --visible 2.0: must lie within 0 and 1"),
        (["--empty", "nan"], "error: --empty nan: must lie within 0 and 1"),
        (["--tile", "64", "--visible", "1", "--empty", "0", "--only", "ship"], ""),
    ],
)
def test_bad_settings(tmp_path, words, message, capsys):
    code = main(["data", "tile", str(large(tmp_path / "in")), str(tmp_path / "out"), *words])
    assert code == (2 if message else 0) and message in capsys.readouterr().err
    assert (tmp_path / "out").exists() == (not message)


def test_nothing_to_show(tmp_path, capsys):
    data = large(tmp_path / "in")
    content = json.loads((data / "instances_train.json").read_text())
    content["annotations"] = content["annotations"][1:2]
    (data / "instances_train.json").write_text(json.dumps(content))
    words = ["--tile", "100", "--visible", "0.5", "--empty", "0"]
    assert main(["data", "tile", str(data), str(tmp_path / "out"), *words]) == 2
    error = capsys.readouterr().err
    assert "no tile of train is left: none shows --visible of an object, and --empty keeps none" in error
    assert not (tmp_path / "out").exists()


def test_nothing_is_overwritten_and_files_are_named(tmp_path, capsys):
    data = large(tmp_path / "in")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    assert main(["data", "tile", str(data), str(tmp_path / "out"), "--tile", "100"]) == 2
    assert "out: holds something else already" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]
    assert main(["data", "tile", str(data), str(data / "tiles"), "--tile", "100"]) == 2
    assert "tiles: lies in the data itself" in capsys.readouterr().err
    (data / "a.png").write_bytes(b"no picture")
    assert main(["data", "tile", str(data), str(tmp_path / "new"), "--tile", "100"]) == 2
    error = capsys.readouterr().err
    assert f"{data}/a.png: cannot read the picture" in error and "--skip-bad" in error
