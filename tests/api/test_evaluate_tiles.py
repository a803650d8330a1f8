"""``evaluate`` and ``eval`` in tiles: the same detections as the Predictor's, at the objects' own size."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import gluon_yolo
from gluon_yolo.cli import main
from gluon_yolo.data.dataset import ListedImages
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.detections import Detections
from gluon_yolo.drawing.write import write_image
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.inference.predictor import Predictor
from tests.inference.components import NAMES, SPEC, apart, components, spots

pytest.importorskip("pycocotools")
PREDICTOR = Predictor(components, SPEC, (128, 128), name="spots")


class Scenes(ListedImages):
    """Three images of 900x700 with small objects."""

    def __init__(self) -> None:
        rng = np.random.default_rng(1)
        boxes = [apart(rng, (700, 900), (14, 30), 25) for _ in range(3)]
        truths = [Detections(each, rng.integers(0, 2, len(each))) for each in boxes]
        self.images = [spots((700, 900), truth.boxes, truth.class_ids) for truth in truths]
        super().__init__(
            NAMES, ["a.png", "b.png", "c.png"], [(700, 900)] * 3, truths, DatasetReport("scenes")
        )

    def image(self, index: int, reduction: int = 1) -> np.ndarray:
        return self.images[index]


@pytest.fixture(scope="module")
def scenes() -> Scenes:
    return Scenes()


def scored(*words: Any, **options: Any) -> Any:
    return gluon_yolo.evaluate(*words, progress=False, **options)


@pytest.mark.parametrize("workers", [0, 2])
def test_small_objects_are_found_in_tiles(scenes: Scenes, workers: int) -> None:
    plain = scored(PREDICTOR, scenes, workers=workers)
    tiled = scored(PREDICTOR, scenes, tile=128, overlap=0.3, workers=workers)
    assert plain["AP"] < 0.1 and tiled["AP"] == pytest.approx(1) and tiled["pictures"] == 3
    assert (tiled["tile"], tiled["overlap"], tiled["tile_whole"]) == ([128, 128], 0.3, False)
    assert ", tiles 128x128, overlap 0.3" in str(tiled) and "tile" not in plain.numbers
    again = scored(PREDICTOR.replace(tile=128, overlap=0.3), scenes, workers=workers)
    assert again["AP"] == tiled["AP"]


def test_what_is_watched_and_limited(scenes: Scenes, tmp_path: Any) -> None:
    seen: dict[int, int] = {}

    def watch(index: int, image: np.ndarray, found: Detections) -> None:
        assert image is scenes.images[index]
        seen[index] = len(found)

    tiled = scored(
        PREDICTOR,
        scenes,
        tile="128x160",
        tile_whole=True,
        watch=watch,
        max_detections=20,
        save_images=tmp_path,
    )
    assert seen == dict.fromkeys(range(3), 20) and len(tiled.limited) == 3
    assert len(list(tmp_path.iterdir())) == 3 and "tiles 128x160, overlap 0.2 and whole" in str(tiled)


def test_tiles_come_in_batches_of_the_batch_size(scenes: Scenes) -> None:
    sizes = set()

    def network(pixels: np.ndarray) -> Any:
        sizes.add(len(pixels))
        return components(pixels)

    scored(Predictor(network, SPEC, (128, 128)), scenes, tile=256, overlap=0, batch_size=5)  # 4 x 3 tiles
    assert sizes == {5, 2}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile": 8}, "^tile 8: expected 32 or more$"),
        ({"tile": 640, "overlap": 0.95}, "^overlap 0.95: must lie within 0 and 0.9$"),
        ({"overlap": 0.1}, "^overlap: goes with tile, which cuts the pictures$"),
        ({"tile_whole": True}, "^tile_whole: goes with tile, which cuts the pictures$"),
    ],
)
def test_what_is_wrong_is_named(scenes: Scenes, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        scored(PREDICTOR, scenes, **options)


def test_an_image_that_cannot_be_read_is_named(scenes: Scenes, monkeypatch: Any) -> None:
    def image(index: int, reduction: int = 1) -> np.ndarray:
        raise UserError("b.png: cannot read the picture")

    monkeypatch.setattr(scenes, "image", image)
    with pytest.raises(UserError, match="b.png: cannot read"):
        scored(PREDICTOR, scenes, tile=128)


def test_the_command(scenes: Scenes, tmp_path: Any, monkeypatch: Any, capsys: Any) -> None:
    (tmp_path / "in").mkdir()
    for index, name in enumerate("abc"):
        write_image(tmp_path / "in" / f"{name}.png", scenes.images[index])
    content = {
        "images": [
            {"id": i, "file_name": f"{n}.png", "width": 900, "height": 700} for i, n in enumerate("abc")
        ],
        "annotations": [
            {"id": 100 * i + k, "image_id": i, "category_id": int(c), "bbox": [*xy, *(wh - xy)]}
            for i in range(3)
            for k, (xy, wh, c) in enumerate(rows(scenes.annotations(i)))
        ],
        "categories": [{"id": i, "name": name} for i, name in enumerate(NAMES)],
    }
    (tmp_path / "val.json").write_text(json.dumps(content, default=float))
    monkeypatch.setattr("gluon_yolo.cli.flags.model.Predictor.load", loaded)
    words = [
        "eval",
        "--model",
        "spots",
        "--annotations",
        str(tmp_path / "val.json"),
        "--images",
        str(tmp_path / "in"),
    ]
    assert main([*words, "--tile", "128", "--json", str(tmp_path / "s.json")]) == 0
    assert "tiles 128x128, overlap 0.2" in capsys.readouterr().out
    numbers = json.loads((tmp_path / "s.json").read_text())
    assert numbers["AP"] > 0.99 and numbers["tile"] == [128, 128] and numbers["overlap"] == 0.2
    assert main([*words, "--overlap", "0.1"]) == 2
    assert "error: --overlap: goes with --tile N, which cuts the pictures" in capsys.readouterr().err
    assert main([*words, "--tile", "31"]) == 2
    assert "error: --tile 31: expected 32 or more" in capsys.readouterr().err


def rows(truth: Detections) -> Any:
    return [(box[:2], box[2:], class_id) for box, class_id in zip(truth.boxes, truth.class_ids)]


def loaded(path: str, runtime: str, **options: Any) -> Predictor:
    for name in ("gpu", "size_hw", "remeasure"):
        options.pop(name)
    return Predictor(components, SPEC, (128, 128), **options)
