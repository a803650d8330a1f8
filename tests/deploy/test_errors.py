"""What the C++ samples say of a wrong command line, a model that they cannot run, and bad images."""

from __future__ import annotations

import json
import re
import struct
import zlib

import cv2
import numpy as np
import pytest

from gluon_yolo.inference.model_files import find_model_record
from tests.data.image_content import chunk, exif, jpeg, png, tiff, webp
from tests.deploy.conftest import Sample
from tests.random_model import random_image


def said(sample: Sample, status: int, *words: object) -> str:
    """Return the one error that a call of the program gives, after its exit status was looked at."""
    done = sample.run(*words)
    assert done.returncode == status, done.stderr
    return next(line for line in done.stderr.splitlines() if line.startswith("error: "))


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), random_image(60, 80))
    return path


@pytest.mark.parametrize(
    ("words", "expected"),
    (
        ((), "expected a model and at least one picture"),
        (("model",), "expected a model and at least one picture"),
        (("model", "picture", "--treshold", "0.3"), "--treshold: unknown"),
        (("model", "picture", "--threshold"), "--threshold: expected a value"),
        (("model", "picture", "--draw", ""), "--draw: expected a value"),
        (("model", "picture", "--threshold", "30"), "--threshold 30: expected a number within 0 and 1"),
        (("model", "picture", "--nms", "0,5"), "--nms 0,5: expected a number within 0 and 1"),
        (("model", "picture", "--max-detections", "0"), "--max-detections 0: expected a number from 1 up"),
        (("model", "picture", "--max-detections", "-3"), "--max-detections -3: expected a number from 1 up"),
        (("model", "picture", "--max-detections", "many"), "--max-detections many: expected a number from 1"),
        (("model", "picture", "--max-candidates", "0"), "--max-candidates 0: expected a number from 1 up"),
    ),
)
def test_command_line(sample, words, expected):
    done = sample.run(*words)
    assert done.returncode == 2
    assert expected in done.stderr and "usage: detect" in done.stderr and not done.stdout


def test_help(sample):
    done = sample.run("--help")
    assert done.returncode == 0 and done.stdout.startswith("usage: detect") and not done.stderr


def edited(models, label, edit, model=None):
    """Return a copy of a model whose record was edited as JSON."""
    folder = models.changed(model or models.random(), label)
    file = find_model_record(folder)
    record = json.loads(file.read_text())
    edit(record)
    file.write_text(json.dumps(record))
    return folder


def elsewhere(record, place):
    """Let the files of every format lie in another folder."""
    for graph in record["graphs"].values():
        graph["files"] = [f"{place}{file}" for file in graph["files"]]


@pytest.mark.parametrize(
    ("label", "edit", "expected"),
    (
        ("newer", lambda record: record.update(format=3), "is of format 3, and this program reads 2"),
        ("older", lambda record: record.update(format=1), "is of format 1, .*export the model again"),
        ("run", lambda record: record.update(graphs={}), "a training run, .*gluon_yolo export --format"),
        (
            "coding",
            lambda record: record["spec"].update(box_coding="polar"),
            'box_coding "polar" is not known',
        ),
        ("rule", lambda record: record["spec"].pop("score_rule"), "a field is missing or wrong .*score_rule"),
        (
            "limit",
            lambda record: record.update(max_detections=0),
            "max_detections is below 1",
        ),
        (
            "candidates",
            lambda record: record.update(max_candidates=0),
            "max_candidates is below 1",
        ),
        (
            "size",
            lambda record: record["input"].update(size_hw=[100, 100]),
            "no multiple of the largest stride",
        ),
        ("large", lambda record: record["input"].update(size_hw=[64, 32 << 20]), "size_hw is above 8192"),
        *(
            (f"place{number}", lambda record, place=place: elsewhere(record, place), "is not one beside it")
            for number, place in enumerate(("../", "/", "sub/"))
        ),
    ),
)
def test_records(sample, models, image, label, edit, expected):
    message = said(sample, 1, edited(models, f"{label}-{sample.runtime}", edit), image)
    assert re.search(expected, message), message


def test_no_model(sample, models, image, tmp_path):
    assert "no such file or folder" in said(sample, 1, tmp_path / "absent", image)
    assert "holds no model" in said(sample, 1, tmp_path, image)
    assert "is no model's record" in said(sample, 1, image, image)
    both = tmp_path / "both"
    both.mkdir()
    for name in ("one", "other"):
        (both / f"{name}.json").write_text(find_model_record(models.random()).read_text())
    assert "holds several models" in said(sample, 1, both, image)


def test_damaged_files(sample, models, image):
    names = {"ncnn": (".param", ".bin"), "mxnet": ("-symbol.json", "-0000.params")}[sample.runtime]
    for ending in names:
        folder = models.changed(models.random(), f"without{ending}")
        (file,) = folder.glob(f"*{ending}")
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2])
        message = said(sample, 1, folder, image)
        assert file.name in message and "damaged" in message
        file.unlink()
        message = said(sample, 1, folder, image)
        assert file.name in message and re.search("no such file", message, re.IGNORECASE)


@pytest.mark.parametrize("sample", ("mxnet",), indirect=True)
def test_an_operator_that_may_run_something_is_refused(sample, models, image):
    folder = models.changed(models.random(), "operator")
    (file,) = folder.glob("*-symbol.json")
    graph = json.loads(file.read_text())
    node = next(node for node in graph["nodes"] if node["op"] == "Convolution")
    node["op"], node["attrs"] = "_Native", {"info": "0x0"}
    file.write_text(json.dumps(graph))
    message = said(sample, 1, folder, image)
    assert file.name in message and "has the operator '_Native'" in message


@pytest.mark.parametrize("sample", ("ncnn",), indirect=True)
def test_a_cut_that_ncnn_graphs_do_not_have(sample, models, image):
    folder = edited(models, "cut", lambda record: record["graphs"]["ncnn"].update(cut="nms"))
    assert "takes ncnn graphs cut raw" in said(sample, 1, folder, image)


def test_maps_of_another_model(sample, models, image):
    kinds = [models.random()] + [models.variant("cut raw", "--cut", "raw")] * (sample.runtime == "mxnet")
    for model in kinds:
        folder = edited(
            models, "classes", lambda record: record["spec"].update(class_names=["a", "b"]), model
        )
        assert "are of different models" in said(sample, 1, folder, image)


@pytest.mark.parametrize("sample", ("mxnet",), indirect=True)
def test_no_library(sample, models, image, monkeypatch):
    monkeypatch.setenv("MXNET_LIBRARY", "absent/libmxnet.so")
    assert "absent/libmxnet.so: cannot open shared object file" in said(sample, 1, models.random(), image)


def test_bad_images_do_not_stop_the_others(sample, models, image, tmp_path):
    empty, text, cut = tmp_path / "empty.jpg", tmp_path / "text.png", tmp_path / "cut.jpg"
    empty.touch()
    text.write_text("no picture")
    cv2.imwrite(str(cut), random_image(300, 300))
    cut.write_bytes(cut.read_bytes()[:2000])
    done = sample.run(models.random(), tmp_path / "absent.png", empty, text, cut, tmp_path, image)
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    expected = ("No such file", "the file is empty", "no picture at all", "cut short", "cannot be read")
    assert len(errors) == len(expected)
    assert all(words in line for words, line in zip(expected, errors)), errors
    assert f"{image}: " in done.stderr


def bomb_of(kind):
    """Return a file of a few bytes whose header says 40000 x 30000 pixels."""
    small = random_image(48, 64)
    if kind == "png":
        data = png(small)
        head = b"IHDR" + struct.pack(">II", 40000, 30000) + data[24:29]
        return data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:]
    if kind == "jpg":
        data = jpeg(small)
        place = data.index(b"\xff\xc0") + 5
        return data[:place] + struct.pack(">HH", 30000, 40000) + data[place + 4 :]
    if kind == "bmp":
        data = cv2.imencode(".bmp", small)[1].tobytes()
        return data[:18] + struct.pack("<ii", 40000, -30000) + data[26:]
    data = (
        b"VP8X"
        + struct.pack("<I", 10)
        + bytes(4)
        + (39999).to_bytes(3, "little")
        + (29999).to_bytes(3, "little")
    )
    return b"RIFF" + struct.pack("<I", len(data) + 4) + b"WEBP" + data


@pytest.mark.parametrize("kind", ("png", "jpg", "bmp", "webp"))
def test_a_header_that_asks_for_gigabytes(sample, models, tmp_path, kind):
    """40000 x 30000 pixels are 3.6 GB as RGB, which OpenCV would reserve."""
    bomb = tmp_path / f"bomb.{kind}"
    bomb.write_bytes(bomb_of(kind))
    message = said(sample, 1, models.random(), bomb)
    expected = "is of 40000 x 30000 pixels by its header, and pictures of at most 268435456 are decoded"
    assert message.startswith(f"error: {bomb}: {expected}")


def test_a_chunk_longer_than_its_png(sample, models, tmp_path):
    """OpenCV reserves what the chunk's length says."""
    data = png(random_image(48, 64), before=chunk(b"teXt", b"words"))
    place = data.index(b"teXt") - 4
    (tmp_path / "long.png").write_bytes(data[:place] + b"\x7f\xff\xff\xff" + data[place + 4 :])
    assert "long.png: damaged, cut short" in said(sample, 1, models.random(), tmp_path / "long.png")


def test_a_file_of_gigabytes(sample, models, tmp_path):
    """It is not read at all; sparse, so that the disk has none of it."""
    with (tmp_path / "endless.png").open("wb") as file:
        file.truncate(5 << 30)
    message = said(sample, 1, models.random(), tmp_path / "endless.png")
    assert "endless.png: is larger than 2147483647 bytes" in message


def test_images_of_kinds_that_are_not_read(sample, models, image, tmp_path):
    """What OpenCV makes of them depends on its version; Python refuses them too, but for turned WebPs."""
    rgb = random_image(60, 80)
    contents = {
        "gif.jpg": (b"GIF89a" + bytes(99), "or of a kind that is not read: save it as PNG or JPEG"),
        "floats.tif": (tiff(rgb.astype(np.float32)), "or of a kind that is not read"),
        "frames.webp": (webp(rgb, animated=2), "is a WebP with frames, which is not read"),
        "turned.webp": (webp(rgb, exif(6)), "is a WebP with EXIF data, which is not read"),
        "frames.png": (
            png(rgb, before=chunk(b"acTL", b"\0\0\0\2" + bytes(4))),
            "is a PNG with several frames",
        ),
        "twelve.png": (
            png(rgb[:, :, 0].astype(np.uint16) * 16, 16, 0),
            "has 16 bits a sample and is all but black",
        ),
    }
    for name, (content, message) in contents.items():
        (tmp_path / name).write_bytes(content)
        assert f"{tmp_path / name}: " in (said_so := said(sample, 1, models.random(), tmp_path / name))
        assert message in said_so


def test_a_drawing_of_an_ending_that_opencv_does_not_write(sample, models, tmp_path):
    (tmp_path / "a.jfif").write_bytes(jpeg(random_image(60, 80), exif(6)))
    done = sample.run(models.random(), tmp_path / "a.jfif", "--draw", tmp_path / "drawn")
    assert done.returncode == 0, done.stderr
    assert cv2.imread(str(tmp_path / "drawn" / "a.jpg")).shape == (80, 60, 3)


def test_draw(sample, models, image, tmp_path):
    (tmp_path / "other").mkdir()
    twin = tmp_path / "other" / image.name
    twin.write_bytes(image.read_bytes())
    done = sample.run(models.random(), image, twin, "--threshold", "0.5", "--draw", tmp_path / "drawn")
    assert done.returncode == 0 and [json.loads(line) for line in done.stdout.splitlines()]
    for source, name in ((image, "picture.png"), (twin, "picture-2.png")):
        assert f"{source}: drawn -> {tmp_path / 'drawn' / name}\n" in done.stderr
    drawn = cv2.imread(str(tmp_path / "drawn" / "picture.png"))
    assert drawn.shape == (60, 80, 3) and (drawn != cv2.imread(str(image))).any()
    assert np.array_equal(drawn, cv2.imread(str(tmp_path / "drawn" / "picture-2.png")))
    before = image.read_bytes()
    for sources in ((image,), (twin, image)):  # the latter is still to be read when its twin is drawn
        assert "is one of the pictures" in said(sample, 1, models.random(), *sources, "--draw", tmp_path)
        assert image.read_bytes() == before
