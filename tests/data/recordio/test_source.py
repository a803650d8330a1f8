"""RecordIO data sets: splits, class names, annotations, errors; compared with mxnet and GluonCV."""

from __future__ import annotations

import pickle
import struct

import cv2
import numpy as np
import pytest

from gluon_yolo import mxnet_compat
from gluon_yolo.data.recordio.file import MAGIC
from gluon_yolo.data.recordio.source import RecordSource
from gluon_yolo.data.recordio.writer import RecordWriter
from gluon_yolo.data.voc.dataset import open_voc
from gluon_yolo.errors import UserError
from gluon_yolo.mxnet_compat import mx
from tests.data.small_data import replace_truth

NAMES = ("cat", "dog")
LABEL = (4, 6, 32, 24, 1, 0.25, 0.5, 0.75, 1, 0)


def image(value=200, size_hw=(24, 32)):
    return cv2.imencode(".png", np.full((*size_hw, 3), value, dtype=np.uint8))[1].tobytes()


def write_rec(path, records, names=NAMES, index=True):
    """Write records of (label, image); a label is a list of values, or one number for classification."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = mx.recordio.MXIndexedRecordIO(str(path.with_suffix(".idx")), str(path), "w")
    for key, (label, data) in enumerate(records):
        numbers = () if isinstance(label, float) else label
        header = struct.pack("<IfQQ", len(numbers), 0 if numbers else label, key, 0)
        writer.write_idx(key, header + np.array(numbers, dtype="<f4").tobytes() + data)
    writer.close()
    if names:
        path.with_name("classes.names").write_text("".join(f"{name}\n" for name in names))
    if not index:
        path.with_suffix(".idx").unlink()
    return path


def opened(path, **options):
    return RecordSource(path).open(path.stem, **options)


class TestOpen:
    def test_by_hand(self, tmp_path):
        second = (2, 5, 0, 0, 0, 0.5, 0.5, 1, 0.1, 0.1, 0.2, 0.2)
        path = write_rec(tmp_path / "train.rec", [(LABEL, image(10)), (second, image(20, (10, 20)))])
        dataset = opened(path)
        assert dataset.report.summary_line() == (
            f"{tmp_path.name} train: 2 pictures, 3 boxes (cat 1, dog 2), 0 without objects, "
            "0 broken boxes dropped"
        )
        assert not dataset.report.issues and not dataset.report.notes
        assert dataset.class_names == NAMES and len(dataset) == 2
        assert dataset.name(1) == f"{path}: record 1"
        assert dataset.size_hw(0) == (24, 32) and dataset.size_hw(1) == (10, 20)
        np.testing.assert_array_equal(dataset.annotations(0).boxes, [[8, 12, 24, 24]])
        np.testing.assert_array_equal(dataset.annotations(1).boxes, [[0, 0, 10, 5], [2, 1, 4, 2]])
        assert dataset.annotations(1).class_ids.tolist() == [0, 1]
        assert dataset.encoded(0) == image(10)
        assert dataset.image(1).shape == (10, 20, 3) and (dataset.image(1) == 20).all()

    def test_difficult(self, tmp_path):
        dataset = opened(write_rec(tmp_path / "a.rec", [((*LABEL[:-1], 1), image())]))
        assert dataset.annotations(0).difficult.tolist() == [True] and dataset.report.difficult == 1

    def test_no_objects(self, tmp_path):
        empties = [(4, 6, 32, 24), (4, 6, 32, 24, -1, 0, 0, 1, 1, 0)]
        dataset = opened(write_rec(tmp_path / "a.rec", [(label, image()) for label in empties]))
        assert dataset.report.empty_images == 2 and len(dataset.annotations(1)) == 0

    def test_many_objects_and_magic_in_the_image(self, tmp_path):
        """A label longer than the first read, and a record in several parts."""
        boxes = [(0, 0.25, 0.5, 0.75, 1, 0), (1, 0.5, 0.25, 1, 0.5, 0)] * 200
        data = image() + bytes(-len(image()) % 4) + MAGIC + b"c"
        path = write_rec(tmp_path / "a.rec", [((4, 6, 32, 24, *np.ravel(boxes)), data)])
        dataset = opened(path)
        assert len(dataset.annotations(0)) == 400
        np.testing.assert_array_equal(dataset.annotations(0).boxes[1], [16, 6, 32, 12])
        assert dataset.encoded(0) == data

    def test_without_index(self, tmp_path):
        path = write_rec(tmp_path / "a.rec", [(LABEL, image(10)), (LABEL, image(20))], index=False)
        dataset = opened(path)
        assert [dataset.image(i)[0, 0, 0] for i in range(2)] == [10, 20]
        assert dataset.report.notes == [
            "there is no a.idx; the records of a.rec were found by reading through it"
        ]

    def test_boxes_in_pixels(self, tmp_path):
        labels = [(2, 5, 1, 8, 12, 24, 24), (2, 5, 0, 0, 0, 1, 1)]
        dataset = opened(write_rec(tmp_path / "a.rec", [(label, image()) for label in labels]))
        assert len(dataset.report.notes) == 0  # half of the boxes: relative coordinates
        dataset = opened(write_rec(tmp_path / "a.rec", [(labels[0], image())] * 2))
        np.testing.assert_array_equal(dataset.annotations(0).boxes, [[8, 12, 24, 24]])
        assert dataset.report.notes == [
            "a.rec: its boxes are in pixels, not in shares of the sides, and taken as such"
        ]

    def test_survives_pickling(self, tmp_path):
        dataset = opened(write_rec(tmp_path / "a.rec", [(LABEL, image(10)), (LABEL, image(20))]))
        dataset.encoded(0)  # opens its file
        copy = pickle.loads(pickle.dumps(dataset))
        assert copy.encoded(1) == image(20)


class TestBroken:
    def test_each_fault(self, tmp_path):
        records = [
            (LABEL, image()),
            (3.0, image()),  # a classification label
            ((2, 5, 1, 0.1), image()),  # half an object
            (LABEL, b"no picture"),
            (LABEL, b""),
            ((2, 5, 1.5, 0, 0, 1, 1), image()),
            (LABEL, image()[:-30]),
        ]
        path = write_rec(tmp_path / "a.rec", records)
        with pytest.raises(UserError) as caught:
            opened(path)
        text = str(caught.value)
        assert "6 files cannot be used" in text and text.endswith("or leave them out with skip_bad")
        dataset = opened(path, skip_bad=True)
        assert len(dataset) == 1 and dataset.report.skipped == 6
        assert [(f.severity, f.file, f.kind) for f in dataset.report.issues] == [
            ("error", f"{path}: record {key}", kind)
            for key, kind in [
                (1, "broken-label"),
                (2, "broken-label"),
                (3, "unreadable-picture"),
                (4, "unreadable-picture"),
                (5, "broken-label"),
                (6, "unreadable-picture"),
            ]
        ]
        assert f"{path}: record 1: no label of boxes (header width, object width, objects); is it of" in text
        assert f"{path}: record 4: cannot read the picture: the file is empty" in text

    def test_header_that_promises_too_much(self, tmp_path):
        path = write_rec(tmp_path / "a.rec", [(LABEL, image())])
        data = bytearray(path.read_bytes())
        data[8:12] = (1000).to_bytes(4, "little")
        path.write_bytes(data)
        with pytest.raises(
            UserError, match="record 0: its header says 1,000 labels follow, but the record ends"
        ):
            opened(path)

    def test_broken_boxes(self, tmp_path):
        boxes = [
            (1, 0.5, 0.5, 0.5, 0.5),
            (0, 0.5, 0.5, 0.1, 0.9),
            (1, np.nan, 0, 1, 1),
            (1, 0.5, 0.5, 1.5, 0.75),
        ]
        path = write_rec(tmp_path / "a.rec", [(LABEL, image()), ((2, 5, *np.ravel(boxes)), image())])
        report = opened(path).report
        assert report.broken_boxes == 3 and report.boxes == 2
        assert [issue.kind for issue in report.issues] == [
            "no-area",
            "swapped-corners",
            "not-finite",
            "reaches-out",
        ]
        first = report.issues[0]
        assert (first.file, first.where) == (str(path), "record 1, object 1 (dog, 0.5 0.5 0.5 0.5)")

    def test_size_in_the_label(self, tmp_path):
        dataset = opened(write_rec(tmp_path / "a.rec", [(LABEL, image(7, (48, 64)))]))
        (issue,) = dataset.report.issues
        assert issue.kind == "wrong-size" and issue.where == "record 0"
        assert issue.message == "says 32x24, but the picture has 64x48 pixels"
        np.testing.assert_array_equal(dataset.annotations(0).boxes, [[16, 24, 48, 48]])

    def test_unknown_class_ids(self, tmp_path):
        labels = [LABEL, (2, 5, 0, 0, 0, 1, 1, 7, 0, 0, 1, 1), (2, 5, 7, 0, 0, 1, 1), (2, 5, 2, 0, 0, 1, 1)]
        path = write_rec(tmp_path / "a.rec", [(label, image()) for label in labels])
        with pytest.raises(UserError) as caught:
            opened(path)
        assert str(caught.value).splitlines() == [
            f"{path}: record 3: object 1 has the class id 2, but there are 2 names",
            f"{path}: record 1: object 2 has the class id 7, but there are 2 names",
            "The names are 0 'cat', 1 'dog'. Class ids count from 0. Name every class, one a line, in the "
            "file given with classes",
        ]
        dataset = opened(path, skip_bad=True)
        assert len(dataset) == 1 and {issue.kind for issue in dataset.report.errors} == {"unknown-class"}

    def test_file_cut_short_behind_our_back(self, tmp_path):
        path = write_rec(tmp_path / "a.rec", [(LABEL, image()), (LABEL, image())])
        dataset = pickle.loads(pickle.dumps(opened(path)))
        path.write_bytes(path.read_bytes()[:40])
        with pytest.raises(UserError, match="a.rec: record 1: cannot read the picture: the file has changed"):
            dataset.image(1)

    def test_all_broken(self, tmp_path):
        path = write_rec(tmp_path / "a.rec", [(3.0, image())])
        with pytest.raises(UserError, match="not one picture can be used"):
            opened(path, skip_bad=True)


class TestSource:
    def test_parts(self, tmp_path):
        for stem in ("1_train", "0_train", "0_val"):
            (tmp_path / f"{stem}.rec").touch()
        source = RecordSource(tmp_path)
        assert source.splits() == ("0_train", "0_val", "1_train")
        assert source.parts() == {"train": "0_train,1_train", "val": "0_val"}

    def test_recognises(self, tmp_path):
        path = write_rec(tmp_path / "a.rec", [(LABEL, image())])
        (tmp_path / "other").mkdir()
        (tmp_path / "folder.rec").mkdir()
        assert RecordSource.recognises(path) and RecordSource.recognises(tmp_path)
        for other in ("a.idx", "classes.names", "other", "folder.rec", "absent.rec"):
            assert not RecordSource.recognises(tmp_path / other)

    def test_several_files_as_one(self, tmp_path):
        for number in range(2):
            write_rec(tmp_path / f"part_{number}.rec", [(LABEL, image(number))])
        source = RecordSource(tmp_path)
        dataset = source.open(source.parts()["train"])
        assert [dataset.name(i) for i in range(2)] == [f"{tmp_path}/part_{n}.rec: record 0" for n in range(2)]
        assert dataset.image(1)[0, 0, 0] == 1

    def test_no_such_split(self, tmp_path):
        write_rec(tmp_path / "a.rec", [(LABEL, image())])
        with pytest.raises(UserError, match="no split 'b'; there is a"):
            RecordSource(tmp_path).open("b")

    @pytest.mark.parametrize(
        ("files", "expected"),
        [
            ({"a.names": "x\n", "classes.names": "y\n"}, ("x",)),
            ({"classes.names": "y\n", "z.names": "y\nz\n"}, ("y",)),
            ({"z.names": "z\n"}, ("z",)),
        ],
    )
    def test_class_names(self, tmp_path, files, expected):
        path = write_rec(tmp_path / "a.rec", [(LABEL, image())], names=())
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        assert RecordSource(path).class_names(["a"]) == expected
        assert RecordSource(tmp_path).class_names(["a"]) == expected

    @pytest.mark.parametrize("other", ["z.names", "classes.txt"])
    def test_another_file_of_class_names(self, tmp_path, other):
        write_rec(tmp_path / "a.rec", [(LABEL, image())])
        (tmp_path / other).write_text("dog\ncat\n")
        both = rf"disagree.*classes\.names \(2 \(cat, dog\)\), .*{other} \(2 \(dog, cat\)\)"
        with pytest.raises(UserError, match=both):
            RecordSource(tmp_path).class_names(["a"])

    def test_two_files_of_class_names_that_belong_to_no_record(self, tmp_path):
        write_rec(tmp_path / "a.rec", [(LABEL, image())], names=())
        for name in "bc":
            (tmp_path / f"{name}.names").write_text(f"cat\n{name}\n")
        both = r"disagree.*b\.names \(2 \(cat, b\)\), .*c\.names \(2 \(cat, c\)\)"
        with pytest.raises(UserError, match=both):
            RecordSource(tmp_path).open("a")

    def test_no_class_names(self, tmp_path):
        labels = [LABEL, (2, 5, 6, 0, 0, 1, 1), 3.0]
        path = write_rec(tmp_path / "a.rec", [(label, image()) for label in labels[:2]], names=())
        for name in "bc":
            (tmp_path / f"{name}.names").write_text("ambiguous\n")
        with pytest.raises(UserError) as caught:
            RecordSource(path).open("a")
        text = str(caught.value)
        assert text.startswith(f"{path}: no class names")
        assert "call for 7 names: write them" in text and "with classes FILE" in text
        assert len(RecordSource(path).open("a", class_names=list("abcdefg"))) == 2

    def test_labels_of_which_none_can_be_read(self, tmp_path):
        """They need no names: the message is the error of the first record."""
        path = write_rec(tmp_path / "a.rec", [(3.0, image()), (4.0, image())], names=())
        with pytest.raises(UserError, match="a.rec: record 0: no label of boxes .*is it of classification"):
            RecordSource(path).open("a")

    def test_class_names_that_differ(self, tmp_path):
        for stem in "ab":
            write_rec(tmp_path / f"{stem}.rec", [(LABEL, image())], names=())
            (tmp_path / f"{stem}.names").write_text(f"cat\n{stem}\n")
        with pytest.raises(UserError, match="b.names: other class names than in .*a.names"):
            RecordSource(tmp_path).class_names(["a", "b"])
        with pytest.raises(UserError, match="a.names: other class names than in .*b.names"):
            RecordSource(tmp_path).open("b")  # one split only: otherwise ids of both are compared
        assert RecordSource(tmp_path).open("b", class_names=("cat", "b")).class_names == ("cat", "b")

    def test_strays(self, tmp_path):
        write_rec(tmp_path / "a.rec", [(LABEL, image())])
        (tmp_path / "b.idx").write_text("0\t0\n")
        (issue,) = RecordSource(tmp_path).orphans()
        assert str(issue) == f"{tmp_path}/b.idx: there is no b.rec beside it"
        assert issue.kind == "stray-label"

    def test_unfinished_files_are_named(self, tmp_path):
        path = write_rec(tmp_path / "a.rec", [(LABEL, image())])
        (tmp_path / "b.rec.part").touch()
        assert opened(path).report.notes == ["b.rec.part was not packed to its end; give `data pack` again"]


class TestJudges:
    """What mxnet and GluonCV read from BCCD, packed by this package, with one image made empty."""

    @pytest.fixture(scope="class")
    def bccd(self, shared_data):
        dataset = open_voc(shared_data / "bccd" / "BCCD", "test")
        replace_truth(dataset, 3, dataset.annotations(3)[:0])
        return dataset

    @pytest.fixture(scope="class")
    def folder(self, bccd, tmp_path_factory):
        writer = RecordWriter(tmp_path_factory.mktemp("packed"), bccd.class_names)
        writer.write("train", bccd)
        return writer.finish()

    def test_we_read_the_same(self, bccd, folder):
        ours = RecordSource(folder).open("train")
        assert len(ours) == len(bccd) == 72 and ours.class_names == bccd.class_names
        for index in range(72):
            mine, theirs = ours.annotations(index), bccd.annotations(index)
            assert ours.encoded(index) == bccd.encoded(index)
            assert ours.size_hw(index) == bccd.size_hw(index)
            for column in ("boxes", "class_ids", "difficult"):
                np.testing.assert_array_equal(getattr(mine, column), getattr(theirs, column))

    def test_image_det_iter(self, bccd, folder):
        """It skips the image without objects, and yields all others in order."""
        batches = mx.image.ImageDetIter(
            1, (3, 480, 640), path_imgrec=str(folder / "train.rec"), path_imgidx=str(folder / "train.idx")
        )
        labels = [batch.label[0][0].asnumpy() for batch in batches]
        expected = [bccd.annotations(index) for index in range(72) if index != 3]
        assert len(labels) == 71
        for label, truth in zip(labels, expected):
            rows = label[label[:, 0] >= 0]
            np.testing.assert_array_equal(rows[:, 0], truth.class_ids)
            np.testing.assert_allclose(rows[:, 1:5] * (640, 480, 640, 480), truth.boxes, atol=1e-3)

    def test_image_det_record_iter(self, bccd, folder):
        batches = mx.io.ImageDetRecordIter(
            path_imgrec=str(folder / "train.rec"),
            data_shape=(3, 48, 64),
            batch_size=1,
            label_pad_width=400,
            preprocess_threads=1,
            verbose=False,
        )
        labels = [batch.label[0].asnumpy().ravel() for batch in batches]
        assert len(labels) == 72
        for label, truth in zip(labels, (bccd.annotations(index) for index in range(72))):
            rows = label[8 : 4 + int(label[3])].reshape(-1, 6)
            assert label[4:8].tolist() == [4, 6, 640, 480]
            np.testing.assert_array_equal(rows[:, 0], truth.class_ids if len(truth) else [-1])

    def test_gluoncv(self, bccd, folder):
        mxnet_compat.gluoncv()
        from gluoncv.data import RecordFileDetection

        theirs = RecordFileDetection(str(folder / "train.rec"))
        for index in (0, 2, 71):
            image_rgb, label = theirs[index]
            np.testing.assert_allclose(label[:, :4], bccd.annotations(index).boxes, atol=1e-3)
            np.testing.assert_array_equal(label[:, 4], bccd.annotations(index).class_ids)
            np.testing.assert_array_equal(image_rgb.asnumpy(), bccd.image(index))
