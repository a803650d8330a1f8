"""VOC annotation files: what is read, what is refused, and the round trip."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gluon_yolo.data.voc.xml_file import read_annotation, write_annotation
from gluon_yolo.detections import Detections
from gluon_yolo.errors import UserError

BOX = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>10</xmax><ymax>20</ymax></bndbox>"


def read(tmp_path, text):
    path = tmp_path / "a.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_annotation(path)


def test_pixels_are_counted_from_zero(tmp_path):
    text = f"<annotation><object><name>Cat</name>{BOX}</object></annotation>"
    (thing,) = read(tmp_path, text).objects
    assert thing.box_xyxy == (0, 1, 9, 19)  # each corner is one less than written
    assert thing.name == "Cat"
    assert thing.difficult is False
    assert thing.written == "xmin 1 ymin 2 xmax 10 ymax 20"


@pytest.mark.parametrize(
    ("inside", "name", "box", "difficult"),
    [
        (f"<name> rBc</name><difficult>1</difficult>{BOX}", " rBc", (0, 1, 9, 19), True),  # as written
        (f"<name>\n  red ant\n  </name>{BOX}", "red ant", (0, 1, 9, 19), False),  # the XML's line breaks
        (f"<difficult></difficult><name>a</name>{BOX}", "a", (0, 1, 9, 19), False),
        # decimals, blanks and another order
        (
            "<bndbox><ymax> 4.5 </ymax><ymin>2</ymin><xmin>1.5</xmin><xmax>\n3</xmax></bndbox><name>a</name>",
            "a",
            (0.5, 1, 2, 3.5),
            False,
        ),
        ("<name>a</name>", "a", (math.nan,) * 4, False),  # no box
        (
            "<name>a</name><bndbox><xmin>x</xmin><ymin>2</ymin><xmax/><ymax>nan</ymax></bndbox>",
            "a",
            (math.nan, 1, math.nan, math.nan),
            False,
        ),
        # the boxes of a person's parts are ignored
        (f"<name>person</name><part><name>head</name>{BOX}</part>", "person", (math.nan,) * 4, False),
    ],
)
def test_objects(tmp_path, inside, name, box, difficult):
    (thing,) = read(tmp_path, f"<annotation><object>{inside}</object></annotation>").objects
    assert thing.name == name
    np.testing.assert_array_equal(thing.box_xyxy, box)
    assert thing.difficult is difficult


@pytest.mark.parametrize(
    ("inside", "size_hw", "filename"),
    [
        ("<size><width>64</width><height>48</height></size><filename>x.jpg\n</filename>", (48, 64), "x.jpg"),
        ("<size><width>0</width><height>0</height></size>", None, ""),  # some tools write zeros
        ("<size><width>wide</width></size><filename/>", None, ""),
        ("<size><width>64</width><height>1e999</height></size>", None, ""),
        ("", None, ""),
    ],
)
def test_size_and_filename(tmp_path, inside, size_hw, filename):
    annotation = read(tmp_path, f"<annotation>{inside}</annotation>")
    assert (annotation.size_hw, annotation.filename, annotation.objects) == (size_hw, filename, ())


@pytest.mark.parametrize(
    "encoding", ["gb2312", "GBK", "gb18030", "big5", "shift_jis", "utf-8", "utf-16", "euc-jp"]
)
@pytest.mark.parametrize("declaration", ["<?xml version='1.0' encoding='{}' ?>\n", '<?xml encoding="{}"?>'])
def test_encodings(tmp_path, encoding, declaration):
    """Tools write in local encodings, of which the XML parser supports few."""
    text = f"{declaration.format(encoding)}<annotation><object><name>車</name>{BOX}</object></annotation>"
    written = {"gb2312": "gb18030"}.get(encoding, encoding)  # gb2312 lacks some of the letters
    (thing,) = read(tmp_path, text.encode(written)).objects
    assert (thing.name, thing.box_xyxy) == ("車", (0, 1, 9, 19))


def test_an_annotation_within_another_element(tmp_path):
    text = f"<annotations><annotation><object><name>a</name>{BOX}</object></annotation></annotations>"
    assert read(tmp_path, text).class_names() == {"a"}


LAUGHS = "<!DOCTYPE a [<!ENTITY b 'ha'><!ENTITY c '&b;&b;'>]><annotation>&c;</annotation>"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no well-formed XML"),
        (b"<annotation><object></annotation>", "no well-formed XML: mismatched tag"),
        (
            b"<annotation>\xff</annotation>",
            "says no encoding, so it is utf-8, and is something else at byte 13;",
        ),
        (
            b"<?xml version='1.0' encoding='nonsense'?><annotation/>",
            "encoding nonsense is not known; save it",
        ),
        (b"<?xml version='1.0' encoding='hex'?><annotation/>", "encoding hex is not known"),
        (
            b"<?xml version='1.0' encoding='big5'?><annotation>\xff</annotation>",
            "says that it is cp950, and is",
        ),
        (b"<annotations><annotation/><annotation/></annotations>", "<annotations>, expected <annotation>"),
        (LAUGHS.encode("utf-7"), "DOCTYPE|no well-formed"),
        (b"<html/>", "<html>, expected <annotation>"),
        (LAUGHS.encode(), "DOCTYPE"),
        (LAUGHS.encode("utf-16"), "DOCTYPE"),
        (b"<annotation>&b;</annotation>", "undefined entity"),
        (f"<annotation><object/><object>{BOX}</object></annotation>".encode(), "object 1 has no class"),
        (f"<annotation><object><name> </name>{BOX}</object></annotation>".encode(), "object 1 has no class"),
    ],
)
def test_what_is_refused(tmp_path, content, message):
    with pytest.raises(UserError, match=f"a.xml: .*{message}"):
        read(tmp_path, content)


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match="a.xml: cannot read the annotation: No such file"):
        read_annotation(tmp_path / "a.xml")


def test_writing_is_the_inverse(tmp_path):
    boxes = np.random.default_rng(0).uniform(0, 500, size=(50, 2, 2))
    boxes = np.sort(boxes, axis=1).reshape(-1, 4)[:, [0, 1, 2, 3]]
    truth = Detections(boxes, np.arange(50) % 3, difficult=np.arange(50) % 2 == 0)
    names = ("a <b> & c", "Größe", "plain")
    write_annotation(tmp_path / "a.xml", "a & b.jpg", (500, 600), truth, names)
    annotation = read_annotation(tmp_path / "a.xml")
    assert (annotation.filename, annotation.size_hw) == ("a & b.jpg", (500, 600))
    assert [thing.name for thing in annotation.objects] == [names[i % 3] for i in range(50)]
    assert [thing.difficult for thing in annotation.objects] == truth.difficult.tolist()
    np.testing.assert_allclose([thing.box_xyxy for thing in annotation.objects], truth.boxes, atol=1e-4)


def test_whole_pixels_are_written_whole(tmp_path):
    write_annotation(tmp_path / "a.xml", "a.jpg", (9, 9), Detections([[0, 1, 9, 100]], [0]), ("a",))
    assert read_annotation(tmp_path / "a.xml").objects[0].written == "xmin 1 ymin 2 xmax 10 ymax 101"
