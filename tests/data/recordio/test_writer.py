"""Record packing: interrupted at any byte and resumed, verified, never incomplete under the final name."""

from __future__ import annotations

import errno
import json
import os
import pickle
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest

from gluon_yolo.data.dataset import ImageFiles
from gluon_yolo.data.quality.report import DatasetReport
from gluon_yolo.data.recordio import writer as record_writer
from gluon_yolo.data.recordio.file import MAGIC, RecordFile
from gluon_yolo.data.recordio.source import RecordSource
from gluon_yolo.data.recordio.writer import RecordWriter
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError
from tests.data.small_data import replace_truth

NAMES = ("cat", "Dog")
# A process that packs images and is killed at the image with a given number.
KILLED = """
import os, pickle, signal, sys
from gluon_yolo.data.recordio import writer as record_writer
record_writer._BUFFER_BYTES = 2  # 1 would mean Python's own, which are 128 KiB from 3.14 on
dataset = pickle.load(open(sys.argv[1], "rb"))
encoded = dataset.encoded
dataset.encoded = lambda i: os.kill(os.getpid(), signal.SIGKILL) if i == int(sys.argv[3]) else encoded(i)
record_writer.RecordWriter(sys.argv[2], dataset.class_names).write("train", dataset)
"""


@pytest.fixture
def dataset(tmp_path):
    """Six images with no, one or many boxes; the fourth's file contains the magic number twice."""
    (tmp_path / "pictures").mkdir()
    rng = np.random.default_rng(3)
    paths, truths = [], []
    for index, count in enumerate([1, 0, 7, 2, 1, 3]):
        png = cv2.imencode(".png", rng.integers(0, 255, (24 + index, 32, 3), dtype=np.uint8))[1].tobytes()
        if index == 3:
            png += bytes(-len(png) % 4) + MAGIC + b"ab" + MAGIC + b"cd" + MAGIC
        paths.append(str(tmp_path / "pictures" / f"p{index}.png"))
        (tmp_path / "pictures" / f"p{index}.png").write_bytes(png)
        boxes = [(i, 2.25, i + 9, 20 + i) for i in range(count)]
        truths.append(
            Detections(boxes, [i % 2 for i in range(count)], difficult=[i == 1 for i in range(count)])
        )
    return ImageFiles(NAMES, paths, [(24 + i, 32) for i in range(6)], truths, DatasetReport("six train"))


@pytest.fixture
def whole(tmp_path, dataset):
    """The files of packing without an interruption."""
    return pack(tmp_path / "whole", dataset)


def pack(folder, dataset, **options):
    writer = RecordWriter(folder, dataset.class_names, **options)
    writer.write("train", dataset)
    writer.finish()
    return content(folder)


def content(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def frames(folder):
    return list(RecordFile(folder / "train.rec").frames())


def begun(folder, dataset, whole, size):
    """Make the folder of a packing that stopped after ``size`` bytes."""

    def stop(index):
        raise KeyboardInterrupt

    truths = [dataset.annotations(index) for index in range(len(dataset))]
    stopped = ImageFiles(
        NAMES, dataset._names, dataset._sizes_hw, truths, DatasetReport(dataset.report.title)
    )
    stopped.encoded = stop
    with pytest.raises(KeyboardInterrupt):
        pack(folder, stopped)
    (folder / "train.rec.part").write_bytes(whole["train.rec"][:size])


class TestWhole:
    def test_files(self, whole, tmp_path, dataset):
        assert sorted(whole) == [".gluon_yolo", "classes.names", "train.idx", "train.rec"]
        assert whole["classes.names"] == b"cat\nDog\n"
        found = frames(tmp_path / "whole")
        assert [frame.in_one for frame in found] == [True, True, True, False, True, True]
        assert whole["train.idx"] == b"".join(b"%d\t%d\n" % (i, f.offset) for i, f in enumerate(found))

    def test_comes_back(self, whole, tmp_path, dataset):
        back = RecordSource(tmp_path / "whole").open("train")
        assert len(back) == 6 and back.class_names == NAMES and not back.report.issues
        for index in range(6):
            mine, theirs = back.annotations(index), dataset.annotations(index)
            assert back.encoded(index) == dataset.encoded(index)
            assert back.size_hw(index) == dataset.size_hw(index)
            for column in ("boxes", "class_ids", "difficult"):
                np.testing.assert_array_equal(getattr(mine, column), getattr(theirs, column))

    def test_is_left_alone(self, whole, tmp_path, dataset):
        path = tmp_path / "whole" / "train.rec"
        before = path.stat().st_mtime_ns
        writer = RecordWriter(tmp_path / "whole", NAMES)
        writer.write("train", dataset)
        assert (writer.found_whole, writer.packed) == ([path], [])
        assert path.stat().st_mtime_ns == before and content(tmp_path / "whole") == whole

    def test_force(self, whole, tmp_path, dataset):
        path = tmp_path / "whole" / "train.rec"
        path.write_bytes(b"damaged")
        with pytest.raises(
            UserError, match="train.rec: is there already and is not this data: \n  no record begins"
        ):
            pack(tmp_path / "whole", dataset)
        assert path.read_bytes() == b"damaged"
        assert pack(tmp_path / "whole", dataset, force=True) == whole

    def test_other_data(self, whole, tmp_path, dataset):
        other = ImageFiles(
            NAMES,
            dataset._names[:2],
            [(24, 32), (25, 32)],
            [dataset.annotations(0), dataset.annotations(1)],
            DatasetReport("two"),
        )
        with pytest.raises(
            UserError, match="it has 6 records, the data has 2 pictures\n--force packs it anew"
        ):
            pack(tmp_path / "whole", other)
        replace_truth(dataset, 4, Detections([(0, 2.25, 9.002, 20)], [0]))
        with pytest.raises(
            UserError, match=r"\n  record 4 \(.*p4.png\): its boxes are others by more than 0.001"
        ):
            pack(tmp_path / "whole", dataset)
        assert content(tmp_path / "whole") == whole

    def test_other_folder(self, tmp_path, dataset):
        with pytest.raises(UserError, match="pictures: holds something else already"):
            pack(tmp_path / "pictures", dataset)

    def test_other_classes(self, whole, tmp_path):
        with pytest.raises(UserError, match="classes.names: holds other class names than 'cat', 'dog'"):
            RecordWriter(tmp_path / "whole", ("cat", "dog"))

    @pytest.mark.parametrize("names", [("a", "a "), ("a", "", "b"), ("a\nb",), ()])
    def test_names_that_no_file_can_hold(self, tmp_path, names):
        with pytest.raises(UserError, match="cannot hold the class names"):
            RecordWriter(tmp_path / "out", names)
        assert not (tmp_path / "out" / "classes.names").exists()

    def test_split_names(self, tmp_path, dataset):
        writer = RecordWriter(tmp_path / "out", NAMES)
        writer.write("2007_trainval,lists/mine", dataset)
        assert (tmp_path / "out" / "2007_trainval_lists_mine.rec").is_file()


class TestInterrupted:
    def test_at_many_bytes(self, tmp_path, dataset, whole, caplog):
        """Whatever remains of the unfinished file, the finished one is equal."""
        caplog.set_level("INFO", logger="gluon_yolo")
        ends = [frame.end for frame in frames(tmp_path / "whole")]
        sizes = {0, 1, 4, 7, 8, 9, 40}
        sizes |= {end + shift for end in ends for shift in (-9, -8, -1, 0, 1, 8)}
        sizes |= set(range(ends[2], ends[3], 293))  # inside the record with several parts
        begun(tmp_path / "out", dataset, whole, 0)
        journal = (tmp_path / "out" / "train.rec.part.json").read_bytes()
        for size in sorted(size for size in sizes if size <= ends[-1]):
            caplog.clear()
            (tmp_path / "out" / "train.rec.part").write_bytes(whole["train.rec"][:size])
            (tmp_path / "out" / "train.rec.part.json").write_bytes(journal)
            assert pack(tmp_path / "out", dataset) == whole, size
            done = sum(end <= size for end in ends)
            assert (f"going on after {done} of 6 pictures" in caplog.text) == (done > 0)
            (tmp_path / "out" / "train.rec").unlink()

    @pytest.mark.parametrize("number", [0, 1, 4, 5])
    def test_by_sigkill(self, tmp_path, dataset, whole, number):
        (tmp_path / "dataset").write_bytes(pickle.dumps(dataset))
        command = [
            sys.executable,
            "-c",
            KILLED,
            str(tmp_path / "dataset"),
            str(tmp_path / "out"),
            str(number),
        ]
        killed = subprocess.run(command, capture_output=True, text=True, timeout=600)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        left = content(tmp_path / "out")
        assert sorted(left) == [".gluon_yolo", "classes.names", "train.rec.part", "train.rec.part.json"]
        assert whole["train.rec"].startswith(left["train.rec.part"])
        first_of_next = ([0] * 2 + [frame.offset for frame in frames(tmp_path / "whole")])[number]
        assert len(left["train.rec.part"]) >= first_of_next  # all except the bytes in the writer's buffer
        assert pack(tmp_path / "out", dataset) == whole

    def test_by_ctrl_c(self, tmp_path, dataset, whole, caplog):
        encoded = dataset.encoded

        def stop_at_3(index):
            if index == 3:
                raise KeyboardInterrupt
            return encoded(index)

        dataset.encoded = stop_at_3
        with pytest.raises(KeyboardInterrupt):
            pack(tmp_path / "out", dataset)
        assert "train.rec: 3 of 6 pictures are packed; the same command goes on from there" in caplog.text
        dataset.encoded = encoded
        assert pack(tmp_path / "out", dataset) == whole

    def test_between_the_renamings(self, tmp_path, dataset, whole, monkeypatch):
        rename = os.replace

        def killed(source, target):
            if str(target).endswith(".idx"):
                raise KeyboardInterrupt
            rename(source, target)

        monkeypatch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            pack(tmp_path / "out", dataset)
        monkeypatch.undo()
        assert (tmp_path / "out" / "train.rec").read_bytes() == whole["train.rec"]
        assert len(RecordSource(tmp_path / "out").open("train")) == 6
        assert pack(tmp_path / "out", dataset) == whole

    def test_other_data_had_been_begun(self, tmp_path, dataset, whole):
        begun(tmp_path / "out", dataset, whole, 100)
        before = content(tmp_path / "out")
        replace_truth(dataset, 5, Detections.empty())
        with pytest.raises(UserError) as caught:
            pack(tmp_path / "out", dataset)
        assert str(caught.value) == (
            f"{tmp_path}/out/train.rec.part: was begun from six train (6 pictures), which is not, or no "
            "longer, the same as six train (6 pictures); delete this file to begin anew, or name another "
            "folder"
        )
        assert content(tmp_path / "out") == before
        (tmp_path / "out" / "train.rec.part").unlink()
        assert pack(tmp_path / "out", dataset)["train.rec"] != whole["train.rec"]

    def test_journal_missing(self, tmp_path, dataset, whole):
        begun(tmp_path / "out", dataset, whole, 100)
        (tmp_path / "out" / "train.rec.part.json").unlink()
        with pytest.raises(UserError, match="was begun from something unknown"):
            pack(tmp_path / "out", dataset)

    def test_journal_says_what_it_is(self, tmp_path, dataset, whole):
        begun(tmp_path / "out", dataset, whole, 100)
        found = json.loads((tmp_path / "out" / "train.rec.part.json").read_text())
        assert found.pop("labels").isalnum()
        assert found == {
            "layout": 1,
            "split": "train",
            "source": "six train",
            "pictures": 6,
            "class_names": ["cat", "Dog"],
        }


class TestVerified:
    @pytest.mark.parametrize("place", [-10, -300, 40])
    def test_names_the_record_and_removes_nothing(self, tmp_path, dataset, whole, place):
        begun(tmp_path / "out", dataset, whole, len(whole["train.rec"]))
        part = tmp_path / "out" / "train.rec.part"
        damaged = bytearray(part.read_bytes())
        damaged[place] ^= 1
        part.write_bytes(damaged)
        with pytest.raises(UserError) as caught:
            pack(tmp_path / "out", dataset)
        number = 0 if place == 40 else 5
        assert f"train.rec.part: is not what was to be written: \n  record {number} (" in str(caught.value)
        assert f"p{number}.png): " in str(caught.value)
        assert part.read_bytes() == damaged and not (tmp_path / "out" / "train.rec").exists()

    def test_image_changed_meanwhile(self, tmp_path, dataset, whole):
        begun(tmp_path / "out", dataset, whole, len(whole["train.rec"]) - 10)
        with open(dataset.name(2), "ab") as file:
            file.write(b"more")
        with pytest.raises(
            UserError, match=r"record 2 \(.*p2.png\): its picture has other bytes than the file"
        ):
            pack(tmp_path / "out", dataset)

    @pytest.mark.parametrize(
        ("change", "what"),
        [
            (lambda truth: truth.replace(class_ids=truth.class_ids + 1), "its objects or their classes"),
            (lambda truth: truth[:0], "its objects or their classes"),
            (lambda truth: truth.replace(difficult=~truth.difficult), "its difficult marks"),
            (lambda truth: truth.replace(boxes=truth.boxes + 0.01), "its boxes are others by more"),
        ],
    )
    def test_labels(self, tmp_path, dataset, whole, change, what):
        replace_truth(dataset, 2, change(dataset.annotations(2)))
        with pytest.raises(UserError, match=rf"is not this data: \n  record 2 \(.*p2.png\): {what}"):
            pack(tmp_path / "whole", dataset)

    def test_shows_some_of_many(self, tmp_path, dataset, whole):
        dataset._sizes_hw = [(24, 33)] * 6
        with pytest.raises(UserError, match="record 4 .*\n  and 1 more\n"):
            pack(tmp_path / "whole", dataset)


class TestFullDisk:
    @pytest.fixture
    def full_after(self, monkeypatch):
        """Simulate a full disk after some records, with a part of the next one written."""
        write = record_writer.write_record

        def set_limit(count):
            left = [count]

            def limited(file, data):
                if not left[0]:
                    file.write(MAGIC + b"\0\1")
                    file.flush()
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                left[0] -= 1
                return write(file, data)

            monkeypatch.setattr(record_writer, "write_record", limited)

        return set_limit

    @pytest.mark.parametrize("count", [0, 3])
    def test_says_how_much_is_missing(self, tmp_path, dataset, whole, full_after, monkeypatch, count):
        full_after(count)
        with pytest.raises(UserError) as caught:
            pack(tmp_path / "out", dataset)
        text = str(caught.value)
        assert text.startswith(f"{tmp_path}/out/train.rec.part: cannot be written: the disk is full after ")
        assert f"full after {count} of 6 pictures: the others need about " in text
        assert text.endswith(" are free. Make room; the same command goes on from there")
        needed = int(text.partition("need about ")[2].partition(" ")[0].replace(",", ""))
        missing = len(whole["train.rec"]) - (tmp_path / "out" / "train.rec.part").stat().st_size
        assert 0.8 < needed / missing < 1.2
        monkeypatch.undo()
        assert pack(tmp_path / "out", dataset) == whole

    def test_other_failures(self, tmp_path, dataset, monkeypatch):
        def fail(file, data):
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(record_writer, "write_record", fail)
        with pytest.raises(
            UserError, match="train.rec.part: cannot be written: Input/output error; the same com"
        ):
            pack(tmp_path / "out", dataset)

    def test_an_image_that_no_record_can_hold(self, tmp_path, dataset, monkeypatch):
        def refuse(file, data):
            raise ValueError("expected at most 536,870,911 bytes in a record, got 600,000,000")

        monkeypatch.setattr(record_writer, "write_record", refuse)
        with pytest.raises(UserError, match="p0.png: cannot be packed: expected at most 536,870,911 bytes"):
            pack(tmp_path / "out", dataset)
