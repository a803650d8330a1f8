"""The base of all readers: images, annotations, class names, reports."""

from __future__ import annotations

import logging
import pickle
import struct
import time

import cv2
import numpy as np
import pytest

from gluon_yolo.data.classes.read import lookalikes, read_class_names, unknown_classes
from gluon_yolo.data.dataset import ImageFiles
from gluon_yolo.data.images.files import ImageFolder
from gluon_yolo.data.images.read import decode_image, measure, measure_encoded, read_image
from gluon_yolo.data.loading.workers import threaded_map
from gluon_yolo.data.quality.annotations import Annotations
from gluon_yolo.data.quality.report import BadFile, DatasetReport
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError

RED = (255, 0, 0)


def encoded(extension=".jpg", size_hw=(20, 30), color=RED):
    """Return an image file's bytes; the image has one RGB colour."""
    image = np.full((*size_hw, 3), color[::-1], dtype=np.uint8)
    return cv2.imencode(extension, image)[1].tobytes()


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """Insert an EXIF block with an orientation tag after a JPEG's first marker."""
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


class TestReadImage:
    @pytest.mark.parametrize("extension", [".jpg", ".png", ".bmp", ".webp"])
    def test_gives_rgb(self, tmp_path, extension):
        path = tmp_path / f"red{extension}"
        path.write_bytes(encoded(extension))
        image = read_image(path)
        assert image.shape == (20, 30, 3) and image.dtype == np.uint8
        assert np.abs(image[10, 15].astype(int) - RED).max() <= 4
        assert measure(str(path)).size_hw == (20, 30)

    def test_is_turned_upright(self, tmp_path):
        path = tmp_path / "turned.jpg"
        path.write_bytes(with_orientation(encoded(), 6))
        assert read_image(path).shape == (30, 20, 3)
        assert measure(path).size_hw == (30, 20)

    @pytest.mark.parametrize("path", ["grey.png", "Grüße 1.png"])
    def test_grey_and_odd_names(self, tmp_path, path):
        (tmp_path / path).write_bytes(cv2.imencode(".png", np.full((4, 5), 7, dtype=np.uint8))[1].tobytes())
        np.testing.assert_array_equal(read_image(tmp_path / path), np.full((4, 5, 3), 7))

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (None, "No such file"),
            (b"", "empty"),
            (b"GIF and other stories", "damaged"),
            (encoded(size_hw=(200, 200))[:-2], "cut short"),  # only the end marker is missing
            (encoded(size_hw=(200, 200))[:800], "cut short"),
            (encoded(".png", (200, 200))[:-20], "cut short"),
        ],
        ids=["missing", "empty", "no picture", "no end", "half", "half png"],
    )
    @pytest.mark.parametrize("read", [read_image, measure])
    def test_names_the_bad_file(self, tmp_path, read, content, why):
        path = tmp_path / "bad.jpg"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UserError, match=f"bad.jpg: cannot read the picture: .*{why}"):
            read(path)


def noisy(extension, *options):
    """Return an image file's bytes, with as much detail as a photograph."""
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    return cv2.imencode(extension, image, options)[1].tobytes()


# A thumbnail in a header has its own end marker.
WITH_THUMBNAIL = b"\xff\xd8\xff\xe1\x00\x0a..\xff\xd9....\xff" + noisy(".jpg")[2:]
ENDS = (0.1, 0.3, 0.5, 0.9, -100, -3, -2, -1)


class TestCutShort:
    KINDS = {
        "jpeg": noisy(".jpg"),
        "progressive": noisy(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        "restarts": noisy(".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 4),
        "thumbnail": WITH_THUMBNAIL,
        "png": noisy(".png"),
        "webp": noisy(".webp"),
        "bmp": noisy(".bmp"),
    }

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("end", ENDS)
    def test_anywhere(self, kind, end):
        whole = self.KINDS[kind]
        cut = whole[: int(end * len(whole)) if end > 0 else end]
        for reduction in (1, 2, 8):
            assert decode_image(whole, "whole", reduction).shape[2] == 3
            with pytest.raises(BadFile, match="cut: cannot read the picture: .*cut short"):
                decode_image(cut, "cut", reduction)
        with pytest.raises(BadFile, match="cut short"):
            measure_encoded(cut, "cut")

    @pytest.mark.parametrize("kind", ["jpeg", "progressive", "restarts", "thumbnail"])
    @pytest.mark.parametrize("end", ENDS)
    def test_where_opencv_fills_up_what_is_missing(self, monkeypatch, kind, end):
        """OpenCV 4.5 does so with JPEG."""
        monkeypatch.setattr(cv2, "imdecode", lambda data, flags: np.zeros((60, 80, 3), dtype=np.uint8))
        whole = self.KINDS[kind]
        decode_image(whole, "whole")
        with pytest.raises(BadFile, match="cut short"):
            decode_image(whole[: int(end * len(whole)) if end > 0 else end], "cut")

    @pytest.mark.parametrize("tail", [b"\0" * 20, b"made by a telephone"])
    def test_what_comes_after_the_end_is_no_matter(self, tail):
        for kind in ("jpeg", "progressive", "thumbnail", "png"):
            assert decode_image(self.KINDS[kind] + tail, "whole").shape == (60, 80, 3)

    def test_a_download_that_left_zeros(self):
        for kind in ("jpeg", "png"):
            whole = self.KINDS[kind]
            with pytest.raises(BadFile, match="cut short"):
                decode_image(whole[: len(whole) // 2] + bytes(len(whole) // 2), "half")


class TestImageFolder:
    FILES = ("a.JPG", "b.png", "b.jpeg", "c.txt", "day 1/d.webp", "IMG_7.bmp")

    @pytest.mark.parametrize(
        ("stem", "filename", "found"),
        [
            ("a", None, ["a.JPG"]),  # any case
            ("b", None, ["b.jpeg", "b.png"]),  # several, and the annotation does not select one
            ("b", "b.bmp", ["b.jpeg", "b.png"]),
            ("b", "b.png", ["b.png"]),  # several, and the annotation selects one
            ("b", "C:\\pictures\\b.png", ["b.png"]),
            ("c", None, []),  # no image
            ("day 1/d", "", ["day 1/d.webp"]),
            ("0001", "IMG_7.bmp", ["IMG_7.bmp"]),  # the annotation has another name than the image
            ("0001", "../elsewhere.bmp", []),
            ("a.b", None, []),
        ],
    )
    def test_find(self, tmp_path, stem, filename, found):
        for name in self.FILES:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        paths = ImageFolder(str(tmp_path)).find(stem, filename)
        assert paths == [str(tmp_path / name) for name in found]


class TestTruth:
    @pytest.mark.parametrize(
        ("box", "kept", "message"),
        [
            ((10, 20, 30, 40), (10, 20, 30, 40), ""),
            ((-1, -1, 10, 10), (0, 0, 10, 10), ""),  # a zero-based file read as one-based
            ((50, 50, 101, 81), (50, 50, 100, 80), ""),  # within a pixel
            ((50, 50, 120, 60), (50, 50, 100, 60), "reaches out of the 100x80 picture; clipped"),
            ((0, 0, 0.5, 0.5), (0, 0, 0.5, 0.5), ""),
            ((10, 20, 10, 40), None, "box has no area; dropped"),
            ((10, 20, 10, 20), None, "box has no area; dropped"),
            ((30, 20, 10, 40), None, "box has its corners swapped; dropped"),
            ((100, 10, 130, 20), None, "box lies outside of the 100x80 picture; dropped"),
            ((-20, 10, -5, 20), None, "box lies outside of the 100x80 picture; dropped"),
            ((float("nan"), 1, 2, 3), None, "box has a corner that is no finite number; dropped"),
            ((1, 1, 1e300, 3), None, "box has a corner that is no finite number; dropped"),
        ],
    )
    def test_add(self, box, kept, message):
        report = DatasetReport("table")
        truth = Annotations("a.xml", (80, 100), report)
        truth.add(box, 1, True, "object 1")
        found = truth.detections()
        np.testing.assert_array_equal(found.boxes, np.array([kept] if kept else np.zeros((0, 4)), np.float32))
        assert found.class_ids.tolist() == ([1] if kept else [])
        assert found.difficult.tolist() == ([True] if kept else [])
        assert report.broken_boxes == (kept is None)
        assert [str(issue) for issue in report.warnings] == (
            [f"a.xml: object 1: {'box ' if kept else ''}{message}"] if message else []
        )
        assert [issue.box_xyxy is not None for issue in report.warnings] == [True] * bool(message)

    def test_a_box_that_is_there_twice_is_kept_and_reported(self):
        report = DatasetReport("table")
        truth = Annotations("a.xml", (80, 100), report)
        for number, (box, class_id) in enumerate(
            [((1, 2, 9, 9), 0), ((1, 2, 9, 9), 1), ((1, 2, 9, 9), 0)], 1
        ):
            truth.add(box, class_id, where=f"object {number}")
        truth.add((1, 2, 9, 9.5), 0, where="object 4")
        assert len(truth.detections()) == 4 and report.broken_boxes == 0
        assert list(map(str, report.warnings)) == [
            "a.xml: object 3: box is there twice: object 1 has the same corners and class"
        ]
        assert report.warnings[0].kind == "duplicate-box" and report.warnings[0].box_xyxy == (1, 2, 9, 9)

    def test_places_without_names_are_told_apart(self):
        report = DatasetReport("table")
        truth = Annotations("a.json", (80, 100), report)
        truth.add((1, 2, 9, 9), 0)
        truth.add((1, 2, 9, 9), 0)
        assert [issue.kind for issue in report.warnings] == ["duplicate-box"]


def small_dataset():
    truths = [
        Detections([[0, 0, 5, 5], [1, 1, 3, 3]], [0, 2], difficult=[True, False]),
        Detections.empty(),
        Detections([[0, 0, 5, 5]], [0]),
    ]
    paths = ["a.jpg", "b.jpg", "c.jpg"]
    return ImageFiles(("cat", "Dog", "cow"), paths, [(8, 9)] * 3, truths, DatasetReport("pets train"))


class TestImageFiles:
    def test_interface(self):
        dataset = small_dataset()
        assert len(dataset) == 3
        assert dataset.name(1) == "b.jpg"
        assert dataset.size_hw(2) == (8, 9)
        assert len(dataset.annotations(0)) == 2
        with pytest.raises(BadFile, match="a.jpg: cannot read"):
            dataset.image(0)

    def test_survives_pickling(self):
        copy = pickle.loads(pickle.dumps(small_dataset()))
        assert copy.class_names == ("cat", "Dog", "cow")
        assert copy.report == small_dataset().report
        np.testing.assert_array_equal(copy.annotations(0).boxes, [[0, 0, 5, 5], [1, 1, 3, 3]])

    def test_lists_must_agree(self):
        with pytest.raises(ValueError, match="equal lengths"):
            ImageFiles((), ["a.jpg"], [], [], DatasetReport(""))


class TestReport:
    def test_summary_line(self):
        report = small_dataset().report
        assert report.summary_line() == (
            "pets train: 3 pictures, 3 boxes (cat 2, Dog 0, cow 1), 1 without objects, 1 marked difficult, "
            "0 broken boxes dropped"
        )
        report.broken_boxes, report.crowd_boxes, report.skipped, report.boxes = 2, 4, 5, 12345
        assert report.summary_line().endswith(
            "12,345 boxes (cat 2, Dog 0, cow 1), 1 without objects, 1 marked difficult, "
            "4 crowd boxes left out, 2 broken boxes dropped, 5 pictures left out that cannot be used"
        )

    def test_many_classes_are_cut_short(self):
        report = DatasetReport("coco", per_class={f"c{i}": i for i in range(80)})
        assert report.summary_line().count(",") < 30
        assert "60 more classes" in report.summary_line()

    def test_errors_are_listed_all_at_once(self):
        report = DatasetReport("pets train")
        report.raise_if_errors(skip_bad=False, usable=1)
        report.skip([BadFile(f"{i}.jpg", "damaged", "unreadable-picture") for i in range(60)])
        report.raise_if_errors(skip_bad=True, usable=1)
        with pytest.raises(UserError, match="pets train: 60 files cannot be used") as caught:
            report.raise_if_errors(skip_bad=False, usable=1)
        _, *lines, more, advice = str(caught.value).splitlines()
        assert lines == [f"  {i}.jpg: damaged" for i in range(50)]
        assert more == "  and 10 more; `gluon-yolo data check PATH --all` lists every one"
        assert "with skip_bad" in advice
        with pytest.raises(UserError, match="not one picture can be used, the first: 0.jpg: damaged"):
            report.raise_if_errors(skip_bad=True, usable=0)

    def test_log_is_bounded(self, caplog):
        report = DatasetReport("pets", notes=["a note"])
        for number in range(50):
            report.warn("no-area", "a.xml", "box has no area", f"object {number}")
        with caplog.at_level(logging.INFO, "gluon_yolo"):
            report.log(limit=3)
        assert len(caplog.messages) == 6
        assert caplog.messages[2] == "a.xml: object 0: box has no area"
        assert caplog.messages[-1] == "pets: 47 more findings like these"

    def test_bad_file_survives_pickling(self):
        assert (
            str(pickle.loads(pickle.dumps(BadFile("a.jpg", "damaged", "unreadable-picture"))))
            == "a.jpg: damaged"
        )


class TestClassNames:
    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("RBC\nWBC\n", ("RBC", "WBC")),
            ("RBC  \r\ndining table\t\r\n\r\n\n", ("RBC", "dining table")),  # trailing blanks and empty lines
            ("\ufeffcat\nCat", ("cat", "Cat")),  # byte order mark; case is kept
        ],
    )
    def test_read(self, tmp_path, text, names):
        path = tmp_path / "classes.txt"
        path.write_bytes(text.encode("utf-8"))
        assert read_class_names(path) == names

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (None, "cannot read the class names"),
            (b" \n\n", "no class names"),
            (b"cat\n\ndog\n", "line 2 is empty"),
            (b"cat\ndog\ncat\n", "line 3 names 'cat' again, as line 1 does"),
            (b"c\xe4t\n", "not UTF-8"),
        ],
    )
    def test_errors(self, tmp_path, content, message):
        path = tmp_path / "classes.txt"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(UserError, match=f"classes.txt.*{message}"):
            read_class_names(path)

    def test_lookalikes(self):
        assert lookalikes(["RBC", "cat", "rbc", " RBC", "dining table", "diningtable"]) == [
            ("RBC", "rbc", " RBC"),
            ("dining table", "diningtable"),
        ]

    def test_unknown_classes(self):
        message = str(unknown_classes({"rbc": "a.xml: object 2", "cell": "b.xml: object 1"}, ("RBC", "WBC")))
        first, second, last = message.splitlines()
        assert first.startswith("a.xml: object 2: unknown class 'rbc' (it differs from 'RBC' only in case")
        assert second == "b.xml: object 1: unknown class 'cell'"
        assert "'RBC', 'WBC'" in last and "given with classes" in last


class TestThreadedMap:
    def test_keeps_order(self):
        assert threaded_map(lambda item: item * item, range(50), "squares") == [i * i for i in range(50)]

    def test_an_exception_cancels_the_rest(self):
        done = []

        def slow(item):
            if item == 0:
                raise KeyboardInterrupt
            time.sleep(0.001)
            done.append(item)

        with pytest.raises(KeyboardInterrupt):
            threaded_map(slow, range(10_000), "long")
        assert len(done) < 9_000
