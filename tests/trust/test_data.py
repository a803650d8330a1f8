"""Data and settings from a stranger are data: no tag of YAML makes an object, no name leads out."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gluon_yolo.cli import main
from gluon_yolo.errors import UserError
from gluon_yolo.training.config_file import read_settings
from tests.trust.planted import Bomb

OLD = Path(__file__).resolve().parents[1] / "old_work"
TAGS = (
    "!!python/object/apply:os.system ['touch {mark}']",
    "!!python/object/new:os.system ['touch {mark}']",
    "!!python/name:os.system ''",
    "!!python/module:os ''",
    "!!python/object/apply:subprocess.check_output [['touch', '{mark}']]",
)


@pytest.mark.parametrize("tag", TAGS)
def test_no_tag_of_a_config_makes_an_object(tag: str, tmp_path: Path) -> None:
    mark, path = tmp_path / "mark", tmp_path / "config.yaml"
    path.write_text(f"epochs: {tag.format(mark=mark)}\n")
    with contextlib.suppress(UserError):
        assert all(isinstance(value, (str, list, dict)) for value, _ in read_settings(path).values())
    assert not mark.exists()


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("key", ["names", "train", "nc", "download"])
def test_no_tag_of_a_data_yaml_makes_an_object(key: str, tag: str, tmp_path: Path) -> None:
    mark, data = tmp_path / "mark", tmp_path / "data"
    shutil.copytree(OLD / "data", data)
    path = data / "data.yaml"
    kept = [line for line in path.read_text().splitlines() if not line.startswith(key)]
    path.write_text("\n".join([*kept, f"{key}: {tag.format(mark=mark)}", ""]))
    assert main(["data", "check", str(path)]) in (0, 1, 2)
    assert not mark.exists()


def test_the_download_of_a_data_yaml_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ultralytics runs what stands there: Python, or a shell's command."""
    mark, data = tmp_path / "mark", tmp_path / "data"
    shutil.copytree(OLD / "data", data)
    with (data / "data.yaml").open("a") as file:
        file.write(f"download: |\n  open({str(mark)!r}, 'w')\n")
    assert main(["data", "check", str(data / "data.yaml")]) == 0, capsys.readouterr()
    assert not mark.exists()


def coco(folder: Path, names: list[str]) -> Path:
    """Write a COCO data set whose images have these file names."""
    (folder / "images").mkdir(parents=True)
    source = next((OLD / "data" / "images" / "val").iterdir())
    for name in names:
        path = folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, path)
    images = [{"id": n, "file_name": name, "width": 64, "height": 64} for n, name in enumerate(names)]
    boxes = [{"id": 9, "image_id": 0, "category_id": 1, "bbox": [8, 8, 20, 20], "area": 400, "iscrowd": 0}]
    text = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "../../evil"}]}
    for split in ("train", "val"):
        (folder / f"instances_{split}.json").write_text(json.dumps(text))
    return folder


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("to", ["yolo", "voc", "coco", "wider", "record", "keras"])
def test_names_of_images_do_not_lead_out_of_what_is_written(
    to: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suffix = next((OLD / "data" / "images" / "val").iterdir()).suffix
    names = [f"../../escaped/one{suffix}", f"{tmp_path}/absolute/two{suffix}", f"a/../../..{suffix}"]
    data = coco(tmp_path / "in" / "data", names)
    before = files(tmp_path)
    status = main(["data", "convert", str(data), str(tmp_path / "out"), "--to", to])
    written = {name for name in files(tmp_path) - before if not (name + "/").startswith("out/")}
    assert status in (0, 1, 2) and not written, capsys.readouterr()


def test_events_of_a_ground_truth_are_names(tmp_path: Path) -> None:
    scipy = pytest.importorskip("scipy.io")
    from gluon_yolo.evaluation.wider.ground_truth import FILES, read_ground_truth

    def cell(*values: Any) -> np.ndarray:
        made = np.empty((len(values), 1), dtype=object)
        made[:, 0] = values
        return made

    for event, taken in (("0--Parade", True), ("../../evil", False), ("/tmp/evil", False), ("..", False)):
        boxes = cell(cell(np.array([[1.0, 2.0, 3.0, 4.0]])))
        content = {"event_list": cell(event), "file_list": cell(cell("name")), "face_bbx_list": boxes}
        for name in FILES:
            scipy.savemat(tmp_path / name, {**content, "gt_list": cell(cell(np.array([[1]])))})
        if taken:
            assert read_ground_truth(tmp_path).events == {"name": event}
            continue
        with pytest.raises(UserError, match="event"):
            read_ground_truth(tmp_path)


@pytest.mark.parametrize("kind", ["zip", "legacy", "bare"])
def test_a_file_of_pytorch_is_only_tensors(kind: str, tmp_path: Path) -> None:
    from gluon_yolo.models import zoo
    from gluon_yolo.weights.load import load_weights

    mark, path = tmp_path / "mark", tmp_path / "weights.pth"
    pickled = pickle.dumps({"state_dict": Bomb(mark)}, protocol=2)
    if kind == "zip":
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("archive/data.pkl", pickled)
            archive.writestr("archive/version", "3\n")
            archive.writestr("../../../escaped", "x")
        path.write_bytes(content.getvalue())
    elif kind == "legacy":
        magic = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
        path.write_bytes(magic + pickle.dumps(1001, protocol=2) + pickle.dumps({}, protocol=2) + pickled)
    else:
        path.write_bytes(pickled)
    net = zoo.build("yolo_fastestv2_custom", ("a",))
    with pytest.raises(UserError, match="weights.pth"):
        load_weights(net, path)
    assert not mark.exists() and files(tmp_path) == {"weights.pth"}
