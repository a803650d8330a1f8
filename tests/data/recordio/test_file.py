"""RecordIO framing and index: written byte by byte as mxnet does, and read as mxnet does."""

from __future__ import annotations

import gc
import io
import os
import pickle
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gluon_yolo.data.recordio.file import MAGIC, Frame, NoRecord, RecordFile, TornRecord, write_record
from gluon_yolo.data.recordio.index import open_index, write_index
from gluon_yolo.errors import UserError
from gluon_yolo.mxnet_compat import mx

CASES = {
    "empty": b"",
    "one byte": b"x",
    "padded": b"abcde",
    "no padding": b"abcdefgh",
    "magic alone": MAGIC,
    "magic at the beginning": MAGIC + b"abc",
    "magic at the end": b"abcd" + MAGIC,
    "magic in the middle": b"abcdefgh" + MAGIC + b"ijk",
    "magic twice": b"abcd" + MAGIC + MAGIC + b"ef",
    "magic between words": b"ab" + MAGIC + b"cd",
    "magic between words, then at one": b"ab" + MAGIC + b"cd" + MAGIC + b"e",
    "half a magic": MAGIC[:3],
}


def write_by_mxnet(folder, contents):
    writer = mx.recordio.MXIndexedRecordIO(str(folder / "theirs.idx"), str(folder / "theirs.rec"), "w")
    for key, content in enumerate(contents):
        writer.write_idx(key, content)
    writer.close()
    return folder / "theirs.rec"


def write(path, contents):
    with path.open("wb") as file:
        for content in contents:
            write_record(file, content)
    return path


def open_files(path):
    """Return how many times this process has a file open."""
    opened = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
    return sum(os.path.realpath(link) == str(path) for link in opened)


def random_contents():
    """Return data of all lengths up to 60 bytes, with frequent magic numbers."""
    rng = np.random.default_rng(7)
    for length in range(60):
        data = bytearray(rng.integers(0, 256, length, dtype=np.uint8).tobytes())
        for place in rng.integers(0, max(1, length - 4), 3):
            data[place : place + 4] = MAGIC
        yield bytes(data[:length])


class TestFraming:
    def test_one_record_by_hand(self):
        file = io.BytesIO()
        assert write_record(file, b"abcde") == 16
        assert file.getvalue() == b"\x0a\x23\xd7\xce" + b"\x05\0\0\0" + b"abcde\0\0\0"

    def test_parts_by_hand(self):
        file = io.BytesIO()
        assert write_record(file, b"abcd" + MAGIC + MAGIC + b"e") == 12 + 8 + 12
        words = [(1, 4), (2, 0), (3, 1)]
        heads = [MAGIC + struct.pack("<I", flag << 29 | size) for flag, size in words]
        assert file.getvalue() == heads[0] + b"abcd" + heads[1] + heads[2] + b"e\0\0\0"

    @pytest.mark.parametrize("content", CASES.values(), ids=CASES)
    def test_is_mxnets(self, tmp_path, content):
        contents = [b"before", content, b"after"]
        theirs, ours = write_by_mxnet(tmp_path, contents), write(tmp_path / "ours.rec", contents)
        assert ours.read_bytes() == theirs.read_bytes()
        file = RecordFile(theirs)
        assert [file.read(frame) for frame in file.frames()] == contents

    def test_is_mxnets_for_many(self, tmp_path):
        contents = list(random_contents())
        theirs, ours = write_by_mxnet(tmp_path, contents), write(tmp_path / "ours.rec", contents)
        assert ours.read_bytes() == theirs.read_bytes()
        index = open_index(theirs)
        assert list(index.frames) == list(range(len(contents)))
        assert [index.file.read(frame) for frame in index.frames.values()] == contents
        write_index(tmp_path / "ours.idx", index.frames.values())
        assert (tmp_path / "ours.idx").read_bytes() == (tmp_path / "theirs.idx").read_bytes()

    def test_mxnet_reads_ours(self, tmp_path):
        contents = list(CASES.values())
        file = RecordFile(write(tmp_path / "ours.rec", contents))
        write_index(tmp_path / "ours.idx", file.frames())
        reader = mx.recordio.MXIndexedRecordIO(str(tmp_path / "ours.idx"), str(tmp_path / "ours.rec"), "r")
        assert [reader.read_idx(key) for key in reader.keys] == contents

    @pytest.mark.parametrize("content", [b"abcdefghij", b"abcd" + MAGIC + b"ij"], ids=["one part", "two"])
    def test_reads_a_piece(self, tmp_path, content):
        file = RecordFile(write(tmp_path / "a.rec", [b"zzz", content]))
        frame = list(file.frames())[1]
        for start in range(len(content) + 1):
            assert file.read(frame, start) == content[start:]
            assert file.read(frame, start, start + 2) == content[start : start + 2]

    def test_too_long(self):
        class Long(bytes):
            def __len__(self):
                return 1 << 29

        with pytest.raises(ValueError, match="at most 536,870,911 bytes in a record, got 536,870,912"):
            write_record(io.BytesIO(), Long())

    @pytest.mark.parametrize(
        "content", [b"abcde", b"abcd" + MAGIC + b"efgh" + MAGIC], ids=["one part", "three"]
    )
    def test_torn_at_every_byte(self, tmp_path, content):
        whole = write(tmp_path / "a.rec", [b"first", content]).read_bytes()
        for size in range(16, len(whole)):
            (tmp_path / "torn.rec").write_bytes(whole[:size])
            file, frames = RecordFile(tmp_path / "torn.rec"), []
            if size == 16:
                frames = list(file.frames())
            else:
                with pytest.raises((TornRecord, NoRecord)):
                    frames.extend(file.frames())
            assert frames == [Frame(0, 16, 5, True)]

    def test_no_record_begins_there(self, tmp_path):
        file = RecordFile(write(tmp_path / "a.rec", [b"abcd" + MAGIC + b"efg", b"h"]))
        with pytest.raises(NoRecord, match="byte 12 is within a record"):
            file.frame(12)
        with pytest.raises(NoRecord, match="no record begins at byte 4"):
            file.frame(4)
        with pytest.raises(NoRecord, match="byte 36 is beyond the end of the file, which has 36 bytes"):
            file.frame(36)
        with pytest.raises(NoRecord, match="byte -4 is beyond"):
            file.frame(-4)


class TestHandle:
    """The open file: one for all threads of a process, none in a pickle, closed with its owner."""

    @pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="open files cannot be counted here")
    def test_threads_share_it(self, tmp_path):
        contents = [bytes([number]) * 1000 for number in range(200)]
        path = write(tmp_path / "a.rec", contents)
        file = RecordFile(path)
        frames = list(RecordFile(path).frames())
        gc.collect()
        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(file.read, frames)) == contents
        assert open_files(path) == 1
        del file
        gc.collect()
        assert open_files(path) == 0

    def test_is_not_pickled(self, tmp_path):
        file = RecordFile(write(tmp_path / "a.rec", [b"abc"]))
        frame = next(file.frames())
        copy = pickle.loads(pickle.dumps(file))
        assert "_open" in vars(file) and vars(copy) == {"path": file.path, "size": file.size}
        assert copy.read(frame) == b"abc"

    def test_sees_that_the_file_has_changed(self, tmp_path):
        path = write(tmp_path / "a.rec", [b"abc"])
        early, late = RecordFile(path), RecordFile(path)
        frame = next(early.frames())
        os.truncate(path, 8)
        with pytest.raises(TornRecord, match="has changed: it ends before byte 11"):
            early.read(frame)
        with pytest.raises(TornRecord, match="has changed since it was first looked at"):
            late.read(frame)


class TestIndex:
    @pytest.fixture
    def rec(self, tmp_path):
        return write(tmp_path / "a.rec", [b"abc", b"defgh", b"ij"])  # at bytes 0, 12 and 28 of 40

    def test_is_rebuilt_where_there_is_none(self, rec):
        index = open_index(rec)
        assert [frame.offset for frame in index.frames.values()] == [0, 12, 28]
        assert index.notes == ["there is no a.idx; the records of a.rec were found by reading through it"]
        assert not index.bad

    def test_gives_keys_and_order(self, rec):
        rec.with_suffix(".idx").write_text("7\t28\n3\t0\n5\t12\n")
        index = open_index(rec)
        assert {key: index.file.read(frame) for key, frame in index.frames.items()} == {
            7: b"ij",
            3: b"abc",
            5: b"defgh",
        }
        assert list(index.frames) == [7, 3, 5] and not index.notes

    def test_says_what_it_leaves_out(self, rec):
        rec.with_suffix(".idx").write_text("0\t0\n2\t28\n")
        (note,) = open_index(rec).notes
        assert note == "a.idx leaves out 16 of the 40 bytes of a.rec; delete it to have all records"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("0\t0\n1\t16\n", "a.idx: line 2 does not fit a.rec: no record begins at byte 16"),
            (
                "0\t0\n1\t400\n",
                "a.idx: line 2 does not fit a.rec: byte 400 is beyond the end of the file, which",
            ),
            ("0\t0\n0\t12\n", "a.idx: line 2 has the key 0 again"),
            ("0 0\n", "a.idx: line 1: expected a key, a tab and an offset, got '0 0'"),
            ("0\t0\n\n1\t12\n", "a.idx: line 2: expected a key, a tab and an offset, got ''"),
            ("a\t0\n", "a.idx: line 1: expected a key, a tab and an offset"),
            ("ä\t0\n", "a.idx: is no text"),
        ],
    )
    def test_that_does_not_fit(self, rec, text, message):
        rec.with_suffix(".idx").write_text(text, encoding="utf-8")
        with pytest.raises(UserError) as caught:
            open_index(rec)
        assert message in str(caught.value)
        assert "delete it: the .rec is then read through" in str(caught.value)

    def test_last_record_torn(self, rec):
        os.truncate(rec, 38)
        for with_index in (False, True):
            if with_index:
                rec.with_suffix(".idx").write_text("4\t0\n5\t12\n6\t28\n")
            index = open_index(rec)
            assert len(index.frames) == 2
            (bad,) = index.bad
            assert str(bad) == (
                f"{rec}: record {6 if with_index else 2}: cut short: "
                "the file ends within the record at byte 28"
            )

    def test_rubbish_in_between(self, rec):
        data = bytearray(rec.read_bytes())
        data[12:16] = b"\0\0\0\0"
        rec.write_bytes(data)
        (bad,) = open_index(rec).bad
        assert bad.problem == ("damaged: no record begins at byte 12; what follows, 28 bytes, cannot be read")

    @pytest.mark.parametrize(
        ("content", "message"),
        [(b"", "there is no record in it"), (b"\x89PNG and so on", "is no RecordIO file: no record begins")],
    )
    def test_no_records(self, tmp_path, content, message):
        (tmp_path / "a.rec").write_bytes(content)
        with pytest.raises(UserError, match=f"a.rec: {message}"):
            open_index(tmp_path / "a.rec")

    def test_no_file(self, tmp_path):
        with pytest.raises(UserError, match="a.rec: cannot be read: No such file"):
            open_index(tmp_path / "a.rec")
