"""The C++ sample on ncnn finds the landmarks that Python finds, prints and draws them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

import gluon_yolo
from gluon_yolo.data.images.read import read_image
from gluon_yolo.drawing.landmarks import point_colours
from gluon_yolo.inference.face_landmarks import FaceLandmarks
from gluon_yolo.inference.predictor import Predictor
from tests.deploy.conftest import FIGURES
from tests.deploy.test_errors import said
from tests.landmark106 import import_it

PIXELS = 0.05
ON_NCNN = pytest.mark.parametrize("sample", ("ncnn",), indirect=True)


@pytest.fixture(scope="module")
def points(shared_data, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("landmarks")
    gluon_yolo.export(import_it(shared_data, folder / "imported"), "symbol,ncnn", folder / "points")
    return folder / "points"


@pytest.fixture
def pictures(shared_data, tmp_path) -> list[Path]:
    """Photographs with faces, in a form that every decoder reads alike."""
    sources = (shared_data / "landmark106" / "face.jpeg", shared_data / "images" / "faces.jpg")
    paths = [tmp_path / f"{source.stem}.png" for source in sources]
    for source, path in zip(sources, paths):
        cv2.imwrite(str(path), read_image(source)[:, :, ::-1])
    return paths


@ON_NCNN
def test_points_of_faces(sample, models, points, pictures, shared_data, tmp_path):
    faces = models.darknet(shared_data, "yoloface-500k")
    found = sample.detect(faces, *pictures, "--landmarks", points, "--draw", tmp_path / "drawn")
    predictor, landmarks = Predictor.load(faces, runtime="ncnn"), FaceLandmarks.load(points, runtime="ncnn")
    worst, compared = 0.0, 0
    for path in pictures:
        image = read_image(path)
        expected = predictor(image)
        ours = [one for one in found if one["image"] == str(path)]
        assert len(ours) == len(expected) > 0
        for box, wanted in zip(expected.boxes, landmarks(image, expected)):
            one = min(ours, key=lambda one: np.abs(one["box"] - box).max())
            assert list(one) == ["image", "class", "score", "box", "landmarks"]
            assert np.shape(one["landmarks"]) == (106, 2)
            worst = max(worst, float(np.abs(one["landmarks"] - wanted).max()))
            compared += 1
    FIGURES.append(
        f"ncnn sample, landmarks: {compared} faces, largest difference from Python {worst:.3f} pixels"
    )
    assert worst <= PIXELS, FIGURES[-1]
    # Faces large enough for dots with a middle of one colour.
    drawn = cv2.imread(str(tmp_path / "drawn" / pictures[0].name))[:, :, ::-1]
    colours = point_colours(106, landmarks.spec.groups)
    for one in (one for one in found if one["image"] == str(pictures[0])):
        for (x, y), colour in zip(np.rint(one["landmarks"]).astype(int), colours):
            assert tuple(drawn[y, x]) == colour


@ON_NCNN
def test_without_the_flag_nothing_changes(sample, models, points, pictures, shared_data):
    faces = models.darknet(shared_data, "yoloface-500k")
    with_points = sample.detect(faces, *pictures, "--landmarks", points)
    plain = sample.detect(faces, *pictures)
    assert plain == [{name: one[name] for name in ("image", "class", "score", "box")} for one in with_points]


@ON_NCNN
def test_models_of_the_other_kind(sample, models, points, pictures, shared_data, tmp_path):
    faces = models.darknet(shared_data, "yoloface-500k")
    assert "is a network of face landmarks, and no detector" in said(sample, 1, points, pictures[0])
    message = said(sample, 1, faces, pictures[0], "--landmarks", faces)
    assert "is a detector, where a network of face landmarks is expected" in message
    assert "no such file or folder" in said(sample, 1, faces, pictures[0], "--landmarks", tmp_path / "absent")
    for change, message in (
        (lambda record: record["spec"].pop("reach"), "a field is missing or wrong"),
        (lambda record: record["spec"]["groups"].update(mouth=[106]), "mouth: there is no point 106"),
        (lambda record: record["spec"].update(num_points=68, groups={}), "files are of different models"),
        (lambda record: record["graphs"].pop("ncnn"), "and not as ncnn"),
    ):
        folder = tmp_path / "changed"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(points, folder)
        record = json.loads((folder / "landmark106.json").read_text())
        change(record)
        (folder / "landmark106.json").write_text(json.dumps(record))
        assert message in said(sample, 1, faces, pictures[0], "--landmarks", folder)


@pytest.mark.parametrize("sample", ("mxnet",), indirect=True)
def test_the_sample_on_mxnet_has_none(sample, models, points, pictures, shared_data):
    faces = models.darknet(shared_data, "yoloface-500k")
    message = said(sample, 2, faces, pictures[0], "--landmarks", points)
    assert "--landmarks: the sample on ncnn has this flag" in message
