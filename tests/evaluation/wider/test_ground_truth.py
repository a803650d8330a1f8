"""The official files of WIDER FACE, read; what is wrong with them; sets by height."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gluon_yolo.detections import Detections
from gluon_yolo.errors import SettingError, UserError
from gluon_yolo.evaluation.wider.ground_truth import FILES, by_height, check_folder, read_ground_truth
from tests.evaluation.wider.official_files import write_official

pytest.importorskip("scipy", reason="package scipy is not installed")
EVENTS = {
    "0--Parade": {"0_Parade_1": [((1, 2, 3, 4), "h"), ((5, 6, 70, 80), "emh"), ((9, 9, 2, 2), "")]},
    "4--Dancing": {"4_Dancing_7": [((0, 0, 0, 0), "")], "4_Dancing_8": [((10, 20, 33, 44), "mh")]},
}


def test_read(tmp_path: Path) -> None:
    truth = read_ground_truth(write_official(tmp_path / "truth", EVENTS))
    assert truth.events == {
        "0_Parade_1": "0--Parade",
        "4_Dancing_7": "4--Dancing",
        "4_Dancing_8": "4--Dancing",
    }
    first = truth.images["0_Parade_1"]
    assert first.boxes.tolist() == [[1, 2, 3, 4], [5, 6, 70, 80], [9, 9, 2, 2]]
    assert first.in_set.astype(int).tolist() == [[0, 1, 0], [0, 1, 0], [1, 1, 0]]
    assert truth.images["4_Dancing_8"].in_set.ravel().tolist() == [False, True, True]
    assert not truth.images["4_Dancing_7"].in_set.any()


def test_the_official_files(shared_data: Path) -> None:
    """The numbers of faces are those that the paper's authors published with them."""
    truth = read_ground_truth(shared_data / "widerface" / "ground_truth")
    assert len(truth.images) == 3226 and len(set(truth.events.values())) == 61
    assert sum(len(image.boxes) for image in truth.images.values()) == 39708
    sets = np.sum([image.in_set.sum(axis=1) for image in truth.images.values()], axis=0)
    assert sets.tolist() == [7211, 13319, 31958]


def test_a_file_is_absent(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"has no wider_face_val.mat \(and 3 more\)"):
        check_folder(tmp_path)
    folder = write_official(tmp_path / "truth", EVENTS)
    (folder / "wider_hard_val.mat").unlink()
    with pytest.raises(SettingError, match=r"wider_ground_truth .*truth: has no wider_hard_val.mat; it is"):
        read_ground_truth(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_none(tmp_path: Path, name: str) -> None:
    folder = write_official(tmp_path / "truth", EVENTS)
    (folder / name).write_bytes(b"<html>not found</html>")
    with pytest.raises(UserError, match=f"{name}: cannot be read as a MATLAB file"):
        read_ground_truth(folder)


def test_a_file_has_another_name(tmp_path: Path) -> None:
    folder = write_official(tmp_path / "truth", EVENTS)
    (folder / "wider_easy_val.mat").write_bytes((folder / "wider_face_val.mat").read_bytes())
    with pytest.raises(
        UserError, match="wider_easy_val.mat: is not WIDER FACE's file of this name .*gt_list"
    ):
        read_ground_truth(folder)


def test_files_of_two_versions(tmp_path: Path) -> None:
    folder = write_official(tmp_path / "truth", EVENTS)
    other = write_official(tmp_path / "other", {"0--Parade": EVENTS["0--Parade"]})
    (folder / "wider_hard_val.mat").write_bytes((other / "wider_hard_val.mat").read_bytes())
    with pytest.raises(UserError, match="truth: the files are not of one version .*fetch all four"):
        read_ground_truth(folder)


def test_sets_by_height() -> None:
    heights = np.array([10, 11, 30, 31, 50, 51, 80])
    boxes = np.stack([heights * 0, heights * 0 + 5, heights * 0 + 9, heights + 5], axis=1).astype(np.float32)
    difficult = np.array([False] * 6 + [True])
    faces = by_height(Detections(boxes, np.zeros(7, int), difficult=difficult))
    assert faces.boxes[5].tolist() == [0, 5, 9, 51]
    assert faces.in_set.astype(int).tolist() == [
        [0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 1, 1, 1, 0],
        [0, 1, 1, 1, 1, 1, 0],
    ]
