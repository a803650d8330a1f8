"""FaceLandmarks: the 106-point network in each runtime, held against Caffe's and ncnn's own results."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gluon_yolo
from gluon_yolo.errors import UserError
from gluon_yolo.inference.face_landmarks import FaceLandmarks
from gluon_yolo.inference.runtimes.registry import RUNTIMES
from gluon_yolo.landmarks import LandmarkSpec
from tests.inference.test_without_mxnet import OTHERS, REFUSE
from tests.landmark106 import FORMATS, RUNTIMES_HERE, Expected, import_it
from tests.random_model import random_detector

pytest.importorskip("google.protobuf", reason="protobuf is not installed")

RAW, PIXELS = 1e-4, 0.05


@pytest.fixture(scope="module")
def expected(shared_data) -> Expected:
    return Expected(shared_data / "landmark106")


@pytest.fixture(scope="module")
def imported(shared_data, tmp_path_factory) -> Path:
    return import_it(shared_data, tmp_path_factory.mktemp("imported") / "landmark106")


@pytest.fixture(scope="module")
def exported(imported, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    formats = [FORMATS[runtime] for runtime in ("mxnet", *OTHERS) if runtime in FORMATS]
    done = gluon_yolo.export(imported, formats, folder)
    assert done.record == folder / "landmark106.json"
    return folder


@pytest.fixture(params=("imported", *(name for name in FORMATS)))
def landmarks(request, imported, exported) -> FaceLandmarks:
    if request.param == "imported":
        return FaceLandmarks.load(imported)
    if request.param not in RUNTIMES_HERE:
        pytest.skip(f"{RUNTIMES[request.param].package} is not installed, or does not load")
    return FaceLandmarks.load(exported, runtime=request.param)


def test_raw_outputs_of_nine_crops(landmarks, expected):
    given = landmarks.raw(expected.pixels())
    assert given.shape == (9, 212)
    assert np.abs(given - expected.raw()).max() < RAW
    assert np.abs(given - expected.raw("raw_ncnn")).max() < RAW


def test_points_of_the_faces_of_a_picture(landmarks, expected):
    boxes = np.stack([expected.of(crop, "face_xyxy") for crop in expected.by_the_rule])
    points = landmarks(expected.image, boxes)
    assert points.shape == (2, 106, 2) and points.dtype == np.float32
    for crop, face in zip(expected.by_the_rule, points):
        assert landmarks.spec.crops(expected.of(crop, "face_xyxy"), expected.image.shape[:2])[
            0
        ].tolist() == list(expected.of(crop, "crop_xyxy"))
        assert np.abs(face - expected.of(crop, "points_xy")).max() < PIXELS


def test_points_of_all_crops_of_the_picture(landmarks, expected):
    crops = [crop for crop in expected.crops if expected.has_points(crop)]
    assert len(crops) == 6
    raw = landmarks.raw(np.stack([expected.of(crop, "input_bgr")[:, :, ::-1] for crop in crops]))
    places = np.stack([expected.of(crop, "crop_xyxy") for crop in crops])
    wanted = np.stack([expected.of(crop, "points_xy") for crop in crops])
    assert np.abs(landmarks.spec.points(raw, places) - wanted).max() < PIXELS


@pytest.mark.skipif("ncnn" not in OTHERS, reason="ncnn is not installed, or does not load")
def test_the_authors_own_ncnn_model_agrees(shared_data, exported, expected):
    import ncnn

    net = ncnn.Net()
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    assert net.load_param(str(shared_data / "ncnn" / "landmark106.param")) == 0
    assert net.load_model(str(shared_data / "ncnn" / "landmark106.bin")) == 0
    given = []
    for pixels in expected.pixels():
        bgr = np.ascontiguousarray(pixels[:, :, ::-1])
        mat = ncnn.Mat.from_pixels(bgr, ncnn.Mat.PixelType.PIXEL_BGR, 112, 112)
        mat.substract_mean_normalize([127.5] * 3, [1 / 127.5] * 3)
        extractor = net.create_extractor()
        extractor.input("data", mat)
        given.append(np.array(extractor.extract("bn6_3_bn6_3_scale")[1]).ravel())
    ours = FaceLandmarks.load(exported, runtime="ncnn").raw(expected.pixels())
    assert np.abs(ours - np.stack(given)).max() < RAW


@pytest.mark.skipif(not OTHERS, reason="no other runtime is installed")
def test_where_mxnet_is_not_installed(exported, expected, shared_data, tmp_path):
    box = expected.of("ncnn500k_0", "face_xyxy").tolist()
    script = f"""{REFUSE}
import json, numpy as np, gluon_yolo
found = gluon_yolo.FaceLandmarks.load({str(exported)!r}, runtime={OTHERS[0]!r})
image = gluon_yolo.load_image({str(shared_data / "landmark106" / "face.jpeg")!r})
print(json.dumps([found(image, np.array([{box}])).tolist(), "mxnet" in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    points, has_mxnet = json.loads(done.stdout)
    wanted = FaceLandmarks.load(exported, runtime=OTHERS[0])
    image = gluon_yolo.load_image(shared_data / "landmark106" / "face.jpeg")
    assert not has_mxnet
    np.testing.assert_allclose(points, wanted(image, np.array([box])), atol=1e-3)


def test_no_faces(exported, expected):
    landmarks = FaceLandmarks.load(exported, runtime="mxnet")
    assert landmarks(expected.image, gluon_yolo.Detections.empty()).shape == (0, 106, 2)


def test_faces_go_through_the_network_in_batches():
    seen = []

    def network(pixels):
        seen.append(len(pixels))
        return [pixels.reshape(len(pixels), -1)[:, :2].astype(np.float32)]

    landmarks = FaceLandmarks(network, LandmarkSpec.of(1, (4, 6)), batch_size=2)
    image = np.full((50, 60, 3), 7, np.uint8)
    image[:, 30:] = 9
    boxes = np.array([[0, 0, 10, 10], [5, 5, 15, 15], [40, 0, 50, 10], [41, 0, 51, 10], [2, 2, 9, 9]])
    points = landmarks(image, boxes)
    assert seen == [2, 2, 1]
    crops = landmarks.spec.crops(boxes, (50, 60))
    # The network gives the colour of the crop's first pixel, in whole crops.
    colours = np.array([7, 7, 9, 9, 7])
    assert points[:, 0, 0].tolist() == (crops[:, 0] + colours * (crops[:, 2] - crops[:, 0])).tolist()


def test_a_detector_is_no_landmark_network_and_the_reverse(imported, exported, tmp_path):
    from gluon_yolo.exporters.api import export
    from gluon_yolo.exporters.source_model import load_detector

    export(random_detector(), tmp_path, ("symbol",), "faces", (96, 96))
    with pytest.raises(UserError, match="is a detector, .* expected: the folder that .*import caffe` wrote"):
        FaceLandmarks.load(tmp_path)
    for folder in (imported, exported):
        with pytest.raises(
            UserError, match="is a network of face landmarks, and no detector; give it to demo"
        ):
            gluon_yolo.Predictor.load(folder)
    for model in (imported, exported):
        with pytest.raises(UserError, match="is a network of face landmarks"):
            gluon_yolo.benchmark(model)
        with pytest.raises(UserError, match="is a network of face landmarks, where a detector is expected"):
            gluon_yolo.quantize(model, tmp_path, out=tmp_path / "int8")
        with pytest.raises(UserError, match="is a network of face landmarks, where a detector is expected"):
            load_detector(model)
    with pytest.raises(UserError, match="is an exported landmark network; export the imported model"):
        gluon_yolo.export(exported, "onnx", tmp_path / "again")


def test_the_record(exported):
    record = json.loads((exported / "landmark106.json").read_text())
    assert record["task"] == "landmarks" and record["spec"]["num_points"] == 106
    assert list(record["spec"]["groups"]) == ["contour", "brows", "eyes", "nose", "mouth"]
    assert record["spec"]["reach"] == [0.55, 0.35, 0.55, 0.55]
    assert record["input"]["size_hw"] == [112, 112] and record["input"]["colour"] == "RGB"
    assert "max_detections" not in record
    assert record["graphs"]["symbol"]["outputs"] == ["landmarks_output"]
    assert record["graphs"]["onnx"]["outputs"] == ["landmarks"]
